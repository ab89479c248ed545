# SPDX-License-Identifier: Apache-2.0
"""What is swept. A scenario is a class with a docstring in SCENARIOS; the rest is done for it."""

import io
import zipfile

import stored


class Scenario:
    name = ""
    configuration = ""
    # A spread must have hit at least one place that begins with each of these.
    must_hit = ("fdatasync /state/data.mdb", "renameat2 /drop", "unlink", "fsync")

    def deliver(self, site):
        """site.deliver(name, content) for each file."""
        raise NotImplementedError

    def again(self, site):
        """Files whose rows must all be known in the end."""
        return sorted(path for path in (site.data / "done").rglob("*") if path.is_file())

    def observe(self, site):
        """More that must be the same, as a dictionary."""
        return {}


def csv(header, rows):
    return "\n".join([header, *rows]) + "\n"


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
            "k3": csv("n,text", [f"{n},t{n}" for n in range(5, 72)]),
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

    def observe(self, site):
        return stored.observe(site)


SCENARIOS = [Deliveries(), Backup()]
