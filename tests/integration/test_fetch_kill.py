# SPDX-License-Identifier: Apache-2.0
"""`rowsieve fetch` killed at every system call that changes something (with --deep: at every one), or let down by it, and
run again: only whole files ever appear in the drop directory, and each version once."""

import json
import re
import shutil
import subprocess

from fetch_case import SLUG, FetchCase, table
from rowsieve_test import DEADLINE, DEEP, need_tool

NAME = "shoot-outs"
CHANGING = "openat,mkdir,access,write,pwrite64,fsync,rename,renameat2,unlink,ftruncate,flock,sendto,close"
FAILS_WITH = {
    "openat": ["EMFILE"],
    "mkdir": ["ENOSPC"],
    "write": ["ENOSPC", "EINTR"],
    "fsync": ["EIO"],
    "rename": ["EIO"],
    "renameat2": ["EIO"],
    "ftruncate": ["EIO"],
    "flock": ["ENOLCK"],
    "sendto": ["ECONNRESET"],
    "access": ["EACCES"],
}
FIRST = {"one.csv": table("1,1") * 40, "two.csv": table("2,2") * 40}
SECOND = {"one.csv": table("1,1") * 40, "two.csv": table("2,2", "3,3") * 40}


def can_trace():
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


class DisturbedFetch(FetchCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        need_tool("strace, where it may trace,", can_trace())

    def traced(self, *strace):
        return subprocess.run(
            ["strace", "-f", "-o", self.directory / "trace", *strace, *self.command("fetch", SLUG)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )

    def moments(self):
        """(call, number) of each call of a whole run; without --deep only of those from the fetch's own first file on."""
        self.traced("-e", "trace=" + ("all" if DEEP else CHANGING))
        counts, moments, is_ours = {}, [], DEEP
        for line in (self.directory / "trace").read_text(errors="replace").splitlines():
            match = re.match(r"\d+ +(\w+)\(", line)
            if not match or match[1] in ("execve", "exit", "exit_group"):
                continue
            is_ours |= ".lock" in line
            counts[match[1]] = counts.get(match[1], 0) + 1
            if is_ours:
                moments.append((match[1], counts[match[1]]))
        return moments

    def take_all(self, taken):
        """What a daemon would do with what it sees, at any moment."""
        for name in self.dropped():
            taken.append((name, self.members_of(name)))
            (self.drop / name).unlink()

    def restore(self, backup):
        shutil.rmtree(self.data, ignore_errors=True)
        if backup.exists():
            shutil.copytree(backup, self.data)

    def sweep(self, expected, actions, hits_at_least):
        """Each action at each of its calls; then an undisturbed run, and the version is there, once."""
        backup = self.directory / "backup"
        if self.data.exists():
            shutil.copytree(self.data, backup)
        hits = 0
        for call, number in self.moments():
            for action in actions(call):
                self.restore(backup)
                taken = []
                ended = self.traced("-e", f"trace={call}", "-e", f"inject={call}:{action}:when={number}")
                self.assertIn(ended.returncode, (0, 1, 69, 73, 78, -9, 137), (call, number, ended.stderr))
                hits += ended.returncode != 0
                self.take_all(taken)
                self.forget_not_before()
                self.rowsieve("fetch", SLUG)
                self.take_all(taken)
                self.assertEqual(taken, [expected], f"{action} at {call} {number}")
                self.assertEqual(list((self.drop / ".fetch").iterdir()), [])
        self.assertGreater(hits, hits_at_least)

    def forget_not_before(self):
        for path in (self.data / "state" / "fetch").glob("*.json"):
            path.write_text(json.dumps({**json.loads(path.read_text()), "not_before": 0}))

    def kill(self, call):
        return ["signal=SIGKILL"]

    def fail(self, call):
        return [f"error={name}" for name in FAILS_WITH.get(call, ())]

    def test_killed_at_the_first_version(self):
        self.kaggle.publish(SLUG, FIRST)
        self.sweep((f"{NAME}.v1.zip", FIRST), self.kill, 20)

    def publish_both(self):
        self.kaggle.publish(SLUG, FIRST)
        self.fetch()
        (self.drop / f"{NAME}.v1.zip").unlink()
        self.kaggle.publish(SLUG, SECOND)
        return f"{NAME}.v2.zip", {"two.csv": SECOND["two.csv"]}

    def test_killed_at_changed_members(self):
        self.sweep(self.publish_both(), self.kill, 20)

    def test_calls_that_fail(self):
        self.sweep(self.publish_both(), self.fail, 10)
