# SPDX-License-Identifier: Apache-2.0
"""The main job: every row once, however the file comes again."""

import csv
import gzip
import io
import random
import shutil
import subprocess
import zipfile
from datetime import datetime

from rowsieve_test import (
    EXIT_DELIVERY,
    ROOT,
    Case,
    LedgerChecks,
    MysqlSink,
    SqliteSink,
    mysql_options,
    need_tool,
    parse_objects,
    shared,
)

class Seed:
    """Mixin: the real credit-card data set."""

    ROWS = 26052

    def cards(self):
        return shared("seed", "Credit card transactions - India - Simple.csv")


class Sample:
    """Mixin: a small one in the same shape, which the repository makes itself."""

    ROWS = 3000

    def cards(self):
        sample = subprocess.run([ROOT / "scripts" / "sample-rows", str(self.ROWS)], capture_output=True, check=True)
        return self.write("sample.csv", sample.stdout)


class CardTests(LedgerChecks):
    """The same list for each of the files and every sink."""

    def setUp(self):
        super().setUp()
        self.file = self.cards()
        self.lines = self.file.read_bytes().splitlines(keepends=True)
        with open(self.file, encoding="ascii", newline="") as file:
            self.records = list(csv.DictReader(file))
        [self.first] = self.ingest(self.file)

    def again(self, name, content):
        [report] = self.ingest(self.write(name, content))
        return report

    def assert_all_seen(self, report):
        self.assert_counts(report, status="done", rows=self.ROWS, duplicate=self.ROWS)
        self.assertEqual(self.table_size("cc"), self.ROWS)

    def test_first_load_stores_every_row(self):
        self.assert_counts(self.first, status="done", rows=self.ROWS, new=self.ROWS, dataset="cc", table="cc")
        self.assertIsNone(self.first["member"])
        self.assertIsNone(self.first["reason"])
        self.assertRegex(self.first["delivery"], r"^[0-9a-f]{32}$")
        self.assertEqual(self.first["bytes"], self.file.stat().st_size)
        self.assert_ledger_matches("cc", self.ROWS)

    def test_table_holds_the_values_of_the_file(self):
        total = sum(int(record["Amount"]) for record in self.records)
        delhi = sum(record["City"] == "Delhi, India" for record in self.records)
        self.assertEqual(int(self.query('SELECT sum(amount) FROM "cc"')[0][0]), total)
        self.assertEqual(int(self.query("SELECT count(*) FROM cc WHERE city = 'Delhi, India'")[0][0]), delhi)
        self.assertEqual(int(self.query('SELECT count(DISTINCT "index") FROM cc')[0][0]), self.ROWS)

    def test_columns_get_types(self):
        types = self.column_types("cc")
        self.assertEqual(list(types), ["index", "city", "date", "card_type", "exp_type", "gender", "amount"])
        self.assertEqual(types["index"], self.TYPES["integer"])
        self.assertEqual(types["amount"], self.TYPES["integer"])
        self.assertEqual(types["date"], self.TYPES["date"])

    def test_dates_are_iso_dates(self):
        # Single-digit days occur: 5-May-15.
        expected = [datetime.strptime(record["Date"], "%d-%b-%y").date().isoformat() for record in self.records]
        found = [str(date) for (date,) in self.query('SELECT date FROM cc ORDER BY "index"')]
        self.assertEqual(found, expected)

    def test_same_file_again_is_all_duplicates(self):
        [report] = self.ingest(self.file)
        self.assert_all_seen(report)

    def test_renamed_file_is_all_duplicates(self):
        self.assert_all_seen(self.again("Credit%20card%20(1).txt", self.file.read_bytes()))

    def test_gzipped_file_is_all_duplicates(self):
        report = self.again("x.csv.gz", gzip.compress(self.file.read_bytes()))
        self.assert_all_seen(report)
        self.assertEqual(report["bytes"], self.file.stat().st_size)

    def test_zipped_file_is_all_duplicates(self):
        path = self.directory / "archive.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(self.file, self.file.name)
        [report] = self.ingest(path)
        self.assert_all_seen(report)
        self.assertEqual(report["member"], self.file.name)

    def test_zstd_file_under_any_name_is_all_duplicates(self):
        need_tool("zstd", shutil.which("zstd"))
        packed = subprocess.run(["zstd", "-q", "-c", self.file], capture_output=True, check=True).stdout
        self.assert_all_seen(self.again("named-wrongly.csv", packed))

    def test_one_changed_line_is_one_new_row(self):
        self.lines[1000] = self.lines[1000].rstrip() + b"7\n"
        report = self.again("changed.csv", b"".join(self.lines))
        self.assert_counts(report, status="done", rows=self.ROWS, new=1, duplicate=self.ROWS - 1)
        self.assert_ledger_matches("cc", self.ROWS + 1)

    def test_one_appended_line_is_one_new_row(self):
        self.lines.append(b'%d,"Delhi, India",29-Oct-14,Gold,Bills,F,82475\n' % self.ROWS)
        report = self.again("grown.csv", b"".join(self.lines))
        self.assert_counts(report, status="done", rows=self.ROWS + 1, new=1, duplicate=self.ROWS)

    def test_another_row_order_is_all_duplicates(self):
        rows = self.lines[1:]
        random.Random(1).shuffle(rows)
        self.assert_all_seen(self.again("shuffled.csv", b"".join(self.lines[:1] + rows)))

    def test_another_spelling_of_the_same_rows_is_all_duplicates(self):
        """Column order, quoting, line ends, a byte order mark and the date's format are not the row."""
        out = io.StringIO()
        writer = csv.DictWriter(out, list(self.records[0])[::-1], quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(self.records)
        self.assert_all_seen(self.again("respelled.csv", "\ufeff" + out.getvalue()))

    def test_file_stays_where_it_is(self):
        content = self.file.read_bytes()
        path = self.write("mine.csv", content)
        self.ingest(path)
        self.assertEqual(path.read_bytes(), content)


class SeedIntoSqlite(CardTests, Seed, SqliteSink, Case):
    pass


class SeedIntoMariaDB(CardTests, Seed, MysqlSink, Case):
    pass


class SampleIntoSqlite(CardTests, Sample, SqliteSink, Case):
    pass


class SampleIntoMariaDB(CardTests, Sample, MysqlSink, Case):
    pass


class SmallTests(LedgerChecks):
    """What the cards do not show, in both sinks."""

    def test_values_arrive_as_they_were(self):
        awkward = ["plain", "back\\slash", "tab\there", 'quote"d', "ünïcödé €", "comma, inside", "line\nbreak", " blanks ", "NA", "a'b"]
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["n", "text"])
        writer.writerows(enumerate(awkward))
        [report] = self.ingest(self.write("awkward.csv", out.getvalue()), dataset="awkward")
        self.assert_counts(report, rows=len(awkward), new=len(awkward))
        stored = [row[0] for row in self.query("SELECT text FROM awkward ORDER BY n")]
        self.assertEqual(stored, awkward)

    def test_rows_that_differ_in_case_or_accent_are_different_rows(self):
        words = ["ham", "Ham", "hám", "ham ", "HAM"]
        [report] = self.ingest(self.write("words.csv", "word\n" + "\n".join(words) + "\n"), dataset="words")
        self.assert_counts(report, rows=5, new=5)
        self.assert_ledger_matches("words", 5)

    def test_row_repeated_in_one_file_is_stored_once(self):
        [report] = self.ingest(self.write("twice.csv", "a,b\n1,x\n2,y\n1,x\n"), dataset="twice")
        self.assert_counts(report, rows=3, new=2, duplicate=1)
        self.assert_ledger_matches("twice", 2)

    def test_types_are_inferred_only_where_nothing_is_lost(self):
        path = self.write(
            "types.csv",
            "i,d,day,stamp,zeros,slashes\n"
            "7,7.50,2015-05-05,2015-05-05 10:11:12,007,03/04/2015\n"
            "-3,-0.25,1999-12-31,1999-12-31 23:59:59,010,04/03/2015\n",
        )
        self.ingest(path, dataset="types")
        rows = self.query("SELECT i, d, day, stamp, zeros, slashes FROM types ORDER BY i DESC")
        self.assertEqual(int(rows[0][0]), 7)
        self.assertEqual(float(rows[0][1]), 7.5)
        self.assertEqual(rows[0][2], "2015-05-05")
        self.assertTrue(rows[0][3].startswith("2015-05-05 10:11:12"), rows[0][3])
        self.assertEqual(rows[0][4:], ("007", "03/04/2015"))

    def test_missing_values_are_null(self):
        self.ingest(self.write("missing.csv", "n,name\n1,NA\nNA,\n3,x\n"), dataset="missing")
        self.assertEqual(int(self.query("SELECT count(*) FROM missing WHERE n IS NULL AND name IS NULL")[0][0]), 1)
        self.assertEqual(int(self.query("SELECT count(*) FROM missing WHERE name = 'NA'")[0][0]), 1)

    def test_new_column_is_added_and_empty_values_leave_rows_the_same(self):
        self.ingest(self.write("v1.csv", "a,b\n1,x\n2,y\n"), dataset="grows")
        [report] = self.ingest(self.write("v2.csv", "a,b,c\n1,x,\n2,y,late\n"), dataset="grows")
        self.assert_counts(report, rows=2, new=1, duplicate=1)
        self.assertEqual(list(self.column_types("grows")), ["a", "b", "c"])
        self.assertEqual(int(self.query("SELECT count(*) FROM grows WHERE c = 'late'")[0][0]), 1)

    def test_column_that_is_gone_is_null(self):
        self.ingest(self.write("v1.csv", "a,b\n1,x\n"), dataset="shrinks")
        [report] = self.ingest(self.write("v2.csv", "a\n2\n"), dataset="shrinks")
        self.assert_counts(report, rows=1, new=1)
        self.assertEqual(int(self.query("SELECT count(*) FROM shrinks WHERE b IS NULL")[0][0]), 1)

    def test_members_of_a_zip_go_to_their_datasets(self):
        path = self.directory / "both.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("deep/one.csv", "a\n1\n2\n")
            archive.writestr("two.csv", "b\nx\n")
        done = self.rowsieve("ingest", "--json", path)
        reports = {report["member"]: report for report in parse_objects(done.stdout)}
        self.assertEqual(reports["deep/one.csv"]["dataset"], "one")
        self.assertEqual(reports["two.csv"]["dataset"], "two")
        self.assertEqual(self.table_size("one"), 2)
        self.assertEqual(self.table_size("two"), 1)

    def test_same_rows_in_two_datasets_are_stored_in_both(self):
        path = self.write("rows.csv", "a\n1\n")
        self.ingest(path, dataset="left")
        [report] = self.ingest(path, dataset="right")
        self.assert_counts(report, rows=1, new=1)

    def test_several_files_in_one_call_are_reported_each(self):
        paths = [self.write(f"f{number}.csv", f"a\n{number}\n1\n") for number in range(5)]
        reports = self.ingest(*paths, dataset="several")
        self.assertEqual([report["file"] for report in reports], [str(path) for path in paths])
        self.assertEqual(sum(report["new"] for report in reports), 5)
        self.assert_ledger_matches("several", 5)

    def test_dry_run_counts_and_changes_nothing(self):
        self.ingest(self.write("v1.csv", "a\n1\n2\n"), dataset="dry")
        second = self.write("v2.csv", "a\n1\n2\n3\n")
        [report] = self.ingest(second, dataset="dry", options=["--dry-run"])
        self.assert_counts(report, rows=3, new=1, duplicate=2)
        self.assert_ledger_matches("dry", 2)
        [report] = self.ingest(second, dataset="dry")
        self.assert_counts(report, rows=3, new=1, duplicate=2)

    def test_batches_of_any_size_give_the_same_table(self):
        rows = "".join(f"{number},{number % 7}\n" for number in range(1000))
        [report] = self.ingest(self.write("b.csv", "n,m\n" + rows), dataset="b", options=["-o", "batch.rows=37"])
        self.assert_counts(report, rows=1000, new=1000)
        self.assert_ledger_matches("b", 1000)


