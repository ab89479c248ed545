# SPDX-License-Identifier: Apache-2.0
"""A table that pandas' to_sql() made is taken over as packaging/examples says, without a row stored twice; and the account
that rowsieve(1) asks for suffices for everything."""

import csv
import datetime
import pathlib
import re
import subprocess

from mariadb_server import MariaDB, installed
from rowsieve_test import EXIT_CONFIG, EXIT_DELIVERY, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text, need_tool, parse_objects

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONF = ROOT / "packaging" / "examples" / "from_pandas.conf"
MANUAL = ROOT / "packaging" / "man" / "rowsieve.1"
STORED, GROWN = 500, 520
# As to_sql() makes them: texts as TEXT, integers as BIGINT, no key, and an index on nothing.
CREATE = (
    'CREATE TABLE "credit_card" ("index" BIGINT, "City" TEXT, "Date" {date}, "Card Type" TEXT, "Exp Type" TEXT,'
    ' "Gender" TEXT, "Amount" BIGINT)'
)


def sample(rows):
    made = subprocess.run([ROOT / "scripts" / "sample-rows", str(rows)], capture_output=True, text=True, check=True)
    return made.stdout


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


class TakeOver(LedgerChecks):
    def setUp(self):
        super().setUp()
        self.data.mkdir()
        self.options += ["-c", str(CONF)]

    def make_table(self, date_type, date_text):
        """The first rows of the file, as the script stored them."""
        self.execute(CREATE.format(date=date_type))
        rows = list(csv.reader(sample(STORED).splitlines()))[1:]
        for row in rows:
            row[2] = date_text(row[2])
        values = ",".join(f"({','.join(map(quoted, row))})" for row in rows)
        self.execute(f'INSERT INTO "credit_card" VALUES {values}')

    def take_over(self):
        path = self.write("Credit card.csv", sample(GROWN))
        self.assertIn("rowsieve rebuild credit_card", self.rowsieve("check", status=EXIT_CONFIG).stdout)
        self.rowsieve("ingest", path, status=EXIT_DELIVERY)
        self.assertEqual(self.table_size("credit_card"), STORED, "nothing is stored before it is taken over")
        [rebuilt] = parse_objects(self.rowsieve("rebuild", "--json", "credit_card").stdout)
        self.assertEqual((rebuilt["rows"], rebuilt["distinct"], rebuilt["unfit"]), (STORED, STORED, 0))
        [report] = self.ingest(path, dataset="credit_card")
        self.assert_counts(report, rows=GROWN, new=GROWN - STORED, duplicate=STORED)
        [report] = self.ingest(path, dataset="credit_card")
        self.assert_counts(report, rows=GROWN, duplicate=GROWN)
        self.assertEqual(int(self.query('SELECT count(DISTINCT "index") FROM "credit_card"')[0][0]), GROWN)
        self.assert_ledger_matches("credit_card", GROWN)
        [verified] = parse_objects(self.rowsieve("verify", "--json", "credit_card").stdout)
        self.assertTrue(verified["agrees"])

    def test_dates_that_the_script_left_as_texts(self):
        self.make_table("TEXT", lambda text: text)
        self.take_over()

    def test_dates_that_the_script_parsed(self):
        moment = "%Y-%m-%d %H:%M:%S.%f" if self.sink == "sqlite" else "%Y-%m-%d %H:%M:%S"
        self.make_table("DATETIME", lambda text: datetime.datetime.strptime(text, "%d-%b-%y").strftime(moment))
        self.take_over()


class TakeOverInSqlite(TakeOver, SqliteSink, Case):
    def execute(self, sql):
        self.change(sql)


class TakeOverInMariaDB(TakeOver, MysqlSink, Case):
    def execute(self, sql):
        self.query(sql)


class Account(LedgerChecks, MysqlSink, Case):
    """What the manual has granted is enough, and all of what it has granted is on one database."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        need_tool("MariaDB", installed())
        cls.server = MariaDB(accounts=True)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def setUp(self):
        super().setUp()
        [grant] = re.findall(r"^GRANT .*;$", MANUAL.read_text(), re.MULTILINE)
        for host in ("localhost", "127.0.0.1"):
            self.server.execute(f"CREATE OR REPLACE USER 'rowsieve'@'{host}' IDENTIFIED BY 'secret'")
            self.server.execute(grant.replace("kaggle.*", f"`{self.database}`.*").replace("'%'", f"'{host}'"))
        password = self.write("password", "secret\n")
        password.chmod(0o600)
        self.options += ["-o", "mysql.user=rowsieve", "-o", f"mysql.password_file={password}"]

    def take(self, rows, header=("id", "name")):
        return self.ingest(self.write("t.csv", csv_text(header, rows)), dataset="t")[0]

    def test_it_suffices_for_new_rows_new_columns_and_updates(self):
        self.options += ["-o", "dataset.t.key=id"]
        self.assert_counts(self.take([(1, "a"), (2, "b")]), new=2)
        self.assert_counts(self.take([(1, "a"), (2, "other")]), duplicate=1, updated=1)
        self.assert_counts(self.take([(3, "c", "x")], header=("id", "name", "more")), new=1)
        self.rowsieve("rebuild", "t")
        self.rowsieve("verify", "t")
        self.rowsieve("check")
        self.assertEqual(self.table_size("t"), 3)

    def test_it_suffices_where_the_server_takes_no_files(self):
        self.server.execute("SET GLOBAL local_infile=0")
        self.addCleanup(self.server.execute, "SET GLOBAL local_infile=1")
        self.assert_counts(self.take([(1, "a"), (2, "b")]), new=2)
        self.assert_counts(self.take([(1, "a"), (3, "c")]), new=1, duplicate=1)
