# SPDX-License-Identifier: Apache-2.0
"""Kills the program at its system calls, or makes them or its allocations fail, and looks whether anything can be seen of
it in the end.

usage: sweep.py kill|cut|fault|alloc sqlite|mariadb [SCENARIO]...    ROWSIEVE_DEEP set: every point, not a spread

A point is one occurrence of one place (see trap.c), so that a sweep reaches every call in time, whatever thread makes
it. Reports in TAP, with one line for each point in the file that ROWSIEVE_SWEEP_LOG names.
"""

import collections
import concurrent.futures
import errno
import os
import sys
import zlib

from scenarios import SCENARIOS
from crash_site import CANNOT_TRACE, DEADLINE, ENDED_EARLY, PATIENCE, Broken, ForgetfulSite, MysqlSite, Site, SqliteSite, Unable

DEEP = bool(os.environ.get("ROWSIEVE_DEEP"))
# Points that are tried at once: after a fault most of the time goes into waiting whether the program comes right.
WORKERS = {"kill": 4, "cut": 4, "fault": 8, "alloc": 8}
# How many points a spread has.
SPREAD = {"kill": 200, "cut": 160, "fault": 130, "alloc": 1000}

Point = collections.namedtuple("Point", "place occurrence action")

# A kill before a call shows what all calls before it have done: only those that change something matter, and the
# answers of a server, between which it may act.
KILLED_AT = (
    "write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg", "copy_file_range", "recvfrom", "fsync", "fdatasync", "msync",
    "ftruncate", "fallocate", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
    "fchown", "fchmod", "openat", "connect",
)  # fmt: skip

WRITING = ("ENOSPC", "EIO", "EINTR", "short")
READING = ("EIO", "EINTR", "short")
FAILS_WITH = {
    "write": WRITING, "pwrite64": WRITING, "writev": WRITING[:3], "pwritev": WRITING[:3], "copy_file_range": WRITING[:3],
    "read": READING, "pread64": READING, "readv": READING[:2], "getdents64": ("EIO",),
    "sendto": ("EAGAIN", "EINTR", "ECONNRESET", "short"), "recvfrom": ("EAGAIN", "EINTR", "ECONNRESET", "short"),
    "sendmsg": ("EAGAIN", "EINTR"), "recvmsg": ("EAGAIN", "EINTR"), "connect": ("ECONNREFUSED", "EINTR"), "accept4": ("EMFILE",),
    "fsync": ("EIO", "ENOSPC", "EINTR"), "fdatasync": ("EIO", "ENOSPC", "EINTR"), "msync": ("EIO",), "fcntl": ("EIO", "ENOLCK"),
    "openat": ("EMFILE", "EIO", "ENOSPC", "EINTR"), "open": ("EMFILE", "EIO", "ENOSPC"), "socket": ("EMFILE",), "bind": ("EACCES",),
    "mkdir": ("ENOSPC", "EIO"), "mkdirat": ("ENOSPC", "EIO"), "rename": ("EIO", "ENOSPC"), "renameat": ("EIO", "ENOSPC"),
    "renameat2": ("EIO", "ENOSPC"), "link": ("EIO", "ENOSPC"), "linkat": ("EIO", "ENOSPC"), "unlink": ("EIO",), "unlinkat": ("EIO",),
    "ftruncate": ("EIO", "EINTR"), "fallocate": ("ENOSPC", "EINTR"), "newfstatat": ("EIO", "EACCES"), "statfs": ("EIO",),
    "fstatfs": ("EIO",), "mmap": ("ENOMEM",), "memfd_create": ("EMFILE", "ENOSPC"), "inotify_add_watch": ("ENOSPC",),
    "epoll_ctl": ("ENOSPC",), "access": ("EIO",), "faccessat": ("EIO",), "fchown": ("EIO",), "fchmod": ("EIO",),
    "getrandom": ("EINTR",),
}  # fmt: skip

# Kills, then power cuts: nothing that was not synced is left, or some pages of it are.
CUTS = ("cut-0", "cut-1")

# The program's own ways to end; anything else is a crash.
STATUSES = (0, 1, 69, 73, 75, 78)


def actions_at(kind, place):
    if kind == "alloc":
        return ("refuse",)
    call = place.split(" ", 1)[0]
    if kind == "kill":
        return ("kill",) if call in KILLED_AT else ()
    if kind == "cut":
        return CUTS if call in KILLED_AT else ()
    return tuple(name if name == "short" else str(getattr(errno, name)) for name in FAILS_WITH.get(call, ()))


def occurrences(count):
    """1 to count, each next one far from those before: the middle of every half, the middles of the quarters, ..."""
    order, spans = [], collections.deque([(1, count)])
    while spans:
        first, last = spans.popleft()
        if first <= last:
            middle = (first + last) // 2
            order.append(middle)
            spans += [(first, middle - 1), (middle + 1, last)]
    return order


def all_points(kind, calls):
    """Those that come first tell most: one of each place, then another of each, and so on."""
    lists = []
    for place, count in collections.Counter(calls).items():
        actions = actions_at(kind, place)
        if actions:
            points = [Point(place, number, action) for number in occurrences(count) for action in actions]
            lists.append(points)
    ordered = []
    if kind == "alloc" and not DEEP:
        return [points[0] for points in lists]
    for turn in range(max(map(len, lists), default=0)):
        # Another action each turn where there are several.
        ordered += [points[turn] for points in lists if turn < len(points)]
    return ordered


