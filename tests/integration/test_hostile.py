# SPDX-License-Identifier: Apache-2.0
"""A hostile drop directory: each thing that may lie there has its outcome, nothing else suffers, and nothing outside of
the program's own directories is read or written."""

import os
import pathlib
import socket
import stat
import zipfile

from rowsieve_test import DEEP, EXIT_DELIVERY, EXIT_OK, Case, LedgerChecks, SqliteSink, parse_objects
from test_run import RunCase

SECRET = "a\nsecret\n"
MIB = 1 << 20


class Things(RunCase):
    """What is no regular file stays, unopened, and is explained."""

    def setUp(self):
        super().setUp()
        self.drop.mkdir(parents=True)
        self.secret = self.write("outside.csv", SECRET)

    def assert_left_alone(self, *paths):
        """A good file dropped later is taken, the others still lie there, and rows came only from the good one."""
        daemon = self.daemon()
        self.wait_taken(self.deliver("good.csv", "a\n1\n"))
        for path in paths:
            self.assertTrue(os.path.lexists(path), f"{path} is gone")
            explained = self.rowsieve("explain", path).stdout
            self.assertIn("not taken", explained)
        self.assertEqual(daemon.stop(), EXIT_OK)
        self.assertEqual([report["dataset"] for report in self.history()], ["good"])

    def test_links_are_never_followed(self):
        links = {"file.csv": self.secret, "directory.csv": self.directory, "nowhere.csv": "nothing", "loop.csv": "loop.csv"}
        for name, target in links.items():
            (self.drop / name).symlink_to(target)
        self.assert_left_alone(*(self.drop / name for name in links))
        self.assertEqual(self.secret.read_text(), SECRET)

    def test_a_linked_directory_is_not_entered(self):
        elsewhere = self.directory / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "x.csv").write_text(SECRET)
        (self.drop / "linked").symlink_to(elsewhere)
        self.assert_left_alone(self.drop / "linked")
        self.assertEqual((elsewhere / "x.csv").read_text(), SECRET)

    def test_pipes_sockets_and_directories_are_never_opened(self):
        os.mkfifo(self.drop / "pipe.csv")
        (self.drop / "directory.csv").mkdir()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(str(self.drop / "socket.csv"))
        listener.listen()
        listener.setblocking(False)
        self.assert_left_alone(*(self.drop / f"{name}.csv" for name in ("pipe", "directory", "socket")))
        with self.assertRaises(BlockingIOError):
            listener.accept()

    def test_an_ingest_by_hand_refuses_them_too(self):
        os.mkfifo(self.directory / "pipe.csv")
        done = self.rowsieve("ingest", "--dataset", "t", self.directory / "pipe.csv", status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, "pipe.csv")


class Names(RunCase):
    """Any bytes may be a name; it is taken, shown safely, and keeps its name in done/."""

    def take(self, name):
        self.configure('dataset "t" {\n\tfiles = { "*" }\n}\n')
        daemon = self.daemon()
        directory = os.fsencode(self.drop)
        with open(os.path.join(directory, b".hidden"), "wb") as file:
            file.write(b"a\n1\n")
        os.rename(os.path.join(directory, b".hidden"), os.path.join(directory, name))
        daemon.wait_until(lambda: name not in os.listdir(directory), f"{name} was taken")
        self.assert_ledger_matches("t", 1)
        return daemon

    def assert_taken(self, name):
        daemon = self.take(name)
        self.assertEqual(os.listdir(os.fsencode(self.done)), [name])
        self.assertEqual(daemon.stop(), EXIT_OK)
        for line in daemon.text().splitlines():
            self.assertTrue(line.startswith("rowsieve: "), f"a name broke a line of the log: {line!r}")
        [report] = parse_objects(self.rowsieve("history", "--json").stdout)
        self.assertEqual(report["status"], "done")

    def test_newline(self):
        self.assert_taken(b"a\nb: rowsieve.csv")

    def test_invalid_utf8(self):
        self.assert_taken(b"\xff\xfe\x80.csv")

    def test_terminal_escapes(self):
        self.assert_taken(b"\x1b[2J\x07.csv")

    def test_quotes_and_percent(self):
        self.assert_taken(b"'; DROP TABLE t; -- %s%n\".csv")

    def test_a_name_of_255_bytes_twice(self):
        name = b"x" * 251 + b".csv"
        self.take(name)
        directory = os.fsencode(self.drop)
        with open(os.path.join(directory, b".hidden"), "wb") as file:
            file.write(b"a\n2\n")
        os.rename(os.path.join(directory, b".hidden"), os.path.join(directory, name))
        self.running.wait_until(lambda: name not in os.listdir(directory), "the second file left the drop directory")
        kept = sorted(pathlib.Path(os.fsdecode(self.done), os.fsdecode(each)).read_text() for each in os.listdir(os.fsencode(self.done)))
        self.assertEqual(kept, ["a\n1\n", "a\n2\n"])
        self.assert_ledger_matches("t", 2)

    def test_a_reject_keeps_its_long_name_and_reason(self):
        self.configure('dataset "t" {\n\tfiles = { "*" }\n}\n')
        daemon = self.daemon()
        name = "y" * 251 + ".csv"
        (self.drop / ".hidden").write_bytes(b"\0\1\2" * 100)
        (self.drop / ".hidden").rename(self.drop / name)
        daemon.wait_until(lambda: not (self.drop / name).exists(), "it left the drop directory")
        reasons = [path for path in self.rejected.iterdir() if path.name.endswith(".reason.txt")]
        self.assertEqual(len(reasons), 1, os.listdir(self.rejected))
        self.assert_one_line(reasons[0].read_text())


