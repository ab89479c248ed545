# SPDX-License-Identifier: Apache-2.0
"""A disk that runs full, in a mount namespace of the test's own: by root, or where user namespaces are allowed."""

import os
import shutil
import subprocess

from rowsieve_test import EXIT_SINK, EXIT_STATE, Case, LedgerChecks, SqliteSink

FULL_DISK = r"""
mount -t tmpfs -o size="$5" tmpfs "$1" || exit 99
"$3" ingest --json --data "$4" -o keep.min_free=0 -o batch.rows=1000 "$2" >"$6/first.json" 2>"$6/first.err"
echo $? >"$6/first.status"
mount -t tmpfs -o remount,size=1g tmpfs "$1" || exit 98
"$3" ingest --json --data "$4" -o keep.min_free=0 -o batch.rows=1000 "$2" >"$6/second.json" 2>"$6/second.err"
echo $? >"$6/second.status"
cp -r "$4" "$6/after"
"""


class FullDisk(LedgerChecks, SqliteSink, Case):
    ROWS = 60_000

    def setUp(self):
        super().setUp()
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self.unshare = [shutil.which("unshare"), *as_root, "--mount"]
        probe = subprocess.run([*self.unshare, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
        if probe.returncode != 0:
            self.skipTest("no small disk: this user may not mount one here")
        self.file = self.write("big.csv", "n,text\n" + "".join(f"{n},{'x' * 50}\n" for n in range(self.ROWS)))
        self.mount = self.directory / "disk"
        self.mount.mkdir()

    def fill(self, size):
        out = self.directory / f"out-{size}"
        out.mkdir()
        program = self.command("ingest")[0]
        subprocess.run(
            [*self.unshare, "sh", "-c", FULL_DISK, "sh", self.mount, self.file, program, self.mount / "data", size, out],
            check=True,
            timeout=120,
        )
        return out

    def test_full_disk_is_reported_and_later_nothing_is_missing(self):
        for size in ("256k", "1m", "2m", "4m"):
            with self.subTest(size=size):
                out = self.fill(size)
                error = (out / "first.err").read_text()
                self.assertIn((out / "first.status").read_text().strip(), (str(EXIT_SINK), str(EXIT_STATE)), error)
                failure, *more = error.splitlines(keepends=True)
                self.assert_one_line(failure)
                for line in more:
                    self.assertIn("what is owed to the store stays in", line)
                self.assertEqual((out / "second.status").read_text().strip(), "0", (out / "second.err").read_text())
                self.data = out / "after"
                self.assert_ledger_matches("big", self.ROWS)
                self.assertEqual(self.query("SELECT count(DISTINCT n) FROM big"), [(self.ROWS,)])
