# SPDX-License-Identifier: Apache-2.0
"""rowsieve beside plain tools over the same rows: medians, as ratios within one run. Counts must be exact.

usage: scripts/bench [--rows N] [--runs N] [--scale] [--only reading|loading|seen|storing]
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import measure
from loading import Loading
from reading import Reading
from storing import Storing

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

PREFACE = """# Benchmarks

Written by `scripts/bench{arguments}` on {date}.

{machine}. Median of {runs} runs, all in one go; a ratio is our time by the reference's. Page cache warm. Everything that
stores does so durably: rowsieve's state with LMDB's default (fsync on commit), SQLite in WAL with synchronous=FULL,
MariaDB with innodb_flush_log_at_trx_commit=1 and the doublewrite buffer. Counts were exact, or there would be no table.

"""


class Bench:
    def __init__(self, arguments, directory):
        self.build = pathlib.Path(arguments.build).resolve()
        self.program = self.build / "rowsieve"
        self.directory = directory
        self.runs = arguments.runs
        self.rows = 17_000_000 if arguments.scale else arguments.rows
        self.seen = 100_000_000 if arguments.scale else 10 * arguments.rows
        self.load_rows = 1_000_000 if arguments.scale else arguments.rows
        self.table = measure.Table()

    @staticmethod
    def size(path):
        return f"{path.stat().st_size / 1e6:,.0f} MB"

    def seen_set(self, kind):
        program = self.build / "tests" / "bench_seen_set"
        text = subprocess.run([program, kind, self.directory / kind, str(self.seen)], capture_output=True, text=True, check=True).stdout
        return json.loads(text)

    def run_seen(self):
        ours, plain = self.seen_set("state"), self.seen_set("plain")
        self.table.add("6", f"durable new digests on {self.seen:,}, rate", "an LMDB key per row", ours["more_rate"] / plain["more_rate"], 30, True)
        written = ours["more_written_per_row"] / plain["more_written_per_row"]
        self.table.add("6", "bytes written for them", "an LMDB key per row", written, 0.01)
        self.table.add("7", "rate over all", "at a tenth of the rows", ours["rate"] / ours["rate_at_tenth"], 0.6, True)
        self.table.add("8", "bytes a row, live", "", ours["live_per_row"], 20)
        self.table.add("8", "bytes a row, in the file", "", ours["file_per_row"], 30)
        self.table.add("13", "longest batch", "median batch", ours["longest_batch"] / ours["median_batch"], 10)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", action="store_true", help="a file of 1 GB, 100 million rows seen")
    parser.add_argument("--only", choices=("reading", "loading", "seen", "storing"))
    arguments = parser.parse_args()
    machine = measure.machine()
    with tempfile.TemporaryDirectory(prefix="rowsieve-bench-") as directory:
        bench = Bench(arguments, pathlib.Path(directory))
        parts = {
            "reading": lambda: Reading(bench).run(),
            "seen": bench.run_seen,
            "loading": lambda: Loading(bench).run(),
            "storing": lambda: Storing(bench).run(),
        }
        for name, run in parts.items():
            if arguments.only in (None, name):
                run()
    text = bench.table.markdown()
    if arguments.only is None:
        preface = PREFACE.format(
            arguments=" --scale" if arguments.scale else "", date=datetime.date.today(), machine=machine, runs=arguments.runs
        )
        (ROOT / "BENCHMARKS.md").write_text(preface + text)
    sys.stdout.write("\n" + text)


if __name__ == "__main__":
    main()
