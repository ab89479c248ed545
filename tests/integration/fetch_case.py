# SPDX-License-Identifier: Apache-2.0
"""What the tests of `rowsieve fetch` share: a local Kaggle, a home without credentials, and the command."""

import os
import subprocess
import unittest.mock
import zipfile

from kaggle_server import KaggleServer
from rowsieve_test import DEADLINE, EXIT_OK, PROGRAM, ROOT, Case, LedgerChecks, SqliteSink, parse_objects, wait_until

SLUG = "people/shoot-outs"


def table(*rows, header="a,b"):
    return ("\n".join([header, *rows]) + "\n").encode()


class FetchCase(LedgerChecks, SqliteSink, Case):
    def setUp(self):
        super().setUp()
        self.home = self.directory / "home"
        self.home.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("KAGGLE_", "XDG_"))}
        self.environment = {**kept, "HOME": str(self.home), "no_proxy": "127.0.0.1"}
        patch = unittest.mock.patch.dict(os.environ, self.environment, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        self.kaggle = self.serve()
        self.options += ["-o", "keep.min_free=0"]

    def serve(self, certificate=None):
        kaggle = KaggleServer(certificate)
        self.addCleanup(kaggle.close)
        self.addCleanup(lambda: self.assertEqual(kaggle.violations, []))
        self.addCleanup(lambda: self.assertEqual([], [r for r in kaggle.requests if r[1] != "GET"], "HEAD is not signed"))
        self.options += ["-o", f"kaggle.endpoint={kaggle.endpoint}"]
        return kaggle

    def fetch(self, *arguments, status=EXIT_OK):
        """`fetch --json` of one data set: its report, with what was said on standard error as "said"."""
        done = self.rowsieve("fetch", "--json", *(arguments or [SLUG]), status=status)
        reports = parse_objects(done.stdout)
        self.assertEqual(len(reports), 1, done)
        return {**reports[0], "said": done.stderr}

    def fetch_fails(self, *parts, arguments=(), status=1):
        """The command fails with one clear line that names the given things, and drops nothing."""
        before = self.dropped()
        report = self.fetch(*arguments, status=status)
        self.assertEqual(report["status"], "failed")
        self.assert_one_line(report["said"], *parts)
        self.assertEqual(self.dropped(), before)
        return report

    def fetch_one_file(self, name, **arguments):
        return self.fetch("-o", f"fetch.one.source=kaggle:{SLUG}", "-o", f"fetch.one.file={name}", "one", **arguments)

    def dropped(self):
        """What the daemon could take."""
        if not self.drop.exists():
            return []
        return sorted(path.name for path in self.drop.iterdir() if not path.name.startswith("."))

    def members_of(self, name):
        with zipfile.ZipFile(self.drop / name) as archive:
            self.assertIsNone(archive.testzip())
            return {member: archive.read(member) for member in archive.namelist()}

    def part(self):
        """The download that is under way; the only file in its place."""
        [path] = (self.drop / ".fetch").iterdir()
        return path

    def interrupted_fetch(self, until, *arguments):
        """Begins a fetch and kills it when `until` is true."""
        process = self.start("fetch", *(arguments or [SLUG]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_for(until, process)
        finally:
            process.kill()
            process.wait()

    def wait_for(self, predicate, process):
        wait_until(lambda: predicate() or process.poll() is not None, "the fetch came that far")
        self.assertIsNone(process.poll(), "the fetch ended before it came that far")

    def kaggle_fetch(self, *arguments):
        script = ROOT / "scripts" / "kaggle-fetch"
        return subprocess.run(
            [script, "--data", self.data, *self.options, *arguments],
            env={**os.environ, "ROWSIEVE": PROGRAM},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
