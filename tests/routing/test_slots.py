"""On which days something planned takes place."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import OffDays, Schedule
from endpoints.work.schedules import OnDays
from exchange import RIGA
from routing.slots import takes_place
from routing.working_days import is_working_day

DAYS = st.dates(date(2024, 1, 1), date(2035, 12, 31))
WEEKDAYS = st.frozensets(st.integers(0, 6), min_size=1)
MONDAYS = frozenset({0})


@pytest.mark.parametrize(
    ("day", "asked", "skipped", "moved"),
    [
        (date(2026, 4, 6), True, False, False),  # Easter Monday
        (date(2026, 4, 7), False, False, True),  # the Tuesday after it
        (date(2026, 4, 8), False, False, False),
        (date(2026, 4, 13), True, True, True),
        (date(2026, 6, 22), True, False, False),  # a Monday off by an order of the Cabinet
        (date(2026, 6, 25), False, False, True),  # after Midsummer's two days
    ],
)
def test_a_monday_that_is_a_holiday(day: date, asked: bool, skipped: bool, moved: bool) -> None:
    found = [takes_place(Schedule("4", MONDAYS, off), day) for off in OffDays]
    assert found == [asked, skipped, moved]


@given(DAYS, WEEKDAYS)
def test_what_may_be_skipped_or_moved_never_falls_on_a_day_off(day: date, weekdays: frozenset[int]) -> None:
    if not is_working_day(day):
        for off_days in (OffDays.SKIPPED, OffDays.MOVED):
            assert not takes_place(Schedule("4", weekdays, off_days), day)


@given(DAYS, WEEKDAYS)
def test_no_planned_day_is_lost_where_it_is_moved(day: date, weekdays: frozenset[int]) -> None:
    """Between a planned day and the next working day, that one included, there is a slot."""
    if day.weekday() in weekdays:
        later = day
        while not is_working_day(later):
            later += timedelta(days=1)
        assert takes_place(Schedule("4", weekdays, OffDays.MOVED), later)


@given(DAYS, WEEKDAYS)
def test_a_source_that_works_every_day_is_asked_as_planned(day: date, weekdays: frozenset[int]) -> None:
    assert takes_place(Schedule("4", weekdays), day) == (day.weekday() in weekdays)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=RIGA)


def test_slots_pass_over_christmas() -> None:
    slots = OnDays(Schedule("20", off_days=OffDays.SKIPPED))
    assert slots.get_next_fire_time(None, at("2026-12-23T21:00")) == at("2026-12-28T20:00")
    assert slots.newest(at("2026-12-27T12:00")) == at("2026-12-23T20:00")
    assert slots.newest(at("2026-12-28T20:00")) == at("2026-12-28T20:00")


def test_each_day_has_its_slot_also_where_the_clock_is_moved() -> None:
    slots = OnDays(Schedule("4"))
    before = slots.get_next_fire_time(None, at("2026-03-28T12:00"))
    assert before == at("2026-03-29T04:00")
    assert slots.get_next_fire_time(before, at("2026-03-29T12:00")) == at("2026-03-30T04:00")
