# SPDX-License-Identifier: Apache-2.0
"""Real files that are not plain: each with the keys that a user would set for it, where it needs any."""

import csv
import json

from rowsieve_test import Case, SqliteSink, shared


class AwkwardFiles(SqliteSink, Case):
    def take(self, name, *keys, **expected):
        path = shared("awkward", name)
        for key in keys:
            self.options += ["-o", f"dataset.d.{key}"]
        first = self.ingest(path, dataset="d")[0]
        self.assert_counts(first, status="done", **expected)
        self.assertEqual(self.table_size("d"), expected["new"])
        again = self.ingest(path, dataset="d")[0]
        seen = expected["rows"] - expected.get("rejected", 0)
        self.assert_counts(again, status="done", rows=expected["rows"], duplicate=seen, rejected=expected.get("rejected", 0))
        return first

    def test_spam_is_windows_1252_with_lone_carriage_returns_and_names_that_are_empty(self):
        self.take("spam.csv", "encoding=windows-1252", rows=5572, new=5169, duplicate=403)
        self.assertEqual(list(self.column_types("d")), ["v1", "v2", "column_3", "column_4", "column_5"])
        self.assertEqual(self.query("SELECT count(*) FROM d WHERE v2 LIKE '%£%'")[0][0] > 100, True)

    def test_without_its_encoding_the_rows_that_are_not_utf_8_are_rejected(self):
        report = self.ingest(shared("awkward", "spam.csv"), dataset="d")[0]
        self.assertEqual(report["status"], "done")
        self.assertEqual(report["rows"], 5572)
        self.assertGreater(report["new"], 4000)
        raw = self.rejects(report).read_bytes()
        self.assertIn(b"invalid UTF-8", raw)
        self.assertIn(b"\xa3", raw, "a reject keeps its original bytes")

    def test_winequality_has_semicolons(self):
        self.take("winequality-red.csv", rows=1599, new=1359, duplicate=240)
        self.assertEqual(self.column_types("d")["quality"], "INTEGER")
        self.assertEqual(self.query("SELECT fixed_acidity FROM d LIMIT 1"), [("7.4",)])

    def test_winequality_kept_as_a_bag_has_all_its_rows(self):
        path = shared("awkward", "winequality-red.csv")
        self.options += ["-o", "dataset.d.duplicates=keep"]
        self.assert_counts(self.ingest(path, dataset="d")[0], rows=1599, new=1599)
        self.assertEqual(self.table_size("d"), 1599)
        self.assert_counts(self.ingest(path, dataset="d")[0], rows=1599, duplicate=1599)

    def test_googleplaystore_has_many_quoted_things(self):
        self.take("googleplaystore.csv", rows=10841, new=10358, duplicate=483)

    def test_goodreads_has_four_ragged_lines(self):
        report = self.take("goodreads_books.csv", rows=11127, new=11123, rejected=4)
        with self.rejects(report).open(newline="") as file:
            lines = [row["line"] for row in csv.DictReader(file)]
        self.assertEqual(lines, ["3350", "4704", "5879", "8981"])
        titles = self.query("SELECT title FROM d WHERE bookid = 44439")
        self.assertEqual(titles, [("A Is for Abductive : The Language of the Emerging Church",)])
        self.assertIn("num_pages", self.column_types("d"))

    def test_restaurant_reviews_have_tabs_and_quotes_that_are_text(self):
        self.take("Restaurant_Reviews.tsv", "quote=none", rows=1000, new=996, duplicate=4)

    def test_ibm_hr_begins_with_a_byte_order_mark(self):
        self.take("ibm_hr_attrition.csv", rows=1470, new=1470)
        self.assertEqual(list(self.column_types("d"))[0], "age")


class CsvSpectrum(SqliteSink, Case):
    """The 12th, location_coordinates, has a wrong expectation upstream."""

    NAMES = (
        "comma_in_quotes empty empty_crlf escaped_quotes json newlines newlines_crlf quotes_and_newlines simple simple_crlf utf8"
    ).split()

    def test_every_file_reads_as_expected_an_empty_field_being_null(self):
        for name in self.NAMES:
            with self.subTest(name):
                expected = json.loads(shared("conformance", "csv-spectrum", "json", f"{name}.json").read_text())
                path = shared("conformance", "csv-spectrum", "csvs", f"{name}.csv")
                columns = [key for key in expected[0]]
                declared = [part for key in columns for part in ("-o", f"dataset.{name}.column.{key}.type=text")]
                report = self.ingest(path, dataset=name, options=declared)[0]
                self.assert_counts(report, new=len(expected))
                quoted = ", ".join(f'"{key}"' for key in columns)
                rows = self.query(f'SELECT {quoted} FROM "{name}" ORDER BY rowid')
                self.assertEqual([dict(zip(columns, row)) for row in rows], [{k: v or None for k, v in row.items()} for row in expected])
