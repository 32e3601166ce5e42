"""Exchanges of a time as stacked columns: an hour or a day each, the ways in which they ended upon each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from audit.activity import Count
from endpoints.console.charts import Box, Column, Columns, Series, columns
from endpoints.console.figures import number, share
from exchange import RIGA, Outcome
from questions.words import Language

# In the order in which they stand upon each other: what went well is the ground.
OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    Outcome.OK.value: ("answered", "s3", ""),
    Outcome.QUEUED.value: ("queued", "idle", "bars"),
    Outcome.DENIED.value: ("denied", "s5", ""),
    Outcome.INVALID.value: ("invalid", "s5", "dots"),
    Outcome.FAILED.value: ("failed", "bad", "hatch"),
    Outcome.UNKNOWN.value: ("unknown", "bad", "cross"),
}
FAILURES = frozenset({Outcome.FAILED.value, Outcome.UNKNOWN.value})
DAYS = 30
_WIDE = Box(960, 250, left=56, right=8, top=10, bottom=26)
_SMALL = Box(320, 112, left=40, right=16, top=8, bottom=22)

Say = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Slot:
    """One column of a time: what it is told by, and its label in charts of both sizes."""

    told: str
    label: str
    small: str


@dataclass(frozen=True, slots=True)
class Time:
    """A time in columns: since when, the columns by the hour or day of a count, and the name of it."""

    name: str
    since: datetime
    slots: Mapping[datetime | date, Slot]
    by_day: bool

    def slot_of(self, count: Count) -> datetime | date:
        """The column that a count belongs to."""
        return count.hour.astimezone(RIGA).date() if self.by_day else count.hour


@dataclass(frozen=True, slots=True)
class Tally:
    """What was exchanged in a time: how often each outcome, in all and in each column."""

    time: Time
    by_outcome: Mapping[str, int]
    by_slot: Mapping[datetime | date, Mapping[str, int]]

    @property
    def total(self) -> int:
        """All that ended or was queued."""
        return sum(self.by_outcome.values())

    @property
    def failed(self) -> int:
        """What failed, or may have."""
        return sum(count for outcome, count in self.by_outcome.items() if outcome in FAILURES)


def last_day(now: datetime) -> Time:
    """The last 24 hours, this one included."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    slots: dict[datetime | date, Slot] = {}
    for number_ in range(24):
        begins = first + timedelta(hours=number_)
        here, ends = begins.astimezone(RIGA), (begins + timedelta(hours=1)).astimezone(RIGA)
        label = f"{here:%H:%M}"
        told = f"{here:%d.%m. %H:%M}–{ends:%H:%M}"
        slots[begins] = Slot(told, label if here.hour % 3 == 0 else "", label if here.hour % 6 == 0 else "")
    return Time("day", first, slots, by_day=False)


def last_month(now: datetime) -> Time:
    """The last 30 days in Riga, today included."""
    today = now.astimezone(RIGA).date()
    first = today - timedelta(days=DAYS - 1)
    slots: dict[datetime | date, Slot] = {}
    for number_ in range(DAYS):
        day = first + timedelta(days=number_)
        label = f"{day:%d.%m.}"
        slots[day] = Slot(label, label if number_ % 3 == 2 else "", label if number_ % 10 == 9 else "")
    begins = datetime(first.year, first.month, first.day, tzinfo=RIGA)
    return Time("month", begins, slots, by_day=True)


def tally(time: Time, counts: Iterable[Count]) -> Tally:
    """Sort counts into the columns of a time; an outcome that nobody knows counts as `unknown`."""
    by_outcome: dict[str, int] = {}
    by_slot: dict[datetime | date, dict[str, int]] = {}
    for count in counts:
        outcome = count.outcome if count.outcome in OUTCOMES else Outcome.UNKNOWN.value
        slot = time.slot_of(count)
        if slot not in time.slots:
            continue
        by_outcome[outcome] = by_outcome.get(outcome, 0) + count.exchanges
        here = by_slot.setdefault(slot, {})
        here[outcome] = here.get(outcome, 0) + count.exchanges
    return Tally(time, by_outcome, by_slot)


def present(tallied: Tally) -> tuple[str, ...]:
    """The outcomes that there are, in their order."""
    return tuple(outcome for outcome in OUTCOMES if tallied.by_outcome.get(outcome))


def series(say: Say, outcomes: Sequence[str]) -> tuple[Series, ...]:
    """The series of outcomes, named in words."""
    return tuple(
        Series(say(name), style, texture) for name, style, texture in (OUTCOMES[one] for one in outcomes)
    )


def chart(say: Say, language: Language, tallied: Tally, *, small: bool = False) -> Columns:
    """The columns of a time; the small form is for one system among others."""
    outcomes = present(tallied)
    named = series(say, outcomes)
    given = []
    for key, slot in tallied.time.slots.items():
        here = tallied.by_slot.get(key, {})
        values = [here.get(outcome, 0) for outcome in outcomes]
        parts = [
            f"{one.name} {number(language, value)}" for one, value in zip(named, values, strict=True) if value
        ]
        told = f"{slot.told}: {', '.join(parts) or '0'}"
        given.append(Column(slot.small if small else slot.label, told, values))
    box, ticks = (_SMALL, 2) if small else (_WIDE, 4)
    return columns(given, named, box, ticks=ticks, written=lambda value: number(language, value))


def told(say: Say, language: Language, tallied: Tally) -> str:
    """The chart in a sentence, for who does not see it."""
    total, failed = number(language, tallied.total), number(language, tallied.failed)
    sentence = say("Exchanges: {total}; failed or not known: {failed}", total=total, failed=failed)
    return f"{sentence} ({share(language, tallied.failed, tallied.total)})" if tallied.failed else sentence
