"""The regulation point by point, as data: `regulation.tsv` with rule id, Latvian text, our note and its first day.

A rule id is the number of the point with `p` before it; a superscript is written `^`: `p13^1.5`. A later amendment is
more rows, and no code.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from errors import ConfigurationError

FILE = Path(__file__).parent / "regulation.tsv"
_HEADS = ["rule", "text_lv", "note", "effective_from"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A point of the regulation: its id, its Latvian text, our reading of it where the text needs one, its first day.

    `effective_from` None: from the first day of the regulation. Source: p23, p24.
    """

    id: str
    text: str
    note: str
    effective_from: date | None


@cache
def rules(path: Path = FILE) -> dict[str, Rule]:
    """Every rule by id, in the order of the regulation.

    Raises: ConfigurationError naming file and line; a rule stands once.
    """
    found: dict[str, Rule] = {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(lines, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        for row in lines:
            where = f"{path.name}, line {lines.line_num}"
            if len(row) != len(_HEADS) or row[0] in found:
                raise ConfigurationError(f"{where}: a rule has four columns and stands once")
            try:
                begins = date.fromisoformat(row[3]) if row[3] else None
            except ValueError as error:
                raise ConfigurationError(f"{where}: the first day is no date") from error
            found[row[0]] = Rule(row[0], row[1], row[2], begins)
    return found


def chain(rule: str) -> tuple[Rule, ...]:
    """A rule with the points above it, topmost first: the text of a sub-point is read after its heads.

    For a rule that the regulation does not have, the chain ends at the points above it.
    """
    parts = rule.split(".")
    known = rules()
    names = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return tuple(known[name] for name in names if name in known)


def text(rule: str) -> str:
    """The Latvian text of a rule.

    Raises: ConfigurationError for a rule that the regulation does not have.
    """
    try:
        return rules()[rule].text
    except KeyError as error:
        raise ConfigurationError(f"{rule} is no rule of the regulation") from error


def effective_from(rule: str) -> date | None:
    """The day from which a rule holds, by its own row or the nearest above it; None where it always did.

    Source: p23, p24.
    """
    return next((own.effective_from for own in reversed(chain(rule)) if own.effective_from), None)
