# SPDX-License-Identifier: Apache-2.0
"""What `rowsieve fetch` makes of servers that refuse, break, lie, and ask for patience."""

import email.utils
import json
import os
import shutil
import subprocess
import time
import unittest.mock

from fetch_case import SLUG, FetchCase, table
from kaggle_server import make_zip
from rowsieve_test import EXIT_CONFIG, EXIT_SINK, need_tool

NAME = "shoot-outs"
# Does not shrink: 600 kB on the wire.
NOISE = bytes((i * i * 7 + (i >> 8) * 31 + (i >> 5)) & 0xFF for i in range(300_000))
FILES = {"one.csv": NOISE, "two.csv": NOISE[::-1]}


class Transfers(FetchCase):
    def setUp(self):
        super().setUp()
        self.archive = make_zip(FILES, stored=FILES)
        self.kaggle.publish(SLUG, FILES, stored=FILES)

    def assert_fetched(self):
        report = self.fetch()
        self.assertEqual(report["status"], "fetched", report)
        self.assertEqual((self.drop / f"{NAME}.v1.zip").read_bytes(), self.archive)
        return report

    def ranges(self):
        return [request[3].get("Range") for request in self.kaggle.requests if request[0] == "storage"]

    def test_right_checksums_of_every_form(self):
        for mode in ("right", "crc32c", "both", "two lines", "none"):
            with self.subTest(mode=mode):
                self.kaggle.hash_mode = mode
                name = f"{SLUG}-{mode.replace(' ', '-')}"
                self.kaggle.publish(name, {"one.csv": table("1,2")})
                self.assertEqual(self.fetch(name)["status"], "fetched")

    def test_wrong_checksum_drops_nothing(self):
        self.kaggle.publish("small/one", {"one.csv": table("1,2")})
        for mode, word in (("wrong", "MD5"), ("wrong crc32c", "CRC32C")):
            with self.subTest(mode=mode):
                self.kaggle.hash_mode = mode
                self.fetch_fails("'small/one'", f"does not have the {word}", arguments=["small/one"])
                self.assertEqual(list((self.drop / ".fetch").iterdir()), [], "what is wrong is not gone on from")

    def test_connection_that_breaks_again_and_again_is_taken_up_where_it_was(self):
        self.kaggle.cuts = [100_000, 50_000, 1, 200_000]
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, "bytes=100000-", "bytes=150000-", "bytes=150001-", "bytes=350001-"])

    def test_chunked_body_without_length(self):
        self.kaggle.has_length = False
        self.assert_fetched()

    def test_chunked_body_that_breaks(self):
        self.kaggle.has_length = False
        self.kaggle.cuts = [123_456]
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, "bytes=123456-"])

    def test_object_without_any_mark_is_read_from_the_beginning_again(self):
        self.kaggle.has_marks, self.kaggle.hash_mode = False, "none"
        self.kaggle.cuts = [123_456]
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, None])

    def test_server_that_ignores_the_range_of_a_resume_starts_again(self):
        self.kaggle.ranges = False
        self.kaggle.cuts = [123_456]
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, "bytes=123456-"])

    def test_expired_signature_is_asked_for_again(self):
        for expire in (1, 2):
            with self.subTest(expire=expire):
                self.kaggle.expire = expire
                self.kaggle.publish(f"{SLUG}-{expire}", {"one.csv": table("1,2")})
                self.assertEqual(self.fetch(f"{SLUG}-{expire}")["status"], "fetched")

    def test_signature_that_expires_in_the_middle(self):
        self.kaggle.cuts = [123_456]
        self.kaggle.on_storage_request = lambda: self.kaggle.count("storage") == 2 and self.kaggle.signatures.clear()
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, "bytes=123456-", "bytes=123456-"])
        self.assertEqual(self.kaggle.count("api", "download"), 2)

    def test_signature_that_is_never_right_fails_without_showing_it(self):
        self.fetch()
        self.kaggle.publish(SLUG, FILES | {"three.csv": NOISE})
        self.kaggle.on_storage_request = self.kaggle.signatures.clear
        report = self.fetch_fails("refused with 403: SignatureDoesNotMatch")
        self.assertNotIn("X-Goog", json.dumps(report) + self.logbook())

    def logbook(self):
        return (self.data / "state" / "fetch" / f"{SLUG.replace('/', '+')}.json").read_text()

    def test_storage_in_trouble_is_tried_again(self):
        self.kaggle.statuses = [(500, {}), (503, {"Retry-After": "0"}), (502, {})]
        self.assert_fetched()

    def test_storage_in_lasting_trouble_is_left_alone(self):
        self.kaggle.statuses = [(503, {})] * 20
        self.fetch_fails(f"'{SLUG}'", "refused with 503", status=EXIT_SINK)
        self.assertEqual(self.kaggle.count("storage"), 6)

    def test_slow_drip_arrives(self):
        self.kaggle.publish("small/one", {"one.csv": table("1,2")})
        self.kaggle.piece, self.kaggle.drip = 20, 0.02
        self.assertEqual(self.fetch("small/one")["status"], "fetched")

    def test_object_that_is_replaced_between_two_requests_is_never_mixed(self):
        self.kaggle.cuts = [123_456]
        other = make_zip({"one.csv": NOISE[1000:], "two.csv": NOISE[:-5]}, stored=FILES)

        def replace():
            if self.kaggle.count("storage") == 2:
                blob = self.kaggle.dataset(SLUG).archives[1]
                blob.__init__(other, blob.name)

        self.kaggle.on_storage_request = replace
        self.assertEqual(self.fetch()["status"], "fetched")
        self.assertEqual((self.drop / f"{NAME}.v1.zip").read_bytes(), other)

    def test_object_that_is_replaced_while_its_members_are_chosen_is_never_mixed(self):
        self.fetch()
        first = {"one.csv": NOISE, "two.csv": NOISE[5:]}
        self.kaggle.publish(SLUG, first, stored=FILES)
        other = make_zip({"one.csv": NOISE, "two.csv": NOISE[7:], "three.csv": NOISE}, stored=FILES)
        before = self.kaggle.count("storage")

        def replace():
            if self.kaggle.count("storage") == before + 3:
                blob = self.kaggle.dataset(SLUG).archives[2]
                blob.__init__(other, blob.name)

        self.kaggle.on_storage_request = replace
        self.fetch()
        self.assertEqual((self.drop / f"{NAME}.v2.zip").read_bytes(), other)

    def test_interrupted_download_is_gone_on_from(self):
        self.kaggle.piece, self.kaggle.drip = 10_000, 0.01
        self.interrupted_fetch(lambda: self.has_part(100_000))
        self.assertEqual(self.dropped(), [])
        size = self.part().stat().st_size
        self.kaggle.drip = 0
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, f"bytes={size}-"])

    def has_part(self, size):
        parts = list((self.drop / ".fetch").glob("*.part"))
        return bool(parts) and parts[0].stat().st_size > size

    def test_interrupted_download_whose_bytes_were_lost_is_found_out(self):
        """As a power cut leaves it: the right length, the wrong bytes."""
        self.kaggle.piece, self.kaggle.drip = 10_000, 0.01
        self.interrupted_fetch(lambda: self.has_part(100_000))
        size = self.part().stat().st_size
        self.part().write_bytes(b"\0" * size)
        self.kaggle.drip = 0
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, f"bytes={size}-", None])

    def test_interrupted_download_without_checksum_begins_again(self):
        self.kaggle.hash_mode = "none"
        self.kaggle.piece, self.kaggle.drip = 10_000, 0.01
        self.interrupted_fetch(lambda: self.has_part(100_000))
        self.kaggle.drip = 0
        self.assert_fetched()
        self.assertEqual(self.ranges(), [None, None])

    def test_interrupted_download_of_an_older_version_is_forgotten(self):
        self.kaggle.piece, self.kaggle.drip = 10_000, 0.01
        self.interrupted_fetch(lambda: self.has_part(100_000))
        self.kaggle.drip = 0
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        self.fetch()
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), {"one.csv": table("1,2")})

    def test_complete_part_is_answered_with_416_and_done(self):
        self.kaggle.piece, self.kaggle.drip = 10_000, 0.005
        self.interrupted_fetch(lambda: self.has_part(100_000))
        self.kaggle.drip = 0
        self.part().write_bytes(self.archive)
        self.assert_fetched()
        self.assertEqual(self.ranges()[-1], f"bytes={len(self.archive)}-")

    def test_changed_members_are_gone_on_from_too(self):
        self.fetch()
        changed = {"one.csv": NOISE, "two.csv": NOISE[1:]}
        self.kaggle.publish(SLUG, changed, stored=FILES)
        self.kaggle.piece, self.kaggle.drip = 10_000, 0.01
        before = self.kaggle.storage_bytes
        self.interrupted_fetch(lambda: self.has_part(150_000))
        self.kaggle.drip = 0
        self.fetch()
        self.assertEqual(self.members_of(f"{NAME}.v2.zip"), {"two.csv": NOISE[1:]})
        self.assertLess(self.kaggle.storage_bytes - before, 300_000 + 2 * 66_000 + 60_000)


