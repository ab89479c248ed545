# SPDX-License-Identifier: Apache-2.0
"""Twenty real versions as versions of an archive in which one member changes: fetched, taken by the daemon, and exactly
their new rows stored, for little more than the member's bytes on the wire. And how much memory a big archive takes."""

import os
import pathlib
import random
import zipfile
import zlib

from fetch_case import SLUG, FetchCase, table
from rowsieve_test import DEEP, shared
from test_shootouts import NEW_ROWS

NAME = "shoot-outs"
SPARE = 128 * 1024
MEMORY_KIB = 32 * 1024
BIG = (5 << 30) + 12345 if DEEP else 300_000_000


class Series(FetchCase):
    def setUp(self):
        super().setUp()
        rand = random.Random(20)
        # Members that never change: more than a fetch of one version may cost.
        self.rest = {f"results{number}.csv": table(*(f"{n},{rand.random()}" for n in range(20_000))) for number in range(3)}

    def publish(self, version):
        # Where the changed member lies in the archive is another place each time.
        files = {**self.rest, "shootouts.csv": version.read_bytes()}
        names = sorted(files, key=lambda name: zlib.crc32((name + version.name).encode()))
        return self.kaggle.publish(SLUG, {name: files[name] for name in names})

    def test_twenty_versions_bring_exactly_their_new_rows(self):
        versions = sorted(shared("series", "shootouts").glob("v*.csv"))
        self.options += ["-o", "unmatched=create"]
        daemon = self.daemon()
        stored = 0
        for version, new_rows in zip(versions, NEW_ROWS, strict=True):
            number = self.publish(version)
            before = self.kaggle.storage_bytes
            report = self.fetch()
            self.assertEqual((report["status"], report["version"]), ("fetched", number))
            cost = self.kaggle.storage_bytes - before
            if number > 1:
                self.assertLess(cost, version.stat().st_size + SPARE)
                self.assertGreater(self.kaggle.dataset(SLUG).archives[number].size, 3 * (version.stat().st_size + SPARE))
            stored += new_rows
            daemon.wait_until(lambda: not self.dropped(), "the archive was taken")
            self.assert_ledger_matches("shootouts", stored)
        taken = [report for report in self.history() if report["dataset"] == "shootouts"]
        self.assertEqual([report["new"] for report in taken], NEW_ROWS)
        rest = [report["rows"] for report in self.history() if report["dataset"] != "shootouts"]
        self.assertEqual(rest, [20_000] * 3, "what did not change was read once")


class Memory(FetchCase):
    def write_big(self, name, tail):
        """An archive with one big member that does not change and a small one that does."""
        path = self.directory / name
        rand = random.Random(5)
        piece = rand.randbytes(1 << 20)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            with archive.open(zipfile.ZipInfo("big.bin"), "w", force_zip64=True) as member:
                for start in range(0, BIG, len(piece)):
                    member.write(piece[: BIG - start])
            archive.writestr("small.csv", tail)
        return path

    def peak_of_fetch(self):
        process = self.start("fetch", SLUG)
        peak = 0
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            except (FileNotFoundError, ProcessLookupError):
                break
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        self.assertEqual(process.wait(), 0)
        self.assertGreater(peak, 0)
        return peak

    def test_big_archive_needs_little_memory_whole_and_in_part(self):
        self.kaggle.publish(SLUG, {}, archive=self.write_big("first.zip", table("1,2")))
        self.assertLess(self.peak_of_fetch(), MEMORY_KIB, "KiB for the whole")
        self.assertEqual(os.path.getsize(self.drop / f"{NAME}.v1.zip"), os.path.getsize(self.directory / "first.zip"))
        (self.drop / f"{NAME}.v1.zip").unlink()
        (self.directory / "first.zip").unlink()
        self.kaggle.publish(SLUG, {}, archive=self.write_big("second.zip", table("3,4")))
        self.assertLess(self.peak_of_fetch(), MEMORY_KIB, "KiB for what changed")
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), {"small.csv": table("3,4")})
