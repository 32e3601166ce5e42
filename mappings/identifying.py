"""What of the regulation identifies a person, as data: `identifying.tsv` with rule, field, yes or no, and why.

A line without a field is of everything under the rule. A line with one is of that field alone, where other fields
under the same rule identify nobody. A text is taken to identify unless its line says no: what is written freely can
hold a name. Source: p18.2, p18.6.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from errors import ConfigurationError

FILE = Path(__file__).parent / "identifying.tsv"
_HEADS = ["rule", "field", "identifies", "why"]


@dataclass(frozen=True, slots=True)
class Identifying:
    """What is said of a rule, or of one field under it."""

    rule: str
    field: str
    identifies: bool
    why: str


@cache
def lines(path: Path = FILE) -> tuple[Identifying, ...]:
    """Every line of the file.

    Raises: ConfigurationError naming file and line.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        found: dict[tuple[str, str], Identifying] = {}
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            if len(row) != len(_HEADS) or row[2] not in ("yes", "no") or not row[3]:
                raise ConfigurationError(
                    f"{where}: four columns, the third yes or no, and a reason are wanted"
                )
            if (row[0], row[1]) in found or (row[2] == "no" and not row[1]):
                raise ConfigurationError(f"{where}: stands twice, or says no of a whole rule")
            found[row[0], row[1]] = Identifying(row[0], row[1], row[2] == "yes", row[3])
    return tuple(found.values())


def named_within(rule: str) -> Identifying | None:
    """What identifies a person under a rule as a whole, by the rule itself, a point above it or one beneath it.

    A rule of which only some fields identify is not among them: those fields are withheld one by one.
    """
    return next(
        (one for one in lines() if not one.field and (_covers(one.rule, rule) or _covers(rule, one.rule))),
        None,
    )


def identifies(rule: str, field: str, *, free: bool) -> bool:
    """Whether a field identifies a person; `free` says that its value is text as somebody wrote it."""
    if any(one.field in ("", field) and one.identifies and _covers(one.rule, rule) for one in lines()):
        return True
    return free and not any(
        one.field == field and not one.identifies and _covers(one.rule, rule) for one in lines()
    )


def _covers(above: str, rule: str) -> bool:
    return rule == above or rule.startswith(f"{above}.")
