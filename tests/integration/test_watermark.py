# SPDX-License-Identifier: Apache-2.0
"""watermark = column: only rows newer than the newest stored one are new, as of when their file was begun."""

from rowsieve_test import EXIT_CONFIG, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text, parse_objects


class WatermarkTests(LedgerChecks):
    def setUp(self):
        super().setUp()
        self.options += ["-o", "dataset.w.watermark=Day"]

    def send(self, name, *rows, header=("Day", "n"), options=(), **expected):
        (report,) = self.ingest(self.write(name, csv_text(header, rows)), dataset="w", options=options)
        self.assert_counts(report, **expected)

    def test_late_rows_are_filtered_and_known_ones_are_duplicates(self):
        self.send("1.csv", ("2024-01-02", 1), ("2024-01-01", 2), new=2)
        self.send(
            "2.csv", ("2024-01-02", 1), ("2024-01-02", 3), ("2023-12-31", 4), ("2024-01-03", 5), ("2024-01-03", 6),
            new=2, duplicate=1, filtered=2,
        )
        self.send("3.csv", ("2024-01-03", 7), ("2024-01-04", 8), ("", 9), new=1, filtered=2)
        self.assert_ledger_matches("w", 5)

    def test_it_is_fixed_for_a_file_of_many_batches(self):
        rows = [(f"2024-01-{31 - day % 31:02}", day) for day in range(40)]
        self.send("1.csv", *rows, options=["-o", "batch.rows=3"], new=40)
        self.send("2.csv", *rows, ("2024-01-31", 99), options=["-o", "batch.rows=3"], duplicate=40, filtered=1)

    def test_files_in_one_call_are_filtered_one_after_the_other(self):
        files = [self.write(f"{n}.csv", csv_text(("Day", "n"), [(f"2024-01-0{n}", n)])) for n in (2, 1, 3)]
        self.assertEqual([r["filtered"] for r in self.ingest(*files, dataset="w")], [0, 1, 0])

    def test_numbers_are_compared_as_numbers(self):
        self.options += ["-o", "dataset.w.watermark=n"]
        self.send("1.csv", ("a", "9.5"), ("b", "-3"), new=2)
        self.send("2.csv", ("c", "10"), ("d", "9.25"), ("e", "-20"), new=1, filtered=2)
        self.send("3.csv", ("f", "10.5"), ("g", "9.75"), new=1, filtered=1)

    def test_a_watermark_set_later_or_after_a_rebuild_looks_at_the_table(self):
        self.options = self.options[:-2]
        self.send("1.csv", ("2024-01-02", 1), ("2024-01-01", 2), new=2)
        self.options += ["-o", "dataset.w.watermark=Day"]
        self.send("2.csv", ("2024-01-02", 3), ("2024-01-05", 4), new=1, filtered=1)
        self.rowsieve("rebuild", "w")
        self.send("3.csv", ("2024-01-05", 5), ("2024-01-06", 6), new=1, filtered=1)

    def test_without_it_a_file_that_it_filtered_is_read_again(self):
        self.send("1.csv", ("2024-01-02", 1), new=1)
        self.send("2.csv", ("2024-01-01", 2), filtered=1)
        self.options = self.options[:-2]
        self.send("2.csv", ("2024-01-01", 2), new=1)

    def test_of_another_column_a_file_that_was_begun_is_read_again(self):
        """Its mark has a day: to that no number compares."""
        count = 20000
        self.send("1.csv", ("2024-01-01", 500), new=1)
        self.deliver("w/2.csv", csv_text(("Day", "n"), [("2024-01-02", 501 + n) for n in range(count)]))
        daemon = self.daemon("-o", "batch.rows=1")
        daemon.wait_until(lambda: self.table_size("w") > 5, "some of it was stored")
        daemon.kill()
        self.assertLess(self.table_size("w"), count)
        daemon = self.daemon("-o", "dataset.w.watermark=n")
        daemon.wait_until(lambda: not list(self.drop.rglob("*.csv")), "it was done")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual([report["status"] for report in self.history()], ["done", "failed", "done"])
        self.assert_ledger_matches("w", count + 1)

    def test_rejected_rows_are_as_late_as_their_delivery_was(self):
        self.options += ["-o", "dataset.w.column.n.type=integer"]
        self.send("1.csv", ("2024-01-02", 1), new=1)
        self.send("2.csv", ("2024-01-01", "x"), ("2024-01-03", "y"), ("2024-01-04", 4), new=1, rejected=2)
        (report, _) = parse_objects(self.rowsieve("replay", "--json", "-o", "dataset.w.bad_value=null", "w").stdout)
        self.assert_counts(report, new=1, filtered=1)
        self.send("3.csv", ("2024-01-04", 5), ("2024-01-05", 5), new=1, filtered=1)

    def test_a_text_is_no_watermark(self):
        self.options += ["-o", "dataset.w.watermark=t"]
        path = self.write("1.csv", csv_text(("t", "n"), [("x", 1)]))
        done = self.rowsieve("ingest", "--dataset", "w", path, status=EXIT_CONFIG)
        self.assertIn("neither a number nor a date", done.stderr)


class WatermarkIntoSqlite(WatermarkTests, SqliteSink, Case):
    pass


class WatermarkIntoMariaDB(WatermarkTests, MysqlSink, Case):
    pass
