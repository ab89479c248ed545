# SPDX-License-Identifier: Apache-2.0
"""One place where the program works: a data directory and a sink of its own, and what can be seen of both."""

import collections
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from mariadb_server import MariaDB, end_with_parent  # noqa: E402
from rowsieve_test import PROGRAM, MysqlSink, SqliteSink, mysql_options, parse_objects  # noqa: E402

TRAP = os.environ.get("ROWSIEVE_TRAP") or str(pathlib.Path(PROGRAM).resolve().parent / "tests" / "trap")
MALLOC_TRAP = str(pathlib.Path(TRAP).with_name("libmalloc_trap.so"))
FORGETFUL = str(pathlib.Path(TRAP).with_name("forgetful"))
CANNOT_TRACE = 125

# Ends what hangs; nothing here takes this long.
DEADLINE = 20.0
# What a daemon in trouble gets to come right by itself, before it is ended and started again.
PATIENCE = 1.5

# What run() says of a daemon that was told to end before it had begun to listen to that.
ENDED_EARLY = "it was ended before it was up"

ID = re.compile("[0-9a-f]{32}")


class Unable(Exception):
    """Why a sweep cannot be done here."""


class Broken(Exception):
    """What was seen is not what must be."""


class Patience:
    """Seconds that are used up while the program runs, and not while the whole machine stands still."""

    MOST = 0.02

    def __init__(self, seconds):
        self.left = seconds
        self.seen = time.monotonic()
        self.moment = 0.004

    def wait(self):
        """A moment, if there is patience left for it; they grow, because looking costs more than waiting."""
        if self.left <= 0:
            return False
        time.sleep(self.moment)
        self.spend()
        return True

    def spend(self):
        """What has passed since the last time."""
        now = time.monotonic()
        self.left -= min(now - self.seen, 2 * self.MOST)
        self.seen = now
        self.moment = min(1.25 * self.moment, self.MOST)

    def lose_but(self, seconds):
        self.left = min(self.left, seconds)


class SqliteSite:
    """The embedded sink."""

    kind = "sqlite"
    query = SqliteSink.query
    change = SqliteSink.change

    def open_sink(self):
        self.options = []

    def close_sink(self):
        pass


class MysqlSite:
    """A database of its own in the server that all sites share."""

    kind = "mariadb"
    query = MysqlSink.query
    change = MysqlSink.query
    server = None
    databases = 0

    @classmethod
    def start_server(cls):
        cls.server = MariaDB()
        cls.server.start()

    def open_sink(self):
        MysqlSite.databases += 1
        self.database = f"crash{MysqlSite.databases}"
        self.server.create_database(self.database)
        self.options = mysql_options(self.server, self.database)

    def close_sink(self):
        self.server.execute(f"DROP DATABASE `{self.database}`")


