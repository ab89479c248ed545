# SPDX-License-Identifier: Apache-2.0
"""What is swept. A scenario is a class with a docstring in SCENARIOS; the rest is done for it."""

import hashlib
import io
import pathlib
import zipfile

import stored
from crash_site import Broken, check


class Scenario:
    name = ""
    configuration = ""
    kinds = ("kill", "cut", "fault", "alloc")
    # A spread has so many times fewer points than usual, all of them at places that begin with one of these.
    share = 1
    chosen_places = ("",)
    # A spread must have hit at least one place that begins with each of these.
    must_hit = ("fdatasync /state/data.mdb", "renameat2 /drop", "unlink", "fsync")

    def deliver(self, site):
        """site.deliver(name, content) for each file."""
        raise NotImplementedError

    def prepare(self, site):
        """What was done, undisturbed, before it begins."""

    def run(self, site, before, env, patience):
        """What is disturbed: its exit status, as of Site.run()."""
        return site.run(before, env, patience)

    def finish(self, site):
        """Undisturbed, to the end."""
        site.finish()

    def again(self, site):
        """Files whose rows must all be known in the end."""
        return sorted(path for path in (site.data / "done").rglob("*") if path.is_file())

    def observe(self, site, seen):
        """What must be the same: more than was seen, or less."""
        return seen

    def chosen(self, calls, is_deep):
        return calls if is_deep else [place for place in calls if place.startswith(self.chosen_places)]


def csv(header, rows):
    return "\n".join([header, *rows]) + "\n"


def check_table(seen, rows):
    """The rows of 'k' are what the files say, not just what an undisturbed run made of them."""
    found = sorted(",".join(map(str, row)) for row in seen["datasets"]["k"])
    check("rows of the table", found, sorted(rows))


