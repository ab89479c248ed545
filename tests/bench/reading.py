# SPDX-License-Identifier: Apache-2.0
"""What a re-delivery costs: cases 1 to 5, and 14, with the embedded table."""

import json
import shutil
import statistics
import subprocess

from files import Files
from measure import Series, require


class Reading:
    def __init__(self, bench):
        self.bench = bench
        self.table = bench.table
        self.files = Files(bench.directory, bench.rows)
        self.data = bench.directory / "data"

    def ingest(self, series, path, new, *options):
        command = [self.bench.program, "ingest", "--json", "--data", self.data, "--dataset", "bench", *options, path]
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

    def unchanged_and_appended(self):
        hashed, unchanged, appended = Series(), Series(), Series()
        for _ in range(self.bench.runs):
            hashed.run(["xxhsum", "-q", "-H128", self.files.base])
            report = self.ingest(unchanged, self.files.base, 0)
            require("bytes skipped of an unchanged file", report["bytes_skipped"], report["bytes"])
            path, new = self.files.appended()
            self.ingest(appended, path, new)
        size = self.bench.size(self.files.base)
        self.table.add("1", f"unchanged {size}, {self.bench.seen:,} rows seen", "xxhsum -H128", unchanged.median / hashed.median, 1.5)
        self.table.add("2", "the same with 1 % appended", "xxhsum -H128", appended.median / hashed.median, 2.0)
        return unchanged

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
            self.table.add("3", f"1 % inserted {what}", "the same without known chunks", skipped.median / parsed.median, bound)

    def shuffled(self, stages):
        shuffled = Series()
        path = self.files.shuffled()
        for _ in range(self.bench.runs):
            self.forget()
            self.ingest(shuffled, path, 0)
        ratio = shuffled.median / stages["libcsv-empty"]
        self.table.add("4", "shuffled, all seen, one thread", "libcsv with empty callbacks", ratio, 0.75)

    def stages(self):
        program = self.bench.build / "tests" / "bench_stage"
        text = subprocess.run([program, self.files.base, str(self.bench.runs)], capture_output=True, text=True, check=True).stdout
        seconds = {}
        for line in text.splitlines():
            name, value = line.split()
            seconds.setdefault(name, []).append(float(value))
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        self.table.add("5", "parse, type, canonical form, digest", "the same through libcsv", medians["rows"] / medians["libcsv-rows"], 0.35)
        return medians

    def memory(self):
        """First loads of files of one and of ten sizes."""
        peaks = []
        for rows in (self.bench.rows // 10, self.bench.rows):
            shutil.rmtree(self.data, ignore_errors=True)
            path = self.bench.directory / "part.csv"
            subprocess.run(["sh", "-c", 'head -n "$2" "$1" > "$3"', "sh", self.files.base, str(rows + 1), path], check=True)
            series = Series()
            self.ingest(series, path, rows)
            peaks.append(series.peak_kib)
        ratio = max(peaks) / min(peaks)
        self.table.add("14", f"peak memory beside mapped files, {max(peaks) // 1024} MiB of 256", "a tenth of the file", ratio, 1.1)

    def run(self):
        self.prepare()
        stages = self.stages()
        self.unchanged_and_appended()
        self.inserted()
        self.shuffled(stages)
        self.memory()
