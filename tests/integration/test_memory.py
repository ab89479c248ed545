# SPDX-License-Identifier: Apache-2.0
"""Memory beyond the mapped state stays below its bound, however big the file."""

import pathlib
import re
import subprocess
import time

from rowsieve_test import DEEP, ROOT, Case, LedgerChecks, SqliteSink

BOUND_KIB = 256 * 1024
# About 58 bytes a row: 1 GB with --deep, else 300 MB.
ROWS = 18_000_000 if DEEP else 5_200_000
SAMPLE_ROWS = 100_000
SAMPLE_SECONDS = 0.01


def write_sample(path):
    """ROWS rows in the shape of the credit-card data set, each with an index of its own."""
    sample = subprocess.run([ROOT / "scripts" / "sample-rows", str(SAMPLE_ROWS)], capture_output=True, check=True)
    header, *lines = sample.stdout.splitlines(keepends=True)
    tails = [line[line.index(b",") :] for line in lines]
    with open(path, "wb") as file:
        file.write(header)
        for start in range(0, ROWS, SAMPLE_ROWS):
            file.writelines(b"%d%b" % (start + index, tail) for index, tail in enumerate(tails))


def anonymous_kib(pid):
    """Resident memory that is not a mapped file; 0 when the process is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(kib) for kib in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", status, re.MULTILINE))


class Memory(LedgerChecks, SqliteSink, Case):
    def peak_of_ingest(self, path):
        """The highest sample while the file is ingested."""
        process = self.start("ingest", "--dataset", "big", path)
        peak = 0
        while process.poll() is None:
            peak = max(peak, anonymous_kib(process.pid))
            time.sleep(SAMPLE_SECONDS)
        self.assertEqual(process.returncode, 0)
        self.assertGreater(peak, 0)
        return peak

    def test_big_file_needs_little_memory_first_and_again(self):
        path = self.directory / "big.csv"
        write_sample(path)
        first = self.peak_of_ingest(path)
        self.assertLess(first, BOUND_KIB, "KiB at the first load")
        self.assert_ledger_matches("big", ROWS)
        # One more row at the end: the file as a whole is not one that was seen, every row is looked up.
        with open(path, "ab") as file:
            file.write(f'{ROWS},"Delhi, India",29-Oct-14,Gold,Bills,F,82475\n'.encode())
        again = self.peak_of_ingest(path)
        self.assertLess(again, BOUND_KIB, "KiB at the re-delivery")
        self.assert_ledger_matches("big", ROWS + 1)