class Moving(RunCase):
    """Files that do not keep still."""

    def test_a_file_that_vanishes_before_it_settles_is_forgotten(self):
        daemon = self.daemon("-o", "settle=500ms")
        (self.drop / "x.csv").write_text("a\n1\n")
        (self.drop / "x.csv").unlink()
        self.wait_taken(self.deliver("good.csv", "a\n1\n"))
        self.assertEqual(daemon.stop(), EXIT_OK)
        self.assertEqual([report["dataset"] for report in self.history()], ["good"])

    def test_a_file_that_is_replaced_again_and_again_is_taken_as_it_is_in_the_end(self):
        daemon = self.daemon()
        for number in range(50):
            self.deliver("x.csv", f"a\n{number}\n")
        self.deliver("x.csv", "a\nlast\n")
        self.wait_taken(self.drop / "x.csv")
        self.assertEqual(daemon.stop(), EXIT_OK)
        self.assertIn(("last",), self.query('SELECT a FROM x'))
        self.assert_ledger_matches("x", len(os.listdir(self.done)))


class Archives(LedgerChecks, SqliteSink, Case):
    def zip(self, name, members):
        path = self.directory / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
        return path

    def everything_outside(self):
        return sorted(str(path) for path in self.directory.rglob("*") if self.data not in [path, *path.parents])

    def test_member_names_lead_nowhere(self):
        names = ["../../up.csv", "/etc/absolute.csv", "C:\\win\\back.csv", "./here.csv", "a/b/../../../deep.csv"]
        path = self.zip("names.zip", [(name, f"a\n{number}\n") for number, name in enumerate(names)])
        before = self.everything_outside()
        self.ingest(path, dataset="t")
        self.assert_ledger_matches("t", len(names))
        self.assertEqual(self.everything_outside(), before, "something was written outside of the data directory")

    def test_an_archive_in_an_archive_is_passed_over(self):
        inner = self.zip("inner.zip", [("x.csv", "a\n1\n")])
        outer = self.zip("outer.zip", [("inner.zip", inner.read_bytes()), ("y.csv", "a\n2\n")])
        done = self.rowsieve("ingest", "--json", outer)
        self.assertEqual([report["dataset"] for report in parse_objects(done.stdout)], ["y"])

    def test_a_bomb_is_rejected_and_bounded(self):
        path = self.zip("bomb.zip", [("bomb.csv", "a\n" + "0\n" * (100 * MIB))])
        [report] = self.ingest(path, dataset="t", status=EXIT_DELIVERY)
        self.assertEqual(report["status"], "rejected")
        self.assertIn("unpacks to more than 200 times", report["reason"])

    def test_too_many_members_are_rejected(self):
        path = self.zip("many.zip", [(f"{number}.csv", "a\n1\n") for number in range(20)])
        reports = self.ingest(path, dataset="t", options=["-o", "limits.max_members=10"], status=EXIT_DELIVERY)
        self.assertIn("more than 10 files", reports[-1]["reason"])

    def test_a_member_that_is_no_csv_does_not_hold_up_its_neighbours(self):
        path = self.zip("mixed.zip", [("bad.csv", b"\0" * 1000), ("good.csv", "a\n1\n")])
        done = self.rowsieve("ingest", "--json", path, status=EXIT_DELIVERY)
        statuses = {report["member"]: report["status"] for report in parse_objects(done.stdout)}
        self.assertEqual(statuses, {"bad.csv": "rejected", "good.csv": "done"})
        self.assert_ledger_matches("good", 1)


