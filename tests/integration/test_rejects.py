# SPDX-License-Identifier: Apache-2.0
"""Rejected rows are kept, listed, and fed again after the configuration was mended: none is lost, none doubled."""

import csv
import io
import signal
import subprocess
import zipfile

from rowsieve_test import EXIT_CONFIG, EXIT_DELIVERY, EXIT_OK, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text, parse_objects

GOOD = [(n, f"2015-05-{n:02d}", "fine") for n in range(1, 21)]
BAD = [(21, "29/10/2014", "other date"), (22, "30/10/2014", 'quo""ted'), (23, "never", "no date")]
CONFIG = 'dataset "t" {{ files = {{ "*.csv" }} column "day" {{ type = "date" format = {{ {} }} }} }}'


class RejectsTests(LedgerChecks):
    def setUp(self):
        super().setUp()
        self.file = self.write("first.csv", self.content())
        self.configure('"%Y-%m-%d"')

    def content(self):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["id", "day", "note"])
        writer.writerows(GOOD + BAD)
        return text.getvalue()

    def configure(self, formats):
        config = self.write("rowsieve.conf", CONFIG.format(formats))
        if str(config) not in self.options:
            self.options += ["-c", str(config)]

    def listed(self, *arguments):
        return parse_objects(self.rowsieve("rejects", "--json", *arguments).stdout)

    def replay(self, what="t", status=EXIT_OK):
        return parse_objects(self.rowsieve("replay", "--json", what, status=status).stdout)

    def kept(self, pattern):
        rows = []
        for path in sorted(self.rejected.glob(pattern)):
            with open(path, newline="", encoding="utf-8") as file:
                rows += [(int(row["line"]), row["record"]) for row in csv.DictReader(file)]
        return rows

    def mend(self):
        """The types change what the same row is: that is settled by a rebuild, as the message says."""
        self.configure('"%Y-%m-%d", "%d/%m/%Y"')
        self.rowsieve("rebuild", "t")

    def test_rejects_are_listed_with_reason_and_count(self):
        [report] = self.ingest(self.file, dataset="t")
        self.assert_counts(report, rows=23, new=20, rejected=3)
        [line] = self.listed()
        self.assertEqual(
            {key: line[key] for key in ("delivery", "member", "dataset", "column", "reason", "rows", "first_line")},
            {"delivery": report["delivery"], "member": None, "dataset": "t", "column": "day", "reason": "not a date", "rows": 3, "first_line": 22},
        )
        self.assertEqual(self.listed("t"), [line])
        self.assertEqual(self.listed("other"), [])
        self.assertIn("3 rows", self.rowsieve("rejects").stdout)

    def test_a_file_that_cannot_be_taken_is_listed(self):
        self.ingest(self.write("bad.csv", b"a,b\n\0,1\n"), dataset="t", status=EXIT_DELIVERY)
        [line] = self.listed()
        self.assertEqual((line["rows"], line["rejects"]), (0, None))
        self.assertIn("NUL", line["reason"])

    def test_replay_without_a_change_changes_nothing(self):
        self.ingest(self.file, dataset="t")
        [report, end] = self.replay()
        self.assert_counts(report, rows=3, rejected=3)
        self.assertEqual(end["replayed"], 1)
        self.assertEqual([line["rows"] for line in self.listed()], [3])
        self.assertEqual(self.table_size("t"), 20)

    def test_mended_rows_are_stored_and_the_rest_stays_rejected(self):
        [first] = self.ingest(self.file, dataset="t")
        self.mend()
        [report, end] = self.replay()
        self.assert_counts(report, rows=3, new=2, rejected=1)
        [line] = self.listed()
        self.assertEqual((line["rows"], line["delivery"]), (1, report["delivery"]))
        self.assertEqual([record for _, record in self.kept("*.rejects.csv")], ["23,never,no date"])
        self.assertEqual(len(self.kept(f"{first['delivery']}.replayed.csv")), 3, "the record of the first time is kept")
        for _ in range(2):
            report = self.replay()[0]
            self.assert_counts(report, rows=1, rejected=1)
        self.assertEqual([line["rows"] for line in self.listed()], [1])
        self.assert_ledger_matches("t", 22)
        [report] = self.ingest(self.file, dataset="t")
        self.assert_counts(report, rows=23, duplicate=22, rejected=1)
        self.assertEqual(list(self.rejected.glob("*.replay*.part")) + list(self.rejected.glob("*.replay.csv")), [])

    def test_one_delivery_alone(self):
        [first] = self.ingest(self.file, dataset="t")
        more = self.write("more.csv", csv_text(["id", "day", "note"], [(30, "31/10/2014", "x")]))
        [second] = self.ingest(more, dataset="t")
        self.mend()
        [report, _] = self.replay(second["delivery"])
        self.assert_counts(report, rows=1, new=1)
        self.assertEqual([line["delivery"] for line in self.listed()], [first["delivery"]])
        done = self.rowsieve("replay", second["delivery"], status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, second["delivery"])
        self.assertEqual(self.replay("unknown", status=EXIT_CONFIG), [])

    def test_members_of_an_archive_go_back_to_their_datasets(self):
        path = self.directory / "both.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", self.content())
            archive.writestr("u.csv", "id,day,note\n1,2015-05-05,a\n2,29/10/2014,b\n")
        self.write(
            "rowsieve.conf",
            CONFIG.format('"%Y-%m-%d"').replace("*.csv", "t.csv")
            + CONFIG.format('"%Y-%m-%d"').replace("*.csv", "u.csv").replace('"t"', '"u"'),
        )
        self.rowsieve("ingest", path)
        self.assertEqual([(line["dataset"], line["member"], line["rows"]) for line in self.listed()], [("t", "t.csv", 3), ("u", "u.csv", 1)])
        reports = self.replay("u")[:-1]
        self.assertEqual([(report["dataset"], report["rejected"]) for report in reports], [("t", 3), ("u", 1)])
        self.assertEqual(sorted(line["rows"] for line in self.listed()), [1, 3])

    def test_the_daemon_replays_between_two_files(self):
        daemon = self.daemon()
        self.deliver("t/first.csv", self.content())
        daemon.wait_until(lambda: self.table_size("t") == 20, "the rows were there")
        daemon.wait_until(lambda: len(self.listed()) == 1, "the rejects were listed")
        report = self.replay()[0]
        self.assert_counts(report, rows=3, rejected=3)
        self.assertEqual([line["rows"] for line in self.listed()], [3])
        daemon.stop()

    def test_a_killed_replay_goes_on(self):
        rows = [(n, "2014-10-29" if n < 100 else "29/10/2014", "x" * 50) for n in range(20000)]
        self.ingest(self.write("many.csv", csv_text(["id", "day", "note"], rows)), dataset="t")
        self.mend()
        self.options += ["-o", "batch.rows=1000"]
        for moment in range(12):
            process = self.start("replay", "t", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=0.01 * moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self.replay()
        self.assert_ledger_matches("t", 20000)
        self.assertEqual(self.listed(), [])
        self.assertEqual(sum(member["new"] for member in self.history()), 20000)


class SqliteRejectsTest(RejectsTests, SqliteSink, Case):
    pass


class MysqlRejectsTest(RejectsTests, MysqlSink, Case):
    pass
