"""Quotas: persons count once a day, all that an answer tells of or none, exactly so when many ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import Engine, func, select

from errors import QuotaExceeded
from exchange import RIGA, today_in_riga, utc_now
from routing import quota
from routing.access import Quota

DAY = today_in_riga()


def seen(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(select(func.count()).select_from(quota.persons)).scalar_one())


def test_persons_are_counted_once_a_day_and_for_each_recipient(engine: Engine) -> None:
    three = Quota(requests_day=1000, persons_day=3)
    with engine.begin() as connection:
        for day in (DAY, DAY + timedelta(days=1)):
            for recipient in ("labis", "researcher"):
                quota.meet(connection, recipient, ["a", "b"], three, day)
                quota.meet(connection, recipient, ["b", "c"], three, day)
                quota.meet(connection, recipient, ["a", "b", "c", "a"], three, day)
    assert seen(engine) == 12


def test_an_answer_that_tells_of_too_many_counts_nobody(engine: Engine) -> None:
    two = Quota(requests_day=1000, persons_day=2)
    with engine.begin() as connection:
        quota.meet(connection, "labis", ["a"], two, DAY)
    with pytest.raises(QuotaExceeded), engine.begin() as connection:
        quota.meet(connection, "labis", ["b", "c"], two, DAY)
    with engine.begin() as connection:
        quota.meet(connection, "labis", ["b"], two, DAY)
    assert seen(engine) == 2


def test_a_refusal_says_of_what_and_until_when(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(QuotaExceeded) as refused:
        quota.use(connection, "labis", (), Quota(requests_day=0, persons_day=0), DAY)
    what, _, until = refused.value.detail.partition("; again from ")
    begins = datetime.combine(DAY + timedelta(days=1), time(), RIGA)
    assert (what, datetime.fromisoformat(until)) == ("requests a day", begins)
    assert refused.value.retry_after is not None
    assert abs((begins - utc_now()).total_seconds() - refused.value.retry_after) < 60


def test_many_at_once_see_no_more_than_the_quota(engine: Engine) -> None:
    limit = Quota(requests_day=1000, persons_day=7)

    def ask(number: int) -> bool:
        with engine.begin() as connection:
            quota.use(connection, "labis", (), limit, DAY)
        try:
            with engine.begin() as connection:
                quota.meet(connection, "labis", [f"{number}-{one}" for one in range(2)], limit, DAY)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        given = sum(pool.map(ask, range(24)))
    assert given == 3
    assert seen(engine) == 6


def test_refusals_are_counted_by_recipient_and_day(engine: Engine) -> None:
    with engine.begin() as connection:
        for recipient, day in (
            ("labis", DAY),
            ("labis", DAY),
            ("vid", DAY),
            ("vid", DAY + timedelta(days=1)),
        ):
            quota.note(connection, recipient, day)
        assert quota.noted(connection, DAY) == {"labis": 2, "vid": 1}
        assert quota.noted(connection, DAY - timedelta(days=1)) == {}
