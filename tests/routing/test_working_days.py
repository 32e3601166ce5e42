"""Working days by rule, against a library for the years that it has; notice periods counted in them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from dateutil.easter import easter
from holidays.countries.latvia import Latvia

from routing.working_days import (
    MOVED,
    ORDERS_KNOWN_TO,
    easter_sunday,
    first_day_after_notice,
    holidays,
    is_working_day,
)


def library(year: int) -> dict[date, str]:
    return dict(Latvia(years=year, language="lv"))  # type: ignore[no-untyped-call] # the library's own


def days(year: int) -> list[date]:
    return [
        date(year, 1, 1) + timedelta(days=n) for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)
    ]


@pytest.mark.parametrize("year", range(2025, ORDERS_KNOWN_TO + 1))
def test_every_day_of_the_years_whose_orders_are_known(year: int) -> None:
    known = library(year)
    for day in days(year):
        assert is_working_day(day) == (day.weekday() < 5 and day not in known), day


@pytest.mark.parametrize("year", range(2012, 2061))
def test_what_follows_by_rule_in_any_year(year: int) -> None:
    """The library's days by law, without those of an order or of one year alone."""
    known = library(year)
    by_law = {
        day
        for day, name in known.items()
        if "pārcelta" not in name and not name.startswith(("Vispārējo", "Viņa Svētības", "Diena, kad"))
    }
    on_weekdays = {day for day in by_law if day.weekday() < 5}
    assert {day for day in holidays(year) if day.weekday() < 5} == on_weekdays


def test_easter_of_three_centuries() -> None:
    assert [easter_sunday(year) for year in range(1900, 2200)] == [easter(year) for year in range(1900, 2200)]


def test_holidays_on_a_weekend_give_a_free_monday_where_the_law_says_so() -> None:
    assert not is_working_day(date(2024, 5, 6))  # for Saturday 4 May
    assert not is_working_day(date(2029, 11, 19))  # for Sunday 18 November
    assert is_working_day(date(2027, 12, 27))  # nothing is made up for Christmas


def test_a_day_that_was_moved_is_free_and_the_saturday_in_its_place_is_not_counted() -> None:
    assert not is_working_day(date(2026, 6, 22))
    assert not is_working_day(date(2026, 6, 27))
    assert max(MOVED).year == ORDERS_KNOWN_TO


@pytest.mark.parametrize(
    ("announced_on", "notice_days", "first"),
    [
        (date(2027, 3, 1), 0, date(2027, 3, 2)),
        (date(2027, 3, 1), 1, date(2027, 3, 3)),
        (date(2027, 3, 5), 1, date(2027, 3, 9)),  # the weekend counts for nothing
        (date(2027, 3, 25), 1, date(2027, 3, 31)),  # Good Friday 26 March, Easter Monday 29 March
        (
            date(2026, 12, 1),
            30,
            date(2027, 1, 19),
        ),  # over Christmas and New Year: 24, 25, 31 December and 1 January
    ],
)
def test_the_first_day_after_a_notice(announced_on: date, notice_days: int, first: date) -> None:
    assert first_day_after_notice(announced_on, notice_days) == first


def test_so_many_full_working_days_lie_between() -> None:
    for announced_on in days(2027):
        first = first_day_after_notice(announced_on, 30)
        between = [announced_on + timedelta(days=n) for n in range(1, (first - announced_on).days)]
        assert sum(map(is_working_day, between)) == 30
        assert is_working_day(between[-1])
