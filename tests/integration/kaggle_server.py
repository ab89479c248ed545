# SPDX-License-Identifier: Apache-2.0
"""A local Kaggle: its dataset API and the storage that it redirects to, on two ports of 127.0.0.1, and on command with
every fault that the real ones are known for."""

import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import secrets
import ssl
import sys
import threading
import time
import urllib.parse
import zipfile

PIECE = 64 * 1024


def crc32c(data):
    """Castagnoli, bit by bit from a table: slow, and not the program's own code."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _crc32c_entry(value):
    for _ in range(8):
        value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC32C = [_crc32c_entry(value) for value in range(256)]


def make_zip(files, stored=()):
    """An archive of {name: bytes}, deflated but for the names in `stored`. The same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


class Blob:
    """An object of the storage: bytes, or a file."""

    def __init__(self, content, name):
        self.path = content if isinstance(content, os.PathLike) else None
        self.content = None if self.path else content
        self.size = os.path.getsize(self.path) if self.path else len(content)
        self.name = name
        digest = hashlib.md5()
        for piece in self.pieces(0, self.size):
            digest.update(piece)
        self.md5 = digest.digest()

    def pieces(self, start, end):
        if self.content is not None:
            for at in range(start, end, PIECE):
                yield self.content[at : min(at + PIECE, end)]
            return
        with open(self.path, "rb") as file:
            file.seek(start)
            while start < end:
                piece = file.read(min(PIECE, end - start))
                start += len(piece)
                yield piece

    def hashes(self, mode):
        """The x-goog-hash headers, by mode."""
        md5 = "md5=" + base64.b64encode(self.md5).decode()
        if mode == "right":
            return [md5]
        if mode == "wrong":
            return ["md5=" + base64.b64encode(b"\0" * 16).decode()]
        if mode == "none":
            return []
        crc = "crc32c=" + base64.b64encode(crc32c(self.content).to_bytes(4, "big")).decode()
        if mode == "wrong crc32c":
            return ["crc32c=" + base64.b64encode(b"\0" * 4).decode()]
        return {"crc32c": [crc], "both": [f"{crc},{md5}"], "two lines": [crc, md5]}[mode]


