"""Which entries of a person's report the law withholds, as data: `withholding.tsv`, for lawyers.

A line says of whose access it speaks (recipient, purpose and operation or act, each a pattern with `*`), against whom
it is withheld, for how many months after the access (empty: as long as it is kept), the basis in law, and why. An
auditor under the purpose of supervision sees everything.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from errors import ConfigurationError
from exchange import Outcome
from questions.accesses import Access
from questions.words import Words

FILE = Path(__file__).parent / "withholding.tsv"
_HEADS = [
    "name",
    "recipient",
    "purpose",
    "operation",
    "against",
    "months",
    "basis_lv",
    "basis_en",
    "why",
]
# Longer than any month: what the law withholds is rather shown a day late than a day early.
_MONTH = timedelta(days=31)


class AskedBy(StrEnum):
    """Who asks about a person's data."""

    SELF = "self"
    PARENT = "parent"
    GUARDIAN = "guardian"
    REPRESENTATIVE = "representative"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Withholding:
    """One line of the file; `months` None: without an end."""

    name: str
    recipient: str
    purpose: str
    operations: tuple[str, ...]
    against: frozenset[AskedBy]
    months: int | None
    basis: Words
    why: str

    def covers(self, access: Access, asked_by: AskedBy, now: datetime) -> bool:
        """Whether an access is withheld from who asks.

        A refused request is told unless the line names its recipient: anybody may write any purpose into a request.
        """
        if asked_by not in self.against or (self.months and access.instant + self.months * _MONTH < now):
            return False
        if access.outcome == Outcome.DENIED and self.recipient == "*":
            return False
        return (
            fnmatchcase(access.recipient, self.recipient)
            and fnmatchcase(access.purpose, self.purpose)
            and any(fnmatchcase(access.name, pattern) for pattern in self.operations)
        )


@cache
def lines(path: Path = FILE) -> tuple[Withholding, ...]:
    """Every line, in the order of the file.

    Raises: ConfigurationError naming file and line.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        return tuple(_line(row, f"{path.name}, line {rows.line_num}") for row in rows)


def withheld(
    found: Iterable[Access], asked_by: AskedBy, now: datetime, rules: tuple[Withholding, ...] | None = None
) -> tuple[tuple[Access, ...], dict[str, int]]:
    """What may be told to who asks, and how many entries each line withholds."""
    told: list[Access] = []
    counts: dict[str, int] = {}
    for access in found:
        rule = next((one for one in rules or lines() if one.covers(access, asked_by, now)), None)
        if rule is None:
            told.append(access)
        else:
            counts[rule.name] = counts.get(rule.name, 0) + 1
    return tuple(told), counts


def _line(row: list[str], where: str) -> Withholding:
    if len(row) != len(_HEADS):
        raise ConfigurationError(f"{where}: {len(_HEADS)} columns are wanted")
    name, recipient, purpose, operations, against, months, basis_lv, basis_en, why = row
    try:
        askers = frozenset(AskedBy(one) for one in against.split(","))
        until = int(months) if months else None
    except ValueError as error:
        raise ConfigurationError(f"{where}: against whom, and for how many months?") from error
    if AskedBy.AUDITOR in askers or not (basis_lv and basis_en and why and (until is None or until > 0)):
        raise ConfigurationError(
            f"{where}: a basis in law and a reason are wanted, and nothing against auditors"
        )
    patterns = tuple(operations.split(","))
    return Withholding(name, recipient, purpose, patterns, askers, until, Words(basis_lv, basis_en), why)
