# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: the program, its daemon, the sinks, and waiting for events.

Environment: ROWSIEVE the program, ROWSIEVE_SHARED a directory with real data (data/seed, data/series), ROWSIEVE_DEEP
set for the long versions, CI=true where a missing tool is a failure rather than a skip.
"""

import atexit
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from mariadb_server import MariaDB, end_with_parent, installed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("ROWSIEVE") or str(ROOT / "build-test" / "rowsieve")
SHARED = pathlib.Path(os.environ.get("ROWSIEVE_SHARED") or ROOT.parent / "shared") / "data"
DEEP = bool(os.environ.get("ROWSIEVE_DEEP"))

# Nothing here takes this long on a slow machine with sanitizers; it only ends a test that hangs.
DEADLINE = 1800.0 if DEEP else 180.0

EXIT_OK = 0
EXIT_DELIVERY = 1
EXIT_USAGE = 64
EXIT_SINK = 69
EXIT_STATE = 73
EXIT_HELD = 75
EXIT_CONFIG = 78

COUNTS = ("new", "updated", "duplicate", "filtered", "rejected")


def wait_until(predicate, what, deadline=DEADLINE):
    """The first true value of predicate(), or a failure: "waited in vain until <what>"."""
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain until {what}")
        time.sleep(0.02)


def shared(*parts):
    """A file of the real data; the test is skipped where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        raise unittest.SkipTest(f"no real data at '{path}'")
    return path


def need_tool(name, is_present):
    """Skips where a tool is missing; in CI, where scripts/setup has installed it, that is a failure."""
    if is_present:
        return
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{name} is not installed")
    raise unittest.SkipTest(f"{name} is not installed")


def parse_objects(text):
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def csv_text(header, rows):
    """Plain CSV; fields must not need quotes."""
    return "".join(",".join(map(str, row)) + "\n" for row in [header, *rows])


