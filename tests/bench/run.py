# SPDX-License-Identifier: Apache-2.0
"""rowsieve beside plain tools over the same rows: medians, as ratios within one run. Counts must be exact.

usage: scripts/bench [--rows N] [--runs N] [--scale] [--only reading|seen|loading|storing…]
"""

import argparse
import datetime
import json
import pathlib
import shutil
import statistics
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

{machine}. Median of {runs} runs, all in one go (the
table of keys of case 6 and the largest set of case 7 are made once); a ratio is ours by theirs. Page cache warm, and what was made to be read is on disk. Files of
{rows:,} rows are read on top of {seen:,} that were seen, and files of {load_rows:,} rows loaded. Everything that stores does so
durably: rowsieve's state with LMDB's default (fsync on commit), SQLite in WAL with synchronous=FULL, DuckDB as it is, MariaDB with
innodb_flush_log_at_trx_commit=1 and the doublewrite buffer. Counts were exact, or there would be no table.

"""


class Bench:
    def __init__(self, arguments, directory):
        self.build = pathlib.Path(arguments.build).resolve()
        self.program = self.build / "rowsieve"
        self.directory = directory
        self.runs = arguments.runs
        self.rows = 17_000_000 if arguments.scale else arguments.rows
        self.seen = 100_000_000 if arguments.scale else 10 * arguments.rows
        self.large = 5 * self.seen if arguments.scale else None
        self.load_rows = 1_000_000 if arguments.scale else arguments.rows
        self.memory_rows = self.rows if arguments.scale else 3 * arguments.rows
        self.table = measure.Table()

    @staticmethod
    def size(path):
        return f"{path.stat().st_size / 1e6:,.0f} MB"

    def seen_set(self, kind, rows):
        program = self.build / "tests" / "bench_seen_set"
        directory = self.directory / kind
        text = subprocess.run([program, kind, directory, str(rows)], capture_output=True, text=True, check=True).stdout
        shutil.rmtree(directory)
        return json.loads(text)

    def run_seen(self):
        """The plain table takes minutes to make and does the same in every batch: it and the large set are measured once."""
        runs = [self.seen_set("state", self.seen) for _ in range(self.runs)]
        ours = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        plain = self.seen_set("plain", self.seen)
        grown = ours["rate"] / 1e6, ours["rate_at_tenth"] / 1e6
        batches = ours["longest_batch"], ours["median_batch"]
        add = self.table.add
        for name, what, bounds in (
            ("more", f"five batches of new digests on {self.seen:,}", (30, 0.01)),
            ("later", "twenty behind them, with more of the merging", (None, None)),
        ):
            rates = ours[f"{name}_rate"] / 1e6, plain[f"{name}_rate"] / 1e6
            written = ours[f"{name}_written_per_row"], plain[f"{name}_written_per_row"]
            add("6", f"{what}, rate", rates[0], "an LMDB key per row", rates[1], bounds[0], "M/s", True)
            add("6", f"{what}, written for each", written[0], "an LMDB key per row", written[1], bounds[1], "bytes")
        add("7", f"rate over {self.seen:,} rows", grown[0], "over the first tenth", grown[1], 0.6, "M/s", True)
        if self.large is not None:
            grown = self.seen_set("state", self.large)
            rates = grown["rate"] / 1e6, grown["rate_at_fifth"] / 1e6
            add("7", f"rate over {self.large:,} rows", rates[0], "over the first fifth", rates[1], 0.8, "M/s", True)
        add("8", "on disk a row, live", ours["live_per_row"], "", None, 20, "bytes")
        add("8", "on disk a row, in the file", ours["file_per_row"], "", None, 30, "bytes")
        add("13", "longest batch", batches[0], "median batch", batches[1], 10)


PARTS = ("reading", "seen", "loading", "storing")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5, help="of which the median counts: 5")
    parser.add_argument("--scale", action="store_true", help="files of 1 and 10 GB, 100 million rows seen, and 500 million")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="then BENCHMARKS.md is not written")
    return parser.parse_args()


def run_parts(bench, names):
    parts = {
        "reading": lambda: Reading(bench).run(),
        "seen": bench.run_seen,
        "loading": lambda: Loading(bench).run(),
        "storing": lambda: Storing(bench).run(),
    }
    for name in PARTS:
        if name in names:
            parts[name]()
            for path in bench.directory.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def main():
    arguments = parse_arguments()
    machine = measure.machine()
    with tempfile.TemporaryDirectory(prefix="rowsieve-bench-") as directory:
        bench = Bench(arguments, pathlib.Path(directory))
        run_parts(bench, arguments.only)
    text = bench.table.markdown()
    if set(arguments.only) == set(PARTS):
        preface = PREFACE.format(
            arguments=" --scale" if arguments.scale else "",
            date=datetime.date.today(),
            machine=machine,
            runs=bench.runs,
            rows=bench.rows,
            seen=bench.seen,
            load_rows=bench.load_rows,
        )
        (ROOT / "BENCHMARKS.md").write_text(preface + text)
    sys.stdout.write("\n" + text)


if __name__ == "__main__":
    main()
