# SPDX-License-Identifier: Apache-2.0
"""State and table must belong together: each way to part them is noticed before a row is stored or passed over."""

import shutil

from rowsieve_test import EXIT_DELIVERY, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text, parse_objects

FIRST = csv_text(["id", "name"], [(1, "one"), (2, "two")])
SECOND = csv_text(["id", "name"], [(1, "one"), (2, "two"), (3, "three")])


class AgreementTests(LedgerChecks):
    """The same list for every sink. Each test parts state and table, then delivers again."""

    def setUp(self):
        super().setUp()
        self.is_parted = True
        self.first = self.write("first.csv", FIRST)
        self.second = self.write("second.csv", SECOND)
        [report] = self.ingest(self.first, dataset="t")
        self.assert_counts(report, rows=2, new=2)

    def assert_stopped(self, *parts, dataset="t", options=()):
        """Neither "all new" nor "all seen": the delivery fails with one line that names the command."""
        done = self.rowsieve(
            "ingest", "--json", "--dataset", dataset, *options, self.second, status=EXIT_DELIVERY
        )
        self.assert_one_line(done.stderr, f"dataset '{dataset}' is stopped", f"rowsieve rebuild {dataset}", *parts)
        (report,) = parse_objects(done.stdout)
        self.assertEqual((report["status"], report["dataset"]), ("failed", dataset))

    def test_agreement_goes_on(self):
        [report] = self.ingest(self.second, dataset="t")
        self.assert_counts(report, rows=3, new=1, duplicate=2)
        self.assert_ledger_matches("t", 3)

    def test_dropped_table_is_not_made_again(self):
        self.query('DROP TABLE "t"')
        self.assert_stopped("is gone")
        self.assertEqual(self.table_size("t"), 0)

    def test_emptied_table_is_not_filled_with_the_rest(self):
        self.query('DELETE FROM "t"')
        self.assert_stopped("is empty, but 2 rows were stored in it")
        self.assertEqual(self.table_size("t"), 0)

    def test_missing_head_is_noticed(self):
        self.query("DELETE FROM rowsieve_head")
        self.assert_stopped("has no head row")
        self.assertEqual(self.table_size("t"), 2)

    def test_head_of_an_older_batch_is_noticed(self):
        self.ingest(self.second, dataset="t")
        self.query("UPDATE rowsieve_head SET seq = 1")
        self.assert_stopped("is at batch 1, the state at batch 2")

    def test_head_of_another_batch_with_the_same_number_is_noticed(self):
        self.query("UPDATE rowsieve_head SET batch_id = '00000000000000000000000000000001'")
        self.assert_stopped("is at batch 1")

    def test_head_of_another_state_is_noticed(self):
        self.query("UPDATE rowsieve_head SET state_id = '00000000000000000000000000000001'")
        self.assert_stopped("is fed by another state")

    def test_another_database_behind_the_same_name_is_noticed(self):
        self.query("UPDATE rowsieve_head SET sink_id = '00000000000000000000000000000001'")
        self.assert_stopped("another database")

    def test_lost_state_does_not_load_everything_again(self):
        shutil.rmtree(self.data / "state")
        self.assert_stopped("exists already")
        self.assertEqual(self.table_size("t"), 2)

    def test_state_from_an_older_backup_is_noticed(self):
        backup = self.directory / "backup-of-state"
        shutil.copytree(self.data / "state", backup)
        self.ingest(self.second, dataset="t")
        shutil.rmtree(self.data / "state")
        shutil.copytree(backup, self.data / "state")
        self.assert_stopped("is at batch 2, the state at batch 1")
        self.assertEqual(self.table_size("t"), 3)

    PARTINGS = {
        "dropped": ('DROP TABLE "dropped"', "is gone"),
        "emptied": ('DELETE FROM "emptied"', "is empty"),
        "headless": ("DELETE FROM rowsieve_head WHERE table_name = 'headless'", "has no head row"),
        "adopted": (
            "UPDATE rowsieve_head SET state_id = '00000000000000000000000000000001' WHERE table_name = 'adopted'",
            "is fed by another state",
        ),
        "moved": (
            "UPDATE rowsieve_head SET sink_id = '00000000000000000000000000000001' WHERE table_name = 'moved'",
            "another database",
        ),
        "older": ("UPDATE rowsieve_head SET seq = 0 WHERE table_name = 'older'", "is at batch 0, the state at batch 1"),
        "other": (
            "UPDATE rowsieve_head SET batch_id = '00000000000000000000000000000001' WHERE table_name = 'other'",
            "is at batch 1",
        ),
    }

    def test_each_way_to_part_them_under_the_daemon_stops_that_dataset_only(self):
        daemon = self.daemon()
        for name in (*self.PARTINGS, "whole"):
            self.deliver(f"{name}/first.csv", FIRST)
        daemon.wait_until(lambda: len(list(self.done.iterdir())) == 8, "eight datasets were fed")
        for sql, _ in self.PARTINGS.values():
            self.query(sql)
        for name in (*self.PARTINGS, "whole"):
            self.deliver(f"{name}/second.csv", SECOND)
        for name, (_, words) in self.PARTINGS.items():
            daemon.wait_until(
                lambda: any(words in line and f"rowsieve rebuild {name})" in line for line in daemon.text().splitlines()),
                f"the command for '{name}' was named",
            )
        daemon.wait_until(lambda: self.table_size("whole") == 3, "the other dataset went on")
        for name in self.PARTINGS:
            self.assertLessEqual(self.table_size(name), 2, name)
            self.rowsieve("rebuild", name)
            self.rowsieve("verify", name)
        daemon.stop()

    def test_stopped_dataset_does_not_stop_others(self):
        self.query("DELETE FROM rowsieve_head")
        [report] = self.ingest(self.second, dataset="other")
        self.assert_counts(report, rows=3, new=3)

    def test_table_of_others_with_rows_is_left_alone(self):
        self.query('CREATE TABLE "theirs" (id BIGINT, name VARCHAR(20))')
        self.query("INSERT INTO \"theirs\" VALUES (1, 'one')")
        self.assert_stopped("exists already", dataset="theirs")
        self.assertEqual(self.table_size("theirs"), 1)

    def test_empty_table_of_others_is_used_as_it_is(self):
        self.query('CREATE TABLE "theirs" (name VARCHAR(20), extra VARCHAR(5), id BIGINT)')
        [report] = self.ingest(self.second, dataset="theirs")
        self.assert_counts(report, rows=3, new=3)
        self.assertEqual([column for column in self.column_types("theirs")], ["name", "extra", "id"])
        self.assert_ledger_matches("theirs", 3)

    def test_configuration_that_makes_rows_look_new_is_noticed(self):
        change = ("-o", "dataset.t.column.id.type=text")
        self.assert_stopped("makes 2 rows look new", options=change)
        self.assertEqual(self.table_size("t"), 2)


class AgreementWithSqlite(AgreementTests, SqliteSink, Case):
    def query(self, sql):
        """As in SqliteSink, but what is changed stays."""
        return self.change(sql)

    def test_rows_db_from_an_older_backup_is_noticed(self):
        backup = self.directory / "rows.db"
        shutil.copy(self.data / "rows.db", backup)
        self.ingest(self.second, dataset="t")
        shutil.copy(backup, self.data / "rows.db")
        self.assert_stopped("is at batch 1, the state at batch 2")

    def test_lost_rows_db_is_not_made_again(self):
        (self.data / "rows.db").unlink()
        self.assert_stopped("has no head row")


class AgreementWithMariaDB(AgreementTests, MysqlSink, Case):
    pass
