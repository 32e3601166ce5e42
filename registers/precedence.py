"""Which source counts where two supply the same: `precedence.tsv` with rule, first day, sources in order, and why.

A line holds for what began on its first day or later, until another of the rule does. The sources that do not count
are kept all the same. Source: p2, p17.3, p17.5, p24.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from errors import ConfigurationError
from mappings.regulation import rules

FILE = Path(__file__).parent / "precedence.tsv"
_HEADS = ["rule", "from_day", "sources", "why"]


@dataclass(frozen=True, slots=True)
class Precedence:
    """The sources of a rule from a day on (None: always), the one that counts first."""

    rule: str
    from_day: date | None
    sources: tuple[str, ...]
    why: str


def sources_of(rule: str, on: date, path: Path = FILE) -> tuple[str, ...]:
    """The sources of a rule for what began on a day, the one that counts first; empty where one alone supplies it."""
    held = [line for line in lines(path) if line.rule == rule and (line.from_day or date.min) <= on]
    return max(held, key=lambda line: line.from_day or date.min).sources if held else ()


@cache
def lines(path: Path = FILE) -> tuple[Precedence, ...]:
    """Every line of the file.

    Raises: ConfigurationError naming file and line.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        found: dict[tuple[str, date | None], Precedence] = {}
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            line = _line(row, where)
            if line.rule not in rules() or (line.rule, line.from_day) in found:
                raise ConfigurationError(f"{where}: no rule of the regulation, or one that stands twice")
            found[line.rule, line.from_day] = line
    return tuple(found.values())


def _line(row: list[str], where: str) -> Precedence:
    try:
        rule, day, named, why = row
        line = Precedence(rule, date.fromisoformat(day) if day else None, tuple(named.split(",")), why)
    except ValueError as error:
        raise ConfigurationError(f"{where}: a rule, a day or none, sources and why are wanted") from error
    if len(set(line.sources)) < 2 or len(set(line.sources)) != len(line.sources) or not why:
        raise ConfigurationError(f"{where}: two sources or more, each once, and a reason are wanted")
    return line