class Sweep:
    def __init__(self, kind, sink, scenario, log):
        self.kind, self.scenario, self.log = kind, scenario, log
        self.site = type("SweptSite", (sink, *([ForgetfulSite] if kind == "cut" else []), Site), {})
        self.hits = collections.Counter()
        self.missed, self.failures = 0, []

    def run(self):
        with self.site(self.scenario) as site:
            self.scenario.finish(site)
            expected = self.view(site.observe())
        with self.site(self.scenario) as site:
            status = self.trapped_run(site)
            if status == CANNOT_TRACE:
                raise Unable("ptrace cannot be used here")
            # What lies around the data directory has another name each time.
            calls = [place for place in site.calls() if str(site.directory) not in place]
        points = all_points(self.kind, self.scenario.chosen(calls, DEEP))
        if not DEEP:
            points = points[: SPREAD[self.kind] // self.scenario.share]
        with concurrent.futures.ThreadPoolExecutor(WORKERS[self.kind]) as pool:
            for point, verdict in zip(points, pool.map(lambda point: self.try_point(point, expected), points)):
                self.record(point, verdict)
        return points

    def trapped_run(self, site, point=None):
        patience = PATIENCE if point and self.kind in ("fault", "alloc") else DEADLINE
        if self.kind == "alloc":
            return self.scenario.run(site, (), site.malloc_trap(point), patience)
        return self.scenario.run(site, site.trap(point), None, patience)

    def record(self, point, verdict):
        if verdict is None:
            self.missed += 1
            return
        self.hits[point.place] += 1
        if verdict:
            self.failures.append(f"{point}: {verdict}")

    def try_point(self, point, expected):
        verdict = self.verdict_on(point, expected)
        outcome = "did not come" if verdict is None else (verdict.splitlines() or ["ok"])[0]
        self.log.write(f"{self.scenario.name}\t{point.place}\t{point.occurrence}\t{point.action}\t{outcome}\n")
        self.log.flush()
        return verdict

    def verdict_on(self, point, expected):
        """None: the point did not come; "" when nothing is to be seen of it; else what is."""
        try:
            with self.site(self.scenario) as site:
                status = self.trapped_run(site, point)
                was_hit = site.was_hit()
                self.check_end(site, point, status, was_hit)
                if self.kind == "cut":
                    site.cut_power(int(point.action[4:]) * (zlib.crc32(point.place.encode()) % 9999 + point.occurrence))
                self.scenario.finish(site)
                found = self.view(site.observe())
                if found != expected:
                    return differences(found, expected) + "\n" + site.text()
                return "" if was_hit else None
        except Broken as broken:
            return str(broken)

    def view(self, seen):
        """A file that could not be opened is taken after others: which of two files a row was new in may change. One
        whose identity could not be read is read once more: nothing but duplicates, the same rejects, the same file."""
        if self.kind in ("kill", "cut"):
            return seen
        for report in seen["history"]:
            report["duplicate"] += report.pop("new")
        again = {key: without_repeats(seen[key]) for key in ("history", "rejected", "stored files") if key in seen}
        return {**seen, **again}

    def check_end(self, site, point, status, was_hit):
        if status == ENDED_EARLY:
            return
        if self.kind in ("kill", "cut"):
            # A run that is not killed may be told to end before it has stored what is owed.
            if status != 137 if was_hit else status != 0 and isinstance(status, int):
                raise Broken(f"it ended with {status}:\n{site.text()}")
        elif isinstance(status, int) and status not in STATUSES:
            raise Broken(f"it crashed with {status}:\n{site.text()}")
        elif status != 0 and "rowsieve: " not in site.text():
            raise Broken(f"it ended with {status} and no message")

    def unhit(self):
        required = self.scenario.must_hit if self.kind in ("kill", "cut") else ()
        if self.kind == "kill" and issubclass(self.site, MysqlSite):
            required += ("sendto socket COMMIT",)
        return [start for start in required if not any(place.startswith(start) for place in self.hits)]


def without_repeats(things):
    return [thing for place, thing in enumerate(things) if thing not in things[:place]]


def differences(found, expected):
    return "\n".join(
        f"{key}: {found.get(key)!r}\n  not {expected.get(key)!r}"
        for key in sorted({*found, *expected})
        if found.get(key) != expected.get(key)
    )


class Report:
    def __init__(self):
        self.count, self.failed = 0, 0

    def say(self, is_ok, name, complaints=()):
        self.count += 1
        self.failed += not is_ok
        print(f"{'ok' if is_ok else 'not ok'} {self.count} - {name}")
        for complaint in complaints:
            print("\n".join(f"# {line}" for line in complaint.splitlines()))
        sys.stdout.flush()

    def sweep(self, sweep, title):
        try:
            points = sweep.run()
        except Unable as unable:
            self.say(True, f"{title} # SKIP {unable}")
            return
        hit = sum(sweep.hits.values())
        name = f"{title}: {hit} points at {len(sweep.hits)} places, {sweep.missed} did not come"
        complaints = sweep.failures + [f"never hit: {place}" for place in sweep.unhit()]
        if hit < 0.8 * len(points):
            complaints.append(f"only {hit} of {len(points)} points were hit")
        self.say(not complaints, name, complaints)


def main(kind, sink_name, *names):
    sink = {"sqlite": SqliteSite, "mariadb": MysqlSite}[sink_name]
    report = Report()
    log = open(os.environ.get("ROWSIEVE_SWEEP_LOG", os.devnull), "a")
    print("TAP version 13")
    if sink is MysqlSite:
        MysqlSite.start_server()
    try:
        for scenario in SCENARIOS:
            if kind in scenario.kinds and (not names or scenario.name in names):
                report.sweep(Sweep(kind, sink, scenario, log), f"{kind}, {sink_name}, {scenario.name}")
    finally:
        if sink is MysqlSite:
            MysqlSite.server.close()
    print(f"1..{report.count}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
