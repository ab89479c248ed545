# SPDX-License-Identifier: Apache-2.0
"""What is kept of deliveries: every object exactly there, whatever becomes of the store, and the table untouched by it."""

import atexit
import csv
import fcntl
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import unittest

from rowsieve_test import DEEP, Case, LedgerChecks, SqliteSink, csv_text, need_tool, parse_objects, wait_until
from s3_store import Swift, Way, keeps_attributes, keys_in_environment, s3_options, swift_installed

HEADER = ("n", "text", "day")


def rows_of(text):
    """The records of a segment, as a CSV reader gives them."""
    return list(csv.reader(io.StringIO(text)))


class LocalStore:
    """Mixin for a Case: objects in data/backup."""

    def objects(self):
        backup = self.data / "backup"
        return {str(path.relative_to(backup)): path.read_bytes() for path in backup.rglob("*") if path.is_file()}


class S3Store:
    """Mixin for a Case: one server for the whole run, a bucket for each test."""

    server_type = Swift
    servers = {}
    buckets = 0

    @classmethod
    def need_server(cls):
        need_tool("Swift", swift_installed())
        if not keeps_attributes():
            raise unittest.SkipTest("no extended attributes below TMPDIR, which Swift needs")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.need_server()
        if cls.server_type not in S3Store.servers:
            server = S3Store.servers[cls.server_type] = cls.server_type()
            atexit.register(server.close)
            server.start()
        cls.shared_server = S3Store.servers[cls.server_type]

    def setUp(self):
        super().setUp()
        S3Store.buckets += 1
        self.bucket = f"bucket{S3Store.buckets}"
        self.s3 = self.shared_server.client()
        self.s3.create_bucket(self.bucket)
        self.options += s3_options(self.shared_server.port, self.bucket, prefix="base/test")
        old = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(old)))
        os.environ.update(keys_in_environment({"HOME": str(self.directory)}))

    def objects(self):
        prefix = "base/test/"
        return {key.removeprefix(prefix): self.s3.get(self.bucket, key) for key in self.s3.list(self.bucket)}


class StoreChecks(LedgerChecks):
    """Mixin for a Case with a sink and a store: what must hold of the store when nothing is owed."""

    def outbox(self):
        return parse_objects(self.rowsieve("status", "--json").stdout)[0]["outbox"]

    def of_kind(self, objects, kind, dataset="k"):
        return {name: body for name, body in objects.items() if name.startswith(f"{dataset}/{kind}/")}

    def assert_segments_are_the_table(self, objects, table="k"):
        """One object for each batch of the ledger, in whose order they hold exactly the table's rows."""
        segments = self.of_kind(objects, "rows", table)
        batches = self.query(f"SELECT seq, batch_id FROM rowsieve_ledger WHERE table_name = '{table}'")
        expected = {f"{int(seq):010d}-{batch_id}.csv.gz" for seq, batch_id in batches}
        self.assertEqual({name.rpartition("/")[2] for name in segments}, expected)
        stored = []
        for _, body in sorted(segments.items()):
            records = rows_of(gzip.decompress(body).decode())
            self.assertEqual(records[0], list(HEADER))
            stored += map(tuple, records[1:])
        table_rows = [tuple(map(str, row)) for row in self.query(f"SELECT n, text, day FROM {table}")]
        self.assertEqual(sorted(stored), sorted(table_rows))

    def assert_manifests_tell_it(self, objects, deliveries, table="k"):
        """One manifest for each delivery; what they name is there, byte for byte, and nothing else is."""
        manifests = [json.loads(body) for body in self.of_kind(objects, "manifest", table).values()]
        self.assertEqual({manifest["delivery"] for manifest in manifests}, set(deliveries))
        named = set()
        for manifest in manifests:
            for entry in manifest["objects"]:
                body = objects[entry["object"]]
                self.assertEqual((len(body), hashlib.sha256(body).hexdigest()), (entry["bytes"], entry["sha256"]))
                named.add(entry["object"])
            for member in manifest["members"]:
                self.assert_balanced(member)
        kept = {name for kind in ("rows", "raw") for name in self.of_kind(objects, kind, table)}
        self.assertEqual(named, kept)

    def assert_spool_is_empty(self):
        self.assertEqual(list((self.data / "state" / "spool").iterdir()), [])
        self.assertEqual(self.outbox()["owed"], 0)


