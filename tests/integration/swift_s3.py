# SPDX-License-Identifier: Apache-2.0
"""OpenStack Swift with its S3 API in one process on loopback, from Debian's packages: a store that verifies signatures.

usage: swift_s3.py DIRECTORY [--port N] [--pem FILE] [--clock SECONDS]

Prints one line of JSON when it takes requests: {"port", "tls_port"}. --clock shifts the time that it believes in.
"""

import argparse
import array
import json
import pathlib
import sys
import time

ACCESS_KEY, SECRET_KEY = "test:tester", "testing"
OTHER_ACCESS_KEY, OTHER_SECRET_KEY = "test:other", "otherkey"
REGION = "us-east-1"
STORAGE = ("account", "container", "object")

PIPELINE = (
    "catch_errors gatekeeper healthcheck listing_formats s3api tempauth bulk slo dlo versioned_writes copy proxy-server"
)


def write(path, *sections):
    path.write_text("\n".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys) for name, keys in sections))


def common(directory, port):
    return (
        "DEFAULT",
        [
            ("bind_ip", "127.0.0.1"),
            ("bind_port", port),
            ("workers", 0),
            ("swift_dir", directory / "etc"),
            ("devices", directory / "srv"),
            ("mount_check", "false"),
            ("disable_fallocate", "true"),
            ("log_level", "ERROR"),
            ("conn_timeout", 10),
            ("node_timeout", 60),
            ("container_update_timeout", 60),
        ],
    )


def configure(directory, ports):
    etc = directory / "etc"
    for part in (etc, directory / "srv" / "d1", directory / "cache", directory / "lock"):
        part.mkdir(parents=True, exist_ok=True)
    write(
        etc / "swift.conf",
        ("swift-hash", [("swift_hash_path_suffix", "tests"), ("swift_hash_path_prefix", "tests")]),
        ("storage-policy:0", [("name", "p0"), ("default", "yes")]),
        ("swift-constraints", [("max_header_size", 16384)]),
    )
    for server in STORAGE:
        write(
            etc / f"{server}-server.conf",
            common(directory, ports[server]),
            ("pipeline:main", [("pipeline", f"{server}-server")]),
            (
                f"app:{server}-server",
                [
                    ("use", f"egg:swift#{server}"),
                    ("recon_cache_path", directory / "cache"),
                    ("recon_lock_path", directory / "lock"),
                ],
            ),
        )
    plain = ("healthcheck", "catch_errors", "gatekeeper", "bulk", "slo", "dlo", "copy", "listing_formats")
    write(
        etc / "proxy-server.conf",
        common(directory, ports["proxy"]),
        ("pipeline:main", [("pipeline", PIPELINE)]),
        (
            "app:proxy-server",
            [
                ("use", "egg:swift#proxy"),
                ("account_autocreate", "true"),
                ("allow_account_management", "true"),
                ("conn_timeout", 10),
                ("node_timeout", 60),
            ],
        ),
        ("filter:s3api", [("use", "egg:swift#s3api"), ("storage_domain", "s3.localhost"), ("location", REGION)]),
        (
            "filter:tempauth",
            [
                ("use", "egg:swift#tempauth"),
                (f"user_{ACCESS_KEY.replace(':', '_')}", f"{SECRET_KEY} .admin"),
                (f"user_{OTHER_ACCESS_KEY.replace(':', '_')}", OTHER_SECRET_KEY),
            ],
        ),
        ("filter:versioned_writes", [("use", "egg:swift#versioned_writes"), ("allow_versioned_writes", "true")]),
        *[(f"filter:{name}", [("use", f"egg:swift#{name}")]) for name in plain],
    )


class Cache:
    """Stands in for memcached: the same calls, and values pass through JSON as there."""

    def __init__(self):
        self.values = {}

    def get(self, key, *arguments, **keywords):
        value, until = self.values.get(key, (None, 0))
        return json.loads(value) if value is not None and (not until or until > time.time()) else None

    def set(self, key, value, serialize=True, time=0, *arguments, **keywords):
        self.values[key] = (json.dumps(value), time and CLOCK() + time)

    def delete(self, key, *arguments, **keywords):
        self.values.pop(key, None)

    def incr(self, key, delta=1, time=0, **keywords):
        value = max(0, int(self.get(key) or 0) + delta)
        self.set(key, value, time=time)
        return value

    def decr(self, key, delta=1, time=0, **keywords):
        return self.incr(key, -delta, time)

    def get_multi(self, keys, *arguments, **keywords):
        return [self.get(key) for key in keys]

    def set_multi(self, values, *arguments, **keywords):
        for key, value in values.items():
            self.set(key, value, time=keywords.get("time", 0))


CLOCK = time.time


def shift_clock(seconds):
    real = time.time
    time.time = lambda: real() + seconds


def listen(eventlet, port=0):
    return eventlet.listen(("127.0.0.1", port), backlog=512)


def serve(directory, port, pem):
    import eventlet
    import eventlet.wsgi

    # The process is this test's own; the patched modules are Swift's.
    eventlet.monkey_patch()
    from swift.common import utils
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.ring import RingData
    from swift.common.wsgi import loadapp

    sockets = {server: listen(eventlet) for server in STORAGE} | {"proxy": listen(eventlet, port)}
    ports = {server: listener.getsockname()[1] for server, listener in sockets.items()}
    configure(directory, ports)
    etc = directory / "etc"
    utils.set_swift_dir(str(etc))
    part_power = 2
    for server in STORAGE:
        device = dict(id=0, region=1, zone=1, ip="127.0.0.1", port=ports[server], device="d1", weight=1.0, meta="",
                      replication_ip="127.0.0.1", replication_port=ports[server])  # fmt: skip
        ring = RingData([array.array("H", [0] * (1 << part_power))], [device], 32 - part_power)
        ring.save(str(etc / f"{server}.ring.gz"))
    cache = Cache()
    log = utils.NullLogger()

    def run(listener, application):
        return eventlet.spawn(
            eventlet.wsgi.server,
            listener,
            application,
            log,
            custom_pool=eventlet.GreenPool(1000),
            protocol=SwiftHttpProtocol,
            capitalize_response_headers=False,
        )

    for server in STORAGE:
        run(sockets[server], loadapp(str(etc / f"{server}-server.conf"), global_conf={"log_level": "ERROR"}))
    proxy = loadapp(str(etc / "proxy-server.conf"), global_conf={"log_level": "ERROR"})

    def with_cache(environment, start_response):
        environment["swift.cache"] = cache
        return proxy(environment, start_response)

    thread = run(sockets["proxy"], with_cache)
    tls_port = None
    if pem:
        tls = listen(eventlet)
        tls_port = tls.getsockname()[1]
        run(eventlet.wrap_ssl(tls, certfile=pem, server_side=True), with_cache)
    print(json.dumps({"port": ports["proxy"], "tls_port": tls_port}), flush=True)
    thread.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pem")
    parser.add_argument("--clock", type=float, default=0)
    arguments = parser.parse_args()
    shift_clock(arguments.clock)
    serve(arguments.directory.resolve(), arguments.port, arguments.pem)


if __name__ == "__main__":
    sys.exit(main())
