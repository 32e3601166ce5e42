"""How often institutions report on a child and who is alerted of what: both are files, and each line begins on a day.

`report_rhythm.tsv`: from a day and an age on, months from one report to the next and days of warning.
`child_alert_rules.tsv`: from a day on, who hears of what; of the length of a stay after so many months. A kind and a
number of months that stand again with a later day are replaced by that line; without recipients nobody hears.
Source: P9, P10 of the processes; p10.11.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path

from errors import ConfigurationError

RHYTHM_FILE = Path(__file__).parent / "report_rhythm.tsv"
ALERTS_FILE = Path(__file__).parent / "child_alert_rules.tsv"


class AlertKind(StrEnum):
    """What an alert is about."""

    REPORT_DUE = "REPORT_DUE"  # a warning: the term is near
    REPORT_OVERDUE = "REPORT_OVERDUE"
    STAY_LENGTH = "STAY_LENGTH"


class Recipient(StrEnum):
    """Whom an alert is for."""

    INSTITUTION = "INSTITUTION"
    ORPHAN_COURT = "ORPHAN_COURT"  # bāriņtiesa
    SOCIAL_SERVICE = "SOCIAL_SERVICE"  # pašvaldības sociālais dienests
    MINISTRY = "MINISTRY"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often is reported on a child: months from report to report, and the days before the term of the warning."""

    from_day: date
    from_age: int
    months: int
    warn_days: int


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Who hears of what; `months` is the length of a stay, 0 for reports."""

    from_day: date
    kind: AlertKind
    months: int
    recipients: tuple[Recipient, ...]


@cache
def rhythms(path: Path = RHYTHM_FILE) -> tuple[Rhythm, ...]:
    """Every line of the rhythm.

    Raises: ConfigurationError naming file and line; so too when a day leaves an age without a rhythm.
    """
    found: list[Rhythm] = []
    for where, (day, age, months, warning, why) in _lines(
        path, ["from_day", "from_age", "months", "warn_days", "why"]
    ):
        line = Rhythm(_day(day, where), _number(age, where), _number(months, where), _number(warning, where))
        if not why or line.months < 1 or line.warn_days >= 28 * line.months:
            raise ConfigurationError(
                f"{where}: a month or more, a warning within it, and a reason are wanted"
            )
        if any((line.from_day, line.from_age) == (one.from_day, one.from_age) for one in found):
            raise ConfigurationError(f"{where}: the same day and age stand twice")
        found.append(line)
    days = {line.from_day for line in found}
    if date.min not in days or any((day, 0) not in {(o.from_day, o.from_age) for o in found} for day in days):
        raise ConfigurationError(f"{path.name}: each day wants a line from age 0 on, and one line no day")
    return tuple(found)


def rhythm_on(day: date, age: int | None, lines: Iterable[Rhythm]) -> Rhythm:
    """The rhythm on a day for a child of so many full years; of an unknown age the one that reports most often."""
    held = [line for line in lines if line.from_day <= day]
    newest = max(line.from_day for line in held)
    of_day = [line for line in held if line.from_day == newest]
    if age is None:
        return min(of_day, key=lambda line: line.months)
    return max((line for line in of_day if line.from_age <= age), key=lambda line: line.from_age)


@cache
def alert_rules(path: Path = ALERTS_FILE) -> tuple[AlertRule, ...]:
    """Every line of who is alerted.

    Raises: ConfigurationError naming file and line.
    """
    found: list[AlertRule] = []
    for where, (day, kind, months, recipients, why) in _lines(
        path, ["from_day", "kind", "months", "recipients", "why"]
    ):
        try:
            rule = AlertRule(
                _day(day, where),
                AlertKind(kind),
                _number(months, where) if months else 0,
                tuple(Recipient(name) for name in recipients.split(",") if name),
            )
        except ValueError as error:
            raise ConfigurationError(f"{where}: a kind and recipients that there are are wanted") from error
        of_stay = rule.kind is AlertKind.STAY_LENGTH
        if not why or of_stay != bool(rule.months) or len(set(rule.recipients)) != len(rule.recipients):
            raise ConfigurationError(
                f"{where}: months for the length of a stay alone, each recipient once, and a reason are wanted"
            )
        if any((rule.from_day, rule.kind, rule.months) == (o.from_day, o.kind, o.months) for o in found):
            raise ConfigurationError(f"{where}: the same day, kind and months stand twice")
        found.append(rule)
    return tuple(found)


def rules_on(day: date, kind: AlertKind, lines: Iterable[AlertRule]) -> tuple[AlertRule, ...]:
    """The rules of a kind on a day, the shortest stay first."""
    held: dict[int, AlertRule] = {}
    for line in sorted(lines, key=lambda line: line.from_day):
        if line.kind is kind and line.from_day <= day:
            held[line.months] = line
    return tuple(held[months] for months in sorted(held))


def _lines(path: Path, heads: list[str]) -> Iterator[tuple[str, list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != heads:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(heads)}")
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            if len(row) != len(heads):
                raise ConfigurationError(f"{where}: the columns are {', '.join(heads)}")
            yield where, row


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text) if text else date.min
    except ValueError as error:
        raise ConfigurationError(f"{where}: a day is written 2026-01-31") from error


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise ConfigurationError(f"{where}: a whole number is wanted, not {text!r}")
    return int(text)
