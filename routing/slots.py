"""On which days something planned takes place: a source may work on working days only."""

from __future__ import annotations

from datetime import date, timedelta

from adapters import OffDays, Schedule
from routing.working_days import is_working_day


def takes_place(schedule: Schedule, day: date) -> bool:
    """Whether there are slots on a day: planned ones, or ones moved from the days off before it."""
    if schedule.off_days is OffDays.ASKED:
        return _planned(schedule, day)
    if not is_working_day(day):
        return False
    if _planned(schedule, day) or schedule.off_days is OffDays.SKIPPED:
        return _planned(schedule, day)
    earlier = day - timedelta(days=1)
    while not is_working_day(earlier):
        if _planned(schedule, earlier):
            return True
        earlier -= timedelta(days=1)
    return False


def _planned(schedule: Schedule, day: date) -> bool:
    return day.weekday() in schedule.weekdays