class Refusals(FetchCase):
    HTML = ({"Content-Type": "application/json"}, b"<!DOCTYPE html><html><body>gone</body></html>")

    def answers(self):
        """(answer of the server, exit status, what the message says)"""

        def body(value):
            return {"Content-Type": "application/json"}, json.dumps(value).encode()

        return [
            ((401, *body({"code": 401, "message": "Unauthorized"})), 1, ["401: Unauthorized", "access_token"]),
            ((404, *body({"code": 404, "message": "Not found"})), 1, ["404: Not found", "check the name"]),
            ((404, *body({"code": "404", "message": "Not found"})), 1, ["404: Not found"]),
            ((404, {}, b""), 1, ["404: not found"]),
            ((403, *body({"code": 403, "message": "You must accept"})), 1, ["403: You must accept", "access_token"]),
            ((429, *body({"code": 429, "message": "TooManyRequests"})), EXIT_SINK, ["429: TooManyRequests"]),
            (
                (429, *body({"error": {"code": 429, "message": "Too many requests", "status": "RESOURCE_EXHAUSTED"}})),
                EXIT_SINK,
                ["429: Too many requests"],
            ),
            ((200, *body({"code": 401})), 1, ["401: unauthorized"]),
            ((200, *body({"code": "403", "message": "No"})), 1, ["403: No"]),
            ((200, *body({"errorMessage": "It is broken"})), 1, ["400: It is broken"]),
            ((200, *body({"error": {"code": 429, "message": "Slow"}})), EXIT_SINK, ["429: Slow"]),
            ((404, *self.HTML), 1, ["404: not found"]),
            ((200, *self.HTML), EXIT_SINK, ["502"]),
            ((500, {}, b"oops"), EXIT_SINK, ["500: the server is in trouble"]),
            ((403, {}, b"<Error><Code>ExpiredToken</Code></Error>"), 1, ["403: ExpiredToken"]),
            ((404, *body({"code": 404, "message": "line\nbreak\x1b[31m"})), 1, ["404: line\\x0abreak\\x1b[31m"]),
        ]

    def test_each_form_of_refusal_of_the_description(self):
        for number, (answer, status, parts) in enumerate(self.answers()):
            with self.subTest(answer=answer):
                self.kaggle.view_answers = [answer]
                name = f"people/view-{number}"
                self.fetch_fails(f"'{name}'", *parts, arguments=[name], status=status)
                self.assertEqual(self.kaggle.count("api", name), 1, "one request")

    def test_each_form_of_refusal_of_the_download(self):
        for number, (answer, status, parts) in enumerate(self.answers()):
            if answer[0] == 404 or "trouble" in parts[0] or parts == ["502"]:
                continue  # announced, or tried again: tests of their own
            with self.subTest(answer=answer):
                self.kaggle.download_answers = [answer]
                name = f"people/download-{number}"
                self.kaggle.publish(name, {"one.csv": table("1,2")})
                self.fetch_fails(f"'{name}'", *parts, arguments=[name], status=status)

    def test_answers_that_make_no_sense(self):
        for number, body in enumerate((b"{}", b"[1]", b'{"currentVersionNumber":"x"}', b"\xff\xfe", b'{"currentVersionNumber":-1}')):
            with self.subTest(body=body):
                self.kaggle.view_answers = [(200, {"Content-Type": "application/json"}, body)]
                self.fetch_fails("makes no sense", arguments=[f"people/odd-{number}"], status=EXIT_SINK)

    def test_nobody_there(self):
        self.kaggle.close()
        self.kaggle.close = lambda: None
        for _ in range(2):
            self.fetch_fails("Couldn't connect", f"'127.0.0.1:{self.kaggle.api.server_port}'", status=EXIT_SINK)

    def test_redirects_that_are_not_followed(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        for location, part in (
            ("http://storage.googleapis.com/x?X-Goog-Signature=secret", "http on 'storage.googleapis.com'"),
            ("https://evil.example/x?X-Goog-Signature=secret", "unknown host 'evil.example'"),
            ("https://storage.googleapis.com.evil.example/x", "unknown host"),
            ("https://xstorage.googleapis.com/x", "unknown host"),
            ("file:///etc/passwd", "no https URL"),
            ("ftp://127.0.0.1/x", "ftp on '127.0.0.1'"),
        ):
            with self.subTest(location=location):
                self.kaggle.location = location
                report = self.fetch_fails(part, "not followed" if "URL" not in part else part)
                self.assertNotIn("secret", json.dumps(report))

    def test_redirects_in_a_circle_end(self):
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})
        self.kaggle.location = f"{self.kaggle.endpoint}/api/v1/datasets/download/{SLUG}"
        self.fetch_fails("redirected more than 5 times")


