# SPDX-License-Identifier: Apache-2.0
"""The daemon: what is dropped is taken, once, whatever happens to the daemon meanwhile."""

import json
import os
import random
import signal
import unittest.mock

from rowsieve_test import EXIT_DELIVERY, EXIT_OK, Case, LedgerChecks, SqliteSink, csv_text, parse_objects, wait_until

STOP_SECONDS = 2.0


class RunCase(LedgerChecks, SqliteSink, Case):
    def wait_taken(self, *paths):
        names = ", ".join(path.name for path in paths)
        self.running.wait_until(lambda: not any(path.exists() for path in paths), f"{names} left the drop directory")

    def configure(self, text):
        path = self.write("rowsieve.conf", text)
        if "-c" not in self.options:
            self.options += ["-c", str(path)]
        return path


class Deliveries(RunCase):
    def test_file_dropped_while_running_is_taken(self):
        daemon = self.daemon()
        path = self.deliver("x.csv", "a\n1\n2\n")
        self.wait_taken(path)
        self.assertEqual((self.done / "x.csv").read_text(), "a\n1\n2\n")
        self.assert_ledger_matches("x", 2)
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def test_file_dropped_while_stopped_is_taken_at_the_start(self):
        path = self.deliver("x.csv", "a\n1\n2\n")
        daemon = self.daemon()
        self.wait_taken(path)
        self.assert_ledger_matches("x", 2)
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def test_part_file_is_ignored_until_it_is_renamed(self):
        self.daemon()
        names = ["x.csv.part", "y.csv.tmp", "z.csv.crdownload", ".hidden.csv"]
        for name in names:
            self.write(self.drop / name, "a\n1\n")
        # A later file that is taken shows that the earlier ones were passed over.
        self.wait_taken(self.deliver("later.csv", "a\n1\n"))
        for name in names:
            self.assertTrue((self.drop / name).exists(), name)
        (self.drop / "x.csv.part").rename(self.drop / "x.csv")
        self.wait_taken(self.drop / "x.csv")
        self.assert_ledger_matches("x", 1)

    def test_file_that_is_still_written_is_not_taken(self):
        self.daemon()
        with open(self.drop / "slow.csv", "w", encoding="ascii") as file:
            file.write("a\n1\n")
            file.flush()
            self.wait_taken(self.deliver("other.csv", "a\n1\n"))
            self.assertTrue((self.drop / "slow.csv").exists())
            file.write("2\n3\n")
        self.wait_taken(self.drop / "slow.csv")
        self.assert_ledger_matches("slow", 3)

    def test_subdirectory_names_the_dataset(self):
        self.configure('unmatched = "hold"\ndataset "cards" {\n\tfiles = { "cards*.csv" }\n}\n')
        daemon = self.daemon()
        path = self.deliver("cards/anything.csv", "a\n1\n")
        self.wait_taken(path, self.deliver("cards-1.csv", "a\n1\n2\n"))
        self.assert_ledger_matches("cards", 2)
        held = self.deliver("nobody.csv", "a\n9\n")
        self.wait_taken(self.deliver("cards/later.csv", "a\n3\n"))
        self.assertTrue(held.exists())
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def test_same_name_again_keeps_both_files(self):
        self.daemon()
        for number in range(3):
            self.wait_taken(self.deliver("x.csv", f"a\n{number}\n"))
        kept = sorted(path.read_text() for path in self.done.iterdir())
        self.assertEqual(kept, ["a\n0\n", "a\n1\n", "a\n2\n"])
        self.assert_ledger_matches("x", 3)

    def test_bad_file_goes_to_rejected_with_its_reason(self):
        self.daemon()
        content = random.Random(1).randbytes(100_000)
        self.wait_taken(self.deliver("bad.csv", content), self.deliver("good.csv", "a\n1\n"))
        self.assertEqual((self.rejected / "bad.csv").read_bytes(), content)
        self.assert_one_line((self.rejected / "bad.csv.reason.txt").read_text())
        self.assert_ledger_matches("good", 1)

    def test_file_with_rejected_rows_is_done_all_the_same(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a,b\n1,2\n3\n"))
        self.assertTrue((self.done / "x.csv").exists())
        [report] = self.history()
        self.assert_counts(report, status="done", rows=2, new=1, rejected=1)
        self.assertIn("3", self.rejects(report).read_text())


class ManyFiles(RunCase):
    FILES = 5000

    def setUp(self):
        super().setUp()
        self.configure('unmatched = "hold"\ndataset "many" {\n\tfiles = { "many-*.csv" }\n}\n')

    def drop_all(self):
        """Each file has a row of its own and one that all of them share."""
        self.drop.mkdir(parents=True, exist_ok=True)
        for number in range(self.FILES):
            (self.drop / f"many-{number}.csv").write_text(f"n,text\n{number},own\n-1,shared\n")

    def assert_all_taken(self, daemon):
        daemon.wait_until(lambda: not os.listdir(self.drop), f"{self.FILES} files were taken", deadline=600)
        self.assertEqual(daemon.stop(), EXIT_OK)
        self.assert_ledger_matches("many", self.FILES + 1)
        self.assertEqual(len(os.listdir(self.done)), self.FILES)
        history = self.history()
        self.assertEqual(len({report["delivery"] for report in history}), self.FILES)
        self.assertEqual(sum(report["new"] for report in history), self.FILES + 1)
        self.assertEqual(sum(report["rows"] for report in history), 2 * self.FILES)

    def test_dropped_while_running(self):
        daemon = self.daemon()
        self.drop_all()
        self.assert_all_taken(daemon)

    def test_dropped_while_stopped(self):
        self.drop_all()
        self.assert_all_taken(self.daemon())


class Stopping(RunCase):
    ROWS = 150_000

    def test_sigterm_in_the_middle_of_a_file_ends_quickly_and_the_next_start_goes_on(self):
        self.options += ["-o", "batch.rows=500"]
        rows = ((number, f"text {number}") for number in range(self.ROWS))
        path = self.deliver("big.csv", csv_text(("n", "text"), rows))
        stored = 0
        for _ in range(3):
            daemon = self.daemon()
            daemon.wait_until(lambda: self.table_size("big") > stored, "more rows were in the table")
            self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)
            stored = self.table_size("big")
            self.assertLess(stored, self.ROWS, "the file was over before the signal: nothing is shown")
            self.assertTrue(path.exists())
            self.assert_ledger_matches("big", stored)
        self.options += ["-o", "batch.rows=100000"]
        self.daemon()
        self.wait_taken(path)
        self.assert_ledger_matches("big", self.ROWS)
        [report] = self.history()
        # It went on where it was: nothing was read again and found to be a duplicate.
        self.assert_counts(report, status="done", rows=self.ROWS, new=self.ROWS)

    def test_idle_daemon_ends_at_once(self):
        daemon = self.daemon()
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)
        self.assertFalse((self.data / "control.sock").exists())


