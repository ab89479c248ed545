# SPDX-License-Identifier: Apache-2.0
"""A private MariaDB on loopback in a temporary directory of its own, without accounts unless they are wanted."""

import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
START_SECONDS = 60
PR_SET_PDEATHSIG = 1
# Commits of tests need not survive a power cut.
HASTE = ("--innodb-flush-method=nosync", "--innodb-doublewrite=0", "--innodb-flush-log-at-trx-commit=0")
LIBC = ctypes.CDLL(None, use_errno=True)


def installed():
    return all(shutil.which(program, path=SEARCH_PATH) for program in ("mariadbd", "mariadb"))


def end_with_parent():
    """For preexec_fn: a test run that is killed leaves no server behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MariaDB:
    """start() and stop() as often as wanted: the data stays until close(). The port is the same each time."""

    def __init__(self, accounts=False, durable=False):
        self.accounts = accounts
        self.durable = durable
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowsieve-mariadb-"))
        self.socket = self.directory / "s.sock"
        self.port = free_port()
        self.process = None
        (self.directory / "data").mkdir()
        if accounts:
            self._make_accounts()
        (self.directory / "tmp").mkdir()

    def _make_accounts(self):
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.directory}/data",
                f"--user={pwd.getpwuid(os.getuid()).pw_name}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def start(self, *options):
        """With further options, which win over those here."""
        directory = self.directory
        self.process = subprocess.Popen(
            [
                shutil.which("mariadbd", path=SEARCH_PATH),
                "--no-defaults",
                f"--user={pwd.getpwuid(os.getuid()).pw_name}",
                f"--datadir={directory}/data",
                f"--tmpdir={directory}/tmp",
                f"--socket={self.socket}",
                f"--pid-file={directory}/pid",
                f"--log-error={directory}/err.log",
                *([] if self.accounts else ["--skip-grant-tables"]),
                "--skip-name-resolve",
                "--bind-address=127.0.0.1",
                f"--port={self.port}",
                *(() if self.durable else HASTE),
                "--innodb-log-file-size=64M",
                "--innodb-buffer-pool-size=128M",
                "--innodb-buffer-pool-dump-at-shutdown=0",
                "--innodb-buffer-pool-load-at-startup=0",
                "--performance-schema=0",
                "--local-infile=1",
                "--character-set-server=utf8mb4",
                "--max-allowed-packet=64M",
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.directory / "err.log"
                raise RuntimeError("mariadbd did not start:\n" + (log.read_text() if log.exists() else ""))
            time.sleep(0.02)

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
                return bool(probe.recv(1))
            except OSError:
                return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def kill(self):
        """As when the machine's memory runs out."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self, *arguments):
        return [
            "mariadb",
            "--no-defaults",
            f"--socket={self.socket}",
            "--user=root",
            "--default-character-set=utf8mb4",
            *arguments,
        ]

    def execute(self, sql, database=""):
        """Runs SQL; its result as rows of texts, None for NULL."""
        done = subprocess.run(
            self.client("--batch", "--skip-column-names", "--local-infile=1", "--execute", sql, database),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{sql}: {done.stderr.strip()}")
        return [tuple(map(unescape, line.split("\t"))) for line in done.stdout.splitlines()]

    def create_database(self, name):
        self.execute(f"CREATE OR REPLACE DATABASE `{name}` CHARACTER SET utf8mb4")


ESCAPES = {"0": "\0", "t": "\t", "n": "\n", "\\": "\\"}


def unescape(text):
    """Undoes what `mariadb --batch` does to tab, newline, NUL and backslash."""
    if text == "NULL":
        return None
    pieces = text.split("\\")
    result = pieces.pop(0)
    while pieces:
        piece = pieces.pop(0)
        if piece:
            result += ESCAPES.get(piece[0], piece[0]) + piece[1:]
        else:
            result += "\\" + (pieces.pop(0) if pieces else "")
    return result
