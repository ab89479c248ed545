# SPDX-License-Identifier: Apache-2.0
"""What a local object store holds in the end, for the scenarios that look into it."""

import csv
import gzip
import hashlib
import io
import json
import signal

from crash_site import DEADLINE, Broken, Patience, check


def finish(site):
    """Manifests leave no file behind while they are owed: the daemon runs until nothing is."""
    begin = site.log.stat().st_size
    process = site.start()
    patience = Patience(DEADLINE)
    try:
        # Until it is up it holds the state and does not answer.
        while not site.is_up(begin) and process.poll() is None and patience.wait():
            pass
        while site.ask("status", "--json")[0]["outbox"]["owed"] > 0:
            if process.poll() is not None or not patience.wait():
                raise Broken(f"something stays owed to the store:\n{site.text()}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def observe(site):
    """Rows and files, as they were stored; checks that ledger, manifests and objects fit each other."""
    if site.ask("status", "--json")[0]["outbox"]["owed"] > 0:
        finish(site)
    backup = site.data / "backup"
    objects = {str(path.relative_to(backup)): path.read_bytes() for path in backup.rglob("*") if path.is_file()}
    of_kind = {kind: {name: body for name, body in objects.items() if f"/{kind}/" in name} for kind in ("rows", "raw", "manifest")}
    check("files that wait in the spool", [path.name for path in (site.data / "state" / "spool").iterdir()], [])
    batches = site.query("SELECT seq, batch_id FROM rowsieve_ledger")
    expected = sorted(f"{int(seq):010d}-{batch}.csv.gz" for seq, batch in batches)
    check("stored batches", sorted(name.rpartition("/")[2] for name in of_kind["rows"]), expected)
    check_manifests(objects, of_kind)
    rows = [
        (name.split("/")[0], *without_empty_end(record))
        for name, body in of_kind["rows"].items()
        for record in list(csv.reader(io.StringIO(gzip.decompress(body).decode())))[1:]
    ]
    raw = sorted((name.rpartition("/")[2].partition("-")[2], hashlib.sha256(body).hexdigest()) for name, body in of_kind["raw"].items())
    return {"stored rows": sorted(rows), "stored files": raw}


def without_empty_end(record):
    """A column that came later is null in rows stored before; in which version a row is stored depends on the order in
    which files were taken."""
    while record and record[-1] == "":
        record = record[:-1]
    return record


def check_manifests(objects, of_kind):
    """What they name is there as they say, and each kept object is named."""
    named = set()
    for body in of_kind["manifest"].values():
        for entry in json.loads(body)["objects"]:
            found = objects.get(entry["object"], b"")
            check(f"object '{entry['object']}'", hashlib.sha256(found).hexdigest(), entry["sha256"])
            named.add(entry["object"])
    check("objects that no manifest names", sorted({*of_kind["rows"], *of_kind["raw"]} - named), [])
