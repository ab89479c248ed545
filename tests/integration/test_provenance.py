# SPDX-License-Identifier: Apache-2.0
"""provenance = true: each row says which delivery and line it came from, and is the same row without that."""

from rowsieve_test import Case, LedgerChecks, MysqlSink, SqliteSink, csv_text


class ProvenanceTests(LedgerChecks):
    def send(self, name, *rows, header=("a", "b"), **expected):
        (report,) = self.ingest(self.write(name, csv_text(header, rows)), dataset="p")
        self.assert_counts(report, **expected)
        return report["delivery"]

    def origins(self):
        return {tuple(map(str, row)) for row in self.query('SELECT a, "_delivery", "_line" FROM p')}

    def test_rows_say_where_they_came_from(self):
        self.options += ["-o", "dataset.p.provenance=true"]
        first = self.send("1.csv", ("x", 1), ("y", 2), new=2)
        second = self.send("2.csv", ("y", 2), ("x", 1), ("z", 3), new=1, duplicate=2)
        self.assertEqual(self.origins(), {("x", first, "2"), ("y", first, "3"), ("z", second, "4")})
        self.assertEqual(self.query('SELECT count(*) FROM p WHERE "_loaded_at" > \'2020-01-01\'')[0][0] in (3, "3"), True)
        self.rowsieve("rebuild", "p")
        self.send("3.csv", ("x", 1), ("z", 3), duplicate=2)

    def test_it_may_be_set_later_and_unset(self):
        self.send("1.csv", ("x", 1), new=1)
        self.options += ["-o", "dataset.p.provenance=true"]
        second = self.send("2.csv", ("x", 1), ("y", 2), new=1, duplicate=1)
        self.assertEqual(self.origins(), {("x", "None", "None"), ("y", second, "3")})
        self.options += ["-o", "dataset.p.provenance=false"]
        self.send("3.csv", ("y", 2), ("x", 1), duplicate=2)

    def test_an_update_says_where_it_came_from(self):
        self.options += ["-o", "dataset.p.provenance=true", "-o", 'dataset.p.key={"a"}']
        self.send("1.csv", ("x", 1), ("y", 2), new=2)
        second = self.send("2.csv", ("y", 2), ("x", 3), updated=1, duplicate=1)
        self.assertIn(("x", second, "3"), self.origins())


class ProvenanceIntoSqlite(ProvenanceTests, SqliteSink, Case):
    pass


class ProvenanceIntoMariaDB(ProvenanceTests, MysqlSink, Case):
    pass
