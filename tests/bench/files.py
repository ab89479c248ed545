# SPDX-License-Identifier: Apache-2.0
"""The deliveries of the benchmark: a file, and changes of it that hold rows that were never there."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Prints the file $1 with new rows: `gap` > 0: `block` of them behind every `gap` rows; else `block` at the end.
CHANGE = """
function row() { printf "n%s-%d,\\"Delhi, India\\",1-Jan-15,Gold,Bills,F,%d\\n", mark, ++made, made }
{ print }
NR > 1 && gap > 0 && (NR - 1) % gap == 0 { for (i = 0; i < block; i++) row() }
END { if (gap == 0) for (i = 0; i < block; i++) row() }
"""


def make(command, out):
    """Nobody is to wait for the disk because of what was only just made."""
    with open(out, "wb") as file:
        subprocess.run(list(map(str, command)), stdout=file, check=True)
    os.sync()
    return out


def shell(script, *arguments, out):
    return make(["sh", "-c", script, "sh", *arguments], out)


class Files:
    def __init__(self, directory, rows):
        self.directory = directory
        self.rows = rows
        self.marks = 0
        # As text, so that a row's number says which file it is of.
        self.base = shell('"$1" "$2" | sed "2,\\$s/^/r/"', ROOT / "scripts" / "sample-rows", rows, out=directory / "base.csv")

    def change(self, gap, block):
        """The file with new rows, and how many they are; each time others."""
        self.marks += 1
        command = ["awk", "-v", f"mark={self.marks}", "-v", f"gap={gap}", "-v", f"block={block}", CHANGE, self.base]
        out = make(command, self.directory / "changed.csv")
        return out, block * (self.rows // gap if gap else 1)

    def appended(self):
        return self.change(0, self.rows // 100)

    def in_blocks(self):
        return self.change(10_000, 100)

    def one_by_one(self):
        return self.change(100, 1)

    def shuffled(self):
        self.marks += 1
        script = 'head -n 1 "$1" && tail -n +2 "$1" | shuf --random-source="$1"'
        return shell(script, self.base, out=self.directory / "shuffled.csv")

    def multiplied(self, rows):
        """A file of so many rows, all distinct: the base again and again, each time under other numbers."""
        script = (
            'head -n 1 "$1"; for ((left = $2, copy = 0; left > 0; left -= $3, copy++)); do'
            ' tail -n +2 "$1" | head -n "$left" | sed "s/^r/r$copy-/"; done'
        )
        return make(["bash", "-c", script, "bash", self.base, rows, self.rows], self.directory / "multiplied.csv")

    def sample(self, rows, new, order):
        """Some rows of the base, which ones and in what order says a number, and new ones among them."""
        self.marks += 1
        script = (
            'tail -c "+$((1000 * $5 + 1))" "$1" >"$6"; head -n 1 "$1";'
            ' { tail -n +2 "$1" | shuf -n "$2" --random-source="$6";'
            ' seq "$3" | sed "s/.*/m$4-&,Pune,1-Jan-15,Gold,Bills,F,&/"; } | shuf --random-source="$6"; rm "$6"'
        )
        random = self.directory / "random"
        out = self.directory / "sample.csv"
        return shell(script, self.base, rows - new, new, self.marks, order, random, out=out)