class Patience(FetchCase):
    def setUp(self):
        super().setUp()
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})

    def wait_after(self, retry_after):
        """How long the next request is put off by a 429, in seconds."""
        headers = {"Retry-After": retry_after} if retry_after is not None else {}
        self.kaggle.view_answers = [(429, headers, b'{"code":429,"message":"TooManyRequests"}')]
        began = time.time()
        self.fetch_fails("429: TooManyRequests", status=EXIT_SINK)
        path = self.data / "state" / "fetch" / f"{SLUG.replace('/', '+')}.json"
        wait = json.loads(path.read_text())["not_before"] - began
        path.unlink()
        return wait

    def test_retry_after_in_every_form(self):
        soon = email.utils.format_datetime(email.utils.localtime(), usegmt=False)
        later = email.utils.formatdate(time.time() + 600, usegmt=True)
        for value, least, most in (
            ("120", 119, 180),
            (later, 590, 660),
            ("999999999", 86_000, 87_000),
            ("0", -1, 60),
            (soon, -1, 60),
            ("soon", 29, 120),
            ("-5", 29, 120),
            (None, 29, 120),
        ):
            with self.subTest(value=value):
                wait = self.wait_after(value)
                self.assertTrue(least <= wait <= most, wait)

    def test_nobody_is_asked_before_the_time_has_come(self):
        self.kaggle.view_answers = [(429, {"Retry-After": "3600"}, b"")]
        self.fetch_fails("429", status=EXIT_SINK)
        before = len(self.kaggle.requests)
        self.fetch_fails("not asked before 20", "as the server wants", status=EXIT_SINK)
        self.assertEqual(self.kaggle_fetch(SLUG).returncode, 0)
        self.assertEqual(len(self.kaggle.requests), before)

    def test_time_that_a_wrong_clock_noted_is_no_reason_to_wait(self):
        self.kaggle.view_answers = [(429, {}, b"")]
        self.fetch(status=EXIT_SINK)
        path = self.data / "state" / "fetch" / f"{SLUG.replace('/', '+')}.json"
        far = int(time.time()) + 10 * 365 * 86400
        path.write_text(json.dumps({**json.loads(path.read_text()), "not_before": far, "next": far}))
        self.assertEqual(self.kaggle_fetch(SLUG).returncode, 0)
        self.assertEqual(self.dropped(), [f"{NAME}.v1.zip"])

    def test_waits_grow_with_each_failure_and_end_with_a_success(self):
        path = self.data / "state" / "fetch" / f"{SLUG.replace('/', '+')}.json"
        waits = []
        for _ in range(4):
            self.kaggle.view_answers = [(429, {}, b"")]
            self.fetch(status=EXIT_SINK)
            known = json.loads(path.read_text())
            waits.append(known["not_before"] - known["asked"])
            path.write_text(json.dumps({**known, "not_before": 0}))
        self.assertTrue(waits[3] > waits[1] and waits[2] > waits[0], waits)
        self.assertEqual(self.fetch()["status"], "fetched")
        self.assertEqual(json.loads(path.read_text())["failures"], 0)

    def test_storage_that_asks_for_patience_is_not_asked_again(self):
        self.kaggle.statuses = [(429, {"Retry-After": "3600"})]
        self.fetch_fails("refused with 429", status=EXIT_SINK)
        self.assertEqual(self.kaggle.count("storage"), 1)
        self.fetch_fails("as the server wants", status=EXIT_SINK)


