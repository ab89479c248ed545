# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to the server and the way to it: the daemon says so, waits, goes on, and no row is lost or doubled."""

import json
import subprocess
import threading

from mariadb_server import MariaDB, installed
from rowsieve_test import DEADLINE, Case, LedgerChecks, csv_text, mysql_options, need_tool, wait_until
from tcp_proxy import Proxy

COLUMNS = ["id", "name"]
ROWS = 3000
LARGE = csv_text(COLUMNS, [(n, f"name {n}") for n in range(ROWS)])
SMALL = csv_text(COLUMNS, [(ROWS + n, "small") for n in range(10)])


class Outage(LedgerChecks, Case):
    """A server and a proxy of the test's own; batches are small, so that there are many."""

    options_of_server = ()
    accounts = False

    def setUp(self):
        super().setUp()
        need_tool("MariaDB", installed())
        self.server = MariaDB(accounts=self.accounts)
        self.addCleanup(self.server.close)
        self.restart()
        self.server.create_database("outage")
        self.proxy = Proxy(self.server.port)
        self.addCleanup(self.proxy.close)
        self.options += mysql_options(self.server, "outage", over_tcp=True)
        self.options += ["-o", f"mysql.port={self.proxy.port}", "-o", "batch.rows=100"]

    def query(self, sql):
        return self.server.execute(sql.replace('"', "`"), "outage")

    def table_size(self, table):
        exists = self.query(f"SELECT 1 FROM information_schema.tables WHERE table_schema = 'outage' AND table_name = '{table}'")
        return int(self.query(f"SELECT count(*) FROM `{table}`")[0][0]) if exists else 0

    def status(self):
        return json.loads(self.rowsieve("status", "--json").stdout)["worker"]

    def trouble(self, *parts):
        """Waits until the daemon names its trouble."""
        status = self.running.wait_until(
            lambda: (status := self.status())["trouble"] and all(part in status["trouble"] for part in parts) and status,
            f"it was in trouble with {parts}",
        )
        self.assertTrue(status["trouble_since"] and status["next_try"] and status["attempts"], status)
        self.rowsieve("status", "--check", status=1)
        return status

    def begin(self, statement=b"COMMIT", number=10):
        """A daemon in the middle of the large file: the event is set when this statement comes for the n-th time."""
        reached = threading.Event()
        goes_on = threading.Event()
        seen = 0

        def watch(text):
            nonlocal seen
            if text.startswith(statement):
                seen += 1
                if seen == number:
                    reached.set()
                    goes_on.wait(DEADLINE)
            return None

        self.proxy.on_statement = watch
        self.daemon()
        self.deliver("t/large.csv", LARGE)
        self.running.wait_until(reached.is_set, "it was in the middle of the file")
        return goes_on

    def lose_answer(self, number, meanwhile):
        """The n-th COMMIT happens and its answer is lost; then, before anybody gets through again, meanwhile()."""
        done = threading.Event()
        seen = 0

        def watch(text):
            nonlocal seen
            seen += text.startswith(b"COMMIT")
            if not text.startswith(b"COMMIT") or seen != number:
                return None
            before = self.query("SELECT seq FROM rowsieve_head")

            def wait():
                wait_until(lambda: self.query("SELECT seq FROM rowsieve_head") != before, "the server had committed")
                meanwhile()
                done.set()

            self.proxy.is_down = True
            self.proxy.silence()
            return None, wait

        self.proxy.on_statement = watch
        self.daemon()
        self.deliver("t/large.csv", LARGE)
        self.running.wait_until(done.is_set, "the batch was there and its answer lost")
        self.trouble()
        self.proxy.up()

    def end(self, rows=ROWS, deliveries=1):
        """It catches up: everything is there, once."""
        self.running.wait_until(
            lambda: [member["status"] for member in self.history()].count("done") == deliveries, "all deliveries were done"
        )
        self.running.wait_until(lambda: self.status()["trouble"] is None, "the trouble was over")
        self.running.stop()
        self.proxy.on_statement = None
        self.assert_ledger_matches("t", rows)
        self.assertEqual(self.query("SELECT count(DISTINCT id) FROM t"), [(str(rows),)])
        self.assertEqual(sum(member["new"] for member in self.history()), rows)
        self.rowsieve("verify", "t")

    def restart(self):
        """A server that is killed here has lost nothing that it confirmed."""
        self.server.start(
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-flush-method=fsync",
            "--innodb-doublewrite=1",
            "--innodb-lock-wait-timeout=1",
            *self.options_of_server,
        )

    def other_session(self, *statements):
        """A client that has done these statements and waits; close its standard input to end it."""
        client = subprocess.Popen(
            self.server.client("--unbuffered", "--skip-column-names", "outage"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.stdin.close)
        client.stdin.write(";\n".join((*statements, "SELECT 'ready'")) + ";\n")
        client.stdin.flush()
        while "ready" not in client.stdout.readline():
            pass
        return client


class ServerGone(Outage):
    def test_stopped_in_mid_load_and_started_again(self):
        goes_on = self.begin()
        self.server.stop()
        goes_on.set()
        self.trouble("database 'outage'")
        self.deliver("t/small.csv", SMALL)
        self.running.wait_until(lambda: self.status()["queue"] >= 1, "files were accepted all the same")
        self.restart()
        self.end(rows=ROWS + 10, deliveries=2)

    def test_killed_in_mid_load(self):
        # A new InnoDB survives a kill only from its first shutdown on.
        self.server.stop()
        self.restart()
        goes_on = self.begin()
        self.server.kill()
        goes_on.set()
        self.trouble("database 'outage'")
        self.restart()
        self.end()

    def test_not_there_at_the_start(self):
        self.server.stop()
        self.daemon()
        self.deliver("t/large.csv", LARGE)
        first = self.trouble()["attempts"]
        self.running.wait_until(lambda: self.status()["attempts"] > first, "it tried again")
        self.restart()
        self.end()
        log = self.running.text()
        self.assertLessEqual(log.count("(error 2"), 2, "one line for one trouble, however often it is tried")
        self.assertEqual(log.count("going on"), 1)


class ConnectionCut(Outage):
    """At the byte. `before`, `within` and `after` the COMMIT, whose answer never comes."""

    def cut_at_commit(self, number, send):
        cut = threading.Event()
        seen = 0

        def watch(text):
            nonlocal seen
            seen += text.startswith(b"COMMIT")
            if not text.startswith(b"COMMIT") or seen != number:
                return None
            cut.set()
            return send, lambda: None

        self.proxy.on_statement = watch
        self.daemon()
        self.deliver("t/large.csv", LARGE)
        self.running.wait_until(cut.is_set, "the connection was cut")
        self.end()

    def test_before_the_commit(self):
        self.cut_at_commit(5, 0)

    def test_within_the_commit(self):
        self.cut_at_commit(6, 7)

    def test_after_the_commit_before_its_answer(self):
        self.lose_answer(7, lambda: None)
        self.end()

    def test_a_commit_that_hangs_on_the_server_and_completes_later(self):
        """The client is gone long before: judging must wait for it, and not take the batch for one that never was."""
        hanging = threading.Event()
        lock = None
        seen = 0

        def watch(text):
            nonlocal lock, seen
            seen += text.startswith(b"COMMIT")
            if not text.startswith(b"COMMIT") or seen != 8:
                return None
            lock = self.other_session("FLUSH TABLES WITH READ LOCK")

            def wait():
                wait_until(
                    lambda: any("COMMIT" in (row[7] or "") and "waiting" in (row[6] or "").lower() for row in self.server.execute("SHOW PROCESSLIST")),
                    "the COMMIT hung",
                )
                hanging.set()

            return None, wait

        self.proxy.on_statement = watch
        self.daemon()
        self.deliver("t/large.csv", LARGE)
        self.running.wait_until(hanging.is_set, "the connection was cut while the COMMIT hung")
        lock.stdin.write("UNLOCK TABLES;\n")
        lock.stdin.flush()
        self.end()

    def test_cut_again_and_again(self):
        """At statements of every kind, until the file is through."""
        seen = 0

        def watch(text):
            nonlocal seen
            seen += 1
            return (len(text) // 2, lambda: None) if seen in (20, 45, 71, 98) else None

        self.proxy.on_statement = watch
        self.daemon()
        self.deliver("t/large.csv", LARGE)
        self.end()
        self.assertGreater(seen, 98)


class ServerUnwilling(Outage):
    def test_a_row_lock_that_is_held_too_long(self):
        goes_on = self.begin(b"START TRANSACTION")
        other = self.other_session("BEGIN", "SELECT seq FROM rowsieve_head FOR UPDATE")
        goes_on.set()
        self.trouble("Lock wait timeout")
        other.stdin.write("ROLLBACK;\n")
        other.stdin.flush()
        self.end()

    def test_a_deadlock(self):
        self.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(100))")
        goes_on = self.begin(b"START TRANSACTION")
        # Many changed rows, so that the batch is the cheaper victim.
        other = self.other_session("SET innodb_lock_wait_timeout=100", "BEGIN", f"INSERT INTO t SELECT seq + {ROWS}, 'x' FROM seq_0_to_999", f"INSERT INTO t VALUES ({ROWS - 1}, 'theirs')")
        other.stdin.write("UPDATE rowsieve_head SET epoch = epoch;\nROLLBACK;\n")
        self.query("SET GLOBAL innodb_lock_wait_timeout=100")
        goes_on.set()
        other.stdin.flush()
        self.end()

    def test_a_table_space_that_is_full(self):
        self.server.stop()
        self.options_of_server = ("--innodb-data-file-path=ibdata1:12M:autoextend", "--innodb-file-per-table=0")
        self.restart()
        self.server.stop()
        size = (self.server.directory / "data" / "ibdata1").stat().st_size >> 20
        self.options_of_server = (f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{size + 1}M", "--innodb-file-per-table=0")
        self.restart()
        self.daemon()
        large = csv_text(COLUMNS, [(n, "x" * 2000) for n in range(ROWS)])
        self.deliver("t/large.csv", large)
        self.trouble("full")
        self.server.stop()
        self.options_of_server = ("--innodb-data-file-path=ibdata1:12M:autoextend", "--innodb-file-per-table=0")
        self.restart()
        self.end()

    def test_a_table_altered_under_the_daemon(self):
        """Somebody adds a constraint: the rows that it excludes are rejects, the others are stored."""
        goes_on = self.begin(b"START TRANSACTION", number=10)
        self.query("ALTER TABLE t ADD CONSTRAINT CHECK (id < 1500 OR id % 2 = 0)")
        goes_on.set()
        self.running.wait_until(lambda: [member["status"] for member in self.history()] == ["done"], "the file was done")
        [member] = self.history()
        self.running.stop()
        self.assert_counts(member, rows=ROWS, new=ROWS - 750, rejected=750)
        self.assertEqual(self.rejects(member).read_text().count("(error 4025)"), 750)
        self.assert_ledger_matches("t", ROWS - 750)

    def test_a_table_dropped_under_the_daemon_stops_that_dataset_only(self):
        goes_on = self.begin(b"START TRANSACTION", number=10)
        self.query("DROP TABLE t")
        goes_on.set()
        self.running.wait_until(lambda: "rowsieve rebuild t" in self.running.text(), "the command was named")
        self.deliver("u/small.csv", SMALL)
        self.running.wait_until(lambda: self.table_size("u") == 10, "the other dataset went on")
        self.assertEqual(self.table_size("t"), 0)
        self.assertTrue((self.drop / "t" / "large.csv").exists())
        self.rowsieve("rebuild", "t")
        self.running.stop()
        self.rowsieve("ingest", "--dataset", "t", self.drop / "t" / "large.csv")
        self.assert_ledger_matches("t", ROWS)


class Failover(Outage):
    """The server that answers now lacks batches that the other one had confirmed."""

    def take_back(self, batches):
        """What a replica would hold that is so many batches behind."""
        [(seq,)] = self.query("SELECT max(seq) FROM rowsieve_ledger")
        left = int(seq) - batches
        self.query(
            f"BEGIN; DELETE FROM t WHERE id >= {100 * left}; DELETE FROM rowsieve_ledger WHERE seq > {left};"
            f" UPDATE rowsieve_head h JOIN rowsieve_ledger l ON l.seq = {left} SET h.seq = l.seq, h.batch_id = l.batch_id; COMMIT"
        )

    def test_a_batch_without_an_answer_that_the_replica_lacks_is_read_again(self):
        self.lose_answer(7, lambda: self.take_back(1))
        self.end()

    def test_confirmed_batches_that_the_replica_lacks_stop_the_dataset(self):
        goes_on = self.begin(b"UPDATE rowsieve_head SET seq=")
        self.proxy.down()
        self.take_back(3)
        self.proxy.up()
        goes_on.set()
        self.running.wait_until(lambda: "rowsieve rebuild t" in self.running.text(), "the command was named")
        self.assertIn("is at batch", self.running.text())
        self.running.stop()
        self.rowsieve("rebuild", "t")
        self.rowsieve("ingest", "--dataset", "t", self.drop / "t" / "large.csv")
        self.assert_ledger_matches("t", ROWS)


class Accounts(Outage):
    """A server with accounts: what only they can refuse."""

    accounts = True

    def setUp(self):
        super().setUp()
        self.password = self.write("password", "first\n")
        self.password.chmod(0o600)
        self.server.execute("CREATE USER loader@localhost IDENTIFIED BY 'first'; GRANT ALL ON outage.* TO loader@localhost")
        self.server.execute("CREATE USER loader@127.0.0.1 IDENTIFIED BY 'first'; GRANT ALL ON outage.* TO loader@127.0.0.1")
        self.options += ["-o", "mysql.user=loader", "-o", f"mysql.password_file={self.password}"]

    def test_a_password_that_stops_working(self):
        goes_on = self.begin()
        self.server.execute("ALTER USER loader@localhost IDENTIFIED BY 'second'; ALTER USER loader@127.0.0.1 IDENTIFIED BY 'second'")
        self.proxy.down()
        self.proxy.up()
        goes_on.set()
        status = self.trouble("Access denied")
        self.assertIn("password_file", status["trouble_hint"])
        self.assertNotIn("first", json.dumps(status).replace("first_", ""))
        self.password.write_text("second\n")
        self.end()

    def test_a_server_that_is_read_only(self):
        goes_on = self.begin(b"START TRANSACTION")
        self.server.execute("SET GLOBAL read_only=1")
        goes_on.set()
        self.trouble("read-only")
        self.server.execute("SET GLOBAL read_only=0")
        self.end()


del Outage  # it holds no tests