class Reloading(RunCase):
    def test_sighup_takes_the_new_configuration(self):
        self.configure('unmatched = "hold"\ndataset "other" {\n\tfiles = { "y*.csv" }\n}\n')
        daemon = self.daemon()
        held = self.deliver("x.csv", "a\n1\n")
        self.wait_taken(self.deliver("y.csv", "a\n1\n"))
        self.assertTrue(held.exists())
        self.configure('unmatched = "hold"\ndataset "mine" {\n\tfiles = { "x*.csv" }\n}\n')
        daemon.signal(signal.SIGHUP)
        self.wait_taken(held)
        self.assert_ledger_matches("mine", 1)
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def test_sighup_with_a_bad_configuration_keeps_the_old_one(self):
        path = self.configure('unmatched = "hold"\ndataset "mine" {\n\tfiles = { "x*.csv" }\n}\n')
        daemon = self.daemon()
        self.configure('unmatched = "hold"\nno_such_key = 1\n')
        daemon.signal(signal.SIGHUP)
        self.wait_logged(daemon, f"'{path}' line 2")
        self.wait_taken(self.deliver("x.csv", "a\n1\n"))
        self.assert_ledger_matches("mine", 1)
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def test_sighup_with_a_configuration_that_cannot_be_opened_keeps_the_old_one(self):
        text = 'unmatched = "hold"\ndataset "mine" {\n\tfiles = { "x*.csv" }\n}\n'
        self.configure(text)
        daemon = self.daemon()
        file = self.write("file", "")
        self.configure(f'done = "{file}/done"\n{text}')
        daemon.signal(signal.SIGHUP)
        self.wait_logged(daemon, "the configuration stays as it was")
        self.wait_taken(self.deliver("x.csv", "a\n1\n"))
        self.assertTrue((self.done / "x.csv").exists())
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def wait_logged(self, daemon, text):
        daemon.wait_until(lambda: text in daemon.text(), f"'{text}' was in the log")


