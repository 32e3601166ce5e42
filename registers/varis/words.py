"""Addresses as people type them: without diacritics, with abbreviations, numbers in any form.

Names and typed text are folded alike: letters without case and diacritics, split at everything else.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

_MARKS = re.compile(r"[^0-9a-z]+")
_POSTCODE = re.compile(r"\blv[\s-]*(\d{4})\b")
_BLOCK = r"(?:\s*k(?:orp(?:uss?)?)?[\s.-]*\d+[a-z]?)?"
_FLAT = r"dz(?:iv(?:okl[a-z]*)?)?\b[\s.]*"
_PREMISES = r"(?P<premises>\d+[a-z]?)(?![a-z0-9])(?!\.\s*[a-z])"
_NUMBER = re.compile(
    rf"(?<![a-z0-9])(?P<house>\d+(?:(?!k[\s.-]*\d)[a-z]|\s(?!k\W*\d)[a-z](?=\s*-|[\s,]*$))?(?:/\d+[a-z]?)*{_BLOCK})(?![a-z0-9])"
    rf"(?:(?:\s*-\s*|[\s,]+{_FLAT}|\s*,\s*|\s+){_PREMISES})?"
)
# Premises told before the house.
_FLAT_FIRST = re.compile(rf"^[^0-9]*?(?P<flat>\b{_FLAT}{_PREMISES})")

# What kind of object is meant, in full and as people shorten it; it ranks, but is never needed.
_SOFT = {
    "iela": ("iela", "i", "iel", "ielas"),
    "gatve": ("gatve", "g", "gat"),
    "bulvaris": ("bulvaris", "bulv", "b", "blv"),
    "prospekts": ("prospekts", "pr", "prosp"),
    "laukums": ("laukums", "l", "lauk"),
    "cels": ("cels", "c"),
    "soseja": ("soseja", "sos"),
    "krastmala": ("krastmala", "krastm", "kr"),
    "aleja": ("aleja", "al"),
    "linija": ("linija", "lin"),
    "dambis": ("dambis", "d"),
    "nov": ("nov", "novads", "novada", "n"),
    "pag": ("pag", "pagasts", "pagasta", "p"),
}
_MEANT = {typed: word for word, all_typed in _SOFT.items() for typed in all_typed}
KINDS = frozenset(_SOFT)
# Words that say nothing of which place is meant.
_EMPTY = frozenset(
    ("lv", "latvija", "nr", "numurs", "maja", "majas", "pilseta", "ciems", "ciema", "dz", "adrese")
)


def fold(text: str) -> str:
    """Letters without case and diacritics; everything else stays."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    return "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))


def words(name: str) -> tuple[str, ...]:
    """The words of a name, each once, in their order."""
    return tuple(dict.fromkeys(word for word in _MARKS.split(fold(name)) if word))


def key(name: str) -> str:
    """A name as it is looked up among its siblings: "19 k-1" as `19k-1`, "Riņņi" as `rinni`."""
    folded = fold(name)
    return folded if folded.isalnum() else "".join(c for c in folded if c.isalnum() or c in "-/")


def is_numbered(name: str) -> bool:
    """Whether a house has a number for its name, which is found under its street and not by words."""
    return name[:1].isdigit()


class Number(NamedTuple):
    """A number in what was typed: of a house, and of premises where both stand together. As keys."""

    house: str
    premises: str | None


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person typed, taken apart.

    `words` name places, `kinds` say what kind of place one is ("iela"), and are not needed. `numbers` stand in their
    order; one of them may be part of a name ("13. janvāra iela"). `premises` stands apart from its house.
    """

    words: tuple[str, ...]
    kinds: frozenset[str]
    numbers: tuple[Number, ...]
    premises: str | None
    postcode: str | None


def read(text: str) -> Typed:
    """Take typed text apart; nothing in it is an error."""
    rest = fold(text)
    postcode = premises = None
    if found := _POSTCODE.search(rest):
        postcode = f"LV-{found[1]}"
        rest = f"{rest[: found.start()]} {rest[found.end() :]}"
    if found := _FLAT_FIRST.search(rest):
        premises = found["premises"]
        rest = f"{rest[: found.start('flat')]} {rest[found.end('flat') :]}"
    numbers = tuple(
        Number(_number_key(match["house"]), match["premises"]) for match in _NUMBER.finditer(rest)
    )
    every = [word for word in _MARKS.split(_NUMBER.sub(" ", rest)) if word]
    kinds = frozenset(_MEANT[word] for word in every if word in _MEANT)
    named = [word for word in every if word not in _MEANT and word not in _EMPTY]
    # Where nothing else was typed, even such a word may be a name ("Gatve").
    return Typed(tuple(dict.fromkeys(named or every)), kinds, numbers, premises, postcode)


def _number_key(typed: str) -> str:
    """A typed house number as a key: "19 korpuss 1", "19k1" and "19 k-1" are one."""
    compact = "".join(typed.split())
    return re.sub(r"k(?:orp(?:uss?)?)?[.-]*(\d)", r"k-\1", compact)
