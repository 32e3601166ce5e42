"""Who is entitled by points 17, 18 and 21, and whether the gateway serves it: `entitlements.tsv`, for lawyers.

One line for each point and recipient: `done`, `partly` or `not yet`, the last two with what is missing. `gateway check`
holds it against the regulation and the rights in access.d.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from errors import ConfigurationError
from mappings.regulation import rules

FILE = Path(__file__).parent / "entitlements.tsv"
_HEADS = ["point", "recipient", "state", "reason"]
_HEADED = ("p17", "p18")


class State(StrEnum):
    """How far an entitlement is served."""

    DONE = "done"
    PARTLY = "partly"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A point that lets somebody supply or receive, the recipient's name in access.d, and how far that is served."""

    point: str
    recipient: str
    state: State
    reason: str


@cache
def entitlements(path: Path = FILE) -> tuple[Entitlement, ...]:
    """Every line, in the order of the file.

    Raises: ConfigurationError naming file and line.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(lines, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        found: dict[tuple[str, str], Entitlement] = {}
        for row in lines:
            where = f"{path.name}, line {lines.line_num}"
            if len(row) != len(_HEADS) or row[2] not in list(State) or (row[0], row[1]) in found:
                raise ConfigurationError(f"{where}: a point and recipient stand once, with a known state")
            one = Entitlement(row[0], row[1], State(row[2]), row[3])
            if (one.state is State.DONE) == bool(one.reason):
                raise ConfigurationError(f"{where}: what is not done has a reason, and only that")
            found[one.point, one.recipient] = one
    return tuple(found.values())


def entitling_points() -> tuple[str, ...]:
    """The points of the regulation that entitle somebody: those beneath 17 and 18, 17^1, and 21."""
    return tuple(
        rule
        for rule in rules()
        if (rule.partition(".")[0] in _HEADED and "." in rule) or rule in ("p17^1", "p21")
    )
