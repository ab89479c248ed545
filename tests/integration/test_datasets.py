# SPDX-License-Identifier: Apache-2.0
"""What a dataset's section may say: dialects, types, cleaning, filters, drift, and tables that were there before."""

import contextlib
import csv
import datetime
import io
import sqlite3

from rowsieve_test import EXIT_CONFIG, EXIT_DELIVERY, Case, MysqlSink, SqliteSink, parse_objects, shared

SEED = "Credit card transactions - India - Simple.csv"


class DatasetCase(Case):
    def declare(self, *keys, dataset="d"):
        for key in keys:
            self.options += ["-o", f"dataset.{dataset}.{key}"]

    def take(self, content, status=0, name="d.csv", dataset="d"):
        return self.ingest(self.write(name, content), dataset=dataset, status=status)[0]

    def reject_reasons(self, report):
        """Line, column and reason of each reject."""
        with self.rejects(report).open(newline="", encoding="latin-1") as file:
            return [(row["line"], row["column"], row["reason"]) for row in csv.DictReader(file)]

    def column_names(self, table="d"):
        return list(self.column_types(table))


class Dialects(SqliteSink, DatasetCase):
    def test_delimiters_are_found_out(self):
        for number, delimiter in enumerate(",;\t|"):
            name = f"d{number}"
            text = f"a{delimiter}b\n1{delimiter}x,;y\n" if delimiter not in ",;" else f"a{delimiter}b\n1{delimiter}x\n"
            self.assert_counts(self.take(text, dataset=name), new=1)
            self.assertEqual(self.column_names(name), ["a", "b"])

    def test_decimal_commas_do_not_make_a_comma_the_delimiter(self):
        self.take("a;b;c\n1,5;2,5;3,5\n7,5;8,5;9,5\n")
        self.assertEqual(self.column_names(), ["a", "b", "c"])

    def test_the_same_rows_in_another_dialect_are_duplicates(self):
        self.take("a,b\n1,x\n2,y\n")
        self.assert_counts(self.take("b;a\r\n'x';1\r\n'y';2\r\n".replace("'", '"')), duplicate=2)
        self.assert_counts(self.take("a\tb\n1\tx\n2\ty\n".encode("utf-16")), duplicate=2)
        self.assert_counts(self.take("\ufeffa|b\r1|x\r2|y".encode()), duplicate=2)

    def test_a_character_may_be_the_delimiter(self):
        self.declare("delimiter=~", "quote=single")
        self.assert_counts(self.take("a~b\n'1~2'~\"x\n"), new=1)
        self.assertEqual(self.query("SELECT a, b FROM d"), [("1~2", '"x')])

    def test_backslashes_escape_where_that_is_said(self):
        self.declare("escape=backslash")
        self.take('a,b\n"x \\"y\\"",1\\,5\n')
        self.assertEqual(self.query("SELECT a, b FROM d"), [('x "y"', "1,5")])

    def test_a_backslash_is_data_otherwise(self):
        self.take('a,b\nx\\,y\\\\z\n')
        self.assertEqual(self.query("SELECT a, b FROM d"), [("x\\", "y\\\\z")])

    def test_lines_before_the_header_and_comments_are_passed_over(self):
        self.declare("skip_lines=2", "comment=#")
        report = self.take('made by "us\n\n# a comment, with commas\na,b\n# more\n1,x\nbad\n')
        self.assert_counts(report, new=1, rejected=1)
        self.assertEqual(self.reject_reasons(report), [("7", "", "too few fields")])

    def test_without_a_header_the_declared_columns_are_the_fields(self):
        self.declare("header=false", "column.id.type=integer", "column.name.as=full name")
        self.assert_counts(self.take("1,x,7\n2,y,8\n1,x,7\n"), rows=3, new=2, duplicate=1)
        self.assertEqual(self.query('SELECT id, "full name", column_3 FROM d ORDER BY id'), [(1, "x", 7), (2, "y", 8)])

    def test_without_header_and_declarations_columns_are_numbered(self):
        self.declare("header=no")
        self.assert_counts(self.take("1,x\n"), new=1)
        self.assertEqual(self.column_names(), ["column_1", "column_2"])

    def test_encodings_are_converted_and_rejects_keep_their_bytes(self):
        self.declare("encoding=windows-1252")
        report = self.take("id,név\n".encode("cp1250") + b"1,caf\xe9 \x80\n2,\x81\n3,ok\n")
        self.assert_counts(report, new=2, rejected=1)
        self.assertEqual(self.query("SELECT id, n_v FROM d ORDER BY id"), [(1, "café €"), (3, "ok")])
        self.assertIn(b"\x81", self.rejects(report).read_bytes())

    def test_one_invalid_byte_rejects_its_row_only(self):
        self.assert_counts(self.take(b"id,name\n1,ok\n2,caf\xe9\n3,ok\n"), new=2, rejected=1)

    def test_utf_16_with_half_a_character_loses_that_row_only(self):
        text = "id,name\n1,ok\n2,x\ud800y\n3,ök\n".encode("utf-16le", "surrogatepass")
        self.assert_counts(self.take(b"\xff\xfe" + text), new=2, rejected=1)
        self.assertEqual(self.query("SELECT name FROM d WHERE id = 3"), [("ök",)])

    def test_utf_16_without_a_mark_is_refused_with_the_key_to_set(self):
        path = self.write("d.csv", "a,b\n1,2\n".encode("utf-16le"))
        self.assertIn("NUL byte", self.ingest(path, dataset="d", status=EXIT_DELIVERY)[0]["reason"])
        self.declare("encoding=utf-16le")
        self.assert_counts(self.take("a,b\n1,2\n".encode("utf-16le")), new=1)

    def test_an_unknown_encoding_is_a_configuration_error(self):
        self.declare("encoding=latin-99")
        self.ingest(self.write("d.csv", "a\n1\n"), dataset="d", status=EXIT_CONFIG)


