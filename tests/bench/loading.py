# SPDX-License-Identifier: Apache-2.0
"""New rows into a table, beside the usual ways: cases 9 to 12. Every one stores with fsync on commit."""

import functools
import json
import pathlib
import shutil
import subprocess
import time

from duckdb import DuckDB
from files import Files
from mariadb_server import MariaDB
from measure import Series, require

# The one that Debian installs modules for.
PYTHON = "/usr/bin/python3"

COLUMNS = "(`index`, city, @date, card_type, exp_type, gender, amount)"
LOAD = (
    "LOAD DATA LOCAL INFILE '{path}' {ignore} INTO TABLE t FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
    f" IGNORE 1 LINES {COLUMNS} SET date = str_to_date(@date, '%d-%b-%y')"
)
KEYED = (
    "CREATE OR REPLACE TABLE t (`index` VARCHAR(40) PRIMARY KEY, city TEXT, date DATE, card_type TEXT, exp_type TEXT,"
    " gender TEXT, amount BIGINT)"
)
SQLITE = (
    'CREATE TABLE {name} ("index" TEXT{key}, city TEXT, date TEXT, card_type TEXT, exp_type TEXT, gender TEXT, amount INTEGER)'
)
INSERT_OR_IGNORE = (
    SQLITE.format(name="temp.d", key="") + ";\n.mode csv\n.import --skip 1 '{path}' d\nINSERT OR IGNORE INTO t SELECT * FROM temp.d;\n"
)


