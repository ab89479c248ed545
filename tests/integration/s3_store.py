# SPDX-License-Identifier: Apache-2.0
"""What the tests of the object store share: Swift as a server that can be killed, and a way to it that can be disturbed."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from mariadb_server import end_with_parent, free_port
from s3_client import S3Client
from swift_s3 import ACCESS_KEY, SECRET_KEY

HERE = pathlib.Path(__file__).resolve().parent
# Debian's interpreter: Swift is a package of its.
PYTHON = "/usr/bin/python3"
START_SECONDS = 60


def swift_installed():
    return subprocess.run([PYTHON, "-c", "import swift.common.middleware.s3api"], capture_output=True).returncode == 0


def keeps_attributes():
    """Swift keeps what it knows of an object in extended attributes, which not every file system has."""
    with tempfile.NamedTemporaryFile(prefix="rowsieve-swift-") as file:
        try:
            os.setxattr(file.name, "user.rowsieve", b"test")
        except OSError:
            return False
    return True


class Swift:
    """start(), kill() and start() again: what was stored stays until close(). The port is the same each time."""

    def __init__(self, *options):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowsieve-swift-"))
        self.options = list(map(str, options))
        self.port = free_port()
        self.tls_port = None
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [PYTHON, str(HERE / "swift_s3.py"), str(self.directory), "--port", str(self.port), *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"Swift did not start: exit status {self.process.wait()}")
        self.tls_port = json.loads(line)["tls_port"]
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self):
        return S3Client(self.port, ACCESS_KEY, SECRET_KEY)


FULL = (
    b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
BUSY_BODY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BUSY_BODY), BUSY_BODY)


class Way:
    """A TCP proxy on loopback. `mode` decides what becomes of each new connection, and of those under way:
    "open", "cut" (after a few bytes), "slow", "full", "busy". `on_data` hears of bytes before they go on."""

    def __init__(self, target, random, on_data=lambda data: None):
        self.target = target
        self.random = random
        self.on_data = on_data
        self.mode = "open"
        self.passed = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                if self.mode in ("full", "busy"):
                    connection.recv(65536)
                    connection.sendall(FULL if self.mode == "full" else BUSY)
                    return
                with socket.create_connection(("127.0.0.1", self.target)) as upstream:
                    back = threading.Thread(target=self.pump, args=(upstream, connection), daemon=True)
                    back.start()
                    self.pump(connection, upstream)
                    back.join()
            except OSError:
                pass

    def pump(self, source, sink):
        budget = None
        try:
            while data := source.recv(65536):
                if self.mode == "cut":
                    budget = self.random.randrange(3000) if budget is None else budget
                    data = data[:budget]
                    budget -= len(data)
                    if not data:
                        break
                elif self.mode in ("full", "busy"):
                    break
                elif self.mode == "slow":
                    time.sleep(0.02)
                self.passed += len(data)
                self.on_data(data)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def s3_options(port, bucket, **keys):
    keys = {"endpoint": f"http://127.0.0.1:{port}", "bucket": bucket} | keys
    return [part for key, value in keys.items() for part in ("-o", f"s3.{key}={value}")]


def keys_in_environment(environment):
    return environment | {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
