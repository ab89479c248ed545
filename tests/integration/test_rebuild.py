# SPDX-License-Identifier: Apache-2.0
"""After `rebuild` state and table agree, whatever had parted them: what the table holds is seen, nothing else is."""

import shutil
import signal
import subprocess

from rowsieve_test import EXIT_CONFIG, EXIT_DELIVERY, EXIT_OK, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text, parse_objects

COLUMNS = ["id", "day", "amount", "name"]
ROWS = [(n, f"2015-05-{1 + n % 28:02d}", f"{n}.5", f"name {n}") for n in range(1, 101)]
FILE = csv_text(COLUMNS, ROWS)


class RebuildTests(LedgerChecks):
    """Each test parts state and table, rebuilds, and delivers again."""

    def setUp(self):
        super().setUp()
        self.file = self.write("first.csv", FILE)

    def ingest_first(self):
        [report] = self.ingest(self.file, dataset="t")
        self.assert_counts(report, rows=100, new=100)

    def verify(self, status=EXIT_OK):
        [report] = parse_objects(self.rowsieve("verify", "--json", "t", status=status).stdout)
        self.assertEqual(report["agrees"], status == EXIT_OK, report)
        return report

    def rebuild(self, **expected):
        [report] = parse_objects(self.rowsieve("rebuild", "--json", "t").stdout)
        self.assertEqual({key: report[key] for key in expected}, expected, report)
        after = self.verify()
        self.assertEqual(after["rows"], report["rows"])
        return report

    def assert_again(self, **expected):
        """The same file again; then nothing of it is new any more."""
        [report] = self.ingest(self.file, dataset="t")
        self.assert_counts(report, rows=100, **expected)
        [report] = self.ingest(self.file, dataset="t")
        self.assert_counts(report, rows=100, duplicate=100)
        self.verify()

    def test_a_table_that_agrees_stays_as_it_is(self):
        self.ingest_first()
        self.rebuild(rows=100, distinct=100, unfit=0, new_table=False)
        self.assert_again(duplicate=100)
        self.assert_ledger_matches("t", 100)

    def test_an_emptied_table_takes_all_rows_again(self):
        self.ingest_first()
        self.query('DELETE FROM "t"')
        self.assertIn("is empty", self.verify(status=EXIT_DELIVERY)["problem"])
        self.rebuild(rows=0, distinct=0)
        self.assert_again(new=100)
        self.assert_ledger_matches("t", 100)

    def test_a_dropped_table_is_made_again(self):
        self.ingest_first()
        types = self.column_types("t")
        self.query('DROP TABLE "t"')
        self.assertIn("is gone", self.verify(status=EXIT_DELIVERY)["problem"])
        self.rebuild(rows=0, new_table=True)
        self.assertEqual(self.column_types("t"), types)
        self.assert_again(new=100)
        self.assert_ledger_matches("t", 100)

    def test_rows_that_somebody_deleted_come_again(self):
        self.ingest_first()
        self.query('DELETE FROM "t" WHERE id <= 40')
        report = self.verify(status=EXIT_DELIVERY)
        self.assertEqual((report["rows"], report["seen"], report["missing"], report["unknown"]), (60, 100, 40, 0))
        self.rebuild(rows=60)
        self.assert_again(new=40, duplicate=60)
        self.assert_ledger_matches("t", 100)

    def test_rows_that_somebody_added_are_seen(self):
        self.ingest_first()
        self.query("INSERT INTO \"t\" VALUES (777, '2016-01-01', '7.5', 'by hand'), (777, '2016-01-01', '7.5', 'by hand')")
        report = self.verify(status=EXIT_DELIVERY)
        self.assertEqual((report["rows"], report["distinct"], report["unknown"], report["missing"]), (102, 101, 1, 0))
        self.rebuild(rows=102, distinct=101)
        more = self.write("more.csv", csv_text(COLUMNS, [(777, "2016-01-01", "7.5", "by hand"), *ROWS]))
        [report] = self.ingest(more, dataset="t")
        self.assert_counts(report, rows=101, duplicate=101)
        self.assert_ledger_matches("t", 102)

    def test_a_lost_head_and_ledger_are_made_again(self):
        self.ingest_first()
        self.query("DELETE FROM rowsieve_head")
        self.query("DELETE FROM rowsieve_ledger")
        self.rebuild(rows=100)
        self.assert_again(duplicate=100)
        self.assert_ledger_matches("t", 100)

    def test_a_lost_state_learns_everything_from_the_table(self):
        self.ingest_first()
        shutil.rmtree(self.data / "state")
        self.rowsieve("ingest", "--dataset", "t", self.file, status=EXIT_DELIVERY)
        self.rebuild(rows=100)
        self.assert_again(duplicate=100)
        more = self.write("more.csv", csv_text(COLUMNS, [*ROWS, (101, "2017-01-01", "0.5", "new")]))
        [report] = self.ingest(more, dataset="t")
        self.assert_counts(report, rows=101, new=1, duplicate=100)

    def test_a_restored_state_catches_up(self):
        self.ingest_first()
        shutil.copytree(self.data / "state", self.directory / "old-state")
        more = self.write("more.csv", csv_text(COLUMNS, [(101, "2017-01-01", "0.5", "new")]))
        self.ingest(more, dataset="t")
        shutil.rmtree(self.data / "state")
        shutil.copytree(self.directory / "old-state", self.data / "state")
        self.rowsieve("ingest", "--dataset", "t", self.file, status=EXIT_DELIVERY)
        self.rebuild(rows=101)
        [report] = self.ingest(more, dataset="t")
        self.assert_counts(report, rows=1, duplicate=1)
        self.assert_again(duplicate=100)

    def test_a_copied_state_takes_the_table_over_and_the_old_one_is_out(self):
        self.ingest_first()
        shutil.copytree(self.data / "state", self.directory / "copy")
        self.rebuild(rows=100)
        more = self.write("more.csv", csv_text(COLUMNS, [(101, "2017-01-01", "0.5", "new")]))
        self.ingest(more, dataset="t")
        shutil.rmtree(self.data / "state")
        shutil.copytree(self.directory / "copy", self.data / "state")
        done = self.rowsieve("ingest", "--dataset", "t", self.file, status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, "dataset 't' is stopped", "rowsieve rebuild t")

    def test_changed_types_are_settled_by_a_rebuild(self):
        self.ingest_first()
        config = self.write(
            "t.conf", 'dataset "t" { files = { "*" } column "amount" { type = "real" } column "name" { type = "text(40)" } }'
        )
        self.options += ["-c", str(config)]
        done = self.rowsieve("ingest", "--dataset", "t", self.file, status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, "100 rows look new", "rowsieve rebuild t")
        self.rebuild(rows=100, distinct=100)
        self.assert_again(duplicate=100)

    def test_a_table_made_by_others_is_taken_over(self):
        """As pandas leaves it: an index column, dates as DATETIME, and a name with a blank."""
        self.data.mkdir()
        self.query('CREATE TABLE "t" ("index" BIGINT, "Card Type" VARCHAR(20), "day" DATETIME, "amount" BIGINT)')
        self.query(
            "INSERT INTO \"t\" VALUES (0, 'Gold', '2014-10-29 00:00:00', 5), (1, NULL, '2014-10-30 00:00:00', NULL),"
            " (2, 'Gold', NULL, 7), (2, 'Gold', NULL, 7)"
        )
        config = self.write("t.conf", 'dataset "t" { files = { "*" } column "Card Type" { as = "Card Type" } }')
        self.options += ["-c", str(config)]
        self.rebuild(rows=4, distinct=3, unfit=0)
        theirs = self.write(
            "theirs.csv", "index,Card Type,day,amount\n0,Gold,29-Oct-14,5\n1,,30-Oct-14,\n2,Gold,,7\n3,Silver,31-Oct-14,9\n"
        )
        [report] = self.ingest(theirs, dataset="t")
        self.assert_counts(report, rows=4, new=1, duplicate=3)
        self.assert_ledger_matches("t", 5)

    def test_what_cannot_be_a_row_is_left_out_and_said(self):
        self.data.mkdir()
        self.query('CREATE TABLE "t" ("id" BIGINT, "day" VARCHAR(20))')
        self.query("INSERT INTO \"t\" VALUES (1, '2014-10-29'), (2, 'never')")
        config = self.write("t.conf", 'dataset "t" { files = { "*" } column "day" { type = "date" } }')
        self.options += ["-c", str(config)]
        self.rebuild(rows=2, distinct=1, unfit=1, fault="column 'day': not a date")

    def test_a_dataset_that_nobody_knows_is_an_error(self):
        self.options += ["-o", "unmatched=hold"]
        done = self.rowsieve("rebuild", "nothing", status=EXIT_CONFIG)
        self.assert_one_line(done.stderr, "'nothing'")
        self.assertEqual(self.rowsieve("verify", "nothing", status=EXIT_CONFIG).stdout, "")

    def test_a_name_that_was_mistyped_does_not_agree(self):
        self.ingest(self.write("first.csv", FILE), dataset="t")
        for command in "verify", "forget", "rebuild":
            done = self.rowsieve(command, "tt", status=EXIT_CONFIG)
            self.assertEqual(done.stdout, "")
            self.assert_one_line(done.stderr, "'tt'")

    def test_a_killed_rebuild_is_run_again(self):
        """At many moments: what was before still holds, or the dataset is stopped until the next rebuild."""
        many = self.write("many.csv", csv_text(COLUMNS, [(n, "2015-05-05", n, "x" * 100) for n in range(20000)]))
        [report] = self.ingest(many, dataset="t")
        self.assert_counts(report, rows=20000, new=20000)
        self.query('DELETE FROM "t" WHERE id >= 5000')
        for moment in range(12):
            process = self.start("rebuild", "t", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=0.01 * moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self.rebuild(rows=5000, distinct=5000)
        [report] = self.ingest(many, dataset="t")
        self.assert_counts(report, rows=20000, new=15000, duplicate=5000)
        self.assert_ledger_matches("t", 20000)

    def test_a_file_kept_in_the_drop_directory_is_read_again_after_a_rebuild(self):
        self.options += ["-o", "on_done=keep"]
        daemon = self.daemon()
        kept = self.deliver("t/kept.csv", FILE)
        daemon.wait_until(lambda: self.table_size("t") == 100, "the rows were there")
        daemon.wait_until(lambda: [h["status"] for h in self.history()] == ["done"], "the delivery was done")
        self.query('DELETE FROM "t"')
        [report] = parse_objects(self.rowsieve("rebuild", "--json", "t").stdout)
        self.assertEqual(report["rows"], 0)
        self.assertTrue(kept.exists())
        daemon.stop()
        daemon = self.daemon()
        daemon.wait_until(lambda: self.table_size("t") == 100, "the kept file was read again")
        daemon.stop()
        self.verify()

    def test_the_daemon_does_it_between_two_files(self):
        daemon = self.daemon()
        self.deliver("t/first.csv", FILE)
        daemon.wait_until(lambda: self.table_size("t") == 100, "the rows were there")
        self.assertEqual(self.verify()["rows"], 100)
        self.query('DELETE FROM "t" WHERE id > 50')
        self.assertEqual(self.verify(status=EXIT_DELIVERY)["missing"], 50)
        self.rebuild(rows=50)
        self.rowsieve("forget", "t")
        self.deliver("t/second.csv", FILE)
        daemon.wait_until(lambda: self.table_size("t") == 100, "the deleted rows came again")
        done = self.rowsieve("rebuild", "a/b", status=EXIT_CONFIG)
        self.assert_one_line(done.stderr, "a/b")
        daemon.stop()
        self.assert_ledger_matches("t", 100)

    def deliver_three(self):
        """By a daemon that archives them: one for another dataset too, and two of one name."""
        daemon = self.daemon()
        for count, name in enumerate(("t/first.csv", "t/first.csv", "other/theirs.csv"), 1):
            rows = ROWS if count != 2 else [(101, "2017-01-01", "0.5", "new")]
            dropped = self.deliver(name, csv_text(COLUMNS, rows))
            daemon.wait_until(lambda: not dropped.exists(), f"file {count} was archived")
        daemon.wait_until(lambda: len(self.history()) == 3, "three deliveries were known")
        daemon.stop()
        self.assertEqual(self.table_size("t"), 101)
        self.assertEqual(len(list(self.done.iterdir())), 3)

    def test_archived_deliveries_are_fed_again(self):
        self.deliver_three()
        self.query('DELETE FROM "t"')
        lines = parse_objects(self.rowsieve("rebuild", "--json", "--refeed", "t").stdout)
        self.assertEqual([line["new"] for line in lines if "delivery" in line], [100, 1])
        self.assertEqual([line["refeed"] for line in lines if "refeed" in line], [2])
        self.assertEqual(len(list(self.done.iterdir())), 3, "and archived again")
        self.verify()
        self.assert_ledger_matches("t", 101)
        self.assert_ledger_matches("other", 100)

    def test_the_daemon_takes_what_is_fed_again(self):
        self.deliver_three()
        self.query('DELETE FROM "t"')
        daemon = self.daemon()
        lines = parse_objects(self.rowsieve("rebuild", "--json", "--refeed", "t").stdout)
        self.assertEqual(lines[-1]["refeed"], 2)
        daemon.wait_until(lambda: self.table_size("t") == 101, "the rows were back")
        daemon.wait_until(lambda: len(list(self.done.iterdir())) == 3, "the files were archived again")
        daemon.stop()
        self.verify()


class SqliteRebuildTest(RebuildTests, SqliteSink, Case):
    def query(self, sql):
        """As in SqliteSink, but it makes the database, and what is changed stays."""
        return self.change(sql)

    def test_state_and_table_that_are_restored_together_need_no_rebuild(self):
        """The runbook of rowsieve(1): both as of one moment, then what was delivered since."""
        backup = self.directory / "backup"
        self.ingest_first()
        shutil.copytree(self.data / "state", backup / "state")
        for path in self.data.glob("rows.db*"):
            shutil.copy2(path, backup)
        more = self.write("more.csv", csv_text(COLUMNS, [(101, "2017-01-01", "0.5", "new")]))
        self.ingest(more, dataset="t")
        shutil.rmtree(self.data / "state")
        shutil.copytree(backup / "state", self.data / "state")
        for path in self.data.glob("rows.db*"):
            path.unlink()
        for path in backup.glob("rows.db*"):
            shutil.copy2(path, self.data)
        self.verify()
        [report] = self.ingest(more, dataset="t")
        self.assert_counts(report, rows=1, new=1)
        self.assert_again(duplicate=100)
        self.assert_ledger_matches("t", 101)


class MysqlRebuildTest(RebuildTests, MysqlSink, Case):
    def test_a_dataset_moves_from_sqlite_to_mysql(self):
        options, self.options = self.options, []
        daemon = self.daemon()
        dropped = self.deliver("t/first.csv", FILE)
        daemon.wait_until(lambda: not dropped.exists(), "the file was archived")
        daemon.stop()
        self.assertEqual(SqliteSink.table_size(self, "t"), 100)
        self.options = options
        done = self.rowsieve("ingest", "--dataset", "t", self.file, status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, "its rows are in sqlite", "rowsieve rebuild t --refeed")
        lines = parse_objects(self.rowsieve("rebuild", "--json", "--refeed", "t").stdout)
        self.assertTrue(lines[0]["new_table"])
        self.assertEqual([line["new"] for line in lines if "delivery" in line], [100])
        self.assert_again(duplicate=100)
        self.assert_ledger_matches("t", 100)


class ForgetTest(SqliteSink, Case):
    def test_a_forgotten_file_is_read_again(self):
        path = self.write("first.csv", FILE)
        self.ingest(path, dataset="t")
        [report] = self.ingest(path, dataset="t")
        self.assertEqual(report["bytes_skipped"], report["bytes"], "recognised whole")
        self.rowsieve("forget", path)
        [report] = self.ingest(path, dataset="t")
        self.assert_counts(report, rows=100, duplicate=100, bytes_skipped=0)
        self.rowsieve("forget", "t")
        [report] = self.ingest(path, dataset="t")
        self.assert_counts(report, rows=100, duplicate=100, bytes_skipped=0)
        unknown = self.write("unknown.csv", FILE)
        done = self.rowsieve("forget", unknown, status=EXIT_DELIVERY)
        self.assert_one_line(done.stderr, unknown, "nothing is known of it")
