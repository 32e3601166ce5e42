"""Exactly one effect, seen in the database: who has a message in hand, and what the others get."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine

from errors import Busy, MessageIdReused
from exchange import Caller, Context, Environment, Official, Request, new_id, utc_now
from routing import repeats

REQUEST = Request(
    caller=Caller("riga", "riga-social-service"),
    context=Context(
        "social-service", "p8.1", Official("D-1", "90000000001", "clerk"), "", uuid.uuid4(), Environment.TEST
    ),
    system="persons",
    operation="GetPerson",
    arguments={},
    message_id="urn:uuid:1",
    content=b"1" * 32,
    effect_once=True,
)


def take(engine: Engine, request: Request = REQUEST, seconds: float = 5) -> uuid.UUID:
    """A claim by a new exchange whose deadline is in so many seconds."""
    exchange_id = new_id()
    with engine.begin() as connection:
        repeats.claim(connection, request, exchange_id, time.monotonic() + seconds)
    return exchange_id


def let_go(engine: Engine, exchange_id: uuid.UUID, *, answered: bool) -> None:
    """The end of an exchange."""
    with engine.begin() as connection:
        repeats.release(connection, REQUEST, exchange_id)
        if answered:
            caller, message_id, content = REQUEST.caller.name, REQUEST.message_id, REQUEST.content
            repeats.remember(connection, caller, message_id, content, exchange_id, utc_now())


def test_one_exchange_at_a_time_has_a_message_in_hand(engine: Engine) -> None:
    first = take(engine)
    with pytest.raises(repeats.InHand):
        take(engine)
    let_go(engine, first, answered=False)
    take(engine)


def test_who_comes_after_the_answer_is_told_of_it(engine: Engine) -> None:
    first = take(engine)
    let_go(engine, first, answered=True)
    with pytest.raises(repeats.AnsweredMeanwhile) as told:
        take(engine)
    assert told.value.exchange_id == first
    repeats.wait(engine, REQUEST, time.monotonic())


@pytest.mark.parametrize("answered", [False, True])
def test_other_content_under_the_same_id_is_refused(engine: Engine, answered: bool) -> None:
    first = take(engine)
    if answered:
        let_go(engine, first, answered=True)
    with pytest.raises(MessageIdReused):
        take(engine, dataclasses.replace(REQUEST, content=b"2" * 32))


@pytest.mark.parametrize("other", [{"caller": Caller("liepaja", "riga-social-service")}, {"message_id": "2"}])
def test_another_message_is_not_concerned(engine: Engine, other: dict[str, Any]) -> None:
    take(engine)
    take(engine, dataclasses.replace(REQUEST, **other))


def test_a_claim_whose_exchange_died_runs_out(engine: Engine) -> None:
    dead = take(engine, seconds=-1)
    with pytest.raises(repeats.InHand):
        take(engine)
    with engine.begin() as connection:
        connection.execute(repeats.claims.update().values(until=utc_now()))
    repeats.wait(engine, REQUEST, time.monotonic() + 5)
    heir = take(engine)
    let_go(engine, dead, answered=False)
    with pytest.raises(repeats.InHand):
        take(engine)
    let_go(engine, heir, answered=True)


def test_waiting_ends_when_the_message_is_let_go(engine: Engine) -> None:
    first = take(engine)
    later = threading.Timer(0.2, let_go, (engine, first), {"answered": True})
    later.start()
    began = time.monotonic()
    repeats.wait(engine, REQUEST, time.monotonic() + 10)
    assert 0.1 < time.monotonic() - began < 5
    later.join()


def test_nobody_waits_longer_than_his_caller(engine: Engine) -> None:
    take(engine)
    with pytest.raises(Busy) as told:
        repeats.wait(engine, REQUEST, time.monotonic() + 0.1)
    assert (told.value.retryable, told.value.retry_after) == (True, 1)


def test_many_at_once(engine: Engine) -> None:
    got: list[str] = []

    def attempt() -> None:
        try:
            take(engine)
            got.append("claim")
        except repeats.InHand:
            got.append("in hand")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["claim"] + ["in hand"] * 7