def archive(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(zipfile.ZipInfo(f"{name}.csv", (2020, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()


class Deliveries(Scenario):
    """Several files and members, batches within and across them, rejects, a new column, a merge of runs, a file that is
    recognised whole, and one that cannot be taken."""

    name = "deliveries"
    configuration = """
batch { rows = 4  wait = "20ms" }
dataset "k" { files = { "k*.csv" } }
dataset "m" { files = { "m*.csv" } }
"""
    must_hit = Scenario.must_hit + ("write /rejected", "pwrite64 /state/data.mdb")

    def deliver(self, site):
        first = [f"{n},t{n}" for n in range(14)]
        first[6:6] = ["ragged", "x,y,z"]
        site.deliver("k1.csv", csv("n,text", first))
        site.deliver("k2.csv", csv("n,text,added", [f"{n},t{n}," for n in range(10, 20)] + ["20,t20,a", "one"]))
        site.deliver("m1.csv", csv("n,day", [f"{n},2020-01-{n % 28 + 1:02}" for n in range(9)]))
        both = {
            "k3": csv("n,text", [f"{n},t{n}" for n in range(5, 40)]),
            "m2": csv("n,day", [f"{n},2020-01-{n % 28 + 1:02}" for n in range(4, 15)] + ["a,b,c"]),
        }
        site.deliver("both.zip", archive(**both))
        site.deliver("k4.csv", both["k3"])
        site.deliver("m3.csv", b"n,day\n1\0,2020-01-01\n")


class Backup(Scenario):
    """Everything is kept in the local store: files as they came, the rows of each batch, and a manifest of each delivery."""

    name = "backup"
    configuration = """
batch { rows = 4  wait = "20ms" }
backup { raw = true }
dataset "k" { files = { "k*.csv" } }
"""
    must_hit = Scenario.must_hit + ("rename /backup", "fsync /backup", "unlink /state/spool")

    def deliver(self, site):
        site.deliver("k1.csv", csv("n,text", [f"{n},t{n}" for n in range(9)] + ["ragged"]))
        site.deliver("k2.csv", csv("n,text,added", [f"{n},t{n}," for n in range(5, 12)] + ["20,t20,a"]))
        site.deliver("k3.csv", csv("n,text", [f"{n},t{n}" for n in range(9)]))

    def observe(self, site, seen):
        return {**seen, **stored.observe(site)}


# Where rows, runs and files change hands; what lies around them is swept by the scenarios above.
HANDS = (
    "fdatasync /state/data.mdb", "pwrite64 /state/data.mdb", "writev /state/data.mdb", "fdatasync /rows.db", "pwrite64 /rows.db",
    "sendto socket", "recvfrom socket", "renameat2", "fsync",
)  # fmt: skip


class Keyed(Scenario):
    """Rows with a key: values that change within a batch, within a file and from file to file, a file that comes again
    after a change, and merges of keyed runs. The order of files decides what is in the table."""

    name = "keyed"
    configuration = """
batch { rows = 4  wait = "20ms" }
dataset "k" { files = { "k*.csv" }  key = { "id" }  on_change = "update" }
"""
    kinds = ("kill", "cut")
    share = 3
    chosen_places = HANDS
    must_hit = HANDS[:1]

    first = [f"{n},a{n}" for n in range(14)]
    files = {
        "k1.csv": first,
        "k2.csv": [f"{n},b{n}" for n in range(5, 18)] + ["ragged"],
        "k3.csv": first,
        "k4.csv": [f"{n},{version}{n}" for version in "cde" for n in (6, 6, 7, 0, 1)],
        "k5.csv": [f"{n},{'e' if n == 7 else 'a'}{n}" for n in range(5, 30)],
    }

    def deliver(self, site):
        for name, lines in self.files.items():
            site.deliver(name, csv("id,text", lines))

    def again(self, site):
        """Only the last file is still what the table holds."""
        return list((site.data / "done").glob("*k5.csv"))

    def observe(self, site, seen):
        last = {line.split(",")[0]: line for lines in self.files.values() for line in lines if line != "ragged"}
        check_table(seen, last.values())
        return seen


class Chunks(Scenario):
    """A file that has grown, twice: lines in front, in the middle and behind. Chunks, large ones and small ones in them,
    are recorded by batches and when the file ends, and passed over when they come again."""

    name = "chunks"
    configuration = """
batch { rows = 150  wait = "20ms" }
dataset "k" { files = { "k*.csv" } }
"""
    kinds = ("kill", "cut")
    share = 3
    chosen_places = HANDS
    must_hit = HANDS[:1]

    lines = [f"{n},{hashlib.sha256(str(n).encode()).hexdigest() * 6}" for n in range(1000)]

    def deliver(self, site):
        site.deliver("k1.csv", csv("n,text", self.lines[20:650]))
        site.deliver("k2.csv", csv("n,text", self.lines[10:850]))
        site.deliver("k3.csv", csv("n,text", self.lines[:300] + self.lines[900:] + self.lines[300:900]))

    def observe(self, site, seen):
        skipped = {pathlib.Path(report["file"]).name: report["bytes_skipped"] for report in site.ask("history", "--json")}
        if skipped["k2.csv"] == 0 or skipped["k3.csv"] == 0:
            raise Broken(f"nothing was passed over: {skipped}")
        check_table(seen, self.lines)
        return seen


class Parts(Scenario):
    """Most rows of a file were seen: many batches of them are judged at once, and what is new among them takes several
    transactions, the last of which hold rows that came twice."""

    name = "parts"
    configuration = """
batch { rows = 4  wait = "20ms" }
dataset "k" { files = { "k*.csv" } }
"""
    kinds = ("kill", "cut", "fault")
    share = 3
    chosen_places = HANDS
    must_hit = HANDS[:1]

    rows = [f"{n},t{n}" for n in range(60)]

    def deliver(self, site):
        site.deliver("k1.csv", csv("n,text", self.rows[:24]))
        site.deliver("k2.csv", csv("n,text", self.rows[:24] * 3 + self.rows[20:50] + ["ragged"] + self.rows[40:]))

    def observe(self, site, seen):
        check_table(seen, self.rows)
        return seen


class Rebuild(Scenario):
    """Rows were lost from the table: it is read back, and what was archived is delivered once more."""

    name = "rebuild"
    configuration = """
batch { rows = 4  wait = "20ms" }
dataset "k" { files = { "k*.csv" } }
"""
    kinds = ("kill", "cut")
    share = 3
    chosen_places = HANDS
    must_hit = HANDS[:1] + ("renameat2 /done", "renameat2 /drop")
    command = ("rebuild", "--refeed", "k")

    rows = [f"{n},t{n}" for n in range(45)]

    def deliver(self, site):
        site.deliver("k1.csv", csv("n,text", self.rows[:25]))
        site.deliver("k2.csv", csv("n,text", self.rows[15:]))

    def prepare(self, site):
        site.finish()
        site.change("DELETE FROM k WHERE n < 20")

    def run(self, site, before, env, patience):
        return site.run_command(*self.command, before=before, env=env)

    def finish(self, site):
        status = site.run_command(*self.command)
        if status != 0:
            raise Broken(f"run again it ended with {status}:\n{site.text()}")
        site.finish()

    def observe(self, site, seen):
        """How often a file was delivered again, and how many of its rows were new then, depends on when it was killed."""
        check_table(seen, self.rows)
        files = {(report["file"], report["rows"]) for report in seen["history"]}
        return {**seen, "history": sorted(files), "new": None}


SCENARIOS = [Deliveries(), Backup(), Keyed(), Chunks(), Parts(), Rebuild()]