class Dataset:
    def __init__(self, number):
        self.id = 1000 + number
        self.version = 0
        self.archives = {}  # version: Blob
        self.files = {}  # version: {name: Blob}
        self.status = "Ready"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that is killed is nothing to write home about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class KaggleServer:
    """What it serves is set by publish(); how, by the attributes below. Everything it was asked is in `requests`."""

    def __init__(self, certificate=None):
        self.datasets = {}
        self.requests = []  # (side, method, path without query, headers)
        self.violations = []
        self.storage_bytes = 0
        self.signatures = set()
        self.queries = []  # of download requests
        self.lock = threading.Lock()
        # API: answers to give instead, first come first served: (status, headers, body)
        self.view_answers = []
        self.download_answers = []
        # Storage
        self.hash_mode = "right"
        self.ranges = True
        self.has_length = True
        self.has_marks = True  # ETag and Last-Modified
        self.cuts = []  # the next bodies end after so many bytes
        self.statuses = []  # the next answers are these errors: (status, headers)
        self.expire = 0  # so many signatures more are found expired
        self.drip = 0.0  # seconds between pieces
        self.piece = PIECE
        self.gate = None  # Event: bodies stop after their first piece until it is set
        self.on_storage_request = None  # called before each answer of the storage
        self.location = None  # of the redirect, instead of the right one
        self.scheme = "https" if certificate else "http"
        self.api = self._serve(_ApiHandler, certificate)
        self.storage = self._serve(_StorageHandler, certificate)

    def _serve(self, handler, certificate):
        server = _Server(("127.0.0.1", 0), handler)
        server.kaggle = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def close(self):
        for server in (self.api, self.storage):
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self):
        return f"{self.scheme}://127.0.0.1:{self.api.server_port}"

    def dataset(self, name):
        return self.datasets.setdefault(name, Dataset(len(self.datasets)))

    def publish(self, name, files, archive=None, stored=()):
        """The next version of a data set. `archive`: other bytes, or a file, than a zip of the files."""
        dataset = self.dataset(name)
        version = dataset.version + 1
        blob = Blob(archive if archive is not None else make_zip(files, stored), "bundle/archive.zip")
        dataset.archives[version] = blob
        dataset.files[version] = {file: Blob(content, f"compressed/{urllib.parse.quote(file)}") for file, content in files.items()}
        dataset.version = version
        return version

    def serve_zipped(self, name, file):
        """Lets a single file be served as Kaggle does with larger ones: as <file>.zip."""
        dataset = self.dataset(name)
        blob = dataset.files[dataset.version][file]
        zipped = Blob(make_zip({os.path.basename(file): blob.content}), blob.name + ".zip")
        dataset.files[dataset.version][file] = zipped

    def count(self, side, kind=""):
        return sum(1 for request in self.requests if request[0] == side and kind in request[2])

    def sign(self, dataset, version, blob):
        signature = secrets.token_hex(32)
        self.signatures.add(signature)
        query = {
            "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
            "X-Goog-Expires": "259200",
            "X-Goog-SignedHeaders": "host",
            "X-Goog-Signature": signature,
        }
        path = f"/kaggle-data-sets/{dataset.id}/{version}/{blob.name}"
        return f"{self.scheme}://127.0.0.1:{self.storage.server_port}{path}?{urllib.parse.urlencode(query)}"

    def find_blob(self, path):
        parts = path.split("/", 4)
        for dataset in self.datasets.values():
            if str(dataset.id) == parts[2]:
                version = int(parts[3])
                for blob in [dataset.archives[version], *dataset.files[version].values()]:
                    if blob.name == parts[4]:
                        return blob
        return None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    side = ""

    def log_message(self, *arguments):
        pass

    def note(self):
        self.kaggle = self.server.kaggle
        self.url = urllib.parse.urlsplit(self.path)
        with self.kaggle.lock:
            self.kaggle.requests.append((self.side, self.command, self.url.path, dict(self.headers)))

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def answer_json(self, status, value):
        self.answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def do_HEAD(self):
        self.note()
        self.answer(404, {"Content-Type": "text/html"})


class _ApiHandler(_Handler):
    side = "api"

    def do_GET(self):
        self.note()
        parts = self.url.path.split("/")
        what = parts[4] if parts[:4] == ["", "api", "v1", "datasets"] and len(parts) > 6 else ""
        name = "/".join(parts[5:7])
        if what == "view":
            self.view(name)
        elif what == "download":
            self.download(name, urllib.parse.unquote("/".join(parts[7:])))
        else:
            self.answer_json(404, {"code": 404, "message": "Not found"})

    def scripted(self, answers):
        """Gives the next answer that a test wants, if it wants one."""
        with self.kaggle.lock:
            answer = answers.pop(0) if answers else None
        if answer is not None:
            self.answer(*answer)
        return answer is not None

    def view(self, name):
        if self.scripted(self.kaggle.view_answers):
            return
        dataset = self.kaggle.datasets.get(name)
        if dataset is None:
            self.answer_json(404, {"code": 404, "message": "Not found"})
            return
        archive = dataset.archives.get(dataset.version)
        optional = {
            "currentVersionNumber": dataset.version,
            "title": name,
            "licenseName": "CC0-1.0",
            "totalBytes": archive.size if archive else 0,
        }
        answer = {"id": dataset.id, "ref": name, "files": [], "lastUpdated": "2026-03-27T15:16:05.7Z"}
        for key, value in optional.items():
            answer |= {f"{key}Nullable": value, key: value, f"has{key[0].upper()}{key[1:]}": True}
        answer["versions"] = [{"versionNumber": dataset.version, "status": dataset.status, "versionNotes": "é"}]
        self.answer_json(200, answer)

    def download(self, name, file):
        if self.scripted(self.kaggle.download_answers):
            return
        query = dict(urllib.parse.parse_qsl(self.url.query))
        self.kaggle.queries.append(query)
        dataset = self.kaggle.datasets.get(name)
        file = file or query.get("file_name", "")
        version = int(query.get("datasetVersionNumber") or query.get("dataset_version_number") or (dataset and dataset.version) or 0)
        blobs = (dataset.files if file else dataset.archives) if dataset else {}
        blob = blobs.get(version, {}).get(file) if file else blobs.get(version)
        if blob is None:
            self.answer_json(404, {"code": 404, "message": "Not found"})
            return
        location = self.kaggle.location or self.kaggle.sign(dataset, version, blob)
        self.answer(302, {"Location": location})