class Credentials(FetchCase):
    BEARER, BASIC = "Bearer KGAT_secret", "Basic dXNlcjprZXlfc2VjcmV0"  # user:key_secret

    def setUp(self):
        super().setUp()
        self.kaggle.publish(SLUG, {"one.csv": table("1,2")})

    def put(self, name, text, mode=0o600):
        path = self.home / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def authorization(self, status=0, **variables):
        """What the API was shown, by a fetch with these variables; the storage is never shown anything."""
        self.kaggle.requests.clear()
        with unittest.mock.patch.dict(os.environ, variables):
            self.report = self.fetch("--dry-run", SLUG, status=status)
        shown = {request[3].get("Authorization") for request in self.kaggle.requests if request[0] == "api"}
        self.assertEqual(len(shown), 1)
        return shown.pop()

    def test_nobody(self):
        self.assertIsNone(self.authorization())

    def test_token_from_the_variable_or_the_file_that_it_names(self):
        self.assertEqual(self.authorization(KAGGLE_API_TOKEN=" KGAT_secret\n"), self.BEARER)
        self.assertEqual(self.authorization(KAGGLE_API_TOKEN=str(self.put("token", "KGAT_secret\n"))), self.BEARER)

    def test_token_from_its_files(self):
        self.put(".kaggle/access_token.txt", "KGAT_secret")
        self.assertEqual(self.authorization(), self.BEARER)
        self.put(".kaggle/access_token", "KGAT_other")
        self.assertEqual(self.authorization(), "Bearer KGAT_other")
        self.put(".kaggle/access_token", " \n")
        self.assertEqual(self.authorization(), self.BEARER, "an empty file is none")

    def test_key_from_kaggle_json_wherever_it_may_be(self):
        pair = json.dumps({"username": "user", "key": "key_secret"})
        for name, variables in (
            (".config/kaggle/kaggle.json", {}),
            ("xdg/kaggle/kaggle.json", {"XDG_CONFIG_HOME": str(self.home / "xdg")}),
            (".kaggle/kaggle.json", {}),
            ("own/kaggle.json", {"KAGGLE_CONFIG_DIR": str(self.home / "own")}),
        ):
            with self.subTest(name=name):
                path = self.put(name, pair)
                self.assertEqual(self.authorization(**variables), self.BASIC)
                path.unlink()

    def test_key_from_the_variables_wins_over_the_file(self):
        self.put(".kaggle/kaggle.json", json.dumps({"username": "other", "key": "other"}))
        self.assertEqual(self.authorization(KAGGLE_USERNAME="user", KAGGLE_KEY="key_secret"), self.BASIC)
        self.put(".kaggle/kaggle.json", json.dumps({"username": "user", "key": "other"}))
        self.assertEqual(self.authorization(KAGGLE_KEY="key_secret"), self.BASIC)

    def test_token_wins_over_key(self):
        self.put(".kaggle/kaggle.json", json.dumps({"username": "user", "key": "key_secret"}))
        self.assertEqual(self.authorization(KAGGLE_API_TOKEN="KGAT_secret", KAGGLE_USERNAME="x", KAGGLE_KEY="y"), self.BEARER)
        self.put(".kaggle/access_token", "KGAT_secret")
        self.assertEqual(self.authorization(KAGGLE_USERNAME="x", KAGGLE_KEY="y"), self.BEARER)

    def test_open_file_is_warned_about(self):
        for name, text in ((".kaggle/kaggle.json", '{"username":"user","key":"key_secret"}'), (".kaggle/access_token", "KGAT_secret")):
            path = self.put(name, text, mode=0o644)
            self.authorization()
            self.assert_one_line(self.report["said"], f"'{path}'", "readable by other users", "chmod 600")
            path.unlink()

    def test_broken_credentials_are_an_error_and_nothing_is_asked(self):
        for name, text, parts in (
            (".kaggle/kaggle.json", "{", ["kaggle.json'", "not a JSON object"]),
            (".kaggle/kaggle.json", '{"username":"user"}', ["kaggle.json'", "no key"]),
            (".kaggle/kaggle.json", '{"username":"","key":"key_secret"}', ["kaggle.json'", "no username"]),
            (".kaggle/access_token", "KGAT secret", ["access_token'", "blanks"]),
            (".kaggle/access_token", "KGAT\x00secret", ["access_token'", "not text"]),
        ):
            with self.subTest(text=text):
                path = self.put(name, text)
                done = self.rowsieve("fetch", SLUG, status=EXIT_CONFIG)
                self.assert_one_line(done.stderr, *parts)
                self.assertNotIn("secret", done.stderr)
                path.unlink()
        self.assertEqual(self.kaggle.requests, [])

    def test_broken_variables_are_an_error(self):
        for variables, parts in (
            ({"KAGGLE_USERNAME": "user"}, ["KAGGLE_USERNAME", "no key"]),
            ({"KAGGLE_API_TOKEN": "/no/such/secret"}, ["KAGGLE_API_TOKEN names", "No such file"]),
        ):
            with self.subTest(variables=variables), unittest.mock.patch.dict(os.environ, variables):
                done = self.rowsieve("fetch", SLUG, status=EXIT_CONFIG)
                self.assert_one_line(done.stderr, *parts)
                self.assertNotIn("secret", done.stderr)

    def test_refused_credentials_name_their_origin_and_not_themselves(self):
        path = self.put(".kaggle/access_token", "KGAT_secret")
        self.kaggle.view_answers = [(401, {}, b'{"code":401,"message":"KGAT_secret is wrong"}')]
        report = self.fetch_fails("refused with 401: (hidden)", f"check the credentials of '{path}'")
        self.assertNotIn("KGAT", json.dumps(report))

    def test_secrets_are_in_no_argument_and_no_file(self):
        path = self.put(".kaggle/access_token", "KGAT_secret")
        self.fetch()
        path.unlink()
        for file in self.directory.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"KGAT", file.read_bytes(), file)
                self.assertNotIn(b"X-Goog-Signature", file.read_bytes(), file)