class ExactStoreTests(StoreChecks):
    """Growing deliveries, several at once, one rejected, one without anything new."""

    def test_every_object_is_exactly_there(self):
        self.options += ["-o", "batch.rows=100"]
        contents, deliveries = {}, set()
        for number in range(4):
            rows = [(n, f'a "quoted" {n}, text', f"2026-01-{1 + n % 28:02d}") for n in range(50 + 120 * number)]
            text = io.StringIO()
            csv.writer(text).writerows([HEADER, *rows])
            path = self.write(f"f {number}.csv", text.getvalue())
            (report,) = self.ingest(path, dataset="k")
            deliveries.add(report["delivery"])
            contents[report["delivery"]] = path.read_bytes()
        objects = self.objects()
        self.assert_segments_are_the_table(objects)
        self.assert_manifests_tell_it(objects, deliveries)
        raw = {name.rpartition("/")[2]: body for name, body in self.of_kind(objects, "raw").items()}
        expected = {f"{delivery}-f_{number}.csv": body for number, (delivery, body) in enumerate(contents.items())}
        self.assertEqual(raw, expected if self.keeps_raw else {})
        self.assert_spool_is_empty()


    def test_a_delivery_that_waits_for_others_is_stored_once(self):
        """The second file's new column settles what was read before, while the first is still under way."""
        text = csv_text(HEADER, [(n, f"text {n}", "2026-01-01") for n in range(30)])
        more = csv_text((*HEADER, "added"), [(n, f"text {n}", "2026-01-01", "x") for n in range(30, 60)])
        for name, content in (("a.csv", text), ("b.csv", more)):
            path = self.deliver(f"k/{name}", content)
            os.utime(path, (1, 1))
        daemon = self.daemon("-o", "batch.wait=1s")
        daemon.wait_until(lambda: len(list(self.done.iterdir())) == 2 and self.outbox()["owed"] == 0, "both were stored")
        self.assertEqual(daemon.stop(), 0)
        objects = self.objects()
        self.assertEqual(len(self.of_kind(objects, "raw")), 2 if self.keeps_raw else 0)
        self.assert_manifests_tell_it(objects, {report["delivery"] for report in self.history()})
        self.assert_spool_is_empty()


class ExactLocalStore(ExactStoreTests, LocalStore, SqliteSink, Case):
    keeps_raw = False


class ExactLocalStoreWithRaw(ExactStoreTests, LocalStore, SqliteSink, Case):
    keeps_raw = True

    def setUp(self):
        super().setUp()
        self.options += ["-o", "backup.raw=true"]


class ExactSwift(ExactStoreTests, S3Store, SqliteSink, Case):
    keeps_raw = True


class ExactSwiftVirtual(ExactStoreTests, S3Store, SqliteSink, Case):
    """The bucket as a part of the host's name, which Swift takes below its own."""

    keeps_raw = True

    def setUp(self):
        super().setUp()
        self.options += ["-o", f"s3.endpoint=http://s3.localhost:{self.shared_server.port}"]


class BesideTheReading(StoreChecks, LocalStore, SqliteSink, Case):
    def test_ingest_stores_while_it_reads(self):
        """A command that cannot go on, because nobody takes what it prints, stores what it has read before."""
        files = [self.write(f"f{n}.csv", csv_text(HEADER, [(n, f"text {n}", "2026-01-01")])) for n in range(40)]
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        process = self.start("ingest", "--json", "--dataset", "k", *files, stdout=write_end)
        os.close(write_end)
        with open(read_end) as printed:
            wait_until(lambda: list((self.data / "backup" / "k" / "manifest").rglob("*.json")), "a delivery was stored")
            self.assertLess(self.table_size("k"), len(files))
            reports = parse_objects(printed.read())
        self.assertEqual(process.wait(), 0)
        self.assertEqual(len(reports), len(files))
        objects = self.objects()
        self.assert_segments_are_the_table(objects)
        self.assert_manifests_tell_it(objects, {report["delivery"] for report in reports})
        self.assert_spool_is_empty()


class StoreCommandTests(StoreChecks):
    """verify --store and restore."""

    def fill(self):
        self.options += ["-o", "batch.rows=100"]
        rows = [(n, "" if n % 7 else f"text {n}", f"2026-01-{1 + n % 28:02d}") for n in range(700)]
        for count in (250, 700):
            self.ingest(self.write(f"f{count}.csv", csv_text(HEADER, rows[:count])), dataset="k")

    def verify(self, status):
        done = self.rowsieve("verify", "--json", "--store", "k", status=status)
        return parse_objects(done.stdout)[1]

    def test_verify_says_what_the_store_has_lost(self):
        self.fill()
        report = self.verify(0)
        objects = self.objects()
        kept = sum(len(self.of_kind(objects, kind)) for kind in ("rows", "raw"))
        self.assertEqual((report["manifests"], report["objects"], report["missing"], report["different"], report["unnamed"]),
                         (2, kept, 0, 0, 0))  # fmt: skip
        names = sorted(self.of_kind(objects, "rows"))
        self.remove(names[0])
        self.replace(names[1], objects[names[1]] + b"x")
        report = self.verify(1)
        self.assertEqual((report["missing"], report["different"]), (1, 1))
        self.assertIn(names[0], report["problem"])

    def test_restore_brings_table_and_ledger_back(self):
        self.fill()
        queries = ("SELECT n, text, day FROM k ORDER BY n", "SELECT seq, batch_id, row_count FROM rowsieve_ledger ORDER BY seq")
        before = [self.query(sql) for sql in queries]
        self.lose_everything_but_the_store()
        self.rowsieve("restore", "k")
        self.assertEqual([self.query(sql) for sql in queries], before)
        (report,) = self.ingest(self.directory / "f700.csv", dataset="k")
        self.assert_counts(report, duplicate=700)
        self.assertIn('"present":8', self.rowsieve("restore", "--json", "k").stdout.replace(" ", ""))
        self.verify(0)

    def test_restore_that_was_cut_off_goes_on(self):
        self.fill()
        before = self.query("SELECT n, text, day FROM k ORDER BY n")
        self.lose_everything_but_the_store()
        spoiled = sorted(self.of_kind(self.objects(), "rows"))[4]
        body = self.objects()[spoiled]
        self.replace(spoiled, body[:50])
        self.assertNotEqual(self.rowsieve("restore", "k", status=1).stderr, "")
        self.assertIn(self.table_size("k"), range(1, 700))
        self.replace(spoiled, body)
        self.rowsieve("restore", "k")
        self.assertEqual(self.query("SELECT n, text, day FROM k ORDER BY n"), before)

    def test_restore_does_not_touch_a_table_with_other_rows(self):
        self.fill()
        self.lose_everything_but_the_store()
        self.ingest(self.write("other.csv", csv_text(HEADER, [(1, "other", "2026-01-01")])), dataset="k")
        done = self.rowsieve("restore", "k", status=1)
        self.assert_one_line(done.stderr, "table 'k' holds 1 rows", "rowsieve rebuild k")
        self.assertEqual(self.table_size("k"), 1)


