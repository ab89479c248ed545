# SPDX-License-Identifier: Apache-2.0
"""What a re-delivery costs: cases 1 to 5, and 14, with the embedded table. Two threads are at work, where not said."""

import json
import os
import shutil
import statistics
import subprocess

from files import Files
from measure import Series, require

# A first load of a row takes so much disk in file, table and state, with some room.
BYTES_A_ROW = 200


class Reading:
    def __init__(self, bench):
        self.bench = bench
        self.table = bench.table
        self.files = Files(bench.directory, bench.rows)
        self.data = bench.directory / "data"

    def ingest(self, series, path, new, prefix=()):
        command = [*prefix, self.bench.program, "ingest", "--json", "--data", self.data, "--dataset", "bench", path]
        report = json.loads(series.run(command))
        require(f"new rows of {path.name}", report["new"], new)
        require(f"rows of {path.name}", report["rows"], report["new"] + report["duplicate"])
        return report

    def forget(self):
        command = [self.bench.program, "forget", "--data", self.data, "bench"]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)

    def prepare(self):
        """The file in the table, on top of a history of other rows."""
        first = self.bench.directory / "first.csv"
        with open(self.files.base, "rb") as file:
            first.write_bytes(file.readline() + file.readline().replace(b"r0,", b"first,"))
        self.ingest(Series(), first, 1)
        seen = self.bench.seen - self.bench.rows
        subprocess.run([self.bench.build / "tests" / "bench_fill", self.data / "state", "bench", str(seen)], check=True)
        # The one row of before is not in that history, but in the table.
        self.ingest(Series(), self.files.base, self.bench.rows)

    @staticmethod
    def on_one_core():
        return ["taskset", "--cpu-list", min(os.sched_getaffinity(0))]

    def unchanged_and_appended(self):
        hashed, unchanged, alone, appended = Series(), Series(), Series(), Series()
        self.ingest(Series(), self.files.base, 0)
        for _ in range(self.bench.runs):
            hashed.run(["xxhsum", "-q", "-H128", self.files.base])
            report = self.ingest(unchanged, self.files.base, 0)
            require("bytes skipped of an unchanged file", report["bytes_skipped"], report["bytes"])
            self.ingest(alone, self.files.base, 0, self.on_one_core())
            path, new = self.files.appended()
            self.ingest(appended, path, new)
        what = f"unchanged {self.bench.size(self.files.base)}, {self.bench.seen:,} rows seen"
        for case, name, series, bound in (
            ("1", what, unchanged, 1.5),
            ("1", "the same on one core", alone, 1.5),
            ("2", "the same with 1 % appended", appended, 2.0),
        ):
            self.table.add(case, name, series.median, "xxhsum -H128", hashed.median, bound)

    def inserted(self):
        for what, make, bound in (("in blocks", self.files.in_blocks, 0.3), ("one by one", self.files.one_by_one, 0.6)):
            skipped, parsed = Series(), Series()
            for _ in range(self.bench.runs):
                path, new = make()
                self.ingest(skipped, path, new)
                path, new = make()
                self.forget()
                self.ingest(parsed, path, new)
                self.ingest(Series(), self.files.base, 0)
            self.table.add("3", f"1 % inserted {what}", skipped.median, "the same without known chunks", parsed.median, bound)

    def shuffled(self, stages):
        path = self.files.shuffled()
        for threads, prefix, bound in (("one core", self.on_one_core(), 0.75), ("two threads", (), 0.45)):
            shuffled = Series()
            for _ in range(self.bench.runs):
                self.forget()
                self.ingest(shuffled, path, 0, prefix)
            self.table.add("4", f"shuffled, all seen, {threads}", shuffled.median, "libcsv with empty callbacks", stages["libcsv-empty"], bound)

    def stages(self):
        program = self.bench.build / "tests" / "bench_stage"
        text = subprocess.run([program, self.files.base, str(self.bench.runs)], capture_output=True, text=True, check=True).stdout
        seconds = {}
        for line in text.splitlines():
            name, value = line.split()
            seconds.setdefault(name, []).append(float(value))
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        ours, theirs = medians["rows"], medians["libcsv-rows"]
        self.table.add("5", "parse, type, canonical form, digest", ours, "the same through libcsv", theirs, 0.35)
        return medians

    def memory(self):
        """First loads of files of one and of ten sizes, both large enough for every merge to have its full slice."""
        small, large = self.bench.memory_rows, 10 * self.bench.memory_rows
        needed = large * BYTES_A_ROW
        if shutil.disk_usage(self.bench.directory).free < needed:
            self.table.skip("14", "peak memory", f"that takes {needed / 2**30:.0f} GiB of disk")
            return
        peaks = []
        for rows in (small, large):
            shutil.rmtree(self.data, ignore_errors=True)
            path = self.files.multiplied(rows)
            series = Series(interval=0.001)
            self.ingest(series, path, rows)
            peaks.append(series.peak_kib / 1024)
            size = self.bench.size(path)
            path.unlink()
        self.table.add("14", f"peak memory beside mapped files, {size}", peaks[1], "a tenth of the file", peaks[0], 1.1, "MiB")
        self.table.add("14", "the same, of the configured 256 MiB", peaks[1], "", 256, 1.0, "MiB")

    def run(self):
        self.prepare()
        stages = self.stages()
        self.unchanged_and_appended()
        self.inserted()
        self.shuffled(stages)
        self.memory()
