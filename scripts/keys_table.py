# SPDX-License-Identifier: Apache-2.0
"""The table of configuration keys, read from src/config/keys.c: for what is made of it or compared with it."""

import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPES = {
    "STRING": "string",
    "STRINGS": "list of strings",
    "TEXT": "string",
    "TEXTS": "list of strings",
    "MARK": "character",
    "WHERE": "list of filters",
    "NAME": "name",
    "TYPE": "type",
    "FLAG": "false or true",
    "COUNT": "number",
    "SIZE": "size",
    "DURATION": "duration",
}


class Key(NamedTuple):
    section: str  # "root" outside of any
    name: str
    kind: str  # without KEY_
    words: list  # of a KEY_WORD
    default: str  # None: unset
    doc: str


def _literals(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def keys_of_program():
    source = (ROOT / "src/config/keys.c").read_text()
    words = {
        name: re.findall(r'"([^"]*)"', list_)
        for name, list_ in re.findall(r"const char \*const (\w+)\[\] = \{([^}]*)\}", source)
    }
    table = source[source.index("const struct key keys_table[]") : source.index("const size_t keys_count")]
    for row in re.split(r"\n    \{(?=KEYS_ROOT|\")", table)[1:]:
        section, name, kind, doc = re.match(
            r'(KEYS_ROOT|"\w+"), "(\w+)", KEY_(\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', row
        ).groups()
        initial = re.search(r'\.initial = "([^"]*)"', row)
        own_words = re.search(r"\.words = (\w+)", row)
        yield Key(
            section="root" if section == "KEYS_ROOT" else section.strip('"'),
            name=name,
            kind=kind,
            words=words[own_words[1]] if kind == "WORD" else [],
            default=initial[1] if initial else None,
            doc=_literals(doc),
        )
