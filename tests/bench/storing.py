# SPDX-License-Identifier: Apache-2.0
"""A large file into a bucket of Swift on loopback, beside the clients that Debian has: cases 15 and 16."""

import os
import shutil
import subprocess

from measure import Series, require
from s3_store import ACCESS_KEY, SECRET_KEY, Swift, keeps_attributes, keys_in_environment, swift_installed

# The one that Debian installs modules for.
PYTHON = "/usr/bin/python3"
BUCKET = "bench"

BOTO3 = (
    "import boto3, sys\n"
    "boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1').upload_file(sys.argv[3], sys.argv[2], sys.argv[4])"
)
S3CMD = """[default]
access_key = {key}
secret_key = {secret}
host_base = 127.0.0.1:{port}
host_bucket = 127.0.0.1:{port}
use_https = False
"""


class Storing:
    def __init__(self, bench):
        self.bench = bench
        self.table = bench.table
        self.path = bench.directory / "large.bin"
        self.server = Swift()
        self.endpoint = f"http://127.0.0.1:{self.server.port}"
        self.environment = keys_in_environment(dict(os.environ))

    def make_file(self):
        """A thousand bytes a row that do not compress."""
        with open(self.path, "wb") as file:
            subprocess.run(["head", "-c", str(1000 * self.bench.load_rows), "/dev/urandom"], stdout=file, check=True)

    def put(self, series, name, command):
        series.run([*command, name], env=self.environment)
        client = self.server.client()
        require(f"bytes stored by {name}", client.list(BUCKET), {name: self.path.stat().st_size})
        client.delete(BUCKET, name)

    def clients(self):
        """Of each: whether it is there, and its command but for the object's name."""
        config = self.bench.directory / "s3cfg"
        config.write_text(S3CMD.format(key=ACCESS_KEY, secret=SECRET_KEY, port=self.server.port))
        return {
            "s3cmd": (shutil.which("s3cmd"), ["sh", "-c", 'exec s3cmd -q -c "$1" put "$2" "s3://$3/$4"', "sh", config, self.path, BUCKET]),
            "boto3": (has_boto3(), [PYTHON, "-c", BOTO3, self.endpoint, BUCKET, self.path]),
        }

    def compare(self):
        ours = [self.bench.build / "tests" / "bench_put", self.endpoint, BUCKET, self.path]
        clients = {name: command for name, (is_there, command) in self.clients().items() if is_there}
        series = {name: Series() for name in ("ours", *clients)}
        for _ in range(self.bench.runs):
            self.put(series["ours"], "ours", ours)
            for name, command in clients.items():
                self.put(series[name], name, command)
        what = f"{self.bench.size(self.path)} into Swift"
        for name in ("s3cmd", "boto3"):
            if name not in clients:
                self.table.skip("15", what, f"{name} is not installed")
                continue
            self.table.add("15", what, series["ours"].median, name, series[name].median, 1.0)
            ours, theirs = series["ours"].peak_kib / 1024, series[name].peak_kib / 1024
            self.table.add("16", "peak memory beside mapped files", ours, name, theirs, 0.1, "MiB")

    def run(self):
        if not swift_installed() or not keeps_attributes():
            self.table.skip("15", "a file into Swift", "Swift, or extended attributes for it, are not there")
            return
        self.make_file()
        try:
            self.server.start()
            self.server.client().create_bucket(BUCKET)
            self.compare()
        finally:
            self.server.close()


def has_boto3():
    return subprocess.run([PYTHON, "-c", "import boto3"], stderr=subprocess.DEVNULL).returncode == 0
