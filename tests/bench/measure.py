# SPDX-License-Identifier: Apache-2.0
"""Times and peaks of commands, and the table that is made of them."""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time


def require(what, found, expected):
    if found != expected:
        sys.exit(f"bench: {what}: {found} instead of {expected}")


class Series:
    """Runs of one thing; peaks are looked for every so many seconds."""

    def __init__(self, interval=0.01):
        self.interval = interval
        self.seconds = []
        self.peak_kib = 0

    @property
    def median(self):
        return statistics.median(self.seconds)

    def run(self, command, **options):
        """Times a command to its end and returns what it printed."""
        with tempfile.TemporaryFile() as out:
            began = time.monotonic()
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, **options)
            watch = PeakWatch(process.pid, self.interval)
            status = process.wait()
            self.seconds.append(time.monotonic() - began)
            self.peak_kib = max(self.peak_kib, watch.stop())
            out.seek(0)
            text = out.read().decode()
        require(f"exit status of {command[0]}", status, 0)
        return text


class PeakWatch:
    """The peak of what a process holds beside mapped files, looked at every so many seconds."""

    def __init__(self, pid, interval):
        self.interval = interval
        self.path = pathlib.Path(f"/proc/{pid}/status")
        self.peak = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self):
        while not self.ended.wait(self.interval):
            try:
                lines = self.path.read_text().splitlines()
            except OSError:
                return
            self.peak = max([self.peak] + [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")])

    def stop(self):
        self.ended.set()
        self.thread.join()
        return self.peak


def figure(value, unit):
    """Of ours or theirs, so that a reader can judge the ratio."""
    return "" if value is None else f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


class Table:
    HEAD = ("#", "case", "ours", "reference", "theirs", "ratio", "wanted", "met")

    def __init__(self):
        self.lines = []

    def add(self, case, what, ours, reference, theirs, bound, unit="s", at_least=False):
        """Without a reference the bound is of our figure itself; without a bound the ratio is told."""
        ratio = ours if theirs is None else ours / theirs
        met = bound is None or (ratio >= bound if at_least else ratio <= bound)
        sign = "≥" if at_least else "≤"
        verdict = (f"{ratio:.3g}", *(("", "") if bound is None else (f"{sign} {bound:.3g}", "yes" if met else "**no**")))
        self.lines.append((case, what, figure(ours, unit), reference, figure(theirs, unit), *verdict))
        print("  " + " | ".join(self.lines[-1]), flush=True)

    def skip(self, case, what, reason):
        self.lines.append((case, what, "", f"not run: {reason}", "", "", "", ""))
        print(f"  {case} {what}: not run: {reason}", flush=True)

    def markdown(self):
        rows = [self.HEAD, ["---"] * len(self.HEAD), *self.lines]
        return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), os.uname().machine)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    kernel = os.uname().release.split("-")[0]
    return f"{os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {kernel}; load {load:.1f} at the start"
