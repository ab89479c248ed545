# SPDX-License-Identifier: Apache-2.0
"""duplicates = "keep": of equal rows the table holds as many as the member that has most of them."""

import collections
import random
import subprocess

from rowsieve_test import DEADLINE, DEEP, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text, shared

KILLS = 60 if DEEP else 10


class BagChecks(LedgerChecks):
    def setUp(self):
        super().setUp()
        self.options += ["-o", "dataset.b.duplicates=keep"]

    def assert_bag(self, expected):
        found = collections.Counter(tuple(map(str, row)) for row in self.query("SELECT a, b FROM b"))
        self.assertEqual(found, expected)
        self.assert_ledger_matches("b", sum(expected.values()))


class BagTests(BagChecks):
    def send(self, name, *rows, **expected):
        (report,) = self.ingest(self.write(name, csv_text(("a", "b"), rows)), dataset="b")
        self.assert_counts(report, **expected)

    def test_the_member_that_has_most_of_a_row_counts(self):
        three = [("x", 1)] * 3 + [("y", 2)]
        self.send("1.csv", *three, new=4)
        self.send("2.csv", *three, ("z", 3), new=1, duplicate=4)
        self.send("3.csv", *reversed(three), ("x", 1), new=1, duplicate=4)
        self.send("4.csv", ("x", 1), duplicate=1)
        self.assert_bag(collections.Counter({("x", "1"): 4, ("y", "2"): 1, ("z", "3"): 1}))

    def test_members_in_one_batch_count_each_for_itself(self):
        files = [self.write(f"{i}.csv", csv_text(("a", "b"), [("x", 1)] * i + [("y", i)])) for i in (2, 3, 1)]
        self.assertEqual([report["new"] for report in self.ingest(*files, dataset="b")], [3, 2, 1])
        self.assert_bag(collections.Counter({("x", "1"): 3, ("y", "2"): 1, ("y", "3"): 1, ("y", "1"): 1}))

    def test_a_member_of_many_batches_is_one_member(self):
        self.options += ["-o", "batch.rows=7"]
        draw = random.Random(1)
        rows = [(draw.randrange(10), draw.randrange(3)) for _ in range(300)]
        bag = collections.Counter(tuple(map(str, row)) for row in rows)
        self.send("1.csv", *rows, new=300)
        self.assert_bag(bag)
        draw.shuffle(rows)
        self.send("2.csv", *rows, duplicate=300)
        self.send("3.csv", *rows, (1, 1), (99, 1), new=2, duplicate=300)
        self.assert_bag(bag + collections.Counter([("1", "1"), ("99", "1")]))

    def test_a_rebuild_counts_the_rows_of_the_table(self):
        rows = [("x", 1)] * 3 + [("y", 2)]
        self.send("1.csv", *rows, new=4)
        self.rowsieve("verify", "b")
        self.rowsieve("rebuild", "b")
        self.rowsieve("verify", "b")
        self.send("2.csv", *rows, ("x", 1), new=1, duplicate=4)
        self.send("3.csv", *rows, duplicate=4)

    def test_a_dry_run_counts_as_the_real_one(self):
        self.options += ["-o", "batch.rows=5"]
        self.send("1.csv", *[("x", 1)] * 12, new=12)
        path = self.write("2.csv", csv_text(("a", "b"), [("x", 1)] * 14 + [("y", 1)] * 9))
        for options in (["--dry-run"], []):
            (report,) = self.ingest(path, dataset="b", options=options)
            self.assert_counts(report, new=11, duplicate=12)

    def test_real_wines_are_all_kept(self):
        path = shared("awkward", "winequality-red.csv")
        options = ["-o", "dataset.w.duplicates=keep", "-o", "batch.rows=100"]
        for expected in (dict(new=1599), dict(duplicate=1599)):
            (report,) = self.ingest(path, dataset="w", options=options)
            self.assert_counts(report, **expected)
        self.assert_ledger_matches("w", 1599)


class KillTests(BagChecks):
    def test_killed_again_and_again_the_bag_is_exact(self):
        self.options += ["-o", "batch.rows=100"]
        draw = random.Random(7)
        bag, kills, longest = collections.Counter(), 0, None
        for number in range(1000):
            rows = [(draw.randrange(200), draw.randrange(3)) for _ in range(1000 + 200 * number)]
            path = self.write(f"{number}.csv", csv_text(("a", "b"), rows))
            while True:
                process = self.start("ingest", "--dataset", "b", path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    process.wait(timeout=DEADLINE if longest is None else draw.uniform(0, longest))
                except subprocess.TimeoutExpired:
                    process.kill()
                error = process.communicate()[1]
                self.assertIn(process.returncode, (0, -9), error)
                longest = 1.1 * (longest or 0.2)
                if process.returncode == 0:
                    break
                kills += 1
            bag |= collections.Counter(tuple(map(str, row)) for row in rows)
            self.assert_bag(bag)
            longest = 0.2
            if kills >= KILLS:
                return


class BagsIntoSqlite(BagTests, SqliteSink, Case):
    pass


class BagsIntoMariaDB(BagTests, MysqlSink, Case):
    pass


class KilledIntoSqlite(KillTests, SqliteSink, Case):
    pass
