# SPDX-License-Identifier: Apache-2.0
"""Ceph's object gateway on loopback, from Debian's packages: one monitor, one OSD that keeps everything in memory, one gateway.

It verifies signatures as Swift does, and differs where stores do: session tokens, no body without a length, and no ETag
in the answer that completes an upload in parts. For --deep: its packages are large.
"""

import http.client
import json
import pathlib
import shutil
import subprocess
import tempfile
import uuid

from mariadb_server import SEARCH_PATH, end_with_parent, free_port
from rowsieve_test import wait_until
from s3_client import S3Client
from swift_s3 import ACCESS_KEY, SECRET_KEY

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
DOMAIN = "s3.localhost"

CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor_port}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = true
ms_mon_client_mode = crc
ms_client_mode = crc
ms_cluster_mode = crc
ms_service_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
run_dir = {directory}
admin_socket = {directory}/$name.asok
log_file = {directory}/$name.log
pid_file = {directory}/$name.pid
crash_dir = {directory}
log_to_stderr = false
mon_cluster_log_file = {directory}/cluster.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data = {directory}/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 1
[osd]
osd_data = {directory}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_crush_initial_weight = 1
osd_max_object_name_len = 1024
osd_op_num_shards = 1
osd_op_num_threads_per_shard = 2
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_dns_name = {domain}
rgw_data = {directory}/rgw
rgw_thread_pool_size = 16
rgw_run_sync_thread = false
rgw_enable_apis = {apis}
rgw_multipart_min_part_size = 5242880
{more}
"""
TOKENS = "rgw_sts_key = abcdefghijklmnop\nrgw_s3_auth_use_sts = true"


def program(name):
    return shutil.which(name, path=SEARCH_PATH)


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def rgw_installed():
    return all(map(program, PROGRAMS))


class Rgw:
    """start(), kill() and start() again: the gateway comes and goes, what was stored stays until close()."""

    def __init__(self, has_tokens=False):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowsieve-rgw-"))
        self.config = self.directory / "ceph.conf"
        self.port = free_port()
        self.cluster = []
        self.process = None
        self.fsid = str(uuid.uuid4())
        self.monitor_port = free_port()
        for part in ("mon", "osd", "rgw"):
            (self.directory / part).mkdir()
        self.config.write_text(
            CONFIG.format(
                fsid=self.fsid,
                monitor_port=self.monitor_port,
                directory=self.directory,
                port=self.port,
                domain=DOMAIN,
                apis="s3, sts, iam" if has_tokens else "s3",
                more=TOKENS if has_tokens else "",
            )
        )

    def command(self, name, *arguments):
        return [program(name), "-c", str(self.config), *map(str, arguments)]

    def call(self, name, *arguments):
        done = subprocess.run(self.command(name, *arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{name} {arguments}: {done.stderr[-1000:]}")

    def spawn(self, name, *arguments):
        with open(self.directory / f"{name}.out", "ab") as out:
            return subprocess.Popen(
                self.command(name, "-f", *arguments), stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=end_with_parent
            )

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"radosgw ended with {self.process.returncode}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def start_cluster(self):
        monmap, osd = self.directory / "monmap", uuid.uuid4()
        address = f"[v2:127.0.0.1:{self.monitor_port}]"
        self.call("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", address, monmap, "--clobber")
        self.call("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self.cluster.append(self.spawn("ceph-mon", "-i", "a"))
        self.call("ceph", "--connect-timeout", 30, "osd", "new", osd, 0)
        self.call("ceph-osd", "-i", 0, "--mkfs", "--osd-uuid", osd)
        self.cluster.append(self.spawn("ceph-osd", "-i", 0))

    def start(self):
        is_new = not self.cluster
        if is_new:
            self.start_cluster()
        self.process = self.spawn("radosgw", "-n", "client.rgw")
        wait_until(self.answers, "the gateway answered")
        if is_new:
            keys = [f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"]
            self.call("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=tester", "--display-name=tester", *keys)
        return self

    def make_role(self):
        """The name of a role that the user may take on, and that may do everything with objects."""
        trust = {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/tester"]}, "Action": ["sts:AssumeRole"]}
        right = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
        role = ["-n", "client.rgw", "--role-name=backup"]
        self.call("radosgw-admin", "role", "create", *role, f"--assume-role-policy-doc={policy(trust)}")
        self.call("radosgw-admin", "role-policy", "put", *role, "--policy-name=all", f"--policy-doc={policy(right)}")
        return "arn:aws:iam:::role/backup"

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.kill()
        for process in self.cluster:
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self):
        return S3Client(self.port, ACCESS_KEY, SECRET_KEY)
