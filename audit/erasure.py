"""Which values may be missing from the log, because an erasure is on record."""

from __future__ import annotations

from dataclasses import dataclass

from audit import leaf
from exchange import Json


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure record excuses: the named values of listed records, or of all before an instant.

    The leaf's facts: `names`, and `records` (ids) or `before` (an instant).
    """

    index: int
    names: frozenset[str]
    records: frozenset[str]
    before: str

    @classmethod
    def read(cls, index: int, text: object) -> Erasure:
        """The erasure that a leaf states; a damaged one, which the walk will name, excuses nothing."""
        try:
            members = leaf.parse(text) if isinstance(text, str) else {}
        except ValueError:
            members = {}
        before = members.get("before")
        return cls(
            index,
            _texts(members.get("names")),
            _texts(members.get("records")),
            before if isinstance(before, str) else "",
        )

    def excuses(self, index: int, members: dict[str, Json], name: str) -> bool:
        """Whether this record's value may be missing."""
        listed = str(members.get("id")) in self.records or str(members.get("instant")) < self.before
        return index < self.index and name in self.names and listed


def _texts(value: Json) -> frozenset[str]:
    return (
        frozenset(text for text in value if isinstance(text, str)) if isinstance(value, list) else frozenset()
    )