class Tls(FetchCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        need_tool("openssl", shutil.which("openssl"))

    def serve(self, certificate=None):
        certificate = self.directory / "server.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
            + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.directory / "key.pem", "-out", self.directory / "ca.pem"],
            check=True,
            capture_output=True,
        )
        certificate.write_bytes((self.directory / "key.pem").read_bytes() + (self.directory / "ca.pem").read_bytes())
        kaggle = super().serve(certificate)
        kaggle.publish(SLUG, {"one.csv": table("1,2")})
        return kaggle

    def test_certificate_is_verified(self):
        self.fetch_fails("certificate is not trusted", status=EXIT_CONFIG)
        self.assertEqual(self.kaggle.requests, [])

    def test_own_authority_is_trusted_where_it_is_named(self):
        self.options += ["-o", f"kaggle.ca={self.directory / 'ca.pem'}"]
        self.assertEqual(self.fetch()["status"], "fetched")

    def test_redirect_from_https_to_http_is_not_followed(self):
        self.options += ["-o", f"kaggle.ca={self.directory / 'ca.pem'}"]
        self.kaggle.location = f"http://127.0.0.1:{self.kaggle.storage.server_port}/x?X-Goog-Signature=secret"
        report = self.fetch_fails("redirected to http on '127.0.0.1', which is not followed")
        self.assertNotIn("secret", json.dumps(report))
        self.assertEqual(self.kaggle.count("storage"), 0)
