# SPDX-License-Identifier: Apache-2.0
"""S3 at its edges: what is wrong said in one line, large files, keys from everywhere, and answers that lie."""

import datetime
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
import unittest

from rowsieve_test import DEEP, EXIT_CONFIG, PROGRAM, Case, SqliteSink, csv_text, need_tool, parse_objects
from s3_store import Swift, Way, s3_options
from swift_s3 import ACCESS_KEY, SECRET_KEY
from test_store import HEADER, StoreChecks, S3Store

MODULE = pathlib.Path(PROGRAM).parent / "rowsieve-store-libs3.so"


class S3Case(StoreChecks, S3Store, SqliteSink, Case):
    def small(self, name="small.csv", count=10):
        return self.write(name, csv_text(HEADER, [(n, f"text {n}", "2026-01-01") for n in range(count)]))

    def store_check(self, *options, status):
        done = self.rowsieve("check", "--json", *options, status=status)
        return next(line for line in parse_objects(done.stdout) if line["check"] == "store")


class ExplainedFailures(S3Case):
    """What an operator reads when the configuration is wrong."""

    def assert_explained(self, *parts, options=()):
        line = self.store_check(*options, status=EXIT_CONFIG)
        self.assertFalse(line["ok"])
        text = f"{line['message']} ({line['hint']})"
        self.assertNotIn("\n", text)
        for part in parts:
            self.assertIn(part, text)
        for secret in (SECRET_KEY, os.environ.get("AWS_SECRET_ACCESS_KEY", SECRET_KEY)):
            self.assertNotIn(secret, text.replace(ACCESS_KEY, ""))

    def test_the_right_configuration_is_well(self):
        self.assertTrue(self.store_check(status=0)["ok"])

    def test_wrong_secret(self):
        os.environ["AWS_SECRET_ACCESS_KEY"] = "wrong-secret"
        self.assert_explained("signature", "secret key", "the environment")

    def test_unknown_key(self):
        os.environ["AWS_ACCESS_KEY_ID"] = "nobody"
        self.assert_explained("'nobody'")

    def test_no_keys(self):
        del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        self.assert_explained("no keys", "~/.aws/credentials")

    def test_wrong_region(self):
        self.assert_explained("eu-west-1", 's3.region = "us-east-1"', options=["-o", "s3.region=eu-west-1"])

    def test_wrong_bucket(self):
        self.assert_explained("no bucket 'not-there'", options=["-o", "s3.bucket=not-there"])

    def test_wrong_clock(self):
        server = Swift("--clock", 3600).start()
        self.addCleanup(server.close)
        self.assert_explained("clock", "behind", "timedatectl", options=s3_options(server.port, self.bucket))

    def test_unknown_authority(self):
        pem = self.directory / "both.pem"
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
        need_tool("openssl", shutil.which("openssl") is not None)
        subprocess.run([*command.split(), "-keyout", pem, "-out", self.directory / "cert.pem"], capture_output=True, check=True)
        pem.write_text(pem.read_text() + (self.directory / "cert.pem").read_text())
        server = Swift("--pem", pem).start()
        self.addCleanup(server.close)
        server.client().create_bucket(self.bucket)
        endpoint = ["-o", f"s3.endpoint=https://127.0.0.1:{server.tls_port}"]
        self.assert_explained("certificate", "s3.ca", options=endpoint)
        self.assert_explained("s3.ca", options=[*endpoint, "-o", f"s3.ca={self.directory}/none.pem"])
        self.options += [*endpoint, "-o", f"s3.ca={self.directory}/cert.pem"]
        self.assertTrue(self.store_check(status=0)["ok"])

    def test_rows_do_not_suffer_from_a_store_that_refuses(self):
        os.environ["AWS_SECRET_ACCESS_KEY"] = "wrong-secret"
        (report,) = self.ingest(self.small(), dataset="k")
        self.assert_counts(report, new=10)
        self.assertEqual(self.outbox()["owed"], 3)
        os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET_KEY
        self.ingest(self.small(), dataset="k")
        self.assert_spool_is_empty()
        self.assert_segments_are_the_table(self.objects())


