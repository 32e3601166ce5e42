"""Days and times of day as people type them, in Europe/Riga."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from exchange import RIGA

_A_DAY = len("2026-01-31")


def moment(text: str, *, end: bool) -> datetime:
    """The instant that a day, or a day and time of day, begins; at the end of a range a day is included.

    Raises: ValueError.
    """
    found = datetime.fromisoformat(text)
    _in_bounds(found)
    if len(text) == _A_DAY and end:
        found += timedelta(days=1)
    return found if found.tzinfo is not None else found.replace(tzinfo=RIGA)


def day(text: str) -> date:
    """A calendar day. Raises: ValueError."""
    found = date.fromisoformat(text)
    _in_bounds(found)
    return found


def _in_bounds(found: date) -> None:
    # Beyond these, the day before or after may be none that a computer knows.
    if not 1900 <= found.year <= 9000:
        raise ValueError("a year of this world is wanted")
