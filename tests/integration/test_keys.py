# SPDX-License-Identifier: Apache-2.0
"""Rows with a key: the table holds the last delivered row of each, whatever is delivered again or killed."""

import random
import subprocess

from rowsieve_test import DEADLINE, DEEP, EXIT_DELIVERY, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text

KILLS = 100 if DEEP else 12
HEADER = ("id", "name", "price")


def keyed(*columns):
    return ["-o", "dataset.k.key={" + ", ".join(f'"{column}"' for column in columns) + "}"]


class KeyChecks(LedgerChecks):
    def setUp(self):
        super().setUp()
        self.options += keyed("id")
        self.files = 0

    def send(self, *rows, header=HEADER, **expected):
        """Delivers rows as a file of their own and checks its counts."""
        self.files += 1
        return self.send_again(self.write(f"f{self.files}.csv", csv_text(header, rows)), **expected)

    def send_again(self, path, **expected):
        (report,) = self.ingest(path, dataset="k")
        self.assert_counts(report, **expected)
        return path

    def rows(self, columns="id, name, price"):
        return {tuple("" if cell is None else str(cell) for cell in row)
                for row in self.query(f"SELECT {columns} FROM k")}

    def assert_rows(self, *expected):
        self.assertEqual(self.rows(), {tuple(map(str, row)) for row in expected})
        self.assert_ledger_matches("k", len(expected))


class KeyTests(KeyChecks):
    def test_new_same_and_changed_rows_are_told_apart(self):
        self.send((1, "one", 10), (2, "two", 20), new=2)
        self.send((2, "two", "20"), (1, "one", 11), (3, "three", 30), new=1, updated=1, duplicate=1)
        self.assert_rows((1, "one", 11), (2, "two", 20), (3, "three", 30))
        self.assertEqual([entry["updated"] for entry in self.history()], [0, 1])

    def test_the_last_row_of_a_key_wins_within_a_file(self):
        self.send((1, "a", 1), (1, "b", 1), (1, "b", 1), (2, "x", 1), (1, "c", 1), new=2, updated=2, duplicate=1)
        self.assert_rows((1, "c", 1), (2, "x", 1))
        self.send((1, "d", 1), (1, "c", 1), updated=2)
        self.assert_rows((1, "c", 1), (2, "x", 1))

    def test_a_reverted_row_and_a_reverted_file_are_updates(self):
        first = self.send((1, "a", 1), (2, "a", 2), new=2)
        self.send_again(first, duplicate=2)
        second = self.send((1, "b", 1), (2, "a", 2), updated=1, duplicate=1)
        self.assert_rows((1, "b", 1), (2, "a", 2))
        self.send_again(first, updated=1, duplicate=1)
        self.assert_rows((1, "a", 1), (2, "a", 2))
        self.send_again(first, duplicate=2)
        self.send_again(second, updated=1, duplicate=1)
        self.send_again(second, duplicate=2)
        self.send_again(second, duplicate=2)
        self.assert_rows((1, "b", 1), (2, "a", 2))

    def test_files_in_one_batch_count_in_their_order(self):
        files = [self.write(f"g{i}.csv", csv_text(HEADER, [(1, name, 1)])) for i, name in enumerate("abab")]
        for expected in (dict(new=1), dict(new=0)):
            reports = self.ingest(*files, dataset="k")
            self.assertEqual(sum(report["new"] for report in reports), expected["new"])
            self.assert_rows((1, "b", 1))
        self.assertEqual([report["updated"] for report in reports], [1, 1, 1, 1])

    def test_keys_that_differ_in_a_blank_or_in_case_are_different_rows(self):
        self.options += keyed("name") + ["-o", 'dataset.k.column.price.type=decimal(6,2)']
        self.send((1, "a", 1), (2, '"a "', 1), (3, "Ham", 1), (4, "ham", 1), (5, "ham\u00e9", 1), new=5)
        self.send((1, '"a "', 2), (1, "ham", "2.50"), (1, "HAM", 1), new=1, updated=2)
        self.assertEqual(len(self.rows()), 6)
        self.assertEqual({name for name, price in self.rows("name, price") if float(price) >= 2}, {"a ", "ham"})

    def test_a_key_of_several_columns_of_all_types(self):
        self.options += keyed("d", "t", "n", "x", "s")
        header = ("v", "d", "t", "n", "x", "s")
        row = ("2024-01-02", "2024-01-02 03:04:05.5", "-3", "1.25", "text")
        self.send(("a", *row), header=header, new=1)
        self.send(("b", *row), ("b", *row[:-1], "other"), ("b", "2024-01-03", *row[1:]), header=header, new=2, updated=1)
        self.assertEqual(sorted(value for (value,) in self.rows("v")), ["b"])
        self.assert_ledger_matches("k", 3)

    def test_a_null_in_the_key_is_a_reject(self):
        self.send((1, "a", 1), ("", "b", 1), ("NA", "c", 1), new=1, rejected=2)
        self.assert_rows((1, "a", 1))

    def test_a_file_without_a_column_of_the_key_is_rejected(self):
        self.send((1, "a", 1), new=1)
        path = self.write("other.csv", csv_text(("name", "price"), [("a", 1)]))
        (report,) = self.ingest(path, dataset="k", status=EXIT_DELIVERY)
        self.assertIn("'id'", report["reason"])

    def test_changes_may_be_ignored_or_rejected(self):
        self.send((1, "a", 1), new=1)
        self.options += ["-o", "dataset.k.on_change=ignore"]
        path = self.send((1, "b", 1), (2, "x", 1), (2, "y", 1), (1, "a", 1), new=1, filtered=2, duplicate=1)
        self.send_again(path, filtered=2, duplicate=2)
        self.options += ["-o", "dataset.k.on_change=reject"]
        path = self.write("r.csv", csv_text(HEADER, [(1, "c", 1), (3, "x", 1), (1, "a", 1), (3, "y", 1)]))
        for expected in (dict(new=1, duplicate=1, rejected=2), dict(duplicate=2, rejected=2)):
            (report,) = self.ingest(path, dataset="k")
            self.assert_counts(report, **expected)
            rejects = self.rejects(report).read_text()
            self.assertIn("1,c,1", rejects)
            self.assertIn("3,y,1", rejects)
            self.assertNotIn("3,x,1", rejects)
        self.assert_rows((1, "a", 1), (2, "x", 1), (3, "x", 1))

    def test_a_file_whose_changes_were_ignored_is_read_again_when_they_count(self):
        self.send((1, "a", 1), new=1)
        self.options += ["-o", "dataset.k.on_change=ignore"]
        path = self.send((1, "b", 1), filtered=1)
        self.options += ["-o", "dataset.k.on_change=update"]
        self.send_again(path, updated=1)
        self.assert_rows((1, "b", 1))

    def test_rejects_of_a_key_are_replayed_in_the_order_of_their_deliveries(self):
        self.options += ["-o", "dataset.k.column.price.type=integer"]
        for n in range(6):
            self.send((1, f"name {n}", "dear"), (10 + n, "x", 1), new=1, rejected=1)
        self.rowsieve("replay", "-o", "dataset.k.bad_value=null", "k")
        self.assertEqual(self.query("SELECT name FROM k WHERE id = 1")[0][0], "name 5")

    def test_columns_outside_the_identity_follow_the_last_change(self):
        self.options += ["-o", 'dataset.k.ignore_in_identity={"price"}']
        self.send((1, "a", 1), new=1)
        self.send((1, "a", 2), duplicate=1)
        self.assert_rows((1, "a", 1))
        self.send((1, "b", 3), (1, "a", 4), (1, "a", 5), updated=2, duplicate=1)
        self.assert_rows((1, "a", 4))

    def test_a_dry_run_tells_what_would_happen(self):
        self.send((1, "a", 1), new=1)
        self.options += ["-o", "batch.rows=2"]
        path = self.write("d.csv", csv_text(HEADER, [(1, "b", 1), (2, "x", 1), (2, "y", 1), (1, "b", 1), (1, "a", 1)]))
        (report,) = self.ingest(path, dataset="k", options=["--dry-run"])
        self.assert_counts(report, new=1, updated=3, duplicate=1)
        self.assert_rows((1, "a", 1))

    def test_a_changed_key_stops_the_dataset(self):
        self.send((1, "a", 1), (2, "a", 1), new=2)
        self.options += keyed("name")
        path = self.write("x.csv", csv_text(HEADER, [(3, "c", 1)]))
        done = self.rowsieve("ingest", "--dataset", "k", path, status=EXIT_DELIVERY)
        self.assertIn("2 rows look new", done.stderr)
        self.assertIn("rowsieve rebuild k", done.stderr)

    def test_a_rebuild_knows_every_key_again(self):
        first = self.send((1, "a", 1), (2, "a", 2), (3, "a", 3), new=3)
        self.send((2, "b", 2), updated=1)
        self.rowsieve("verify", "k")
        self.rowsieve("rebuild", "k")
        self.rowsieve("verify", "k")
        self.send_again(first, updated=1, duplicate=2)
        self.send((4, "x", 1), (2, "a", 2), new=1, duplicate=1)
        self.assert_rows((1, "a", 1), (2, "a", 2), (3, "a", 3), (4, "x", 1))