class Case(unittest.TestCase):
    """A test with a directory of its own and the program at hand. Options are given to every call."""

    maxDiff = 2000

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowsieve-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = self.directory / "data"
        self.options = []
        self.running = None

    @property
    def drop(self):
        return self.data / "drop"

    @property
    def done(self):
        return self.data / "done"

    @property
    def rejected(self):
        return self.data / "rejected"

    def command(self, subcommand, *arguments):
        return [PROGRAM, subcommand, "--data", str(self.data), *self.options, *map(str, arguments)]

    def start(self, subcommand, *arguments, **popen):
        return subprocess.Popen(
            self.command(subcommand, *arguments), stdin=subprocess.DEVNULL, preexec_fn=end_with_parent, **popen
        )

    def rowsieve(self, subcommand, *arguments, status=EXIT_OK):
        """Runs the program to its end and checks the exit status."""
        done = subprocess.run(
            self.command(subcommand, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=DEADLINE,
        )
        self.assertEqual(
            done.returncode, status, f"exit status of {subcommand} {arguments}\n{done.stdout[-2000:]}\n{done.stderr}"
        )
        return done

    def ingest(self, *files, dataset="cc", options=(), status=EXIT_OK):
        """`ingest --json`: one object per member, each checked for its balance."""
        done = self.rowsieve("ingest", "--json", "--dataset", dataset, *options, *files, status=status)
        reports = parse_objects(done.stdout)
        for report in reports:
            self.assert_balanced(report)
        return reports

    def assert_balanced(self, report):
        self.assertEqual(report["rows"], sum(report[count] for count in COUNTS), f"balance of {report}")

    def assert_counts(self, report, **expected):
        """The given counts, and 0 for every other one except rows."""
        actual = {count: report[count] for count in COUNTS}
        self.assertEqual(actual, {count: expected.pop(count, 0) for count in COUNTS}, f"counts of {report}")
        self.assertEqual({key: report[key] for key in expected}, expected)

    def assert_one_line(self, text, *parts):
        """One clear line for the operator that names the given things."""
        lines = text.strip().splitlines()
        self.assertEqual(len(lines), 1, f"one line expected: {text!r}")
        for part in parts:
            self.assertIn(str(part), lines[0])

    def write(self, name, content):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    def deliver(self, name, content):
        """Drops a file the way a careful producer does: written under an ignored name, then renamed."""
        target = self.drop / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.rename(target)
        return target

    def history(self):
        return parse_objects(self.rowsieve("history", "--json").stdout)

    def rejects(self, report):
        return self.rejected / f"{report['delivery']}.rejects.csv"

    def daemon(self, *arguments):
        daemon = Daemon(self, *arguments)
        self.addCleanup(daemon.kill)
        daemon.wait_until(daemon.is_ready, "it was ready")
        self.running = daemon
        return daemon


class Daemon:
    """`rowsieve run`, observed through sd_notify and its log."""

    def __init__(self, case, *arguments):
        self.log = case.directory / "daemon.log"
        path = str(case.directory / "notify.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(path)
        self.notified = []
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        with open(self.log, "ab") as log:
            self.process = case.start(
                "run", "-o", "settle=50ms", *arguments, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": path}
            )

    def listen(self):
        """Takes in every notification: like the service manager, so that the daemon never waits for its listener."""
        while message := self.notifications.recv(65536):
            self.notified += message.split(b"\n")

    def is_ready(self):
        return self.notifies(b"READY=1")

    def notifies(self, start):
        """Has there been a notification with a line that begins so?"""
        return any(line.startswith(start) for line in list(self.notified))

    def wait_until(self, predicate, what, deadline=DEADLINE):
        """wait_until(), as long as the daemon lives."""

        def living_predicate():
            value = predicate()
            if not value and self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode} before {what}")
            return value

        try:
            return wait_until(living_predicate, what, deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}\nits log:\n{self.text()[-4000:]}") from None

    def text(self):
        return self.log.read_text(errors="surrogateescape")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, within=DEADLINE):
        """SIGTERM; the exit status. A daemon that takes longer than `within` seconds is a failure."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not end within {within} s:\n{self.text()}") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.listener.is_alive():
            self.notifications.shutdown(socket.SHUT_RD)
            self.listener.join()
            self.notifications.close()


class Books:
    """Mixin for a sink: after every test the sum of the ledger is the number of rows, in every table that was fed."""

    is_parted = False  # true where the test itself has put table and ledger apart

    def tearDown(self):
        if self.running is not None:
            self.running.kill()
        if not self.is_parted:
            for table, rows in self.ledger_sums():
                self.assertEqual(self.table_size(table), int(rows), f"rows of table '{table}' against the ledger")
        super().tearDown()

    LEDGER_SUMS = "SELECT table_name, sum(row_count) FROM rowsieve_ledger GROUP BY table_name"


class SqliteSink(Books):
    """Mixin for a Case: the default sink, rows.db."""

    sink = "sqlite"
    TYPES = {"integer": "INTEGER", "date": "DATE"}

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/rows.db?mode=rw", uri=True, timeout=60)) as database:
            return database.execute(sql).fetchall()

    def ledger_sums(self):
        try:
            return SqliteSink.query(self, self.LEDGER_SUMS)
        except sqlite3.DatabaseError:  # none was made, or it was no database
            return []

    def change(self, sql):
        """query() for what changes the database, or makes it."""
        with contextlib.closing(sqlite3.connect(self.data / "rows.db", isolation_level=None, timeout=60)) as database:
            return database.execute(sql).fetchall()

    def column_types(self, table):
        return {row[1]: row[2].upper() for row in self.query(f'PRAGMA table_info("{table}")')}

    def table_size(self, table):
        """Rows in a table that may not exist yet."""
        try:
            return int(SqliteSink.query(self, f'SELECT count(*) FROM "{table}"')[0][0])
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return 0
            raise


class MysqlSink(Books):
    """Mixin for a Case: one MariaDB for the whole run, a database for each test."""

    sink = "mysql"
    TYPES = {"integer": "BIGINT", "date": "DATE"}
    server = None
    databases = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        need_tool("MariaDB", installed())
        if MysqlSink.server is None:
            MysqlSink.server = MariaDB()
            atexit.register(MysqlSink.server.close)
            MysqlSink.server.start()

    def setUp(self):
        super().setUp()
        MysqlSink.databases += 1
        self.database = f"test{MysqlSink.databases}"
        self.server.create_database(self.database)
        self.addCleanup(self.server.execute, f"DROP DATABASE `{self.database}`")
        self.options += mysql_options(self.server, self.database)

    def query(self, sql):
        return self.server.execute(sql.replace('"', "`"), self.database)

    def ledger_sums(self):
        exists = self.query(
            "SELECT 1 FROM information_schema.tables"
            f" WHERE table_schema = '{self.database}' AND table_name = 'rowsieve_ledger'"
        )
        return self.query(self.LEDGER_SUMS) if exists else []

    def column_types(self, table):
        rows = self.query(
            "SELECT column_name, data_type FROM information_schema.columns"
            f" WHERE table_schema = '{self.database}' AND table_name = '{table}'"
        )
        return {name: kind.upper() for name, kind in rows}

    def table_size(self, table):
        exists = self.query(
            f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{self.database}' AND table_name = '{table}'"
        )
        return int(self.query(f'SELECT count(*) FROM "{table}"')[0][0]) if exists else 0


def mysql_options(server, database, over_tcp=False):
    keys = {"sink": "mysql", "mysql.user": "root", "mysql.database": database}
    if over_tcp:
        keys |= {"mysql.host": "127.0.0.1", "mysql.port": server.port}
    else:
        keys |= {"mysql.socket": server.socket}
    return [part for key, value in keys.items() for part in ("-o", f"{key}={value}")]


class LedgerChecks:
    """Mixin for a Case with a sink: what must hold of ledger, head and table whenever nothing is running."""

    def assert_ledger_matches(self, table, rows):
        self.assertEqual(self.table_size(table), rows)
        ledger = self.query(f"SELECT coalesce(sum(row_count), 0), count(*) FROM rowsieve_ledger WHERE table_name = '{table}'")
        self.assertEqual(int(ledger[0][0]), rows, "rows of all batches in the ledger")
        seq = self.query(f"SELECT seq FROM rowsieve_head WHERE table_name = '{table}'")
        self.assertEqual(int(seq[0][0]), int(ledger[0][1]), "batches in the ledger against the head")
