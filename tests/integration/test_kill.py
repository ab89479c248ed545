# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments: no row is lost, none is stored twice, and the ledger says the same."""

import csv
import random
import subprocess
import time

from rowsieve_test import DEADLINE, DEEP, Case, LedgerChecks, MysqlSink, SqliteSink, csv_text

KILLS = 150 if DEEP else 15
ROWS = 6000
GROWTH = 400


class KillTests(LedgerChecks):
    """A growing snapshot, ingested again and again, killed each time; each version also corrects some rows."""

    def setUp(self):
        super().setUp()
        self.options += ["-o", "batch.rows=200"]
        self.random = random.Random(20260101)

    def version(self, number):
        rows = [(index, f"text {index}", "same") for index in range(ROWS + number * GROWTH)]
        for _ in range(50):
            index = self.random.randrange(ROWS)
            rows[index] = (index, f"text {index}", f"corrected in {number}")
        self.random.shuffle(rows)
        return rows

    def ingest_files(self, files):
        return self.start("ingest", "--dataset", "k", *files, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def run_and_kill(self, files, longest):
        """True when the program was killed before its end."""
        process = self.ingest_files(files)
        try:
            process.wait(timeout=self.random.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.kill()
        error = process.communicate()[1]
        self.assertIn(process.returncode, (0, -9), error)
        return process.returncode == -9

    def run_to_the_end(self, files):
        process = self.ingest_files(files)
        error = process.communicate(timeout=DEADLINE)[1]
        self.assertEqual(process.returncode, 0, error)

    def assert_table_is(self, expected):
        found = [tuple(map(str, row)) for row in self.query("SELECT n, text, note FROM k")]
        self.assertEqual(len(found), len(set(found)), "no row is stored twice")
        self.assertEqual(set(found), expected, "no row is lost, none invented")
        self.assert_ledger_matches("k", len(expected))

    def version_in_order(self, number):
        """Bytes of many batches: lines that are none in the first third, and chunks that were there before behind it."""
        lines, ragged = ["n,text,note"], []
        for index in range(ROWS):
            if index == ROWS // 2:
                lines += [f"{(added + 1) * 10 * ROWS},added,in {added}" for added in range(number * GROWTH)]
            lines.append(f"{index},text {index},{'x' * (index % 40)}")
            if index < ROWS // 3 and index % 97 == 5:
                ragged.append(f"ragged {index}")
                lines.append(ragged[-1])
        return lines, ragged

    def test_killed_within_a_file_of_many_batches(self):
        known, longest, all_kills = 0, 0.0, 0
        for number in range(KILLS // 5 + 1):
            lines, ragged = self.version_in_order(number)
            path = self.write(f"one{number}.csv", "\n".join(lines) + "\n")
            began, kills = time.monotonic(), 0
            while number > 0 and kills < 5 and self.run_and_kill([path], longest):
                kills += 1
            self.run_to_the_end([path])
            longest = longest or time.monotonic() - began
            all_kills += kills
            report = next(report for report in self.history() if report["file"] == str(path) and report["status"] == "done")
            rows = ROWS + number * GROWTH
            self.assert_counts(report, new=rows - known, duplicate=known, rejected=len(ragged))
            with open(self.rejects(report), encoding="utf-8", newline="") as file:
                self.assertEqual([row["record"] for row in csv.DictReader(file)], ragged)
            self.assert_ledger_matches("k", rows)
            known = rows
        self.assertGreater(all_kills, 0)

    def test_killed_ingests_leave_an_exact_table(self):
        expected, files, kills, number, longest = set(), [], 0, 0, 0.0
        while kills < KILLS:
            rows = self.version(number % 20)
            files.append(self.write(f"v{number}.csv", csv_text(("n", "text", "note"), rows)))
            expected |= {tuple(map(str, row)) for row in rows}
            began = time.monotonic()
            if number % 5 == 0:
                self.run_to_the_end(files[-3:])
                longest = max(longest, time.monotonic() - began)
                self.assert_ledger_matches("k", self.table_size("k"))
            else:
                kills += self.run_and_kill(files[-3:], longest)
            number += 1
            self.assertLess(number, 10 * KILLS, "the program ends before it can be killed")
        self.run_to_the_end(files)
        self.assert_table_is(expected)
        self.run_to_the_end(files)
        self.assert_table_is(expected)


class KilledIntoSqlite(KillTests, SqliteSink, Case):
    pass


class KilledIntoMariaDB(KillTests, MysqlSink, Case):
    pass


class KilledDaemon(LedgerChecks, SqliteSink, Case):
    """The daemon also moves files: each must end in done/ exactly once, whole."""

    # More than the daemon takes before the last kill.
    FILES = 8 * KILLS

    def test_killed_daemon_goes_on_with_every_file(self):
        self.options += ["-o", "batch.rows=50", "-o", "settle=20ms"]
        rand = random.Random(7)
        contents = {}
        for number in range(self.FILES):
            rows = [(index, f"x{index}") for index in rand.sample(range(3000), 300)]
            contents[f"f{number}.csv"] = csv_text(("n", "text"), rows) + ("ragged\n" if number % 7 == 0 else "")
            self.deliver(f"k/f{number}.csv", contents[f"f{number}.csv"])
        self.write("rowsieve.conf", 'dataset "k" {\n\tfiles = { "f*.csv" }\n}\n')
        self.options += ["-c", str(self.directory / "rowsieve.conf")]
        for _ in range(KILLS):
            daemon = self.daemon()
            left = len(self.waiting())
            moment = time.monotonic() + rand.uniform(0, 0.3)
            daemon.wait_until(lambda: time.monotonic() > moment or len(self.waiting()) < left - 5, "the moment to kill came")
            daemon.kill()
        daemon = self.daemon()
        daemon.wait_until(lambda: not self.waiting(), "every file was taken")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual({path.name: path.read_text() for path in self.done.iterdir()}, contents)
        self.assert_accounts(contents)

    def waiting(self):
        return list((self.drop / "k").iterdir())

    def assert_accounts(self, contents):
        lines = [line for content in contents.values() for line in content.splitlines()[1:]]
        distinct = {line for line in lines if line != "ragged"}
        self.assert_ledger_matches("k", len(distinct))
        found = [f"{n},{text}" for n, text in self.query("SELECT n, text FROM k")]
        self.assertEqual(sorted(found), sorted(distinct))
        done = [report for report in self.history() if report["status"] == "done"]
        self.assertEqual(len(done), self.FILES)
        self.assertEqual(sum(report["rows"] for report in done), len(lines))
        self.assertEqual(sum(report["new"] for report in done), len(distinct))
        for report in done:
            self.assert_balanced(report)
            kept = self.rejects(report).read_text().splitlines()[1:] if report["rejected"] else []
            self.assertEqual(len(kept), report["rejected"])
