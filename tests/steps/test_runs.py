"""Runs of a sync as they stand in their table: what ends one, what leaves it alone, what is counted of it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date

from sqlalchemy import Engine

from endpoints.work.bell import Bell
from endpoints.work.deliveries import Deliveries
from exchange import new_id
from gateway import Gateway
from mappings.pmlp import PersonEntry, PersonSet
from mappings.pmlp_changes import PersonChange, PersonChanges
from registers import feed
from registers.taken import Taken
from routing import following, outbox
from routing.following import Beginning, Run, RunState
from routing.queue import Queue
from tests.registers.invented import minimal, person_code, provenance
from tests.steps.test_following import ask, deliver, newest, queued
from tests.steps.wired import Wire, arrive, stay

NAME = ("vdeavk", "GetChanges")


def begun(engine: Engine, name: tuple[str, str] = NAME) -> Run:
    run_id = new_id()
    with engine.begin() as connection:
        following.hold(connection, *name)
        following.begin(connection, run_id, name, Beginning(since=date(2026, 1, 1)), question=None)
    return run(engine, run_id)


def run(engine: Engine, run_id: uuid.UUID) -> Run:
    with engine.begin() as connection:
        return following.run_of(connection, run_id)


def test_what_has_ended_is_not_ended_in_another_way(engine: Engine) -> None:
    refused, left = begun(engine, ("a", "x")), begun(engine, ("b", "x"))
    with engine.begin() as connection:
        following.refuse(connection, refused.id, "invalid_request")
        following.leave(connection, "b", "x")
        following.leave(connection, "a", "x")
        following.refuse(connection, left.id, "invalid_request")
    assert run(engine, refused.id).state is RunState.REFUSED
    assert (run(engine, left.id).state, run(engine, left.id).error) == (RunState.LEFT, None)


def test_the_run_of_another_sync_is_left_alone(engine: Engine) -> None:
    one, other = begun(engine, ("a", "x")), begun(engine, ("a", "y"))
    with engine.begin() as connection:
        following.leave(connection, "a", "x")
    assert (run(engine, one.id).state, run(engine, other.id).state) == (RunState.LEFT, RunState.RUNNING)


def test_the_place_is_that_of_the_last_answer_and_of_when_its_run_began(engine: Engine) -> None:
    """Not of when it was answered: what changed meanwhile would fall between two runs by day."""
    one = begun(engine)
    with engine.begin() as connection:
        following.advance(connection, one, Taken(), cursor="a", following=None, asked_anew=0)
        assert following.hold(connection, *NAME) == following.Place("a", one.begun_at)
        assert following.hold(connection, "pmlp", "GetChanges") == following.Place(None, None)


def test_the_newest_that_was_done_is_told_apart_from_what_came_after(engine: Engine) -> None:
    one = begun(engine)
    with engine.begin() as connection:
        following.advance(connection, one, Taken(3, 2, 1), cursor="a", following=None, asked_anew=0)
    two = begun(engine)
    with engine.begin() as connection:
        following.refuse(connection, two.id, "invalid_request")
        done = following.last_done(connection, *NAME)
        assert done is not None
        assert (done.id, done.counted, done.cursor) == (one.id, Taken(3, 2, 1), "a")
        assert following.last_done(connection, "pmlp", "GetChanges") is None


def test_a_question_that_is_being_asked_is_under_way(gateway: Gateway) -> None:
    ask(gateway)
    held = Deliveries(gateway, Bell(gateway.settings.database_url), 4).lease()
    assert held is not None
    assert newest(gateway).state is RunState.RUNNING
    assert not ask(gateway)
    with gateway.engine.begin() as connection:
        connection.execute(outbox.outbox.update().values(state=outbox.State.PARKED.value))
    assert newest(gateway).state is RunState.STOPPED


def test_what_is_asked_anew_is_counted_over_all_pages_and_goes_back_to_its_page(
    gateway: Gateway, transport: Wire
) -> None:
    first, second = (person_code() for _ in range(2))
    with gateway.engine.begin() as connection:
        for code in (first, second):
            feed(connection, minimal(code), provenance())
    ask(gateway, "pmlp")
    questions = [newest(gateway).question]
    entry = PersonEntry(asked_code=first, found=True, person=minimal(first))
    asked_anew = PersonSet(data_sets=("NAME_AND_CODE",), entries=(entry,))
    deliver(gateway, transport, page(first, more=True))
    questions.append(newest(gateway).question)
    deliver(gateway, transport, asked_anew, page(second, more=False))
    assert (newest(gateway).asked_anew, newest(gateway).state) == (2, RunState.DONE)
    with gateway.engine.connect() as connection:
        causes = {(row.operation, row.cause) for row in outbox.listed(connection, states=list(outbox.State))}
    assert causes == {
        ("GetChanges", None),
        ("GetChanges", questions[0]),
        ("GetPersonSet", questions[0]),
        ("GetPersonSet", questions[1]),
    }


def page(code: str, *, more: bool) -> PersonChanges:
    change = PersonChange(
        person_code=code, previous_code=None, changed_on=date(2026, 4, 2), data_sets=("NAME_AND_CODE",)
    )
    return PersonChanges(changes=(change,), cursor=code, more=more)


def test_our_own_questions_find_room_where_nobody_elses_do(gateway: Gateway) -> None:
    """A page must not be lost because the outbox is full: what it causes takes its place."""
    outbox_of_one = replace(gateway.settings.outbox, backlog=1)
    settings = replace(gateway.settings, outbox=outbox_of_one)
    queue = Queue(settings, gateway.adapters, gateway.archive, gateway.log, gateway.subject_key)
    full = replace(gateway, queue=queue)
    assert ask(full, "npais", "GetDecisions")
    assert ask(full, "pmlp")
    assert b"busy" in arrive(full, stay()).body
    assert len(queued(gateway)) == 2