class Asking(RunCase):
    """The other commands talk to the daemon while it runs, and to the state when it does not."""

    def test_history_and_status_are_the_same_with_and_without_a_daemon(self):
        daemon = self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n1\n2\n"))
        self.wait_taken(self.deliver("y.csv", "a\n1\n"))
        with_daemon = self.history()
        status = json.loads(self.rowsieve("status", "--json").stdout)
        self.assertIsInstance(status, dict)
        daemon.stop()
        self.assertEqual(self.history(), with_daemon)
        self.assertEqual({report["dataset"] for report in with_daemon}, {"x", "y"})

    def test_status_shows_the_size_of_each_seen_set(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n" + "".join(f"{i}\n" for i in range(10000))))
        [dataset] = json.loads(self.rowsieve("status", "--json").stdout)["datasets"]
        self.assertEqual((dataset["rows"], dataset["runs"]), (10000, 1))
        self.assertEqual(dataset["bytes_per_row"], dataset["bytes"] / 10000)
        self.assertGreater(dataset["bytes_per_row"], 16)
        self.assertLess(dataset["bytes_per_row"], 20)
        self.assertRegex(self.rowsieve("status").stdout, r"x .* 10000 +1 +1 +17\.\d\n")

    def test_history_can_be_asked_for_one_dataset_or_file(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n1\n2\n"), self.deliver("y.csv", "a\n1\n"))
        for subject in ("x", "x.csv"):
            [report] = parse_objects(self.rowsieve("history", "--json", subject).stdout)
            self.assertEqual(report["dataset"], "x")

    def test_history_can_be_asked_for_one_day(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n1\n2\n"))
        [report] = self.history()
        self.assertEqual(parse_objects(self.rowsieve("history", "--json", report["started"][:10]).stdout), [report])
        self.assertEqual(self.rowsieve("history", "--json", "2001-01-31").stdout, "")

    def test_status_tells_how_fast_it_goes_and_what_went_wrong(self):
        daemon = self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n" + "".join(f"{i}\n" for i in range(10000))))
        self.wait_taken(self.deliver("x.csv", b"\0" * 100))
        status = json.loads(self.rowsieve("status", "--json").stdout)
        self.assertGreater(status["rates"]["rows"], 0)
        self.assertIn("x.csv", status["errors"][-1]["message"])
        shown = self.rowsieve("status").stdout
        self.assertIn("rows/s", shown)
        self.assertIn(status["errors"][-1]["message"], shown)
        daemon.stop()
        status = json.loads(self.rowsieve("status", "--json").stdout)
        self.assertEqual((status["rates"], status["errors"]), (None, []))

    def test_history_for_people_names_the_file(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n1\n2\n"))
        self.assertIn("x.csv", self.rowsieve("history").stdout)

    def test_explain_says_what_happened_to_a_file_or_why_not(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n1\n2\n"))
        self.assertIn("done", self.rowsieve("explain", self.done / "x.csv").stdout)
        part = self.write(self.drop / "y.csv.part", "a\n1\n")
        self.assertIn(".part", self.rowsieve("explain", part).stdout)

    def test_ingest_hands_its_file_to_the_daemon(self):
        daemon = self.daemon()
        path = self.write("outside.csv", "a\n1\n2\n")
        [report] = self.ingest(path, dataset="x")
        self.assert_counts(report, status="done", rows=2, new=2)
        self.assertTrue(path.exists())
        [report] = self.ingest(path, dataset="x")
        self.assert_counts(report, status="done", rows=2, duplicate=2)
        self.ingest(self.directory / "absent.csv", dataset="x", status=EXIT_DELIVERY)
        self.assertIsNone(daemon.process.poll())
        self.assert_ledger_matches("x", 2)


    def test_ingest_hands_over_a_file_whose_name_is_not_utf8(self):
        self.daemon()
        path = self.write(os.fsdecode(b"caf\xe9.csv"), "a\n1\n")
        reports = self.ingest(self.directory / "absent.csv", path, dataset="x", status=EXIT_DELIVERY)
        self.assertEqual([report["status"] for report in reports], ["failed", "done"])
        self.assertTrue(reports[1]["file"].endswith("caf\\xe9.csv"), reports[1])
        self.assert_ledger_matches("x", 1)

    def test_history_takes_a_relative_path(self):
        self.daemon()
        path = self.write("x.csv", "a\n1\n")
        self.ingest(path, dataset="x")
        [report] = parse_objects(self.rowsieve("history", "--json", os.path.relpath(path)).stdout)
        self.assertEqual(report["file"], str(path))


class Trouble(RunCase):
    def test_too_little_space_keeps_files_waiting_and_is_explained(self):
        self.configure('keep { min_free = "1000T" }\ndataset "mine" {\n\tfiles = { "x*.csv" }\n}\n')
        daemon = self.daemon()
        path = self.deliver("x.csv", "a\n1\n")
        self.deliver("mine/y.csv", "a\n2\n")
        daemon.wait_until(lambda: "waiting: " in self.rowsieve("explain", path).stdout, "the file was seen to wait")
        self.assertIn("keep.min_free", self.rowsieve("explain", path).stdout)
        status = json.loads(self.rowsieve("status", "--json").stdout)
        self.assertIn("keep.min_free", status["worker"]["trouble"])
        self.assertEqual(status["worker"]["refused"], 0)
        # What the operator hands in himself is not held back.
        self.ingest(self.write("outside.csv", "a\n3\n"), dataset="mine")
        self.assertEqual(daemon.text().count("keep.min_free"), 1, "one line for one trouble")
        self.configure('dataset "mine" {\n\tfiles = { "x*.csv" }\n}\n')
        daemon.signal(signal.SIGHUP)
        self.wait_taken(path, self.drop / "mine/y.csv")
        self.assert_ledger_matches("mine", 3)
        self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)


class Keeping(RunCase):
    def test_old_files_leave_done_and_rejected(self):
        self.options += ["-o", "keep.done=1ms", "-o", "keep.rejected=1ms"]
        daemon = self.daemon()
        bad = self.deliver("bad.csv", random.Random(1).randbytes(10_000))
        self.wait_taken(self.deliver("x.csv", "a\n1\n"), bad)
        self.assertEqual(daemon.stop(), EXIT_OK)
        # Housekeeping is done at the start, and then now and again.
        daemon = self.daemon()
        for directory in (self.done, self.rejected):
            daemon.wait_until(lambda: not os.listdir(directory), f"'{directory.name}' was empty")

    def test_done_files_are_deleted_or_kept_in_place_as_configured(self):
        for policy, is_there in (("delete", False), ("keep", True)):
            with self.subTest(policy=policy):
                daemon = self.daemon("-o", f"on_done={policy}")
                path = self.deliver(f"{policy}.csv", "a\n1\n")
                daemon.wait_until(lambda: self.table_size(policy) == 1, "the row was there")
                daemon.wait_until(lambda: path.exists() == is_there, "the file's fate was known")
                self.assertFalse((self.done / path.name).exists())
                self.assertEqual(daemon.stop(within=STOP_SECONDS), EXIT_OK)

    def test_kept_file_is_not_read_again(self):
        self.options += ["-o", "on_done=keep"]
        self.deliver("x.csv", "a\n1\n")
        for later in ("y", "z"):
            daemon = self.daemon()
            self.deliver(f"{later}.csv", "a\n1\n")
            daemon.wait_until(lambda: self.table_size(later) == 1, "the later file was taken, which comes after x.csv")
            self.assertEqual(daemon.stop(), EXIT_OK)
        self.assertEqual(sorted(report["dataset"] for report in self.history()), ["x", "y", "z"])


class Notifications(RunCase):
    """What the service manager hears."""

    def test_watchdog_is_fed_while_there_is_nothing_to_do(self):
        with unittest.mock.patch.dict(os.environ, WATCHDOG_USEC="400000"):
            daemon = self.daemon()
        daemon.wait_until(lambda: daemon.notified.count(b"WATCHDOG=1") >= 3, "the watchdog was fed again and again")

    def test_status_tells_of_the_last_delivery(self):
        daemon = self.daemon()
        self.deliver("x.csv", "a\n1\n")
        daemon.wait_until(lambda: daemon.notifies(b"STATUS='"), "the delivery was told")

    def test_stopping_is_announced(self):
        daemon = self.daemon()
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: daemon.notifies(b"STOPPING=1"), "the end was announced")


class Freshness(RunCase):
    """`status --check` complains of a dataset that had no delivery for longer than it may."""

    def test_a_dataset_is_overdue_until_its_delivery_has_come(self):
        self.configure('dataset "x" {\n\tfiles = { "x*.csv" }\n\tstale_after = "1h"\n}\ndataset "y" {\n\tfiles = { "y*.csv" }\n}\n')
        self.daemon()
        done = self.rowsieve("status", "--check", status=EXIT_DELIVERY)
        self.assertIn("overdue   x", done.stdout)
        self.wait_taken(self.deliver("y.csv", "a\n1\n"))
        self.rowsieve("status", "--check", status=EXIT_DELIVERY)
        self.wait_taken(self.deliver("x.csv", "a\n1\n"))
        done = self.rowsieve("status", "--check")
        self.assertNotIn("overdue", done.stdout)

    def test_an_old_delivery_does_not_count(self):
        self.configure('dataset "x" {\n\tfiles = { "x*.csv" }\n\tstale_after = "1ms"\n}\n')
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a\n1\n"))
        self.running.wait_until(
            lambda: parse_objects(self.rowsieve("status", "--json").stdout)[0]["overdue"], "the delivery was too old"
        )
