# SPDX-License-Identifier: Apache-2.0
"""What root must leave as it was; skipped for everybody else."""

import os
import subprocess
import unittest

from rowsieve_test import Case, LedgerChecks, SqliteSink

NOBODY = 65534


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Root(LedgerChecks, SqliteSink, Case):
    def test_root_becomes_the_owner_of_the_state(self):
        self.directory.chmod(0o755)
        self.data.mkdir()
        os.chown(self.data, NOBODY, NOBODY)
        first, second = self.write("first.csv", "a\n1\n"), self.write("second.csv", "a\n1\n2\nragged,3\n")
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        subprocess.run([*as_nobody, *self.command("ingest", "--dataset", "t", first)], check=True)
        [report] = self.ingest(second, dataset="t")
        self.assert_counts(report, rows=3, new=1, duplicate=1, rejected=1)
        self.rowsieve("status")
        owners = {os.lstat(os.path.join(path, name)).st_uid for path, _, names in os.walk(self.data) for name in names}
        self.assertEqual(owners, {NOBODY})
