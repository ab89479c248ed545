# SPDX-License-Identifier: Apache-2.0
"""Deliveries that end otherwise than they began: changed, damaged, cut off, given twice."""

import contextlib
import csv
import random
import signal
import subprocess
import zipfile

from rowsieve_test import EXIT_DELIVERY, Case, LedgerChecks, SqliteSink, csv_text, parse_objects, wait_until

ROWS = 200_000


def numbered(rows, first=0):
    return csv_text(("n", "text"), ((n, f"text {n}") for n in range(first, first + rows)))


class Interrupted(LedgerChecks, SqliteSink, Case):
    """Small batches, so that there is much to interrupt."""

    def setUp(self):
        super().setUp()
        self.options += ["-o", "batch.rows=1000"]
        self.path = self.write("big.csv", numbered(ROWS))

    def begin(self, dataset):
        """An ingest that has committed some batches of the file, and not all."""
        process = self.start("ingest", "--dataset", dataset, self.path, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: self.table_size(dataset) >= 3000, "some batches were committed")
        self.assertIsNone(process.poll(), "the ingest has ended before it could be interrupted")
        return process

    def test_file_that_grows_while_it_is_read_fails_and_is_complete_the_next_time(self):
        process = self.begin("t")
        with open(self.path, "a", encoding="ascii") as file:
            file.write(numbered(10, first=ROWS).split("\n", 1)[1])
        self.assertEqual(process.wait(), EXIT_DELIVERY)
        [report] = self.history()
        self.assertEqual((report["status"], report["reason"]), ("failed", "the file changed while it was read"))
        [report] = self.ingest(self.path, dataset="t")
        self.assertEqual((report["status"], report["rows"]), ("done", ROWS + 10))
        self.assert_ledger_matches("t", ROWS + 10)

    def test_interrupted_ingest_goes_on_where_it_was(self):
        process = self.begin("t")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), EXIT_DELIVERY)
        [report] = self.ingest(self.path, dataset="t")
        self.assert_counts(report, rows=ROWS, new=ROWS)
        self.assertEqual([entry["delivery"] for entry in self.history()], [report["delivery"]])

    def test_killed_ingests_keep_every_reject_once(self):
        lines = numbered(ROWS // 20).splitlines(keepends=True)
        bad = range(5, len(lines), 7)
        for index in bad:
            lines[index] = f"ragged {index}\n"
        self.path.write_text("".join(lines))
        for _ in range(12):
            process = self.start("ingest", "--dataset", "t", "-o", "batch.rows=100", self.path, stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=random.uniform(0.02, 0.2))
            process.kill()
            process.wait()
        self.ingest(self.path, dataset="t")
        first = self.history()[0]
        self.assert_counts(first, rows=len(lines) - 1, new=len(lines) - 1 - len(bad), rejected=len(bad))
        with open(self.rejects(first), newline="", encoding="ascii") as file:
            kept = [(int(row["line"]), row["record"]) for row in csv.DictReader(file)]
        self.assertEqual(kept, [(index + 1, f"ragged {index}") for index in bad])

    def test_file_begun_for_another_dataset_is_read_whole(self):
        self.begin("first").kill()
        [report] = self.ingest(self.path, dataset="second")
        self.assert_counts(report, rows=ROWS, new=ROWS)
        self.assert_ledger_matches("second", ROWS)


class Damaged(LedgerChecks, SqliteSink, Case):
    def test_archive_damaged_in_one_member_is_rejected_and_the_others_are_stored(self):
        path = self.directory / "x.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("good.csv", numbered(10))
            archive.writestr("bad.csv", numbered(1000))
            archive.writestr("late.csv", numbered(5))
        data = bytearray(path.read_bytes())
        data[data.index(b"text 500")] ^= 1
        path.write_bytes(data)
        done = self.rowsieve("ingest", "--json", path, status=EXIT_DELIVERY)
        statuses = {report["member"]: report["status"] for report in parse_objects(done.stdout)}
        self.assertEqual(statuses, {"good.csv": "done", "bad.csv": "rejected", "late.csv": "done"})
        self.assert_ledger_matches("good", 10)
        self.assert_ledger_matches("late", 5)

    def test_archive_without_a_table_is_rejected(self):
        path = self.directory / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("README.md", "nothing here\n")
        done = self.rowsieve("ingest", path, status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, "x.zip", "holds no CSV")


class Twice(LedgerChecks, SqliteSink, Case):
    def test_file_given_to_the_daemon_twice_at_once_is_two_deliveries_that_balance(self):
        path = self.write("x.csv", numbered(ROWS // 10))
        self.options += ["-o", "batch.rows=15000", "-o", "batch.wait=60s"]
        self.daemon()
        calls = [self.start("ingest", "--dataset", "t", path) for _ in range(3)]
        self.assertEqual([call.wait() for call in calls], [0, 0, 0])
        self.assert_ledger_matches("t", ROWS // 10)
        reports = self.history()
        self.assertEqual(len({report["delivery"] for report in reports}), 3)
        self.assertEqual(sum(report["new"] for report in reports), ROWS // 10)
        for report in reports:
            self.assertEqual(report["rows"], ROWS // 10)
            self.assert_balanced(report)


class Linked(LedgerChecks, SqliteSink, Case):
    def test_one_file_under_two_names_goes_to_both_datasets(self):
        path = self.write("x.csv", numbered(3))
        for name in "ab":
            (self.drop / name).mkdir(parents=True)
            (self.drop / name / "x.csv").hardlink_to(path)
        daemon = self.daemon("-o", "on_done=keep")
        daemon.wait_until(lambda: len(self.history()) == 2, "both were read")
        daemon.stop()
        self.assert_ledger_matches("a", 3)
        self.assert_ledger_matches("b", 3)


class Archives(LedgerChecks, SqliteSink, Case):
    """One zip, several datasets; what concerns one member must not concern the others."""

    def archive(self, **members):
        path = self.directory / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name.replace("_csv", ".csv").replace("_md", ".md"), content)
        return path

    def configure(self, text):
        self.options = ["-c", str(self.write("rowsieve.conf", text))]

    def test_table_that_no_dataset_takes_is_held_and_taken_later(self):
        path = self.archive(a_csv=numbered(3), b_csv=numbered(4), readme_md="text\n")
        self.configure('dataset "a" { files = { "a*.csv" } }\n')
        done = self.rowsieve("ingest", "--json", path, status=EXIT_DELIVERY)
        statuses = {report["member"]: report["status"] for report in parse_objects(done.stdout)}
        self.assertEqual(statuses, {"a.csv": "done", "b.csv": "failed"})
        self.configure('dataset "a" { files = { "a*.csv" } }\ndataset "b" { files = { "b*.csv" } }\n')
        self.rowsieve("ingest", path)
        self.assert_ledger_matches("a", 3)
        self.assert_ledger_matches("b", 4)

    def test_held_archive_stays_in_the_drop_directory(self):
        self.configure('on_done = "delete"\ndataset "a" { files = { "a*.csv" } }\n')
        daemon = self.daemon()
        target = self.deliver("x.zip", self.archive(a_csv=numbered(3), b_csv=numbered(4)).read_bytes())
        daemon.wait_until(lambda: any(report["status"] == "failed" for report in self.history()), "it was held")
        self.assertTrue(target.exists())
        self.assert_ledger_matches("a", 3)

    def test_bad_member_teaches_its_neighbours_nothing(self):
        names = "n,text," + "x" * 70
        path = self.archive(a_csv=numbered(3), b_csv=names + "\n1,one,1\n", c_csv=b"n,text,caf\xe9\n1,one,1\n")
        done = self.rowsieve("ingest", "--json", "--dataset", "t", path, status=EXIT_DELIVERY)
        statuses = {report["member"]: report["status"] for report in parse_objects(done.stdout)}
        self.assertEqual(statuses, {"a.csv": "done", "b.csv": "rejected", "c.csv": "rejected"})
        self.assertEqual(list(self.column_types("t")), ["n", "text"])
        self.assert_ledger_matches("t", 3)

    def test_file_taken_by_hand_for_another_dataset_is_still_taken_from_the_drop_directory(self):
        self.drop.mkdir(parents=True)
        target = self.drop / "a.csv"
        target.write_text(numbered(3))
        self.ingest(target, dataset="z")
        daemon = self.daemon()
        daemon.wait_until(lambda: not target.exists(), "it was taken")
        self.assert_ledger_matches("a", 3)
        self.assert_ledger_matches("z", 3)
