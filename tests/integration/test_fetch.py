# SPDX-License-Identifier: Apache-2.0
"""`rowsieve fetch` against a local Kaggle: a newer version, whole, once, and only what changed in it."""

import json
import os
import pty
import re
import select
import subprocess
import threading
import zipfile

from fetch_case import SLUG, FetchCase, table
from kaggle_server import make_zip
from rowsieve_test import DEADLINE, EXIT_CONFIG, EXIT_HELD, EXIT_SINK, EXIT_USAGE, ROOT, parse_objects, wait_until

NAME = "shoot-outs"
# Random enough not to shrink: stretches of an archive that must not be fetched again.
BULK = {f"bulk{number}.csv": bytes((i * i * (number + 7) + (i >> 8) * 31 + (i >> 5)) & 0xFF for i in range(300_000)) for number in range(3)}


class Versions(FetchCase):
    def test_first_fetch_drops_the_whole_archive(self):
        files = {"one.csv": table("1,2"), "two.csv": table("3,4")}
        self.kaggle.publish(SLUG, files)
        report = self.fetch()
        self.assertEqual((report["status"], report["version"], report["former"]), ("fetched", 1, None))
        self.assertEqual(self.dropped(), [f"{NAME}.v1.zip"])
        self.assertEqual(self.members_of(f"{NAME}.v1.zip"), files)
        self.assertEqual(self.kaggle.queries, [{"datasetVersionNumber": "1"}], "the version is pinned")

    def test_nothing_newer_costs_one_request(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        self.fetch()
        before = len(self.kaggle.requests)
        self.assertEqual(self.fetch()["status"], "current")
        self.assertEqual([request[2] for request in self.kaggle.requests[before:]], [f"/api/v1/datasets/view/{SLUG}"])
        self.assertEqual(self.dropped(), [f"{NAME}.v1.zip"])

    def test_next_version_brings_only_its_changed_member(self):
        files = {**BULK, "small.csv": table("1,2")}
        self.kaggle.publish(SLUG, files, stored=BULK)
        self.fetch()
        self.kaggle.publish(SLUG, {**files, "small.csv": table("1,2", "3,4")}, stored=BULK)
        before = self.kaggle.storage_bytes
        report = self.fetch()
        self.assertEqual((report["members"], report["changed"]), (4, 1))
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), {"small.csv": table("1,2", "3,4")})
        self.assertLess(self.kaggle.storage_bytes - before, 128 * 1024)

    def test_what_is_left_out_was_dropped_before_though_never_ingested(self):
        """Three versions and no daemon: together the drops hold the newest of every member."""
        files = {"one.csv": table("1,1"), "two.csv": table("2,2"), "three.csv": table("3,3")}
        found = {}
        for name in (None, "two.csv", "three.csv"):
            if name:
                files[name] += b"9,9\n"
            version = self.kaggle.publish(SLUG, files)
            self.fetch()
            found |= self.members_of(f"{NAME}.v{version}.zip")
        self.assertEqual(found, files)

    def test_version_that_changes_nothing_is_not_dropped(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2"), "two.csv": table("3,4")})
        self.fetch()
        self.kaggle.publish(SLUG, {"two.csv": table("3,4")})
        self.assertEqual(self.fetch()["status"], "unchanged")
        self.assertEqual(self.dropped(), [f"{NAME}.v1.zip"])
        self.assertEqual(self.fetch()["status"], "current")

    def test_all_changed_brings_the_whole_archive_with_its_checksum(self):
        for text in ("1,2", "3,4"):
            self.kaggle.publish(SLUG, {"one.csv": table(text)})
            self.fetch()
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), {"one.csv": table("3,4")})
        self.assertEqual((self.drop / f"{NAME}.v2.zip").read_bytes(), make_zip({"one.csv": table("3,4")}))

    def test_server_without_ranges_gives_the_whole_archive(self):
        files = {"one.csv": table("1,2"), "two.csv": table("3,4")}
        self.kaggle.publish(SLUG, files)
        self.fetch()
        self.kaggle.ranges = False
        files["two.csv"] = table("5,6")
        self.kaggle.publish(SLUG, files)
        self.assertEqual(self.fetch()["status"], "fetched")
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), files)

    def test_skipped_versions_are_no_matter(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2"), "two.csv": table("3,4")})
        self.fetch()
        self.kaggle.publish(SLUG, {"one.csv": table("1,9"), "two.csv": table("3,4")})
        self.kaggle.publish(SLUG, {"one.csv": table("1,9"), "two.csv": table("3,9")})
        self.assertEqual(self.fetch()["former"], 1)
        self.assertEqual(self.members_of(f"{NAME}.v3.zip"), {"one.csv": table("1,9"), "two.csv": table("3,9")})

    def test_version_in_processing_is_announced_and_fetched_later(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        self.kaggle.dataset(SLUG).status = "REPROCESSING"
        report = self.fetch()
        self.assertEqual((report["status"], self.kaggle.count("api", "download")), ("announced", 0))
        self.assertIn("version 1 is announced", report["reason"])
        self.kaggle.dataset(SLUG).status = "Ready"
        self.assertEqual(self.fetch()["status"], "fetched")

    def test_version_that_is_not_found_yet_is_announced_and_fetched_later(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        self.fetch()
        for answer in ((404, {}, b""), (403, {}, b'{"code":403,"message":"Not yet"}')):
            with self.subTest(answer=answer):
                version = self.kaggle.publish(SLUG, {"one.csv": table(str(answer))})
                self.kaggle.download_answers = [answer]
                self.assertEqual(self.fetch()["status"], "announced")
                self.assertEqual((self.fetch()["status"], self.dropped()[-1]), ("fetched", f"{NAME}.v{version}.zip"))

    def test_version_can_be_named_and_is_fetched_once(self):
        for number in range(3):
            self.kaggle.publish(SLUG, {"one.csv": table(f"{number},2")})
        for handle in (f"{SLUG}/2", f"kaggle:{SLUG}/versions/2"):
            self.fetch(handle)
        self.assertEqual(self.dropped(), [f"{NAME}.v2.zip"])
        self.assertEqual(self.kaggle.count("api"), 1)

    def test_data_set_that_was_made_anew_is_fetched_although_it_counts_from_one(self):
        for number in range(2):
            self.kaggle.publish(SLUG, {"one.csv": table(f"{number},2")})
            self.fetch()
        del self.kaggle.datasets[SLUG]
        self.kaggle.dataset("other/one")
        self.kaggle.dataset("other/two")
        self.kaggle.publish(SLUG, {"one.csv": table("new,2")})
        (self.drop / f"{NAME}.v1.zip").unlink()
        self.assertEqual(self.fetch()["status"], "fetched")
        self.assertEqual(self.members_of(f"{NAME}.v1.zip"), {"one.csv": table("new,2")})

    def test_file_of_that_name_is_never_replaced(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        mine = self.write(self.drop / f"{NAME}.v1.zip", "mine")
        report = self.fetch()
        self.assertEqual(report["status"], "waiting")
        self.assertIn(f"waits until '{NAME}.v1.zip' has left", report["reason"])
        self.assertEqual(mine.read_text(), "mine")
        mine.unlink()
        self.assertEqual(self.kaggle_fetch("-o", f"fetch.one.source={SLUG}").returncode, 0)
        self.assertEqual(self.members_of(f"{NAME}.v1.zip"), {"one.csv": table("1,2")})
        self.assertEqual(self.kaggle.count("storage"), 1, "it was not downloaded again")

    def test_where_files_stay_a_taken_name_gets_the_version(self):
        self.options += ["-o", "on_done=keep"]
        for number in range(2):
            self.kaggle.publish(SLUG, {"one.csv": table(f"{number},2")})
            self.fetch_one_file("one.csv")
        self.assertEqual(self.dropped(), ["one.csv", "one.v2.csv"])


class Files(FetchCase):
    def publish_one(self, name, zipped=False):
        self.kaggle.publish(SLUG, {name: table("1,2")})
        if zipped:
            self.kaggle.serve_zipped(SLUG, name)

    def test_single_file_keeps_its_name(self):
        for name in ("one.csv", "Credit card - India.csv", "Страны.csv", "100% (1).csv"):
            with self.subTest(name=name):
                self.publish_one(name)
                self.assertEqual(self.fetch_one_file(name.replace("%", "%25"))["file"], name)
                self.assertEqual((self.drop / name).read_bytes(), table("1,2"))

    def test_name_in_the_form_of_the_official_client_means_the_same_file(self):
        self.publish_one("Credit card.csv")
        self.assertEqual(self.fetch_one_file("Credit%20card.csv")["file"], "Credit card.csv")

    def test_folder_of_a_file_is_left_behind(self):
        self.publish_one("data/2026/one.csv")
        self.assertEqual(self.fetch_one_file("data/2026/one.csv")["file"], "one.csv")

    def test_file_that_arrives_zipped_is_recognised_by_its_bytes(self):
        self.publish_one("data/one.csv", zipped=True)
        self.assertEqual(self.fetch_one_file("data/one.csv")["file"], "one.csv.zip")
        self.assertEqual(self.members_of("one.csv.zip"), {"one.csv": table("1,2")})

    def test_file_that_is_called_zip_and_is_none_is_taken_for_what_it_is(self):
        self.publish_one("one.csv", zipped=True)
        self.kaggle.dataset(SLUG).files[1]["one.csv"].content = table("5,6")
        self.kaggle.dataset(SLUG).files[1]["one.csv"].size = len(table("5,6"))
        self.kaggle.hash_mode = "none"
        self.assertEqual(self.fetch_one_file("one.csv")["file"], "one.csv")

    def test_unknown_file_is_an_error_and_no_announcement(self):
        self.publish_one("one.csv")
        arguments = ("-o", f"fetch.one.source={SLUG}", "-o", "fetch.one.file=other.csv", "one")
        self.fetch_fails(f"'{SLUG}/other.csv'", "404: Not found", "check the name", arguments=arguments)

    def test_name_that_the_daemon_would_never_take_is_refused(self):
        for name in (".hidden.csv", "x.part", "folder/"):
            with self.subTest(name=name):
                done = self.rowsieve("fetch", "-o", f"fetch.one.source={SLUG}", "-o", f"fetch.one.file={name}", status=EXIT_CONFIG)
                self.assert_one_line(done.stderr, "fetch 'one'", name, "never taken")


class Archives(FetchCase):
    def assert_fetched(self, archive, files=None):
        self.kaggle.publish(SLUG, files or {}, archive=archive)
        report = self.fetch()
        self.assertEqual((self.drop / report["file"]).read_bytes(), archive)
        return report

    def test_stored_and_deflated_members_and_a_zip_within(self):
        files = {"plain.csv": table("1,2"), "packed.csv": table("1,2") * 100, "inner.zip": make_zip({"x.csv": b"a\n"})}
        archive = make_zip(files, stored=["plain.csv", "inner.zip"])
        self.assertEqual(self.assert_fetched(archive)["members"], 3)
        self.kaggle.publish(SLUG, {**files, "inner.zip": make_zip({"x.csv": b"b\n"})}, stored=["plain.csv", "inner.zip"])
        self.assertEqual(self.fetch()["changed"], 1)
        self.assertEqual(list(self.members_of(f"{NAME}.v2.zip")), ["inner.zip"])

    def test_names_that_lead_elsewhere_stay_names(self):
        files = {"../../evil.csv": table("1,2"), "/abs.csv": table("1,3"), "a/b/c.csv": table("1,4")}
        self.assert_fetched(make_zip(files))
        self.kaggle.publish(SLUG, {**files, "../../evil.csv": table("6,6")})
        self.fetch()
        daemon = self.daemon()
        daemon.wait_until(lambda: not self.dropped(), "the archives were taken")
        self.assertEqual(self.query("SELECT a, b FROM evil ORDER BY a"), [(1, 2), (6, 6)])
        outside = {path.name for path in self.directory.rglob("*.csv")}
        self.assertEqual(outside, set(), "nothing was unpacked anywhere")

    def test_empty_zip(self):
        self.assertEqual(self.assert_fetched(make_zip({}))["members"], None)

    def test_truncated_zip_is_refused_although_its_checksum_is_right(self):
        whole = make_zip(BULK)
        self.kaggle.publish(SLUG, {}, archive=whole[: len(whole) - 40])
        self.fetch_fails(f"'{SLUG}'", "truncated or damaged zip")

    def test_no_archive_at_all_is_refused(self):
        self.kaggle.publish(SLUG, {}, archive=b"<html>sign in</html>")
        self.fetch_fails(f"'{SLUG}'", "what arrived is no zip archive")

    def test_zip64_is_taken_to_pieces_too(self):
        def archive(text):
            path = self.directory / f"{text}.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
                for name, content in {**BULK, "small.csv": table(text)}.items():
                    with out.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                        member.write(content)
            return wide_end(path.read_bytes())

        self.assert_fetched(archive("1,2"))
        changed = archive("3,4")
        self.kaggle.publish(SLUG, {}, archive=changed)
        report = self.fetch()
        self.assertEqual((report["changed"], report["members"]), (1, 4))
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), {"small.csv": table("3,4")})

    def test_directory_that_lies_is_not_believed(self):
        """The entry says another CRC than the member has: the whole archive is fetched, as it is."""
        files = {"one.csv": table("1,2"), "two.csv": table("3,4"), **BULK}
        self.assert_fetched(make_zip(files), files)
        archive = bytearray(make_zip({**files, "two.csv": table("5,6")}))
        at = archive.rindex(b"two.csv") - 46 + 16
        archive[at] ^= 0xFF
        self.kaggle.publish(SLUG, {}, archive=bytes(archive))
        self.fetch()
        self.assertEqual((self.drop / f"{NAME}.v2.zip").read_bytes(), bytes(archive))


def wide_end(archive):
    """The archive with a zip64 end record, as one of more than 4 GB has it."""
    end = archive.rindex(b"PK\5\6")
    count = int.from_bytes(archive[end + 10 : end + 12], "little")
    length, offset = (int.from_bytes(archive[end + at : end + at + 4], "little") for at in (12, 16))
    number = lambda value, size: value.to_bytes(size, "little")
    record = b"PK\6\6" + number(44, 8) + number(45, 2) * 2 + number(0, 8) + number(count, 8) * 2 + number(length, 8) + number(offset, 8)
    locator = b"PK\6\7" + number(0, 4) + number(end, 8) + number(1, 4)
    return archive[:end] + record + locator + b"PK\5\6" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"


class ForPeople(FetchCase):
    def test_dry_run_says_what_would_be_fetched_and_fetches_nothing(self):
        files = {**BULK, "small.csv": table("1,2")}
        self.kaggle.publish(SLUG, files, stored=BULK)
        report = self.fetch("--dry-run", SLUG)
        size = self.kaggle.dataset(SLUG).archives[1].size
        self.assertEqual((report["status"], report["wanted_bytes"], report["total_bytes"]), ("newer", size, size))
        self.assertLess(self.kaggle.storage_bytes, 1000)
        self.fetch()
        self.kaggle.publish(SLUG, {**files, "small.csv": table("3,4")}, stored=BULK)
        report = self.fetch("--dry-run", SLUG)
        self.assertEqual((report["status"], report["changed"]), ("newer", 1))
        self.assertLess(report["wanted_bytes"], 1000)
        self.assertEqual(self.dropped(), [f"{NAME}.v1.zip"])
        self.assertIn("1 of 4 members", self.rowsieve("fetch", "--dry-run", SLUG).stdout)

    def test_sections_of_the_configuration_are_fetched_when_none_is_named(self):
        path = self.write(
            "rowsieve.conf",
            'unmatched = "create"\n'
            'fetch "one" { source = "kaggle:people/one" every = "6h" }\n'
            'fetch "two" { source = "kaggle:people/two" file = "x y.csv" }\n',
        )
        self.options += ["-c", str(path)]
        self.kaggle.publish("people/one", {"one.csv": table("1,2")})
        self.kaggle.publish("people/two", {"x y.csv": table("1,2")})
        self.rowsieve("fetch")
        self.assertEqual(self.dropped(), ["one.v1.zip", "x y.csv"])

    def test_one_failure_does_not_keep_the_others(self):
        self.options += [part for name in ("absent", "one") for part in ("-o", f"fetch.{name}.source=people/{name}")]
        self.kaggle.publish("people/one", {"one.csv": table("1,2")})
        done = self.rowsieve("fetch", status=1)
        self.assert_one_line(done.stderr, "'people/absent'", "404")
        self.assertEqual(self.dropped(), ["one.v1.zip"])

    def test_wrong_usage_and_configuration(self):
        for arguments, status, parts in (
            ((), EXIT_USAGE, ["nothing to fetch", "owner/slug"]),
            (("nonsense",), EXIT_USAGE, ["'nonsense'", "owner/slug"]),
            (("a/b/c",), EXIT_USAGE, ["'a/b/c'"]),
            (("../b",), EXIT_USAGE, ["'../b'"]),
            (("-o", "fetch.x.every=1h"), EXIT_CONFIG, ["fetch 'x' has no source"]),
            (("-o", "fetch.x.source=nonsense"), EXIT_CONFIG, ["fetch 'x'", "kaggle:owner/slug"]),
            (("-o", "fetch.x.nonsense=1"), EXIT_CONFIG, ["no such key"]),
            (("-o", "kaggle.endpoint=http://example.org", SLUG), EXIT_CONFIG, ["must be https"]),
            (("-o", "kaggle.endpoint=https://example.org/x", SLUG), EXIT_CONFIG, ["https://host"]),
        ):
            with self.subTest(arguments=arguments):
                self.assert_one_line(self.rowsieve("fetch", *arguments, status=status).stderr, *parts)
        self.assertEqual(self.kaggle.requests, [])

    def test_check_finds_what_is_wrong_without_asking_anybody(self):
        options = ["-o", f"fetch.x.source={SLUG}"]
        self.assertIn("ok     fetch      1 data sets of Kaggle", self.rowsieve("check", *options).stdout)
        for wrong in (["-o", "fetch.x.source=nonsense"], [*options, "-o", "kaggle.endpoint=http://example.org"]):
            self.assertIn("FAILED fetch", self.rowsieve("check", *wrong, status=EXIT_CONFIG).stdout)
        self.write(self.home / ".kaggle" / "kaggle.json", "{")
        self.assertIn("kaggle.json': not a JSON object", self.rowsieve("check", *options, status=EXIT_CONFIG).stdout)
        self.assertEqual(self.kaggle.requests, [])

    def status_of_fetch(self):
        [status] = parse_objects(self.rowsieve("status", "--json").stdout)
        [fetch] = status["fetches"]
        return fetch

    def test_status_shows_version_time_and_outcome_while_the_daemon_runs_and_when_not(self):
        self.options += ["-o", "unmatched=create"]
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        self.fetch()
        for running in (False, True):
            with self.subTest(running=running):
                if running:
                    self.daemon()
                fetch = self.status_of_fetch()
                self.assertEqual((fetch["source"], fetch["version"], fetch["outcome"]), (SLUG, 1, "fetched"))
                self.assertRegex(fetch["fetched"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.assertIn(f"{SLUG}: version 1 of {fetch['fetched']}", self.rowsieve("status").stdout)
        # And a fetch works while the daemon holds the state.
        self.kaggle.publish(SLUG, {"one.csv": table("3,4")})
        self.assertEqual(self.fetch()["status"], "fetched")
        self.running.wait_until(lambda: self.table_size("one") == 2, "both versions were taken")
        self.kaggle.view_answers = [(403, {}, b'{"code":403,"message":"No more"}')]
        self.fetch(status=1)
        fetch = self.status_of_fetch()
        self.assertEqual((fetch["version"], fetch["outcome"], fetch["message"]), (2, "failed", "refused with 403: No more"))

    def test_progress_is_drawn_on_a_terminal_only(self):
        self.kaggle.publish(SLUG, BULK, stored=BULK)
        self.assertEqual(self.rowsieve("fetch", SLUG).stderr, "")
        self.kaggle.publish(SLUG, {name: content[::-1] for name, content in BULK.items()}, stored=BULK)
        self.kaggle.piece, self.kaggle.drip = 32 * 1024, 0.02
        try:
            ours, theirs = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal to draw on: {error}")
        process = self.start("fetch", SLUG, stderr=theirs, stdout=subprocess.DEVNULL)
        text = b""
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                text += os.read(ours, 4096)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(text.decode(), re.escape(SLUG) + r" +\[#+ *\] +\d+ %  \d+\.\d MB/s  \d+ s left")


class Companion(FetchCase):
    def setUp(self):
        super().setUp()
        self.options += ["-o", f"fetch.one.source=kaggle:{SLUG}", "-o", "fetch.one.every=6h"]
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})

    def test_says_nothing_and_asks_only_what_is_due(self):
        for _ in range(3):
            done = self.kaggle_fetch()
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(self.dropped(), [f"{NAME}.v1.zip"])
        self.assertEqual(self.kaggle.count("api", "view"), 1)
        logbook = self.data / "state" / "fetch" / f"{SLUG.replace('/', '+')}.json"
        known = json.loads(logbook.read_text())
        logbook.write_text(json.dumps({**known, "next": known["asked"] - 1}))
        self.kaggle_fetch()
        self.assertEqual(self.kaggle.count("api", "view"), 2)

    def test_says_what_fails(self):
        self.kaggle.view_answers = [(404, {}, b"")]
        done = self.kaggle_fetch()
        self.assertEqual(done.returncode, 1)
        self.assert_one_line(done.stderr, f"'{SLUG}'", "404: not found")
        self.assertEqual(self.kaggle_fetch().returncode, 0, "it is not tried again at once")

    def test_a_second_one_leaves_the_first_alone(self):
        self.kaggle.gate, self.kaggle.piece = threading.Event(), 10
        first = self.start("fetch", SLUG, stdout=subprocess.DEVNULL)
        wait_until(lambda: self.kaggle.count("storage"), "the first one downloads")
        self.assertEqual(self.kaggle_fetch().returncode, 0)
        report = self.fetch(status=EXIT_HELD)
        self.assert_one_line(report["said"], "another fetch of it is at work")
        self.kaggle.gate.set()
        self.assertEqual(first.wait(DEADLINE), 0)
        self.assertEqual((self.kaggle.count("api", "view"), self.dropped()), (1, [f"{NAME}.v1.zip"]))

    def test_without_the_program_it_says_so(self):
        script = self.write("kaggle-fetch", (ROOT / "scripts" / "kaggle-fetch").read_bytes())
        done = subprocess.run(["sh", script, SLUG], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, EXIT_SINK)
        self.assertIn("no rowsieve to run", done.stderr)

