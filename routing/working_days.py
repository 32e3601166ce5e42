"""Working days of a five-day week in Latvia: what notice periods are counted in.

Public holidays follow from the law by rule, so that no year runs out of data. What a rule cannot give are the days
that the Cabinet moves by an order of each year, and holidays of one year alone (the closing day of a song festival):
those stand in `MOVED`, which is complete up to `ORDERS_KNOWN_TO`. In later years a day that will be moved still counts
as a working day here, so the end of a period may come to lie a day or two later. A Saturday worked instead never
counts: that only lengthens a period, in favour of who is told.

Source: law "Par svētku, atceres un atzīmējamām dienām", section 1; orders of the Cabinet on moving working days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

# (month, day) of the holidays that have a date of their own. Mothers' Day and Whitsun are always Sundays.
_FIXED = ((1, 1), (5, 1), (5, 4), (6, 23), (6, 24), (11, 18), (12, 24), (12, 25), (12, 26), (12, 31))
# Those that give a free Monday when they fall on a weekend.
_MADE_UP = frozenset({(5, 4), (11, 18)})

# Days off by an order of the Cabinet, each worked on a Saturday instead.
MOVED = frozenset({date(2025, 5, 2), date(2025, 11, 17), date(2026, 1, 2), date(2026, 6, 22)})
ORDERS_KNOWN_TO = 2026


@cache
def holidays(year: int) -> frozenset[date]:
    """The public holidays of a year, free Mondays among them; without the days that are moved."""
    easter = easter_sunday(year)
    found = {easter - timedelta(days=2), easter, easter + timedelta(days=1)}
    for month, number in _FIXED:
        day = date(year, month, number)
        found.add(day)
        if (month, number) in _MADE_UP and day.weekday() >= 5:
            found.add(day + timedelta(days=7 - day.weekday()))
    return frozenset(found)


def is_working_day(day: date) -> bool:
    """Whether state institutions with a five-day week work on a day."""
    return day.weekday() < 5 and day not in holidays(day.year) and day not in MOVED


def working_days_after(day: date) -> Iterator[date]:
    """The working days that follow a day, in order, without end."""
    while True:
        day += timedelta(days=1)
        if is_working_day(day):
            yield day


def first_day_after_notice(announced_on: date, notice_days: int) -> date:
    """The first day on which a change may take effect: the day after so many full working days.

    The day of the announcement does not count.
    """
    last = announced_on
    following = working_days_after(announced_on)
    for _ in range(notice_days):
        last = next(following)
    return last + timedelta(days=1)


def easter_sunday(year: int) -> date:
    """Easter Sunday of the Gregorian calendar: the Sunday after the first full moon of the computus from 21 March on.

    Gauss's rule with the corrections of the lunar calendar for any century.
    """
    golden = year % 19
    century = year // 100
    moon = (15 + century - century // 4 - (13 + 8 * century) // 25) % 30
    sun = (4 + century - century // 4) % 7
    full = (19 * golden + moon) % 30
    sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * full + sun) % 7
    if full == 29 and sunday == 6:
        return date(year, 4, 19)
    if full == 28 and sunday == 6 and (11 * moon + 11) % 30 < 19:
        return date(year, 4, 18)
    return date(year, 3, 22) + timedelta(days=full + sunday)