class Shapes(LedgerChecks, SqliteSink, Case):
    """CSV that is regular in no way."""

    def ingest_alone(self, path, status=EXIT_OK, bound=256 * MIB):
        """One ingest, and its peak of memory that is not mapped from files."""
        process = self.start("ingest", "--dataset", "t", path)
        peak = 0
        while process.poll() is None:
            try:
                for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        peak = max(peak, int(line.split()[1]) * 1024)
            except (FileNotFoundError, ProcessLookupError):
                break
        self.assertEqual(process.wait(), status)
        self.assertLess(peak, bound, "anonymous memory")

    def test_a_field_larger_than_the_limit_costs_its_row(self):
        size = (1024 if DEEP else 64) * MIB
        path = self.directory / "wide.csv"
        with open(path, "wb") as file:
            file.write(b"a,b\n1,2\n3,")
            for _ in range(size // MIB):
                file.write(b"x" * MIB)
            file.write(b"\n5,6\n")
        self.ingest_alone(path)
        self.assert_ledger_matches("t", 2)
        self.assertEqual(self.history()[0]["rejected"], 1)

    def test_a_quoted_field_larger_than_the_limit_costs_its_lines(self):
        path = self.directory / "quoted.csv"
        with open(path, "wb") as file:
            file.write(b'a,b\n1,2\n3,"')
            for _ in range(40):
                file.write(b"x" * MIB)
            file.write(b'"\n5,6\n')
        self.ingest_alone(path)
        self.assert_ledger_matches("t", 2)
        self.assertEqual(self.history()[0]["rejected"], 1)

    def test_100000_columns(self):
        header = ",".join(f"c{number}" for number in range(100_000))
        path = self.write("columns.csv", header + "\n" + ",".join("1" * 100_000) + "\n")
        [report] = self.ingest(path, dataset="t", status=EXIT_DELIVERY)
        self.assertEqual(report["status"], "rejected")
        self.assertIn("columns", report["reason"])

    def test_a_row_of_100000_fields_costs_itself(self):
        path = self.write("fields.csv", "a,b\n1,2\n" + ",".join("1" * 100_000) + "\n3,4\n")
        [report] = self.ingest(path, dataset="t")
        self.assert_counts(report, rows=3, new=2, rejected=1)

    def test_nul_bytes_at_the_beginning_are_no_csv(self):
        [report] = self.ingest(self.write("nul.csv", b"a,b\n1,\0\n"), dataset="t", status=EXIT_DELIVERY)
        self.assertEqual(report["status"], "rejected")
        self.assertIn("NUL", report["reason"])

    def test_a_nul_byte_far_behind_costs_its_row(self):
        rows = 40_000
        text = "a,b\n" + "".join(f"{number},x\n" for number in range(rows)) + "9,a\0b\n8,y\n"
        [report] = self.ingest(self.write("nul.csv", text), dataset="t")
        self.assert_counts(report, rows=rows + 2, new=rows + 1, rejected=1)

    def test_one_line_without_an_end(self):
        path = self.directory / "line.csv"
        with open(path, "wb") as file:
            for _ in range(64):
                file.write(b"x" * MIB)
        self.ingest_alone(path, status=EXIT_DELIVERY)
        self.assertEqual(self.table_size("t"), 0)
        self.assertEqual(self.history()[0]["status"], "rejected")

    def test_nothing_but_line_ends(self):
        [report] = self.ingest(self.write("blank.csv", "\n" * 1000), dataset="t", status=EXIT_DELIVERY)
        self.assertEqual(report["status"], "rejected")

    def test_nothing_but_quotes(self):
        [report] = self.ingest(self.write("quotes.csv", '"' * 100_001), dataset="t", status=EXIT_DELIVERY)
        self.assertEqual(report["status"], "rejected")


class Crowd(RunCase):
    FILES = 100_000 if DEEP else 20_000

    def test_files_that_come_faster_than_the_kernel_can_tell(self):
        """More events at once than inotify queues: the rescan after the overflow finds every file."""
        self.configure('batch { rows = 1000000 }\ndataset "many" {\n\tfiles = { "many-*.csv" }\n}\n')
        daemon = self.daemon()
        for number in range(self.FILES):
            (self.drop / f"many-{number}.csv").write_text(f"n\n{number}\n")
        daemon.wait_until(lambda: not os.listdir(self.drop), f"{self.FILES} files were taken", deadline=1800)
        self.assertEqual(daemon.stop(), EXIT_OK)
        self.assert_ledger_matches("many", self.FILES)
        self.assertEqual(len(os.listdir(self.done)), self.FILES)
        self.assertTrue(all(stat.S_ISREG(os.lstat(self.done / name).st_mode) for name in os.listdir(self.done)))