class _StorageHandler(_Handler):
    side = "storage"

    def do_GET(self):
        self.note()
        kaggle = self.kaggle
        if "Authorization" in self.headers:
            kaggle.violations.append("the storage was shown credentials")
        if kaggle.on_storage_request:
            kaggle.on_storage_request()
        with kaggle.lock:
            status = kaggle.statuses.pop(0) if kaggle.statuses else None
        signature = dict(urllib.parse.parse_qsl(self.url.query)).get("X-Goog-Signature")
        if signature not in kaggle.signatures:
            self.answer_xml(403, "SignatureDoesNotMatch")
        elif kaggle.expire > 0:
            kaggle.expire -= 1
            kaggle.signatures.discard(signature)
            self.answer_xml(400 if kaggle.expire % 2 else 403, "ExpiredToken")
        elif status is not None:
            self.answer_xml(status[0], "InternalError", status[1])
        else:
            self.serve_blob(kaggle.find_blob(self.url.path))

    def answer_xml(self, status, code, headers=()):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><StringToSign>{self.url.query}</StringToSign></Error>"
        self.answer(status, {"Content-Type": "application/xml", **dict(headers)}, body.encode())

    def wanted_range(self, size):
        """(start, end, is a part), or None where nothing lies in the range."""
        text = self.headers.get("Range")
        if text is None or not self.kaggle.ranges:
            return 0, size, False
        first, last = text.removeprefix("bytes=").split("-")
        if first == "":
            return max(0, size - int(last)), size, True
        start, end = int(first), min(int(last) + 1 if last else size, size)
        return (start, end, True) if start < end else None

    def serve_blob(self, blob):
        kaggle = self.kaggle
        wanted = self.wanted_range(blob.size)
        if wanted is None:
            self.answer(416, {"Content-Range": f"bytes */{blob.size}"})
            return
        start, end, is_part = wanted
        self.send_response(206 if is_part else 200)
        if kaggle.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{blob.size}")
        if kaggle.has_marks:
            self.send_header("ETag", f'"{blob.md5.hex()}"')
            self.send_header("Last-Modified", "Tue, 27 Jan 2026 15:16:05 GMT")
        for value in blob.hashes(kaggle.hash_mode):
            self.send_header("x-goog-hash", value)
        if kaggle.has_length:
            self.send_header("Content-Length", str(end - start))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "application/zip")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.send_body(blob.pieces(start, end))

    def send_body(self, pieces):
        kaggle = self.kaggle
        left = kaggle.cuts.pop(0) if kaggle.cuts else None
        for whole in pieces:
            for at in range(0, len(whole), kaggle.piece):
                piece = whole[at : at + kaggle.piece]
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                self.wfile.write(piece if kaggle.has_length else b"%x\r\n%b\r\n" % (len(piece), piece))
                with kaggle.lock:
                    kaggle.storage_bytes += len(piece)
                if left == 0:
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
                if kaggle.gate is not None:
                    self.wfile.flush()
                    kaggle.gate.wait(120)
                if kaggle.drip:
                    time.sleep(kaggle.drip)
        if not kaggle.has_length:
            self.wfile.write(b"0\r\n\r\n")
