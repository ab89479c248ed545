# SPDX-License-Identifier: Apache-2.0
"""Input that is wrong: one clear line, the right exit status, and nothing lost."""

import csv
import gzip
import os
import random
import signal
import subprocess
import unittest
import zipfile

from mariadb_server import MariaDB, installed
from rowsieve_test import (
    DEADLINE,
    EXIT_CONFIG,
    EXIT_DELIVERY,
    EXIT_HELD,
    EXIT_OK,
    EXIT_SINK,
    EXIT_STATE,
    EXIT_USAGE,
    Case,
    LedgerChecks,
    SqliteSink,
    mysql_options,
    need_tool,
)


def zip_bytes(directory):
    path = directory / "whole.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.csv", "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(20000)))
    return path.read_bytes()


class BadFiles(LedgerChecks, SqliteSink, Case):
    def refused(self, path, *parts):
        """The file cannot be taken: exit status 1 and one line that names it and the given parts."""
        done = self.rowsieve("ingest", "--dataset", "cc", path, status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, path.name, *parts)

    def test_file_that_is_not_there(self):
        path = self.directory / "absent.csv"
        done = self.rowsieve("ingest", "--dataset", "cc", path, status=EXIT_DELIVERY)
        self.assertEqual(done.stderr, f"rowsieve: '{path}': failed: No such file or directory\n")

    def test_directory(self):
        path = self.directory / "folder.csv"
        path.mkdir()
        self.refused(path)

    def test_binary_file_named_csv(self):
        self.refused(self.write("binary.csv", random.Random(1).randbytes(100_000)))
        self.assertEqual(self.table_size("cc"), 0)

    def test_truncated_zip(self):
        content = zip_bytes(self.directory)
        self.refused(self.write("cut.zip", content[: len(content) // 2]))

    def test_truncated_gzip(self):
        content = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(20000)))
        self.refused(self.write("cut.csv.gz", content[: len(content) // 2]))

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_unreadable_file(self):
        path = self.write("secret.csv", "a\n1\n")
        path.chmod(0)
        self.refused(path, "Permission denied")

    def test_good_files_beside_a_bad_one_are_taken(self):
        good = [self.write(f"good{number}.csv", f"a\n{number}\n") for number in range(2)]
        done = self.rowsieve(
            "ingest", "--dataset", "cc", good[0], self.directory / "absent.csv", good[1], status=EXIT_DELIVERY
        )
        self.assertIn("absent.csv", done.stderr)
        self.assert_ledger_matches("cc", 2)

    def test_json_tells_the_reason_of_a_rejected_file(self):
        path = self.write("binary.csv", random.Random(1).randbytes(100_000))
        [report] = self.ingest(path, status=EXIT_DELIVERY)
        self.assertEqual(report["status"], "rejected")
        self.assertEqual(report["file"], str(path))
        self.assert_one_line(report["reason"])

    def test_empty_file_is_done_with_no_rows(self):
        [report] = self.ingest(self.write("empty.csv", ""))
        self.assert_counts(report, status="done", rows=0)

    def test_header_only_file_is_done_with_no_rows(self):
        for number, content in enumerate(["a,b\n", "a,b", "\ufeffa,b\r\n"]):
            with self.subTest(content=content):
                [report] = self.ingest(self.write(f"header{number}.csv", content))
                self.assert_counts(report, status="done", rows=0)


class BadRows(LedgerChecks, SqliteSink, Case):
    """A bad row is kept in the rejects with its reason, and the rest of the file is stored."""

    def reject_rows(self, report):
        with open(self.rejects(report), newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), report["rejected"])
        for row in rows:
            self.assertEqual(list(row), ["member", "line", "column", "reason", "record", "header"])
            self.assertTrue(row["reason"])
        return rows

    def test_too_few_and_too_many_fields(self):
        path = self.write("ragged.csv", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n")
        [report] = self.ingest(path)
        self.assert_counts(report, status="done", rows=4, new=2, rejected=2)
        rows = self.reject_rows(report)
        self.assertEqual([(row["line"], row["record"]) for row in rows], [("3", "4,5"), ("4", "6,7,8,9")])
        self.assert_ledger_matches("cc", 2)

    def test_value_that_does_not_fit_its_type(self):
        self.ingest(self.write("first.csv", "n,name\n1,a\n2,b\n"))
        [report] = self.ingest(self.write("second.csv", "n,name\n3,c\nmany,d\n2,b\n"))
        self.assert_counts(report, status="done", rows=3, new=1, duplicate=1, rejected=1)
        [row] = self.reject_rows(report)
        self.assertEqual((row["line"], row["column"], row["record"]), ("3", "n", "many,d"))

    def test_unterminated_quote_costs_one_line(self):
        lines = ["n,name"] + [f"{number},x{number}" for number in range(2000)]
        lines[501] = '500,"stray'
        [report] = self.ingest(self.write("quote.csv", "\n".join(lines) + "\n"))
        self.assert_counts(report, status="done", rows=2000, new=1999, rejected=1)
        [row] = self.reject_rows(report)
        self.assertEqual((row["line"], row["record"]), ("502", '500,"stray'))
        self.assert_ledger_matches("cc", 1999)

    def test_invalid_utf8_is_rejected_and_its_bytes_are_kept(self):
        [report] = self.ingest(self.write("latin1.csv", b"n,name\n1,caf\xe9\n2,tea\n"))
        self.assert_counts(report, status="done", rows=2, new=1, rejected=1)
        self.assertIn(b"1,caf\xe9", self.rejects(report).read_bytes())

    def test_rejects_of_a_zip_name_their_member(self):
        path = self.directory / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.csv", "a,b\n1\n")
        [report] = self.ingest(path)
        self.assertEqual([row["member"] for row in self.reject_rows(report)], ["inner.csv"])

    def test_strict_makes_rejected_rows_a_failure(self):
        path = self.write("ragged.csv", "a,b\n1,2\n3\n")
        [report] = self.ingest(path, options=["--strict"], status=EXIT_DELIVERY)
        self.assert_counts(report, status="done", rows=2, new=1, rejected=1)

    def test_file_without_rejects_leaves_no_reject_file(self):
        [report] = self.ingest(self.write("fine.csv", "a\n1\n"))
        self.assertFalse(self.rejects(report).exists())

    def test_rejects_stay_exact_over_many_batches(self):
        lines = [f"{number},x" if number % 10 else f"{number}" for number in range(1, 1001)]
        path = self.write("many.csv", "n,name\n" + "\n".join(lines) + "\n")
        [report] = self.ingest(path, options=["-o", "batch.rows=50"])
        self.assert_counts(report, status="done", rows=1000, new=900, rejected=100)
        self.assertEqual([row["record"] for row in self.reject_rows(report)], [str(n) for n in range(10, 1001, 10)])


class BadCalls(SqliteSink, Case):
    def configured(self, text):
        path = self.write("rowsieve.conf", text)
        self.options += ["-c", str(path)]
        return path

    def test_unknown_configuration_key_is_named_with_file_and_line(self):
        path = self.configured('# a comment\nsettle = "1s"\ncolour = "red"\n')
        done = self.rowsieve("ingest", self.write("x.csv", "a\n1\n"), status=EXIT_CONFIG)
        self.assert_one_line(done.stderr, path, "line 3", "colour")

    def test_wrong_configuration_value_is_named_with_file_and_line(self):
        path = self.configured('settle = "1s"\nrescan = "soon"\n')
        done = self.rowsieve("ingest", self.write("x.csv", "a\n1\n"), status=EXIT_CONFIG)
        self.assert_one_line(done.stderr, path, "line 2", "rescan")

    def test_unknown_override_is_a_configuration_error(self):
        done = self.rowsieve("ingest", "-o", "batch.colour=3", self.write("x.csv", "a\n1\n"), status=EXIT_CONFIG)
        self.assert_one_line(done.stderr, "colour")

    def test_unknown_option_is_wrong_usage(self):
        done = self.rowsieve("ingest", "--no-such-option", self.write("x.csv", "a\n1\n"), status=EXIT_USAGE)
        self.assertIn("no-such-option", done.stderr)

    def test_unknown_subcommand_is_wrong_usage(self):
        self.rowsieve("no-such-command", status=EXIT_USAGE)

    def test_ingest_without_a_file_is_wrong_usage(self):
        self.rowsieve("ingest", status=EXIT_USAGE)

    def test_help_and_version_are_no_errors(self):
        for option in ("--help", "--version"):
            done = subprocess.run([self.command("ingest")[0], option], capture_output=True, text=True, check=True)
            self.assertIn("rowsieve", done.stdout)

    def test_file_without_a_dataset_is_held_when_told_so(self):
        self.configured('unmatched = "hold"\n')
        path = self.write("x.csv", "a\n1\n")
        self.rowsieve("ingest", path, status=EXIT_DELIVERY)
        self.assertEqual(self.table_size("x"), 0)

    @unittest.skipIf(os.geteuid() == 0, "root writes everywhere")
    def test_state_that_cannot_be_written(self):
        self.data.mkdir(mode=0o500)
        self.rowsieve("ingest", self.write("x.csv", "a\n1\n"), status=EXIT_STATE)

    def test_check_accepts_a_good_configuration(self):
        self.configured('settle = "1s"\n')
        self.rowsieve("check", status=EXIT_OK)

    def test_check_names_a_bad_configuration(self):
        path = self.configured("nonsense\n")
        done = self.rowsieve("check", status=EXIT_CONFIG)
        self.assert_one_line(done.stdout + done.stderr, path, "line 1")

    def test_state_is_held_by_one_program_at_a_time(self):
        self.daemon()
        done = self.rowsieve("run", status=EXIT_HELD)
        self.assert_one_line(done.stderr)

    def test_a_daemon_that_stands_still_is_not_waited_for(self):
        path = self.write("x.csv", "a\n1\n")
        daemon = self.daemon()
        daemon.signal(signal.SIGSTOP)
        self.addCleanup(daemon.signal, signal.SIGCONT)
        commands = [("status",), ("ingest", str(path)), ("verify", "x"), ("preview", str(path))]
        asked = [self.start(*command, stderr=subprocess.PIPE, text=True) for command in commands]
        for process in asked:
            self.assertIn("does not answer", process.communicate(timeout=DEADLINE)[1])
            self.assertEqual(process.returncode, EXIT_HELD)
        daemon.signal(signal.SIGCONT)
        self.rowsieve("status", "--check")


class UnreachableServer(Case):
    """A server that is away: the file stays, and is taken when the server is back."""

    def setUp(self):
        super().setUp()
        need_tool("MariaDB", installed())
        self.server = MariaDB()
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.create_database("rows")
        self.options += mysql_options(self.server, "rows")
        self.options += ["-o", "unmatched=create"]

    def table_size(self):
        return int(self.server.execute("SELECT count(*) FROM x", "rows")[0][0])

    def test_ingest_says_so_and_loses_nothing(self):
        path = self.write("x.csv", "a\n1\n2\n")
        self.server.stop()
        done = self.rowsieve("ingest", path, status=EXIT_SINK)
        self.assert_one_line(done.stderr)
        self.server.start()
        [report] = self.ingest(path, dataset="x")
        self.assert_counts(report, rows=2, new=2)

    def test_unreachable_server_wins_over_a_bad_file(self):
        self.server.stop()
        self.rowsieve("ingest", self.directory / "absent.csv", self.write("x.csv", "a\n1\n"), status=EXIT_SINK)

    def test_daemon_starts_waits_and_catches_up(self):
        self.server.stop()
        daemon = self.daemon()
        dropped = self.deliver("x.csv", "a\n1\n2\n")
        daemon.wait_until(lambda: str(self.server.socket) in daemon.text() or "connect" in daemon.text(), "a word was in the log")
        self.assertTrue(dropped.exists())
        path = self.write("x.csv", "a\n1\n")
        self.rowsieve("ingest", path, status=EXIT_SINK)
        for _ in range(10):  # without the sink's help, or not at all
            preview = self.start("preview", path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.assertIn(preview.wait(timeout=DEADLINE), (EXIT_OK, EXIT_SINK))
        self.server.start()
        daemon.wait_until(lambda: not dropped.exists(), "the file was taken")
        self.assertEqual(self.table_size(), 2)
        self.assertTrue((self.done / "x.csv").exists())
        self.assertEqual(daemon.stop(), EXIT_OK)

    def test_server_lost_between_files_is_found_again(self):
        daemon = self.daemon()
        first = self.deliver("x.csv", "a\n1\n")
        daemon.wait_until(lambda: not first.exists(), "the first file was taken")
        self.server.stop()
        second = self.deliver("x.csv", "a\n1\n2\n")
        self.server.start()
        daemon.wait_until(lambda: not second.exists(), "the second file was taken")
        self.assertEqual(self.table_size(), 2)
        self.assertEqual(daemon.stop(), EXIT_OK)


# In a mount namespace of its own: a small disk, then the same one with room. Arguments: mount point, file to ingest,
# program, data directory. The table is copied out before the disk vanishes with the namespace.