class Values(SqliteSink, DatasetCase):
    def test_declared_types_are_stored_as_what_they_are(self):
        self.declare(
            "column.i.type=integer", "column.d.type=decimal(9,2)", "column.r.type=real", "column.b.type=boolean",
            "column.t.type=datetime", "column.t.zone=Asia/Kolkata", "thousands=,",
        )  # fmt: skip
        self.take('i,d,r,b,t\n"1,234",+07.50,1e3,Yes,2015-05-05 10:00\n')
        self.assertEqual(self.query("SELECT * FROM d"), [(1234, "7.5", 1000.0, 1, "2015-05-05 04:30:00")])

    def test_decimal_commas_are_inferred_where_they_are_the_point(self):
        self.declare("decimal=,", "thousands=.")
        self.take("a;b\n1.234,5;7\n")
        self.assertEqual(self.query("SELECT a, b FROM d"), [("1234.5", 7)])

    def test_null_tokens_and_defaults(self):
        self.declare("null=\"\",\"-\",\"NA\"", "column.c.default=none", "column.n.type=integer", "column.n.default=0")
        self.take("a,c,n\nNA,-,-\n-,x,7\n")
        self.assertEqual(self.query("SELECT a, c, n FROM d ORDER BY n"), [(None, "none", 0), (None, "x", 7)])

    def test_a_column_that_comes_later_makes_no_row_new_when_it_holds_its_default(self):
        self.declare("column.c.default=none")
        self.take("a\n1\n2\n")
        self.assert_counts(self.take("a,c\n1,\n2,none\n3,\n"), rows=3, duplicate=2, new=1)

    def test_blanks_are_data_unless_they_are_trimmed(self):
        self.take("a,b\n 1 ,x \n", dataset="kept")
        self.assertEqual(self.query("SELECT a, b FROM kept"), [(" 1 ", "x ")])
        self.declare("trim=true", dataset="trimmed")
        self.take("a,b\n 1 ,x \n", dataset="trimmed")
        self.assertEqual(self.query("SELECT a, b FROM trimmed"), [(1, "x")])

    def test_only_declared_columns_in_their_order(self):
        self.declare("columns=declared", "column.c.as=see", "column.A.type=text")
        self.assert_counts(self.take("a,b,c\n1,2,3\n1,9,3\n"), rows=2, new=1, duplicate=1)
        self.assertEqual(self.query("SELECT * FROM d"), [(3, "1")])
        self.assertEqual(self.column_names(), ["see", "a"])

    def test_aliases_are_the_same_column(self):
        self.declare("column.Card Type.alias=CardType,kind")
        self.take("id,Card Type\n1,Gold\n")
        self.assert_counts(self.take("id,CardType\n1,Gold\n2,Silver\n"), rows=2, duplicate=1, new=1)
        self.assert_counts(self.take("KIND,id\nSilver,2\n"), duplicate=1)
        self.assertEqual(self.column_names(), ["id", "card_type"])

    def test_bad_values_are_rejected_null_or_rescued(self):
        text = "id,n\n1,7\n2,x\n"
        for word, rows in (("null", [(1, 7), (2, None)]), ("rescue", [(1, 7), (2, None)])):
            self.declare(f"bad_value={word}", "column.n.type=integer", dataset=word)
            self.assert_counts(self.take(text, dataset=word), new=2)
            self.assertEqual(self.query(f'SELECT id, n FROM "{word}" ORDER BY id'), rows)
        self.assertEqual(self.query("SELECT _rescued FROM rescue ORDER BY id"), [(None,), ('{"n":"x"}',)])
        self.declare("column.n.type=integer", dataset="strict")
        report = self.take(text, dataset="strict")
        self.assert_counts(report, new=1, rejected=1)
        self.assertEqual(self.reject_reasons(report), [("3", "n", "not an integer")])

    def test_a_file_is_read_again_when_another_format_makes_values_of_it(self):
        text = "id,day\n1,2024-01-31\n2,31/01/2024\n"
        self.declare("bad_value=null", "column.day.type=date", 'column.day.format={"%Y-%m-%d"}')
        self.assert_counts(self.take(text), new=2)
        self.declare('column.day.format={"%Y-%m-%d", "%d/%m/%Y"}')
        self.assert_counts(self.take(text), new=1, duplicate=1)

    def test_ragged_records_are_rejected_padded_or_rescued(self):
        text = "a,b\n1\n2,x\n3,y,\n4,z,more\n"
        self.assert_counts(self.take(text, dataset="strict"), rows=4, new=1, rejected=3)
        self.declare("ragged=pad", dataset="pad")
        self.assert_counts(self.take(text, dataset="pad"), rows=4, new=3, rejected=1)
        self.assertEqual(self.query("SELECT a, b FROM pad ORDER BY a"), [(1, None), (2, "x"), (3, "y")])
        self.declare("ragged=rescue", dataset="rescue")
        self.assert_counts(self.take(text, dataset="rescue"), rows=4, new=4)
        self.assertEqual(self.query("SELECT _rescued FROM rescue WHERE a = 4"), [('{"column_3":"more"}',)])

    def test_numbers_that_grow_widen_their_column(self):
        self.take("id,n\n1,5\n2,6\n")
        self.assertEqual(self.column_types("d")["n"], self.TYPES["integer"])
        self.assert_counts(self.take("id,n\n1,5\n3,7.25\n4,123456789012345678901\n5,x\n"), rows=4, duplicate=1, new=2, rejected=1)
        self.assert_counts(self.take("id,n\n2,6.0\n3,7.250\n6,0.0000001\n"), rows=3, duplicate=2, new=1)
        values = sorted(str(value) for _, value in self.query("SELECT id, n FROM d"))
        self.assertEqual([float(v) for v in values], [float(v) for v in sorted(["5", "6", "7.25", "123456789012345678901", "0.0000001"])])

    def test_a_key_does_not_widen(self):
        self.declare("key=id")
        self.take("id,n\n1,5\n")
        self.assert_counts(self.take("id,n\n1,5.5\n1.5,7\n"), rows=2, updated=1, rejected=1)
        self.declare("column.id.type=decimal(9,2)")
        path = self.write("d.csv", "id,n\n2,5\n")
        self.assertIn("column 'id'", self.ingest(path, dataset="d", status=EXIT_DELIVERY)[0]["reason"])

    def test_a_frozen_dataset_does_not_widen(self):
        self.declare("drift=freeze")
        self.take("id,n\n1,5\n")
        self.assert_counts(self.take("id,n\n2,7.5\n"), rejected=1)

    def test_a_declared_type_may_become_wider(self):
        self.options += ["-o", "dataset.d.column.n.type=text(3)"]
        self.take("id,n\n1,abc\n")
        self.options[-1] = "dataset.d.column.n.type=text(5)"
        self.assert_counts(self.take("id,n\n1,abc\n2,abcde\n3,abcdef\n"), rows=3, duplicate=1, new=1, rejected=1)