class Site:
    """Mixed with one of the two above. A context: the directory goes with it."""

    def __init__(self, scenario):
        self.scenario = scenario

    def make_directory(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowsieve-crash-"))

    def remove_directory(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def cut_power(self, seed):
        raise NotImplementedError

    def __enter__(self):
        self.make_directory()
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.trap_log = self.directory / "trap.log"
        self.open_sink()
        configuration = self.directory / "rowsieve.conf"
        configuration.write_text(self.scenario.configuration)
        self.options += ["-c", str(configuration), "--data", str(self.data)]
        self.scenario.deliver(self)
        self.scenario.prepare(self)
        self.settle()
        # A file that is read right after its last change counts as one that may change again unnoticed.
        time.sleep(0.03)
        return self

    def __exit__(self, *exception):
        self.close_sink()
        self.remove_directory()

    def settle(self):
        """What was delivered is durable."""

    def deliver(self, name, content):
        """Files are taken in the order of their delivery."""
        self.delivered = getattr(self, "delivered", 0) + 1
        path = self.data / "drop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (1e9 + self.delivered, 1e9 + self.delivered))

    def start(self, before=(), env=None, command=("run", "-o", "settle=1ms")):
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                [*before, PROGRAM, *command, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                preexec_fn=end_with_parent,
            )

    def is_done(self):
        """Nothing waits to be read, and nothing to be stored elsewhere."""
        return not self.left()

    def left(self, *places):
        paths = [path for place in places or ("drop", "state/spool") for path in (self.data / place).rglob("*")]
        return [str(path.relative_to(self.data)) for path in paths if path.is_file()]

    def is_up(self, begin):
        """Does what was logged from there say that it is at work? Before that, SIGTERM just ends it."""
        return b"watching" in self.log.read_bytes()[begin:]

    def was_hit(self):
        return self.trap_log.exists() and b"HIT " in self.trap_log.read_bytes()

    def run(self, before=(), env=None, patience=DEADLINE):
        """The daemon, until there is nothing left to do, it ends, or patience does after its point was hit: its exit
        status, negative for a signal; a text when it had to be given up."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        process = self.start(before, env)
        left = Patience(DEADLINE)
        while process.poll() is None and not (self.is_done() and self.is_up(begin)) and left.wait():
            if patience < DEADLINE and self.was_hit():
                left.lose_but(patience)
            if not self.left("drop"):
                # What a power cut brought back into the spool goes with the next delivery, or at the end.
                left.lose_but(PATIENCE)
        was_up = self.is_up(begin)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        status = self.wait(process)
        if status in (-signal.SIGTERM, 128 + signal.SIGTERM) and not was_up:
            return ENDED_EARLY
        return status if self.is_done() or status != 0 else f"{status}, with {self.left()} left"

    def run_command(self, *command, before=(), env=None):
        """A command that ends by itself: its exit status."""
        return self.wait(self.start(before, env, command))

    def wait(self, process):
        patience = Patience(DEADLINE)
        while process.poll() is None and patience.wait():
            pass
        if process.poll() is None:
            process.kill()
            process.wait()
            raise Broken(f"it did not end:\n{self.text()}")
        return process.returncode

    def trap(self, point=None):
        """What goes before the command to count its calls, and to act at one of them."""
        action = "kill" if point and point.action.startswith("cut") else point and point.action
        at = ["--at", point.place, str(point.occurrence), action] if point else []
        return [TRAP, "--root", str(self.data), "--log", str(self.trap_log), *at, "--"]

    def malloc_trap(self, point=None):
        """The environment in which allocations are counted, and one is refused."""
        at = {"MALLOC_TRAP_SITE": point.place.split()[1], "MALLOC_TRAP_AT": str(point.occurrence)} if point else {}
        return {"LD_PRELOAD": MALLOC_TRAP, "MALLOC_TRAP_LOG": str(self.trap_log), **at}

    def calls(self):
        """The places of the calls (or allocations) of the last trapped run, in order."""
        return self.trap_log.read_text(errors="surrogateescape").splitlines()

    def text(self):
        return self.log.read_text(errors="surrogateescape")[-4000:]

    def finish(self):
        """Undisturbed, to the end. What an outbox owes may take another start: it is patient after trouble."""
        status = self.run()
        for _ in range(3):
            if status != 0 and not self.left("drop"):
                status = self.run()
        if status != 0:
            raise Broken(f"left alone it ended with {status}:\n{self.text()}")

    def ask(self, *arguments):
        process = subprocess.Popen(
            [PROGRAM, *arguments, *self.options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        out, err = self.answer_of(process, arguments)
        if process.returncode != 0:
            raise Broken(f"{arguments} ended with {process.returncode}: {err}")
        return parse_objects(out)

    def answer_of(self, process, arguments):
        patience = Patience(DEADLINE)
        while patience.left > 0:
            try:
                return process.communicate(timeout=Patience.MOST)
            except subprocess.TimeoutExpired:
                patience.spend()
        process.kill()
        process.communicate()
        raise Broken(f"{arguments} gives no answer")

    def observe(self):
        """All that must be the same however often the program was killed."""
        status = self.ask("status", "--json")[0]
        history = self.ask("history", "--json")
        seen = {
            "datasets": {entry["name"]: self.observe_dataset(entry) for entry in status["datasets"]},
            "history": sorted((normal_report(report) for report in history if report["status"] != "failed"), key=json.dumps),
            "new": new_rows(history),
            "done": files_of(self.data / "done"),
            "rejected": files_of(self.data / "rejected"),
            "drop": files_of(self.data / "drop"),
        }
        check("deliveries without an end", [report for report in history if report["status"] == "open"], [])
        self.check_seen_set()
        return self.scenario.observe(self, seen)

    def observe_dataset(self, entry):
        table = entry["table"]
        rows = sorted(map(list, self.query(f'SELECT * FROM "{table}"')), key=str)
        ledger = self.query(f"SELECT seq, row_count, batch_id FROM rowsieve_ledger WHERE table_name = '{table}' ORDER BY seq")
        head = self.query(f"SELECT seq, batch_id FROM rowsieve_head WHERE table_name = '{table}'")
        check("rows of the ledger", sum(int(row[1]) for row in ledger), len(rows))
        check("batches of the ledger", [int(row[0]) for row in ledger], list(range(1, len(ledger) + 1)))
        check("the head", [(int(seq), batch) for seq, batch in head], [(int(ledger[-1][0]), ledger[-1][2])])
        check("the state's rows and batches", (entry["rows"], entry["batches"]), (len(rows), len(ledger)))
        check("a pending batch", entry["pending"], False)
        return rows

    def check_seen_set(self):
        """Every row is known, once: nothing that was delivered is new. (The state counts as many as the table.)"""
        for report in self.ask("ingest", "--dry-run", "--json", *map(str, self.scenario.again(self))):
            check(f"new and changed rows of '{report['file']}' when it comes again", (report["new"], report["updated"]), (0, 0))


class ForgetfulSite:
    """Mixed in before Site: everything lies in a file system that can forget what was not synced."""

    def make_directory(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowsieve-crash-"))
        if not os.path.exists(FORGETFUL):
            raise Unable("libfuse3 is not installed")
        with open(self.directory.with_suffix(".fuse"), "wb") as log:
            self.server = subprocess.Popen(
                [FORGETFUL, str(self.directory)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent
            )
        while not os.path.ismount(self.directory):
            if self.server.poll() is not None:
                reason = self.directory.with_suffix(".fuse").read_text().strip()
                self.remove_directory()
                raise Unable(f"FUSE cannot be used here: {reason}")
            time.sleep(0.002)

    def remove_directory(self):
        if os.path.ismount(self.directory):
            subprocess.run(["fusermount3", "-u", "-z", str(self.directory)], check=True)
        # It ends by itself only when no other name space has a copy of the mount.
        self.server.kill()
        self.server.wait()
        self.directory.with_suffix(".fuse").unlink()
        self.directory.rmdir()

    def settle(self):
        os.path.exists(self.directory / ".sync")

    def cut_power(self, seed):
        os.path.exists(self.directory / f".forget-{seed}")


def check(what, found, expected):
    if found != expected:
        raise Broken(f"{what}: {found!r}, not {expected!r}")


def normal_report(report):
    kept = ("member", "dataset", "status", "bytes", "rows", "new", "updated", "duplicate", "filtered", "rejected", "reason")
    return {"file": pathlib.Path(report["file"]).name, **{key: report[key] for key in kept}}


def new_rows(history):
    """By dataset, of deliveries that failed too: their rows stay in the table."""
    new = collections.Counter()
    for report in history:
        new[report["dataset"]] += report["new"]
    return new


def files_of(directory):
    """Names, their ids normalised, and contents; sorted, because two names may become one."""
    return sorted(
        (ID.sub("#", str(path.relative_to(directory))), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in directory.rglob("*")
        if path.is_file()
    )