class Loading:
    def __init__(self, bench):
        self.bench = bench
        self.table = bench.table
        self.files = Files(bench.directory, bench.load_rows)
        self.server = MariaDB(durable=True)

    def ingest(self, series, data, path, new, options=()):
        command = [self.bench.program, "ingest", "--json", "--data", data, "--dataset", "t", *options, path]
        report = json.loads(series.run(command))
        require(f"new rows of {path.name}", report["new"], new)

    def options(self, database):
        pairs = {"sink": "mysql", "mysql.socket": self.server.socket, "mysql.user": "root", "mysql.database": database}
        return [f"-o{key}={value}" for key, value in pairs.items()]

    def load(self, series, path, rows, ignore=""):
        series.run(self.server.client("--local-infile=1", "--execute", LOAD.format(path=path, ignore=ignore), "load"))
        require("rows loaded", self.server.execute("SELECT count(*) FROM t", "load"), [(str(rows),)])

    def first_load(self):
        ours, bare = Series(), Series()
        for _ in range(self.bench.runs):
            data = self.bench.directory / "mysql"
            shutil.rmtree(data, ignore_errors=True)
            self.server.create_database("rows")
            self.server.create_database("load")
            self.ingest(ours, data, self.files.base, self.files.rows, self.options("rows"))
            self.server.execute("CREATE TABLE load.t LIKE rows.t")
            self.load(bare, self.files.base, self.files.rows)
        what = f"first load of {self.files.rows:,} rows, types inferred, MariaDB"
        self.table.add("10", what, ours.median, "bare LOAD DATA LOCAL", bare.median, 1.1)

    def grown(self):
        """On what first_load() has left."""
        ours, ignored, script = Series(), Series(), Series()
        for _ in range(self.bench.runs):
            path, new = self.files.appended()
            self.ingest(ours, self.bench.directory / "mysql", path, new, self.options("rows"))
            self.server.execute(KEYED, "load")
            self.load(Series(), self.files.base, self.files.rows)
            self.load(ignored, path, self.files.rows + new, ignore="IGNORE")
            if self.has_pandas():
                self.server.execute(KEYED, "load")
                self.load(Series(), self.files.base, self.files.rows)
                watermark = pathlib.Path(__file__).with_name("watermark.py")
                script.run([PYTHON, watermark, self.server.socket, path])
                found = self.server.execute("SELECT count(*) FROM t", "load")
                require("rows by the script", found, [(str(self.files.rows + new),)])
        what = "grown file, 1 % new, MariaDB"
        self.table.add("11", what, ours.median, "LOAD DATA LOCAL IGNORE", ignored.median, 0.1)
        if script.seconds:
            self.table.add("11", what, ours.median, "pandas and SQLAlchemy", script.median, 0.1)
        else:
            self.table.skip("11", "pandas and SQLAlchemy", "python3-pandas, -sqlalchemy and -pymysql are not installed")

    @staticmethod
    def has_pandas():
        return subprocess.run([PYTHON, "-c", "import pandas, sqlalchemy, pymysql"], stderr=subprocess.DEVNULL).returncode == 0

    def many_files(self):
        lines = self.files.base.read_bytes().splitlines(keepends=True)
        header, rows = lines[0], lines[1:]
        data = self.bench.directory / "many"
        shutil.rmtree(data, ignore_errors=True)
        self.server.create_database("rows")
        one = Series()
        self.ingest(one, data, self.files.base, self.files.rows, self.options("rows"))
        shutil.rmtree(data)
        self.server.create_database("rows")
        drop = data / "drop" / "t"
        drop.mkdir(parents=True)
        for at in range(0, len(rows), 100):
            (drop / f"f{at:08}.csv").write_bytes(header + b"".join(rows[at : at + 100]))
        began = time.monotonic()
        settings = ["-osettle=1ms", "-ounmatched=create", *self.options("rows")]
        daemon = subprocess.Popen([self.bench.program, "run", "--data", data, *settings], stderr=subprocess.DEVNULL)
        while any(drop.iterdir()):
            require("the daemon", daemon.poll(), None)
            time.sleep(0.05)
        seconds = time.monotonic() - began
        daemon.terminate()
        require("exit status of the daemon", daemon.wait(), 0)
        require("rows of all files", self.server.execute("SELECT count(*) FROM t", "rows"), [(str(self.files.rows),)])
        what = f"{len(rows) // 100:,} files of 100 rows, MariaDB"
        self.table.add("12", what, seconds, "one file of the same rows", one.median, 3)

    def filter_only(self):
        """Some rows in an order that never was, 1 % of them new; and then the same again but for the new ones."""
        files = Files(self.bench.directory, 10 * self.bench.load_rows)
        data = self.bench.directory / "sqlite"
        shutil.rmtree(data, ignore_errors=True)
        self.ingest(Series(), data, files.base, files.rows)
        database = self.bench.directory / "ignore.db"
        database.unlink(missing_ok=True)
        make = f"PRAGMA journal_mode=WAL;\n{SQLITE.format(name='t', key=' PRIMARY KEY')};\n.mode csv\n.import --skip 1 '{files.base}' t\n"
        subprocess.run(["sqlite3", database], input=make, text=True, check=True, stdout=subprocess.DEVNULL)
        first, again, ignored, sorted_all = Series(), Series(), Series(), Series()
        duck = DuckDB(self.bench.directory, files)
        rows, new = self.bench.load_rows, self.bench.load_rows // 100
        for run in range(self.bench.runs):
            path = files.sample(rows, new, order=run)
            self.ingest(first, data, path, new)
            ignored.run(["sqlite3", database, "-cmd", "PRAGMA synchronous=FULL", *INSERT_OR_IGNORE.format(path=path).splitlines()])
            count = subprocess.run(["sqlite3", database, "SELECT count(*) FROM t"], capture_output=True, text=True, check=True)
            require("INSERT OR IGNORE", int(count.stdout), files.rows + (run + 1) * new)
            script = '{ cat "$1"; tail -n +2 "$2"; } | LC_ALL=C sort -u -o "$3" && sync "$3"'
            sorted_all.run(["sh", "-c", script, "sh", files.base, path, self.bench.directory / "sorted"])
            duck.deliver(path, files.rows + (run + 1) * new)
            self.ingest(again, data, files.sample(rows, new, order=run), new)
        what = f"{rows:,} rows, 1 % new, {files.rows:,} seen, SQLite"
        for order, ours in (("in an order that never was", first), ("in the order of the last time", again)):
            add = functools.partial(self.table.add, "9", f"{what}, {order}", ours.median)
            add("SQLite INSERT OR IGNORE, WAL, synchronous=FULL", ignored.median, 1 / 7)
            add("sort -u over everything", sorted_all.median, 1 / 10)
            if duck.why_not is not None:
                self.table.skip("9", "DuckDB", duck.why_not)
                continue
            add("DuckDB, anti-join on a 128-bit digest, its statements alone", duck.median("join"), 1 / 5)
            add("DuckDB, INSERT OR IGNORE on a primary key, its statements alone", duck.median("ignore"), 1 / 5)

    def run(self):
        self.server.start()
        try:
            self.first_load()
            self.grown()
            self.many_files()
        finally:
            self.server.close()
        self.filter_only()