class Changes(SqliteSink, DatasetCase):
    """The configuration is mended under rows that are stored."""

    def change(self, *keys):
        self.options = []
        self.declare(*keys)

    def expect_stopped(self, content, what):
        path = self.write("d.csv", content)
        report = self.ingest(path, dataset="d", status=EXIT_DELIVERY)[0]
        self.assertIn(what, report["reason"])
        self.assertIn("rowsieve rebuild d", report["reason"])

    def test_what_changes_no_stored_row_passes(self):
        self.take("id,day,n\n1,29-Oct-14,5\n2,30-Oct-14,x\n")
        for keys in (
            ["column.id.type=integer"],
            ["column.id.type=decimal(30,2)", "column.n.alias=m"],
            ["bad_value=null", "ragged=rescue", "drift=rescue"],
            ["bad_value=reject", "drift=rescue", "missing=reject", 'where="id > 0"'],
        ):
            with self.subTest(keys):
                self.change(*keys)
                self.assertEqual(self.take("id,day,n\n1,29-Oct-14,5\n")["new"], 0)

    def test_further_formats_pass_and_other_ones_stop_the_dataset(self):
        self.change("column.day.type=date", "column.day.format=%d-%b-%y")
        self.take("id,day\n1,29-Oct-14\n")
        self.change("column.day.type=date", "column.day.format=%d-%b-%y,%d/%m/%Y")
        self.assert_counts(self.take("id,day\n1,29/10/2014\n"), duplicate=1)
        self.change("column.day.type=date", "column.day.format=%y-%b-%d")
        self.expect_stopped("id,day\n1,29-Oct-14\n", "column 'day' makes 1 rows look new")

    def test_what_makes_stored_rows_look_new_stops_the_dataset(self):
        self.take("id,n\n1,x\n")
        for keys in (["column.n.type=integer"], ["trim=true"], ['null="x"'], ["column.n.as=m"], ["column.n.default=y"]):
            with self.subTest(keys):
                self.change(*keys)
                self.expect_stopped("id,n\n1,x\n", "makes 1 rows look new")

    def test_rejects_are_taken_when_the_rule_was_mended(self):
        self.assert_counts(self.take("id;n\n1;5\n2\n3;4;5\n"), rows=3, new=1, rejected=2)
        self.change("ragged=rescue")
        self.rowsieve("replay", "d")
        self.assertEqual(self.query("SELECT id, n, _rescued FROM d ORDER BY id"), [(1, 5, None), (2, None, None), (3, 4, '{"column_3":"5"}')])


