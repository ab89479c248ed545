# SPDX-License-Identifier: Apache-2.0
"""Times of rowsieve and of plain tools over the same rows: medians, peak memory, ratios. Counts must be exact.

usage: scripts/bench [--rows N] [--runs N]
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from mariadb_server import MariaDB

ROOT = pathlib.Path(__file__).resolve().parent.parent

SQLITE_TABLE = 'CREATE TABLE t ("index" INTEGER, city TEXT, date TEXT, card_type TEXT, exp_type TEXT, gender TEXT, amount INTEGER)'
MARIADB_TABLE = (
    "CREATE OR REPLACE TABLE t (`index` BIGINT, city LONGTEXT, date DATE, card_type LONGTEXT, exp_type LONGTEXT,"
    " gender LONGTEXT, amount BIGINT)"
)
MARIADB_LOAD = (
    "LOAD DATA LOCAL INFILE '{path}' INTO TABLE t FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
    " IGNORE 1 LINES (`index`, city, @date, card_type, exp_type, gender, amount)"
    " SET date = str_to_date(@date, '%d-%b-%y')"
)


class Measurement:
    """Runs of one thing; `loader` names the plain loader it is compared with."""

    def __init__(self, name, loader=None):
        self.name = name
        self.loader = loader
        self.seconds = []
        self.peak_kib = 0

    def run(self, command):
        """Times a command to its end and returns what it printed."""
        with tempfile.TemporaryFile() as out:
            began = time.monotonic()
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds.append(time.monotonic() - began)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            text = out.read().decode()
        if process.returncode != 0:
            sys.exit(f"bench: {self.name}: exit status {process.returncode}")
        self.peak_kib = max(self.peak_kib, usage.ru_maxrss)
        return text

    @property
    def median(self):
        return statistics.median(self.seconds)


class Bench:
    def __init__(self, program, rows, runs, directory):
        self.program = pathlib.Path(program).resolve()
        self.rows = rows
        self.runs = runs
        self.directory = directory
        self.file = directory / "rows.csv"
        self.shuffled = directory / "shuffled.csv"
        self.measurements = {}
        self.server = MariaDB()

    def make_files(self):
        with open(self.file, "wb") as out:
            subprocess.run([ROOT / "scripts" / "sample-rows", str(self.rows)], stdout=out, check=True)
        # By other programs: what this one ever held would show as the peak of each program it starts.
        shuffle = 'head -n 1 "$1" && tail -n +2 "$1" | shuf --random-source="$1"'
        with open(self.shuffled, "wb") as out:
            subprocess.run(["sh", "-c", shuffle, "sh", self.file], stdout=out, check=True)

    def measure(self, name, command, loader=None):
        measurement = self.measurements.setdefault(name, Measurement(name, loader))
        return measurement.run(command)

    def require(self, name, found, expected):
        if found != expected:
            sys.exit(f"bench: {name}: {found} instead of {expected}")

    def run_tools(self):
        self.measure("wc -l", ["wc", "-l", self.file])
        self.measure("xxhsum -H128", ["xxhsum", "-q", "-H128", self.file])
        self.run_sqlite_import()
        self.run_load_data()

    def run_sqlite_import(self):
        database = self.directory / "import.db"
        self.measure(
            "sqlite3 .import", ["sqlite3", database, SQLITE_TABLE, ".mode csv", f".import --skip 1 '{self.file}' t"]
        )
        count = subprocess.run(["sqlite3", database, "SELECT count(*) FROM t"], capture_output=True, text=True, check=True)
        self.require("sqlite3 .import", int(count.stdout), self.rows)
        database.unlink()

    def run_load_data(self):
        self.server.create_database("load")
        self.server.execute(MARIADB_TABLE, "load")
        load = MARIADB_LOAD.format(path=self.file)
        self.measure("LOAD DATA LOCAL", self.server.client("--local-infile=1", "--execute", load, "load"))
        self.require("LOAD DATA LOCAL", self.server.execute("SELECT count(*) FROM t", "load"), [(str(self.rows),)])

    def run_rowsieve(self, sink, loader, options):
        data = self.directory / "data"
        everything, nothing = (self.rows, 0), (0, self.rows)
        deliveries = [
            ("first load", self.file, everything),
            ("re-delivery", self.file, nothing),
            ("shuffled re-delivery", self.shuffled, nothing),
        ]
        for what, path, expected in deliveries:
            name = f"rowsieve {what}, {sink}"
            command = [self.program, "ingest", "--json", "--data", data, "--dataset", "bench", *options, path]
            report = json.loads(self.measure(name, command, loader))
            self.require(name, (report["new"], report["duplicate"]), expected)
        shutil.rmtree(data)

    def run_all(self):
        self.make_files()
        self.server.start()
        for _ in range(self.runs):
            self.run_tools()
            self.run_rowsieve("SQLite", "sqlite3 .import", [])
            self.server.create_database("rows")
            options = {"sink": "mysql", "mysql.socket": self.server.socket, "mysql.user": "root", "mysql.database": "rows"}
            self.run_rowsieve("MariaDB", "LOAD DATA LOCAL", [f"-o{key}={value}" for key, value in options.items()])

    def print_table(self):
        size = self.file.stat().st_size / 1e6
        print(f"{self.rows} rows, {size:.1f} MB, median of {self.runs}; times as multiples of the plain tools")
        print("MariaDB runs without fsync, for both; peak is resident memory, mapped state included (16 MiB is this program's)\n")
        print(f"{'':40} {'seconds':>8} {'rows/s':>10} {'peak MiB':>9} {'x wc -l':>8} {'x xxhsum':>9} {'x loader':>9}")
        for measurement in self.measurements.values():
            print(self.table_row(measurement))

    def table_row(self, measurement):
        def ratio(other):
            return f"{measurement.median / self.measurements[other].median:.2f}" if other else ""

        return (
            f"{measurement.name:40} {measurement.median:8.3f} {self.rows / measurement.median:10.0f}"
            f" {measurement.peak_kib / 1024:9.0f} {ratio('wc -l'):>8} {ratio('xxhsum -H128'):>9}"
            f" {ratio(measurement.loader):>9}"
        )


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rowsieve-bench-") as directory:
        bench = Bench(arguments.program, arguments.rows, arguments.runs, pathlib.Path(directory))
        try:
            bench.run_all()
        finally:
            bench.server.close()
        bench.print_table()


if __name__ == "__main__":
    main()
