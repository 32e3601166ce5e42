"""The full address (STD), rebuilt from the chain of names as the State Address Register writes it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """Types of objects (TIPS_CD). The state itself is no row."""

    STATE = 101
    DISTRICT = 102
    CITY = 104
    PARISH = 105
    VILLAGE = 106
    STREET = 107
    BUILDING = 108
    PREMISES = 109
    MUNICIPALITY = 113


ROOT = 100_000_000


class Standard(NamedTuple):
    """A full address without postcode: `head` is what a street's number or a premises' number is joined to."""

    kind: int
    head: str
    tail: str

    def text(self, postcode: str | None = None) -> str:
        """The address in one line, as STD has it."""
        return f"{self.head}{self.tail}, {postcode}" if postcode else f"{self.head}{self.tail}"


def under(parent: Standard | None, kind: int, name: str) -> Standard:
    """The address of an object under its parent: None under the state, or where the parent is not held.

    A number stands after its street, a house off a street in quotes, premises after their building.
    """
    if parent is None:
        return Standard(kind, f'"{name}"' if kind == Kind.BUILDING else name, "")
    if kind == Kind.BUILDING and parent.kind == Kind.STREET:
        return Standard(kind, f"{parent.head} {name}", parent.tail)
    if kind == Kind.PREMISES and parent.kind == Kind.BUILDING:
        return Standard(kind, f"{parent.head} - {name}", parent.tail)
    head = f'"{name}"' if kind == Kind.BUILDING else name
    return Standard(kind, head, f", {parent.head}{parent.tail}")


def standard(chain: Iterable[tuple[int, str]]) -> Standard:
    """The address of the first link of a chain of (kind, name), which goes from the object up.

    Raises: ValueError for a chain without links.
    """
    built: Standard | None = None
    for kind, name in reversed(list(chain)):
        built = under(built, kind, name)
    if built is None:
        raise ValueError("a chain has at least the object itself")
    return built
