# SPDX-License-Identifier: Apache-2.0
"""A row that the database refuses for good becomes a reject with the database's words; the rest is stored."""

import csv

from rowsieve_test import Case, LedgerChecks, MysqlSink, SqliteSink, csv_text

COLUMNS = ["id", "name"]


class RefusedTests(LedgerChecks):
    """The table was made by somebody who allows each id once, and no name `bad`."""

    def setUp(self):
        super().setUp()
        self.data.mkdir()
        self.query("CREATE TABLE \"t\" (id BIGINT PRIMARY KEY, name VARCHAR(100), CHECK (name <> 'bad'))")

    def rejected_lines(self, report):
        with open(self.rejects(report), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), report["rejected"])
        return [int(row["line"]) for row in rows], [row["reason"] for row in rows]

    def load(self, rows, **expected):
        [report] = self.ingest(self.write("file.csv", csv_text(COLUMNS, rows)), dataset="t")
        self.assert_counts(report, rows=len(rows), **expected)
        return report

    def test_one_of_many_rows(self):
        rows = [(n, f"name {n}") for n in range(5000)]
        rows[3210] = (3210, "bad")
        report = self.load(rows, new=4999, rejected=1)
        lines, [reason] = self.rejected_lines(report)
        self.assertEqual(lines, [3212])
        self.assertRegex(reason, "(?i)constraint")
        self.assert_ledger_matches("t", 4999)
        self.rowsieve("verify", "t")
        report = self.load(rows, duplicate=4999, rejected=1)
        self.assertEqual(self.rejected_lines(report), ([3212], [reason]))

    def test_rows_that_exclude_each_other(self):
        report = self.load([(1, "one"), (2, "two"), (1, "uno"), (3, "three"), (1, "eins")], new=3, rejected=2)
        self.assertEqual(self.rejected_lines(report)[0], [4, 6])
        self.assertEqual(self.query('SELECT name FROM "t" ORDER BY id')[0][0], "one")
        report = self.load([(4, "four"), (2, "zwei"), (2, "two")], new=1, duplicate=1, rejected=1)
        self.assertEqual(self.rejected_lines(report)[0], [3])
        self.assert_ledger_matches("t", 4)

    def test_a_file_of_nothing_else(self):
        self.options += ["-o", "batch.rows=10"]
        report = self.load([(n, "bad") for n in range(95)], rejected=95)
        self.assertEqual(self.rejected_lines(report)[0], list(range(2, 97)))
        self.assertEqual(self.table_size("t"), 0)
        self.load([(1, "good"), (1, "bad")], new=1, rejected=1)
        self.assert_ledger_matches("t", 1)

    def test_refused_and_other_rejects_stand_side_by_side_over_many_batches(self):
        self.options += ["-o", "batch.rows=7"]
        self.load([(0, "first")], new=1)
        rows = []
        for n in range(1, 200):
            rows.append((n, "bad" if n % 10 == 3 else f"name {n}") if n % 10 != 7 else (f"x{n}", "no number"))
        report = self.load(rows, new=159, rejected=40)
        lines, reasons = self.rejected_lines(report)
        self.assertEqual(lines, [n + 1 for n in range(1, 200) if n % 10 in (3, 7)])
        self.assertEqual(reasons.count("not an integer"), 20)
        self.assert_ledger_matches("t", 160)

    def test_equal_rows_are_found_out_once_in_a_file(self):
        """Else each costs a batch, and the file is read from its beginning for each."""
        rows = [(-1, "bad") if n % 10 == 3 else (n, f"name {n}") for n in range(1000)]
        self.load(rows, new=900, rejected=100)
        self.assertLess(self.ledger_rows(), 10)
        self.load(rows, duplicate=900, rejected=100)

    def test_a_bag_goes_on_behind_a_row_that_it_rejected_before(self):
        self.options += ["-o", "dataset.t.duplicates=keep", "-o", "batch.rows=100"]
        rows = [(-1, "bad") if n % 300 == 5 else (n, f"name {n}") for n in range(1000)]
        self.load(rows, new=996, rejected=4)
        self.assertLess(self.ledger_rows(), 30)

    def ledger_rows(self):
        return int(self.query("SELECT count(*) FROM rowsieve_ledger WHERE table_name = 't'")[0][0])

    def test_the_daemon_goes_on_with_the_other_files(self):
        daemon = self.daemon()
        for number in range(5):
            rows = [(100 * number + n, "bad" if n == number else "good") for n in range(10)]
            self.deliver(f"t/{number}.csv", csv_text(COLUMNS, rows))
        daemon.wait_until(lambda: len(self.history()) == 5, "all files were read")
        daemon.wait_until(lambda: all(member["status"] == "done" for member in self.history()), "all were done")
        self.assertEqual([(member["new"], member["rejected"]) for member in self.history()], [(9, 1)] * 5)
        daemon.stop()
        self.assert_ledger_matches("t", 45)


class SqliteRefusedTest(RefusedTests, SqliteSink, Case):
    def query(self, sql):
        """As in SqliteSink, but it makes the database, and what is changed stays."""
        return self.change(sql)


class MysqlRefusedTest(RefusedTests, MysqlSink, Case):
    pass


class MysqlRefusedByInsertTest(RefusedTests, MysqlSink, Case):
    """The same where the server takes no LOAD DATA LOCAL."""

    def setUp(self):
        super().setUp()
        self.server.execute("SET GLOBAL local_infile = 0")
        self.addCleanup(self.server.execute, "SET GLOBAL local_infile = 1")