class SmallIntoSqlite(SmallTests, SqliteSink, Case):
    pass


class SmallIntoMariaDB(SmallTests, MysqlSink, Case):
    def test_server_is_reached_over_tcp_too(self):
        self.options = mysql_options(self.server, self.database, over_tcp=True)
        [report] = self.ingest(self.write("tcp.csv", "a\n1\n"), dataset="tcp")
        self.assert_counts(report, rows=1, new=1)

    def test_server_without_local_infile_is_served_by_inserts(self):
        self.server.execute("SET GLOBAL local_infile = OFF")
        self.addCleanup(self.server.execute, "SET GLOBAL local_infile = ON")
        path = self.write("inserts.csv", "a,b\n" + "".join(f"{number},it's\n" for number in range(2500)))
        [report] = self.ingest(path, dataset="inserts")
        self.assert_counts(report, rows=2500, new=2500)
        self.assert_ledger_matches("inserts", 2500)


class ChangedSink(MysqlSink, Case):
    def test_changing_the_sink_of_a_dataset_stops_it(self):
        """Never "all new" into the other database: the dataset stops, and the message names the command."""
        path = self.write("x.csv", "a\n1\n")
        self.ingest(path, dataset="x")
        self.options = []
        done = self.rowsieve("ingest", "--dataset", "x", path, status=EXIT_DELIVERY)
        self.assertIn("rowsieve rebuild x", done.stderr)
        self.assertEqual(SqliteSink.table_size(self, "x"), 0)
