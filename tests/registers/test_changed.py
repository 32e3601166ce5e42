"""What changed in a register since a day: days in Riga, pages of a bounded length, ends that are ours, and by right."""

from __future__ import annotations

import secrets
import uuid
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine

import registers
from errors import InvalidRequest
from exchange import RIGA, Grant, Provenance, new_id
from mappings.social_enterprises import STATUS, SocialEnterprise
from registers.reading import MOST
from routing.followed_registers import ARGUMENTS, FollowPlan

DAY = date(2026, 5, 4)
MIDNIGHT = datetime(2026, 5, 4, tzinfo=RIGA)
REGISTER = registers.REGISTERS["social-enterprises"]


def kept(engine: Engine, *at: datetime) -> list[str]:
    """One enterprise recorded at each instant; their numbers."""
    numbers = [f"43{secrets.randbelow(10**9):09d}" for _ in at]
    with engine.begin() as connection:
        for number, instant in zip(numbers, at, strict=True):
            origin = Provenance(new_id(), "spolis", "v1-0", "test", instant)
            one = SocialEnterprise(
                registration_number=number,
                name="SIA Paraugs",
                status=STATUS["GRANTED"],
                decided_on=date(2026, 2, 3),
                decision_number="SU-17",
                valid_from=date(2026, 2, 4),
            )
            registers.feed(connection, one, origin)
    return numbers


def plan(engine: Engine, **arguments: object) -> FollowPlan:
    return FollowPlan(engine, REGISTER, ARGUMENTS.from_json({"since": "2026-05-04", **arguments}))


def numbers_of(engine: Engine, since: date = DAY) -> list[object]:
    with engine.connect() as connection:
        rows, _more = registers.changed(connection, REGISTER, since, None, MOST)
    return [row.values["registration_number"] for row in rows]


def test_a_day_begins_and_ends_at_midnight_in_riga(engine: Engine) -> None:
    last, first, late = kept(
        engine, MIDNIGHT - timedelta(microseconds=1), MIDNIGHT, MIDNIGHT + timedelta(hours=2, minutes=59)
    )
    since, earlier = numbers_of(engine), numbers_of(engine, DAY - timedelta(days=1))
    assert [number for number in since if number in (last, first, late)] == [first, late]
    assert [number for number in earlier if number in (last, first, late)] == [last, first, late]


@pytest.mark.parametrize("limit", [0, -1, MOST + 1])
def test_a_page_has_its_bounds(engine: Engine, limit: int) -> None:
    with pytest.raises(InvalidRequest), engine.connect() as connection:
        registers.changed(connection, REGISTER, DAY, None, limit)
    with pytest.raises(InvalidRequest):
        plan(engine, limit=limit)


def test_without_a_limit_a_page_has_fifty(engine: Engine) -> None:
    kept(engine, *(MIDNIGHT + timedelta(minutes=n) for n in range(52)))
    told: list[int] = []
    answer = plan(engine).deliver(new_id(), 0.0, lambda number, _content: told.append(number))
    assert (len(answer.rows), answer.more is None) == (50, False)
    assert told == [1], "on record before the register is read"


def test_an_end_that_is_of_no_answer_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="no answer"), engine.connect() as connection:
        registers.changed(connection, REGISTER, DAY, uuid.uuid4(), 1)


def test_each_value_is_given_by_right(engine: Engine) -> None:
    (number,) = kept(engine, MIDNIGHT)
    answer = plan(engine).deliver(new_id(), 0.0, lambda *_: None)
    whole = answer.disclose(Grant(frozenset({("p6^1", "spolis")})))
    assert isinstance(whole.record, dict)
    assert number in str(whole.record["rows"])
    assert (whole.withheld, "rows[].registration_number" in whole.given) == ((), True)
    nothing = answer.disclose(Grant(frozenset({("p6^1", "npais")})))
    assert isinstance(nothing.record, dict)
    assert nothing.record["rows"] == []
    assert (nothing.given, "rows[].registration_number" in nothing.withheld) == ((), True)