class Filters(SqliteSink, DatasetCase):
    TEXT = "id,Card Type,amount,day\n" + "".join(
        f"{n},{kind},{n * 10}.5,2015-05-0{n}\n" for n, kind in enumerate(["Gold", "Silver", "", "Gold", "O'Brien"], 1)
    )

    def expect(self, where, *ids):
        dataset = f"d{self.number}"
        self.number += 1
        self.declare("where=" + ",".join(f'"{each}"' for each in where), dataset=dataset)
        report = self.take(self.TEXT, dataset=dataset)
        self.assert_counts(report, rows=5, new=len(ids), filtered=5 - len(ids))
        if ids:
            self.assertEqual([row[0] for row in self.query(f"SELECT id FROM {dataset} ORDER BY id")], list(ids))

    def test_filters_compare_what_columns_hold(self):
        self.number = 0
        for where, ids in (
            (["amount > 9.0"], (1, 2, 3, 4, 5)),
            (["amount >= 20.50"], (2, 3, 4, 5)),
            (["amount<20.5"], (1,)),
            (["`Card Type` = 'Gold'"], (1, 4)),
            (["card_type != 'Gold'"], (2, 5)),
            (["card_type in ('Silver', 'O''Brien')"], (2, 5)),
            (["card_type NOT IN ('Silver')"], (1, 4, 5)),
            (["card_type is null"], (3,)),
            (["card_type is not null", "id <= 2"], (1, 2)),
            (["day > 2015-05-03"], (4, 5)),
            (["day = '3-May-15'"], (3,)),
        ):
            with self.subTest(where):
                self.expect(where, *ids)

    def test_a_filter_that_names_nothing_stops_the_dataset(self):
        self.declare('where="colour = 1"')
        path = self.write("d.csv", self.TEXT)
        self.ingest(path, dataset="d", status=EXIT_CONFIG)

    def test_a_filter_that_was_loosened_lets_known_files_through_again(self):
        self.options += ["-o", 'dataset.d.where="id > 3"']
        self.assert_counts(self.take(self.TEXT), rows=5, new=2, filtered=3)
        self.options[-1] = 'dataset.d.where="id > 1"'
        self.assert_counts(self.take(self.TEXT), rows=5, new=2, duplicate=2, filtered=1)