class LocalStoreCommands(StoreCommandTests, LocalStore, SqliteSink, Case):
    def remove(self, name):
        (self.data / "backup" / name).unlink()

    def replace(self, name, body):
        path = self.data / "backup" / name
        path.unlink()
        path.write_bytes(body)

    def lose_everything_but_the_store(self):
        (self.data / "backup").rename(self.directory / "backup")
        shutil.rmtree(self.data)
        self.data.mkdir()
        (self.directory / "backup").rename(self.data / "backup")


class SwiftStoreCommands(StoreCommandTests, S3Store, SqliteSink, Case):
    def remove(self, name):
        self.s3.delete(self.bucket, f"base/test/{name}")

    def replace(self, name, body):
        self.s3.put(self.bucket, f"base/test/{name}", body)

    def lose_everything_but_the_store(self):
        shutil.rmtree(self.data)


class TroubledStore(StoreChecks, S3Store, SqliteSink, Case):
    """Deliveries through a store that is killed, cut off, slow, busy and full at random."""

    DELIVERIES = 10000 if DEEP else 500

    def setUp(self):
        super().setUp()
        self.random = random.Random(20260505)
        self.server = self.server_type().start()
        self.addCleanup(self.server.close)
        self.s3 = self.server.client()
        self.s3.create_bucket(self.bucket)
        self.way = Way(self.server.port, self.random)
        self.addCleanup(self.way.close)
        self.options += s3_options(self.way.port, self.bucket, prefix="base/test")

    def disturb(self):
        if self.random.randrange(12) == 0:
            self.server.kill()
            self.server.start()
        self.way.mode = self.random.choice(("open", "open", "cut", "slow", "busy", "full"))

    def content(self, number):
        rows = [(n, f"text {n}", "2026-02-03") for n in self.random.sample(range(40 * self.DELIVERIES), 30)]
        return csv_text(HEADER, rows)

    def test_every_object_is_there_and_nothing_else(self):
        contents = {f"f{number}.csv": self.content(number) for number in range(self.DELIVERIES)}
        daemon = self.daemon("-o", "batch.rows=1000", "-o", "batch.wait=0")
        kills = 0
        names = list(contents)
        while names:
            for name in names[:20]:
                self.deliver(f"k/{name}", contents[name])
            names = names[20:]
            self.disturb()
            if self.random.randrange(6) == 0:
                daemon.kill()
                kills += 1
                daemon = self.daemon("-o", "batch.rows=1000", "-o", "batch.wait=0")
        self.assertGreater(kills, 0)
        daemon.wait_until(lambda: len(list(self.done.iterdir())) == self.DELIVERIES, "every row was on its way to the table")
        self.way.mode = "open"
        # A daemon that was just started does not wait before it asks the store.
        self.assertEqual(daemon.stop(), 0)
        daemon = self.daemon()
        daemon.wait_until(lambda: self.outbox()["owed"] == 0, "nothing was owed")
        self.assertEqual(daemon.stop(), 0)
        objects = self.objects()
        self.assert_segments_are_the_table(objects)
        reports = self.history()
        self.assert_manifests_tell_it(objects, {report["delivery"] for report in reports})
        raw = {name.rpartition("/")[2].partition("-")[2]: body.decode() for name, body in self.of_kind(objects, "raw").items()}
        self.assertEqual(raw, contents)
        self.assertEqual(self.s3.uploads(self.bucket), [])
        self.assert_spool_is_empty()
