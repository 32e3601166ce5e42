"""When the watch over children is planned: each hour of the day in Riga, summer and winter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from endpoints.work.children import CHILDREN_HOURS
from exchange import RIGA


@pytest.mark.parametrize("day", ["2026-01-15", "2026-07-15"])
def test_it_is_planned_each_hour_of_the_day_in_riga(day: str) -> None:
    now = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=RIGA).astimezone(UTC)
    hours = []
    while (planned := CHILDREN_HOURS.get_next_fire_time(None, now)).astimezone(
        RIGA
    ).date().isoformat() == day:
        hours.append(planned.astimezone(RIGA).hour)
        now = planned + timedelta(seconds=1)
    assert hours == list(range(7, 19))