class Drift(DatasetCase):
    def versions(self):
        return shared("series", "shootouts", "v12_2023-10-21_4fa8d2a9.csv"), shared("series", "shootouts", "v13_2023-10-29_98e0a6b7.csv")

    def test_a_new_column_is_added(self):
        old, new = self.versions()
        self.ingest(old, dataset="d")
        self.assert_counts(self.ingest(new, dataset="d")[0], rows=559, new=86, duplicate=473)
        self.assertIn("first_shooter", self.column_names())

    def test_a_frozen_dataset_rejects_the_file_and_shows_the_difference(self):
        old, new = self.versions()
        self.declare("drift=freeze")
        self.ingest(old, dataset="d")
        report = self.ingest(new, dataset="d", status=EXIT_DELIVERY)[0]
        self.assertEqual((report["status"], report["rows"]), ("rejected", 0))
        self.assertIn("'first_shooter'", report["reason"])
        self.assertNotIn("first_shooter", self.column_names())
        self.assertEqual(self.ingest(old, dataset="d")[0]["new"], 0)

    def test_a_new_column_may_be_rescued(self):
        old, new = self.versions()
        self.declare("drift=rescue")
        self.ingest(old, dataset="d")
        before = self.column_names()
        self.assert_counts(self.ingest(new, dataset="d")[0], rows=559, new=86, duplicate=473)
        self.assertEqual(self.column_names(), before)
        self.assertIn("_rescued", before)
        rescued = [row[0] for row in self.query("SELECT _rescued FROM d WHERE _rescued IS NOT NULL")]
        self.assertEqual(len(rescued), 86)
        self.assertTrue(all(text.startswith('{"first_shooter":"') for text in rescued))
        self.assert_counts(self.ingest(new, dataset="d")[0], rows=559, duplicate=559)

    def test_a_missing_column_is_null_or_rejects_the_file(self):
        self.take("a,b\n1,x\n")
        self.assert_counts(self.take("a\n1\n"), new=1)
        self.declare("missing=reject", dataset="strict")
        self.take("a,b\n1,x\n", dataset="strict")
        report = self.take("a\n1\n", status=EXIT_DELIVERY, dataset="strict")
        self.assertIn("'b'", report["reason"])