class Restored(KeyChecks, SqliteSink, Case):
    def test_what_was_let_through_is_restored_under_any_rule(self):
        self.send((1, "a", 1), (2, "x", 1), new=2)
        self.send((1, "b", 1), updated=1)
        self.data.rename(self.directory / "lost")
        self.data.mkdir()
        (self.directory / "lost" / "backup").rename(self.data / "backup")
        self.rowsieve("restore", "-o", "dataset.k.on_change=reject", "k")
        self.assert_rows((1, "b", 1), (2, "x", 1))


class KillTests(KeyChecks):
    """Versions of a keyed table, old ones among them, each killed until it gets through."""

    def test_killed_again_and_again_the_table_is_the_last_delivered(self):
        self.options += ["-o", "batch.rows=150"]
        draw = random.Random(4)
        versions, expected, kills, longest = [], {}, 0, None
        while kills < KILLS:
            if versions and draw.random() < 0.4:
                path, rows = draw.choice(versions)
            else:
                rows = [(draw.randrange(1500), f"n{draw.randrange(3)}", draw.randrange(4)) for _ in range(1200)]
                path = self.write(f"v{len(versions)}.csv", csv_text(HEADER, rows))
                versions.append((path, rows))
            while True:
                process = self.start("ingest", "--dataset", "k", path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    process.wait(timeout=DEADLINE if longest is None else draw.uniform(0, longest))
                except subprocess.TimeoutExpired:
                    process.kill()
                error = process.communicate()[1]
                self.assertIn(process.returncode, (0, -9), error)
                longest = longest or 0.25
                if process.returncode == 0:
                    break
                kills += 1
                longest *= 1.1
            expected.update((row[0], row) for row in rows)
            self.assert_rows(*expected.values())


class KeysIntoSqlite(KeyTests, SqliteSink, Case):
    pass


class KeysIntoMariaDB(KeyTests, MysqlSink, Case):
    pass


class KilledIntoSqlite(KillTests, SqliteSink, Case):
    pass


class KilledIntoMariaDB(KillTests, MysqlSink, Case):
    pass
