"""Which values may be missing from the log, because an erasure is on record that the law allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from audit import leaf, retention
from exchange import instant_text


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure record excuses: the named values of all records of a retention class before an instant.

    The leaf's facts: `class`, `before` (an instant), `names`; a name covers its numbered ones (`subject_index.0`).
    """

    index: int
    retention: str
    before: str
    names: frozenset[str]
    instant: str

    @classmethod
    def read(cls, index: int, text: object) -> Erasure:
        """The erasure that a leaf states; a damaged one, which the walk will name, excuses nothing."""
        try:
            members = leaf.parse(text) if isinstance(text, str) else {}
            leaf.check(members)
        except ValueError:
            return cls(index, "", "", frozenset(), "")
        names = members["names"]
        return cls(
            index,
            str(members["class"]),
            str(members["before"]),
            frozenset(map(str, names)) if isinstance(names, list) else frozenset(),
            str(members["instant"]),
        )

    def unlawful(self, now: datetime) -> str:
        """Why it may excuse nothing: what it claims was still to be kept. Empty where it holds.

        Whoever holds the database could write an erasure of what he wants to hide, and say that it happened later.
        """
        kept = retention.classes().get(self.retention)
        if kept is None:
            return "it names no retention class"
        if self.instant > instant_text(now):
            return "it says that it happens in the future"
        if kept.months == 0:
            return f"the class {self.retention} is kept for good"
        if _later(self.before, kept.months) > f"0{self.instant}":
            return (
                f"the class {self.retention} is kept for {kept.months} months, which were not over for all from "
                f"before {self.before}"
            )
        return ""

    def excuses(self, index: int, instant: str, kept: str, name: str) -> bool:
        """Whether this value of a record with that index, instant and retention class may be missing."""
        return (
            index < self.index
            and kept == self.retention
            and instant < self.before
            and name.partition(".")[0] in self.names
        )


def _later(instant: str, months: int) -> str:
    """Year and month of an instant so many months on, the rest as it is; five digits for the year, to compare."""
    year, month = divmod(int(instant[:4]) * 12 + int(instant[5:7]) - 1 + months, 12)
    return f"{year:05}-{month + 1:02}{instant[7:]}"