class WayBack(DatasetCase):
    """Rows read back from the table are the rows of the file, for every type."""

    TEXT = (
        "i,d,r,b,day,t,z,s,n\n"
        "007,+1.50,1e22,yes,29/10/2014,2015-05-05 10:11:12.5,2015-05-05 10:11,a \\ \"q\",5\n"
        "-9223372036854775808,-0.01,0.1,F,1/1/1970,0001-01-01 00:00,2015-01-05 00:00+09:00, blank ,5.25\n"
        ",,,,,,,,\n"
        "9223372036854775807,9999999.99,1.7976931348623157e308,1,31/12/9999,9999-12-31 23:59:59.999999,2000-02-29 12:00Z,\u00e4\U0001f600,x,more\n"
    )

    def test_a_seen_set_made_from_the_table_knows_every_row(self):
        self.declare(
            "column.i.type=integer", "column.d.type=decimal(12,2)", "column.r.type=real", "column.b.type=boolean",
            "column.day.type=date", "column.day.format=%d/%m/%Y", "column.t.type=datetime", "column.z.type=datetime",
            "column.z.zone=Europe/Berlin", "column.s.default=none", "bad_value=rescue", "ragged=rescue", "column.n.type=decimal(9,2)",
        )  # fmt: skip
        self.assert_counts(self.take(self.TEXT), rows=4, new=4)
        self.assertEqual([row[0] for row in self.query("SELECT _rescued FROM d WHERE _rescued IS NOT NULL")], ['{"column_10":"more","n":"x"}'])
        self.rowsieve("rebuild", "d")
        self.assert_counts(self.take(self.TEXT, name="again.csv"), rows=4, duplicate=4)


class WayBackFromSqlite(SqliteSink, WayBack):
    pass


class WayBackFromMariaDB(MysqlSink, WayBack):
    pass


class DriftIntoSqlite(Drift, SqliteSink):
    pass


class DriftIntoMariaDB(MysqlSink, Drift):
    pass


class SeedAgain(SqliteSink, DatasetCase):
    """The same transactions, saved by other hands."""

    def setUp(self):
        super().setUp()
        self.declare('column.Date.type=date', 'column.Date.format={"%d-%b-%y", "%Y-%m-%d", "%d/%m/%Y"}')
        path = shared("seed", SEED)
        with path.open(newline="") as file:
            self.rows = list(csv.reader(file))
        self.assert_counts(self.ingest(path, dataset="d")[0], new=26052)

    def save(self, order=None, dates=None, **dialect):
        out = io.StringIO(newline="")
        writer = csv.writer(out, **dialect)
        for number, row in enumerate(self.rows):
            row = list(row)
            if dates and number:
                row[2] = datetime.datetime.strptime(row[2], "%d-%b-%y").strftime(dates)
            writer.writerow([row[i] for i in order] if order else row)
        return out.getvalue()

    def test_nothing_is_new_in_any_of_them(self):
        for name, content in {
            "crlf": self.save(lineterminator="\r\n"),
            "quoted": self.save(quoting=csv.QUOTE_ALL, lineterminator="\n"),
            "turned": self.save(order=[6, 5, 4, 3, 2, 1, 0], lineterminator="\n"),
            "iso": self.save(dates="%Y-%m-%d", lineterminator="\n"),
            "slashes": self.save(dates="%d/%m/%Y", lineterminator="\r\n"),
            "semicolons": self.save(delimiter=";", lineterminator="\n"),
            "utf-16": self.save(lineterminator="\n").encode("utf-16"),
        }.items():
            with self.subTest(name):
                self.assert_counts(self.take(content, name=f"{name}.csv"), rows=26052, duplicate=26052)


