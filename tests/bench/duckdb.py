# SPDX-License-Identifier: Apache-2.0
"""DuckDB beside case 9, as Node's package manager has it: installed once, in the user's cache."""

import os
import pathlib
import shutil
import statistics
import subprocess

from measure import require

PACKAGE = "@duckdb/node-api@1.5.6-r.1"
SCRIPT = pathlib.Path(__file__).with_name("duckdb.cjs")


def cache():
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return base / "rowsieve-bench"


def install():
    """Why it is not there, or None."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "npm is not installed"
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", cache(), PACKAGE]
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return None if done.returncode == 0 else f"npm cannot install {PACKAGE}"


class DuckDB:
    """One database for each way, filled with the rows of `files`."""

    WAYS = ("join", "ignore")

    def __init__(self, directory, files):
        self.directory = directory
        self.seconds = {way: [] for way in self.WAYS}
        self.why_not = install()
        if self.why_not is None:
            for way in self.WAYS:
                self._run("fill", way, files.base)

    def _run(self, task, way, path):
        database = self.directory / f"{way}.duckdb"
        environment = {**os.environ, "NODE_PATH": str(cache() / "node_modules")}
        command = ["node", SCRIPT, task, way, database, path]
        text = subprocess.run(list(map(str, command)), env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        seconds, rows = text.split()
        return float(seconds), int(rows)

    def deliver(self, path, rows_after):
        if self.why_not is not None:
            return
        for way in self.WAYS:
            seconds, rows = self._run("deliver", way, path)
            require(f"rows by DuckDB's {way}", rows, rows_after)
            self.seconds[way].append(seconds)

    def median(self, way):
        return statistics.median(self.seconds[way])