class PartsChecks(S3Case):
    """For objects in parts, which are larger than what one wants to hold."""

    PART = 16 << 20

    def stored_digest(self, key):
        digest, offset = hashlib.sha256(), 0
        size = self.s3.list(self.bucket)[key]
        while offset < size:
            digest.update(self.s3.get_range(self.bucket, key, offset, 64 << 20))
            offset += 64 << 20
        return digest.hexdigest(), size

    def assert_stored(self, path):
        (key,) = (key for key in self.s3.list(self.bucket) if path.name in key)
        with open(path, "rb") as file:
            expected = hashlib.file_digest(file, "sha256").hexdigest()
        self.assertEqual(self.stored_digest(key), (expected, path.stat().st_size))
        self.assertEqual(self.s3.uploads(self.bucket), [])
        self.assert_spool_is_empty()


class LargeFiles(PartsChecks):
    """A file of many parts: bounded memory, and a kill in the middle costs the part that was on its way."""

    SIZE = (6 << 30) if DEEP else (300 << 20)

    def large(self):
        path = self.directory / "large.csv"
        line = b"x" * 65535 + b"\n"
        with open(path, "wb") as file:
            file.write(b"text\n")
            for number in range(self.SIZE // len(line)):
                file.write(b"%016d" % number + line[16:])
        return path

    def test_a_kill_in_the_middle_costs_a_part(self):
        self.options += ["-o", "s3.rows=false"]
        path = self.large()
        way = Way(self.shared_server.port, None)
        self.addCleanup(way.close)
        through = s3_options(way.port, self.bucket, prefix="base/test")
        self.ingest(path, dataset="k", options=["-o", "s3.endpoint=http://127.0.0.1:1"])
        self.assertEqual(self.outbox()["owed"], 2)
        daemon = self.daemon(*through)
        daemon.wait_until(lambda: way.passed > self.SIZE // 2, "half of it was on its way")
        daemon.kill()
        self.assertEqual(self.s3.uploads(self.bucket), [key for key in self.s3.uploads(self.bucket) if "large.csv" in key])
        before = way.passed
        # The engine has nothing to do: what this process takes is the upload's.
        process = self.start("ingest", "--dataset", "k", self.small("tiny.csv"), *through, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertLess(usage.ru_maxrss, 64 << 10, "resident KiB")
        self.assertLess(way.passed - before, self.SIZE // 2 + 2 * self.PART, "bytes of parts that were sent again")
        self.assert_stored(path)


class EditedMeanwhile(PartsChecks):
    """Somebody writes to a file between the reading for its digest and that for its parts, and leaves no trace of it."""

    PIECE = b"x" * 65535 + b"\n"

    def setUp(self):
        super().setUp()
        self.options += ["-o", "s3.rows=false"]
        self.path = self.write("large.csv", b"text\n" + self.PIECE * 1050)
        self.ingest(self.path, dataset="k", options=["-o", "s3.endpoint=http://127.0.0.1:1"])
        (self.owed,) = (self.data / "state" / "spool").iterdir()
        self.is_armed = False
        self.way = Way(self.shared_server.port, None, self.on_data)
        self.addCleanup(self.way.close)
        self.through = s3_options(self.way.port, self.bucket, prefix="base/test")

    def on_data(self, data):
        """The first that the store is asked comes after the digest, and before the parts."""
        if self.is_armed and b"uploads=" in data:
            self.is_armed = False
            self.put_byte(b"y")

    def put_byte(self, byte):
        status = self.owed.stat()
        with open(self.owed, "r+b") as file:
            file.seek(self.PART // 2)
            file.write(byte)
        os.utime(self.owed, ns=(status.st_atime_ns, status.st_mtime_ns))

    def assert_edit_is_noticed(self):
        self.is_armed = True
        done = self.rowsieve("ingest", "--dataset", "k", self.small("tiny.csv"), *self.through)
        self.assertFalse(self.is_armed)
        self.assertIn("large.csv' is not what it was said to be", done.stderr)
        self.assertEqual([key for key in self.s3.list(self.bucket) if "large.csv" in key], [])
        self.assertEqual(self.s3.uploads(self.bucket), [])
        self.assertEqual(self.outbox()["owed"], 2, "the file, and the manifest that would name it")
        self.put_byte(b"x")
        self.ingest(self.small("tiny.csv"), dataset="k")
        self.assert_stored(self.path)

    def test_is_noticed(self):
        self.assert_edit_is_noticed()

    def test_is_noticed_in_parts_that_were_sent_before(self):
        daemon = self.daemon(*self.through)
        daemon.wait_until(lambda: self.way.passed > 3 * self.PART, "some parts were sent")
        daemon.kill()
        self.assertEqual(len(self.s3.uploads(self.bucket)), 1)
        self.assert_edit_is_noticed()


class NamesAndAddresses(S3Case):
    """Every character that a name may hold, in every request that is signed, with both ways to address a bucket."""

    PREFIXES = ("..a/-/_.-/0", "A-Z_a.z/" + "x" * 200)
    ODD = "f & = + % ? # ~ ' %20 \u00e9\U0001d11e.csv"

    def endpoints(self):
        port = self.shared_server.port
        return (f"http://127.0.0.1:{port}", f"http://s3.localhost:{port}")

    def start_afresh(self, endpoint, prefix):
        self.prefix = prefix
        self.data = self.directory / f"data{len(list(self.directory.iterdir()))}"
        self.options = s3_options(None, self.bucket, endpoint=endpoint, prefix=prefix)

    def stored(self):
        return {key.removeprefix(f"{self.prefix}/"): size for key, size in self.s3.list(self.bucket, f"{self.prefix}/").items()}

    def test_small_objects(self):
        """PUT, HEAD, GET, LIST."""
        for number, (endpoint, prefix) in enumerate((e, f"{p}{n}") for n, e in enumerate(self.endpoints()) for p in self.PREFIXES):
            with self.subTest(endpoint=endpoint, prefix=prefix):
                self.start_afresh(endpoint, prefix)
                self.ingest(self.small(self.ODD, 20 + number), self.small("empty.csv", 0), dataset="k")
                self.assert_spool_is_empty()
                raw = [size for name, size in self.stored().items() if "/raw/" in name]
                self.assertEqual(sorted(raw), sorted((self.directory / name).stat().st_size for name in (self.ODD, "empty.csv")))
                self.rowsieve("verify", "--store", "k")
                shutil.rmtree(self.data)
                self.rowsieve("restore", "k")
                self.assertEqual(self.table_size("k"), 20 + number)

    def test_objects_in_parts(self):
        """The list of uploads, POST to begin and to complete, PUT of a part by its number and upload."""
        line = b"x" * 65535 + b"\n"
        path = self.write("large.csv", b"text\n" + line * 1050)
        for endpoint in self.endpoints():
            with self.subTest(endpoint=endpoint):
                self.start_afresh(endpoint, self.PREFIXES[0])
                self.options += ["-o", "s3.rows=false"]
                self.ingest(path, dataset=f"d{len(self.stored())}")
                self.assert_spool_is_empty()
                self.assertIn(path.stat().st_size, self.stored().values())

    def test_lists_of_several_pages(self):
        """What the store gives as the next page's beginning comes back to it as it was."""
        self.start_afresh(self.endpoints()[1], self.PREFIXES[0])
        self.ingest(self.small(), dataset="k")
        kept = len(self.stored())
        for number in range(1001):
            self.s3.put(self.bucket, f"{self.prefix}/k/raw/2026/01/01/{number:04}+=&.csv", b"")
        done = self.rowsieve("verify", "--json", "--store", "k")
        self.assertEqual(parse_objects(done.stdout)[1]["unnamed"], 1001)
        self.assertEqual(len(self.stored()), kept + 1001)


class Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata service of a machine, version 2, and a container's agent."""

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        self.server.asked.append("token")
        is_right = self.path == "/latest/api/token" and self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        self.answer(200 if is_right else 400, "session-token" if is_right else "")

    def do_GET(self):
        expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.server.lifetime)
        keys = {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "", "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
        roles = "/latest/meta-data/iam/security-credentials/"
        if self.path == "/agent" and self.headers.get("Authorization") == "agent-secret":
            self.server.asked.append("agent")
            self.answer(200, json.dumps(keys))
        elif self.headers.get("X-aws-ec2-metadata-token") != "session-token":
            self.answer(401, "")
        elif self.path == roles:
            self.answer(200, "role\n")
        elif self.path == roles + "role":
            self.server.asked.append("keys")
            self.answer(200, json.dumps(keys))
        else:
            self.answer(404, "")

    def log_message(self, *arguments):
        pass


class KeysFromEverywhere(S3Case):
    """Each place that AWS's tools take keys from; Swift says whether they are the right ones."""

    def setUp(self):
        super().setUp()
        for name in list(os.environ):
            if name.startswith("AWS_"):
                del os.environ[name]
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

    def assert_keys_are_found(self, *options):
        self.assertTrue(self.store_check(*options, status=0)["ok"])

    def aws_file(self, name, text):
        return self.write(f".aws/{name}", text.format(key=ACCESS_KEY, secret=SECRET_KEY))

    def metadata(self, lifetime):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
        server.asked, server.lifetime = [], lifetime
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def test_credentials_file(self):
        self.aws_file("credentials", "# of a person\n[default]\naws_access_key_id = {key}\naws_secret_access_key={secret}\n")
        self.assert_keys_are_found()

    def test_profile_of_the_configuration_and_of_the_environment(self):
        self.aws_file("credentials", "[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
        self.aws_file("config", "[profile work]\nregion = us-east-1\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        self.assert_keys_are_found("-o", "s3.profile=work")
        os.environ["AWS_PROFILE"] = "work"
        self.assert_keys_are_found()

    def test_region_of_the_profile(self):
        self.aws_file("config", "[default]\nregion = eu-west-3\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        self.assertIn("eu-west-3", self.store_check(status=EXIT_CONFIG)["message"])

    def test_systemd_credential(self):
        path = self.write("credentials.d/s3", f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        os.environ["CREDENTIALS_DIRECTORY"] = str(path.parent)
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY", None)
        self.assert_keys_are_found()

    def test_container_agent(self):
        server = self.metadata(3600)
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{server.server_port}/agent"
        os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "agent-secret"
        self.assert_keys_are_found()
        self.assertEqual(server.asked, ["agent"])

    def test_container_agent_in_the_clear_elsewhere_is_refused(self):
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://192.0.2.1/agent"
        self.assertIn("neither https", self.store_check(status=EXIT_CONFIG)["message"])

    def test_keys_of_the_machine_are_fetched_again_before_they_expire(self):
        for lifetime, expected in ((3600, 1), (60, 3)):
            with self.subTest(lifetime=lifetime):
                server = self.metadata(lifetime)
                os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
                os.environ["AWS_EC2_METADATA_DISABLED"] = "false"
                self.ingest(self.small(f"f{lifetime}.csv", 5), dataset=f"k{lifetime}")
                self.assertGreaterEqual(server.asked.count("keys"), expected)
                if expected == 1:
                    self.assertEqual(server.asked, ["token", "keys"])
        self.assert_spool_is_empty()


class Liar(http.server.BaseHTTPRequestHandler):
    """A store that answers by a script: the next entry for a method, (status, headers, body) or None to hang up."""

    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body))
        answer = self.server.decide(self.command, self.path, body)
        if answer is None:
            self.close_connection = True
            return
        status, headers, text = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do

    def log_message(self, *arguments):
        pass


def error_body(code):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>because</Message></Error>".encode()


class LyingStore(S3Case):
    """Answers that a store may give and that must not be believed, or not at once."""

    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
        self.server.asked = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.options += s3_options(self.server.server_port, self.bucket) + ["-o", "s3.rows=false"]

    def etag(self, body):
        return {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}

    def ingest_with(self, decide, owed):
        self.server.decide = decide
        self.ingest(self.small(), dataset="k")
        self.assertEqual(self.outbox()["owed"], owed)

    def test_patience_with_a_store_that_asks_for_it(self):
        refusals = [(503, {}, error_body("SlowDown")), None, (500, {}, error_body("InternalError"))]
        self.ingest_with(lambda method, path, body: refusals.pop() if refusals else (200, self.etag(body), b""), 0)
        self.assertEqual(len(self.server.asked), 5)

    def test_success_with_an_error_in_its_body_is_an_error(self):
        self.ingest_with(lambda method, path, body: (200, self.etag(body), error_body("InternalError")), 2)

    def test_another_checksum_and_another_length_are_not_believed(self):
        def decide(method, path, body):
            return (200, {"ETag": '"00000000000000000000000000000000"', "Content-Length": "0" if method == "PUT" else "3"}, b"")

        self.ingest_with(decide, 2)
        self.assertIn("HEAD", {method for method, _, _ in self.server.asked})

    def test_an_etag_that_is_no_checksum_is_asked_after(self):
        stored = {}

        def decide(method, path, body):
            if method == "PUT":
                stored[path] = len(body)
                return (200, {"ETag": '"opaque-1"'}, b"")
            return (200, {"Content-Length": str(stored[path])}, b"")

        self.ingest_with(decide, 0)

    def test_an_object_that_is_refused_does_not_hold_up_the_others(self):
        def decide(method, path, body):
            return (400, {}, error_body("InvalidRequest")) if "first" in path else (200, self.etag(body), b"")

        self.server.decide = decide
        self.ingest(self.small("first.csv"), self.small("second.csv", 20), dataset="k")
        # The file that was refused, and the manifest that would name it.
        self.assertEqual(self.outbox()["owed"], 2)
        stored = [path for _, path, _ in self.server.asked if "second.csv" in path]
        self.assertEqual(len(stored), 1)


@unittest.skipUnless(MODULE.exists(), "the module is built only where libs3 is installed")
class VersionTwo(S3Case):
    """The libs3 module against Swift, which takes signatures of version 2 too."""

    def setUp(self):
        super().setUp()
        self.options += ["-o", "s3.signature=v2", "-o", "s3.addressing=path"]

    def test_stores_and_reads_back(self):
        self.options += ["-o", "batch.rows=100"]
        delivered = self.ingest(self.small("a.csv", 150), self.small("b.csv", 330), dataset="k")
        objects = self.objects()
        self.assert_segments_are_the_table(objects)
        self.assert_manifests_tell_it(objects, {report["delivery"] for report in delivered})
        self.rowsieve("verify", "--store", "k")
        before = self.query("SELECT n, text, day FROM k ORDER BY n")
        shutil.rmtree(self.data)
        self.rowsieve("restore", "k")
        self.assertEqual(self.query("SELECT n, text, day FROM k ORDER BY n"), before)

    def test_wrong_secret_is_explained(self):
        os.environ["AWS_SECRET_ACCESS_KEY"] = "wrong-secret"
        self.assertIn("secret key", self.store_check(status=EXIT_CONFIG)["message"])

    def test_https_is_refused(self):
        line = self.store_check("-o", f"s3.endpoint=https://127.0.0.1:{self.shared_server.port}", status=EXIT_CONFIG)
        self.assertIn("http endpoints only", line["message"])
        self.assertIn("certificates", line["message"])


class WithoutTheModule(S3Case):
    def test_the_package_is_named(self):
        alone = self.directory / "bin" / "rowsieve"
        alone.parent.mkdir()
        shutil.copy(PROGRAM, alone)
        command = [alone, *self.command("check", "-o", "s3.signature=v2")[1:]]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, EXIT_CONFIG)
        self.assertIn("apt-get install rowsieve-store-libs3", done.stdout)
