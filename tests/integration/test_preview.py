# SPDX-License-Identifier: Apache-2.0
"""`preview`: what an ingest would make of a file, without one."""

from rowsieve_test import EXIT_DELIVERY, Case, MysqlSink, SqliteSink, parse_objects, shared

TEXT = 'id;Card Type;day;amount\n1;Gold;29-Oct-14;7.50\n2;"Sil;ver";1-Feb-15;8\n2;"Sil;ver";1-Feb-15;8.0\n3;x\n'


class PreviewTests:
    def preview(self, content=TEXT, dataset="d", options=()):
        path = self.write("d.csv", content)
        done = self.rowsieve("preview", "--json", "--dataset", dataset, *options, path)
        return parse_objects(done.stdout)[0]

    def test_it_shows_dialect_schema_rows_and_counts(self):
        shown = self.preview()
        self.assertEqual(shown["dialect"]["delimiter"], "semicolon")
        self.assertEqual((shown["dialect"]["encoding"], shown["dialect"]["header"]), ("utf-8", True))
        self.assertEqual(
            [(column["name"], column["source"], column["type"]) for column in shown["columns"]],
            [("id", "id", "integer"), ("card_type", "Card Type", "text"), ("day", "day", "date"), ("amount", "amount", "decimal(38,2)")],
        )
        self.assertEqual(shown["sample"], [[1, "Gold", "2014-10-29", "7.5"], [2, "Sil;ver", "2015-02-01", "8"], [2, "Sil;ver", "2015-02-01", "8"]])
        self.assert_counts(shown, rows=4, new=2, duplicate=1, rejected=1)
        self.assertFalse(shown["frozen"])
        self.assertEqual(self.table_size("d"), 0, "nothing was stored")

    def test_its_sql_is_what_an_ingest_runs(self):
        sql = self.preview()["sql"]
        self.assertTrue(sql[0].startswith("CREATE TABLE"), sql)
        self.assertTrue(sql[-1].startswith("INSERT INTO"), sql)
        self.ingest(self.write("d.csv", TEXT), dataset="d")
        known = self.preview()
        self.assertTrue(known["frozen"])
        self.assertEqual(len(known["sql"]), 1)
        self.assert_counts(known, rows=4, duplicate=3, rejected=1)
        more = self.preview("id,Card Type,day,amount,extra\n1,Gold,29-Oct-14,7.125,x\n")
        self.assertIn("ADD COLUMN", more["sql"][0])
        self.assertEqual(more["columns"][4]["type"], "text")
        self.assertEqual(list(self.column_types("d")), ["id", "card_type", "day", "amount"])

    def test_its_counts_are_those_of_the_ingest_that_follows(self):
        path = shared("seed", "Credit card transactions - India - Simple.csv")
        shown = parse_objects(self.rowsieve("preview", "--json", "--dataset", "cc", path).stdout)[0]
        self.assertEqual(shown["new"], self.ingest(path)[0]["new"])

    def test_a_running_daemon_answers_the_same(self):
        alone = self.preview()
        self.daemon()
        asked = self.preview()
        for key in ("dialect", "columns", "sample", "rows", "new", "duplicate", "rejected"):
            self.assertEqual(asked[key], alone[key], key)
        self.assertTrue(asked["sql"][0].startswith("CREATE TABLE"), asked["sql"])

    def test_it_is_readable(self):
        text = self.rowsieve("preview", "--dataset", "d", self.write("d.csv", TEXT)).stdout
        for part in ("delimiter semicolon", "card_type  text", "from 'Card Type'", "INSERT INTO", '[1, "Gold", "2014-10-29", "7.5"]', "2 new"):
            self.assertIn(part, text)

    def test_what_cannot_be_taken_says_why(self):
        done = self.rowsieve("preview", "--json", "--dataset", "d", self.write("d.csv", "\n1\n"), status=EXIT_DELIVERY)
        self.assertIn("header", parse_objects(done.stdout)[0]["reason"])


class PreviewBeforeSqlite(PreviewTests, SqliteSink, Case):
    pass


class PreviewBeforeMariaDB(PreviewTests, MysqlSink, Case):
    pass