class TablesOfOthers(DatasetCase):
    HEADER = "index,City,Date,Card Type,Amount"
    CREATE = 'CREATE TABLE "cards" ("index" BIGINT, "City" TEXT, "Date" DATETIME, "Card Type" TEXT, "Amount" BIGINT)'

    def test_a_table_as_pandas_makes_it_is_used_as_it_is(self):
        self.make(self.CREATE)
        report = self.take(f'{self.HEADER}\n0,"Delhi, India",29-Oct-14,Gold,82475\n1,Pune,1-Feb-15,Silver,7\n', dataset="cards")
        self.assert_counts(report, new=2)
        self.assertEqual(self.column_names("cards"), ["index", "City", "Date", "Card Type", "Amount"])
        stored = [[str(value) for value in row] for row in self.query('SELECT "Card Type", "Date" FROM "cards" ORDER BY "index"')]
        self.assertEqual([row[0] for row in stored], ["Gold", "Silver"])
        self.assertTrue(stored[0][1].startswith("2014-10-29 00:00:00"), stored)
        again = self.take(f'{self.HEADER}\n0,"Delhi, India",2014-10-29,Gold,82475\n2,Pune,2-Feb-15,Gold,8\n', dataset="cards")
        self.assert_counts(again, rows=2, duplicate=1, new=1)

    def test_values_that_do_not_fit_it_are_rejected(self):
        self.make(self.CREATE)
        report = self.take(f"{self.HEADER}\n0,Pune,29-Oct-14,Gold,much\n1,Pune,1-Feb-15,Gold,7\n", dataset="cards")
        self.assert_counts(report, new=1, rejected=1)

    def test_a_dry_run_of_a_new_dataset_counts_without_a_sink(self):
        path = self.write("d.csv", "a,b\n1,x\n1,x\n2,y\n")
        self.assert_counts(self.ingest(path, dataset="fresh", options=["--dry-run"])[0], rows=3, new=2, duplicate=1)
        self.assertEqual(self.table_size("fresh"), 0)

    def test_a_dry_run_of_a_new_dataset_may_be_of_a_large_file(self):
        path = self.write("d.csv", "a,b\n" + "".join(f"{i},row {i % 20_000}\n" for i in range(20_000)) * 2)
        report = self.ingest(path, dataset="fresh", options=["--dry-run"])[0]
        self.assert_counts(report, rows=40_000, new=20_000, duplicate=20_000)

    def check(self, status=0):
        lines = parse_objects(self.rowsieve("check", "--json", status=status).stdout)
        return [line for line in lines if line["check"] == "table"]

    def test_check_says_what_of_the_declared_columns_does_not_fit(self):
        self.make(self.CREATE)
        self.declare("column.Card Type.as=Card Type", "column.Date.type=date", dataset="cards")
        self.assertEqual([line["ok"] for line in self.check()], [True])
        self.declare("column.Amount.type=date", dataset="cards")
        self.assertIn("'amount' holds integer", self.check(status=EXIT_CONFIG)[0]["message"])
        self.options[-1] = "dataset.cards.column.Gender.type=text"
        self.assertIn("no column 'gender'", self.check(status=EXIT_CONFIG)[0]["message"])

    def test_a_column_that_it_lacks_is_said(self):
        self.make(self.CREATE)
        path = self.write("d.csv", f"{self.HEADER},Gender\n0,Pune,29-Oct-14,Gold,7,F\n")
        report = self.ingest(path, dataset="cards", status=EXIT_CONFIG)[0]
        self.assertIn("has no column 'gender'", report["reason"])


class TablesOfOthersInSqlite(SqliteSink, TablesOfOthers):
    def make(self, statement):
        self.data.mkdir(exist_ok=True)
        with contextlib.closing(sqlite3.connect(self.data / "rows.db")) as database:
            database.execute(statement)
            database.commit()


class TablesOfOthersInMariaDB(MysqlSink, TablesOfOthers):
    def make(self, statement):
        self.query(statement)


del DatasetCase, Drift, TablesOfOthers, WayBack  # unittest would run them by themselves
