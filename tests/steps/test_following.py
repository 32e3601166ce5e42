"""Changes that are followed: run by run and page by page, through the eight steps, on real databases."""

from __future__ import annotations

import dataclasses
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

import errors
from adapters import Adapter, Operation
from endpoints.work.bell import Bell
from endpoints.work.deliveries import Deliveries
from endpoints.work.schedules import begin_run
from exchange import Context, Environment, Official
from gateway import Gateway
from mappings.codes import Code
from mappings.npais import Decisions
from mappings.pmlp import FamilyMember, PersonEntry, PersonSet
from mappings.pmlp_changes import PersonChange, PersonChanges, Subscription, Subscriptions
from mappings.vdeavk import DisabilityChange, DisabilityChanges, DisabilityStatus
from registers import feed, search
from registers.persons import person_of
from registers.taken import Taken
from routing import following, interventions, outbox
from routing.following import Run, RunState
from routing.outbox import State
from routing.queue import Queue, load
from storage import database_now
from tests.registers.invented import minimal, person_code, provenance
from tests.registers.test_feeds import SECOND_GROUP
from tests.steps.wired import Wire, decision, leaves, wired

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def operation(
    gateway: Gateway, system: str = "vdeavk", name: str = "GetChanges"
) -> tuple[Adapter, Operation]:
    adapter = gateway.adapters[system]
    found = adapter.operation(name)
    assert found is not None
    return adapter, found


def ask(
    gateway: Gateway, system: str = "vdeavk", name: str = "GetChanges", since: date | None = None
) -> bool:
    adapter, asked = operation(gateway, system, name)
    gateway.archive.begin_month(gateway.log, NOW)
    return (
        gateway.log.commit(lambda connection: gateway.queue.ask(connection, adapter, asked, NOW, since=since))
        is not None
    )


def deliver(gateway: Gateway, transport: Wire, *answers: object) -> None:
    """Deliver as many rows as there are answers."""
    transport.answers = list(answers)
    worker = Deliveries(gateway, Bell(gateway.settings.database_url), 4)
    for _ in answers:
        held = worker.lease()
        assert held is not None, "nothing is due"
        worker.deliver(held)


def queued(gateway: Gateway) -> list[tuple[str, dict[str, object]]]:
    """What waits, oldest first: the operation and its arguments."""
    with gateway.engine.connect() as connection:
        return [
            (row.operation, dict(load(gateway.archive.get(connection, row.id, "request"), row.id).arguments))
            for row in outbox.listed(connection, states=[State.WAITING])
        ]


def newest(gateway: Gateway) -> Run:
    with gateway.engine.connect() as connection:
        (run,) = following.newest(connection)
        return run


def known(gateway: Gateway, *codes: str) -> None:
    with gateway.engine.begin() as connection:
        for code in codes:
            person_of(connection, code, provenance())


def page(cursor: str, *codes: str, more: bool) -> DisabilityChanges:
    changes = tuple(DisabilityChange(person_code=code, changed_on=date(2026, 4, 1)) for code in codes)
    return DisabilityChanges(changes=changes, cursor=cursor, more=more)


def kept(gateway: Gateway, code: str) -> int:
    with gateway.engine.connect() as connection:
        return len(search(connection, "disability-changes", {"person_code": code}))


def test_pages_follow_each_other_and_the_next_run_begins_where_the_last_ended(
    gateway: Gateway, transport: Wire
) -> None:
    first, second, stranger = person_code(), person_code(), person_code()
    known(gateway, first, second)
    assert ask(gateway)
    assert queued(gateway) == [("GetChanges", {"since": "2026-04-03"})], "the time to catch up and a day more"
    deliver(gateway, transport, page("a", first, stranger, more=True))
    assert queued(gateway) == [("GetChanges", {"cursor": "a"})]
    assert (newest(gateway).state, newest(gateway).pages) == (RunState.RUNNING, 1)
    deliver(gateway, transport, page("b", second, more=False))
    run = newest(gateway)
    assert (run.state, run.pages, run.cursor) == (RunState.DONE, 2, "b")
    assert run.counted == Taken(theirs=3, ours=2, strangers=1)
    assert run.counted.missing == 0
    assert queued(gateway) == []
    assert (kept(gateway, first), kept(gateway, second)) == (1, 1)
    assert ask(gateway)
    assert queued(gateway) == [("GetChanges", {"cursor": "b"})]


def test_one_run_at_a_time(gateway: Gateway, transport: Wire) -> None:
    assert ask(gateway)
    assert not ask(gateway), "the one under way brings what this one would"
    deliver(gateway, transport, page("a", person_code(), more=True))
    assert not ask(gateway), "also between pages"
    assert len(queued(gateway)) == 1


def test_several_processes_and_one_slot_make_one_run(gateway: Gateway, transport: Wire) -> None:
    """Also where the first has ended when the last comes to it."""
    adapter, asked = operation(gateway)
    with wired(gateway.settings, transport) as other:

        def attempt(number: int) -> bool:
            return begin_run((gateway, other)[number % 2], adapter, asked, NOW, f"process {number}")

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(attempt, range(8))).count(True) == 1
        deliver(gateway, transport, page("a", more=False))
        assert not attempt(1)
    assert (newest(gateway).slot, newest(gateway).state) == (NOW, RunState.DONE)
    assert queued(gateway) == []
    assert begin_run(gateway, adapter, asked, NOW + timedelta(days=1), "process")


def test_those_who_ask_at_once_begin_one_run(gateway: Gateway) -> None:
    gateway.archive.begin_month(gateway.log, NOW)
    with ThreadPoolExecutor(6) as threads:
        begun = list(threads.map(lambda _n: ask(gateway), range(12)))
    assert begun.count(True) == 1
    assert len(queued(gateway)) == 1


class Torn(Queue):
    """A queue whose transaction breaks off after it has gone on with a run."""

    def follow(self, *arguments: Any) -> tuple[uuid.UUID, ...]:
        assert super().follow(*arguments)
        raise OperationalError("", {}, Exception())


def test_what_a_page_brought_its_place_and_the_next_question_stand_or_fall_together(
    gateway: Gateway, transport: Wire
) -> None:
    known(gateway, code := person_code())
    ask(gateway)
    torn = Torn(gateway.settings, gateway.adapters, gateway.archive, gateway.log, gateway.subject_key)
    deliver(dataclasses.replace(gateway, queue=torn), transport, page("a", code, more=True))
    assert (newest(gateway).pages, kept(gateway, code), queued(gateway)) == (0, 0, [])
    with gateway.engine.begin() as connection:  # its worker is taken for dead
        over = database_now(connection) - timedelta(seconds=1)
        connection.execute(update(outbox.outbox).values(leased_until=over))
    deliver(gateway, transport, page("a", code, more=True))
    assert (newest(gateway).pages, kept(gateway, code)) == (1, 1)
    assert queued(gateway) == [("GetChanges", {"cursor": "a"})]


def test_a_failed_page_is_asked_for_again_and_counted_once(gateway: Gateway, transport: Wire) -> None:
    known(gateway, code := person_code())
    ask(gateway)
    deliver(gateway, transport, errors.SystemUnreachable())
    assert (newest(gateway).state, newest(gateway).pages) == (RunState.RUNNING, 0)
    due(gateway)
    deliver(gateway, transport, page("a", code, more=False))
    assert newest(gateway).counted == Taken(1, 1, 0)
    assert kept(gateway, code) == 1


def due(gateway: Gateway) -> None:
    """What waits for its next try is due, as if the time had passed."""
    with gateway.engine.begin() as connection:
        connection.execute(update(outbox.outbox).values(due=database_now(connection)))


def test_a_run_whose_question_died_is_stopped_and_the_next_goes_on_behind_it(
    gateway: Gateway, transport: Wire
) -> None:
    first, second = person_code(), person_code()
    known(gateway, first, second)
    ask(gateway)
    deliver(gateway, transport, page("a", first, more=True), errors.RequestRefused("cursor"))
    stopped = newest(gateway)
    assert (stopped.state, stopped.error) == (RunState.STOPPED, "system_refused")
    assert ask(gateway)
    assert queued(gateway) == [("GetChanges", {"cursor": "a"})]
    # The dead one is replayed all the same: what it brings is kept, and nothing moves but the run that took over.
    later = newest(gateway).question
    assert stopped.question is not None
    assert later is not None
    with gateway.engine.begin() as connection:
        interventions.replay(connection, stopped.question, give_up_after=timedelta(hours=1))
        connection.execute(
            update(outbox.outbox)
            .where(outbox.outbox.c.id == later)
            .values(due=database_now(connection) + timedelta(hours=1))
        )
    deliver(gateway, transport, page("z", second, more=True))
    assert kept(gateway, second) == 1
    run = newest(gateway)
    assert (run.state, run.pages, run.cursor) == (RunState.RUNNING, 0, None)
    due(gateway)
    deliver(gateway, transport, page("b", second, more=False))
    assert (newest(gateway).cursor, kept(gateway, second)) == ("b", 1)
    with gateway.engine.connect() as connection:
        states = set(connection.execute(select(following.RUN.c.state)).scalars())
    assert states == {"left", "done"}


def test_a_run_begins_anew_at_a_day_where_told(gateway: Gateway, transport: Wire) -> None:
    ask(gateway)
    deliver(gateway, transport, page("a", more=False))
    assert ask(gateway, since=date(2026, 1, 2))
    assert queued(gateway) == [("GetChanges", {"since": "2026-01-02"})]


@pytest.mark.parametrize("wrong", [page("a", more=True), page("same", person_code(), more=True)])
def test_a_page_that_leads_nowhere_is_no_answer(
    gateway: Gateway, transport: Wire, wrong: DisabilityChanges
) -> None:
    """Else it would be asked for without end."""
    ask(gateway)
    deliver(gateway, transport, page("same", person_code(), more=True), wrong)
    assert newest(gateway).pages == 1
    assert leaves(gateway)[-1]["code"] == "answer_mismatch"


def test_by_day_the_next_question_begins_at_the_day_of_the_last_answered(
    gateway: Gateway, transport: Wire
) -> None:
    child = person_code()
    assert ask(gateway, "npais", "GetDecisions")
    assert queued(gateway)[0][1] == {"since": "2026-04-03"}
    deliver(gateway, transport, Decisions(person_code=None, decisions=(decision(child),)))
    run = newest(gateway)
    assert (run.state, run.counted) == (RunState.DONE, Taken(1, 1, 0))
    assert ask(gateway, "npais", "GetDecisions")
    yesterday = run.begun_at.date() - timedelta(days=1)
    assert date.fromisoformat(str(queued(gateway)[0][1]["since"])) in (yesterday, run.begun_at.date())


def change(code: str, *names: str, previous: str | None = None) -> PersonChange:
    return PersonChange(
        person_code=code, previous_code=previous, changed_on=date(2026, 4, 2), data_sets=names
    )


def test_who_changed_is_asked_anew_and_nobody_else(gateway: Gateway, transport: Wire) -> None:
    followed, held, stranger, other = (person_code() for _ in range(4))
    with gateway.engine.begin() as connection:
        feed(
            connection,
            Subscriptions(subscriptions=(Subscription(person_code=followed, subscribed=True),)),
            provenance(),
        )
        feed(connection, minimal(held), provenance())
        person_of(connection, other, provenance())
    ask(gateway, "pmlp")
    told = PersonChanges(
        changes=(
            change(followed, "ADDRESSES", "FAMILY"),
            change(held, "NAME_AND_CODE", "DOCUMENTS"),
            change(stranger, "ADDRESSES"),
            change(other, "ADDRESSES"),
        ),
        cursor="a",
        more=True,
    )
    deliver(gateway, transport, told)
    # Of who is followed all but the family; of others no more than was held; and then the next page.
    assert sorted(queued(gateway), key=str) == [
        ("GetChanges", {"cursor": "a"}),
        ("GetPersonSet", {"data_sets": ("ADDRESSES",), "person_codes": (followed,)}),
        ("GetPersonSet", {"data_sets": ("NAME_AND_CODE",), "person_codes": (held,)}),
    ]
    run = newest(gateway)
    assert (run.asked_anew, run.counted) == (2, Taken(4, 3, 1))


def test_the_answer_to_a_question_asked_anew_is_kept(gateway: Gateway, transport: Wire) -> None:
    code = person_code()
    with gateway.engine.begin() as connection:
        feed(connection, minimal(code, "Vecā"), provenance())
    ask(gateway, "pmlp")
    deliver(
        gateway, transport, PersonChanges(changes=(change(code, "NAME_AND_CODE"),), cursor="a", more=False)
    )
    entry = PersonEntry(asked_code=code, found=True, person=minimal(code, "Jaunā"))
    deliver(gateway, transport, PersonSet(data_sets=("NAME_AND_CODE",), entries=(entry,)))
    assert leaves(gateway)[-1]["outcome"] == "ok", leaves(gateway)[-1]
    with gateway.engine.connect() as connection:
        (row,) = search(connection, "persons", {"person_code": code})
    assert "Jaunā" in str(row)


def test_families_have_a_purpose_of_their_own(gateway: Gateway, transport: Wire) -> None:
    code = person_code()
    member = FamilyMember(
        relation=Code("CHILD", "bērns", "child"),
        person_code=person_code(),
        given_names=("Jānis",),
        family_name="Paraudziņš",
    )
    with gateway.engine.begin() as connection:
        whole = dataclasses.replace(minimal(code), data_sets=("FAMILY",), family=(member,))
        feed(connection, whole, provenance())
    ask(gateway, "pmlp")
    deliver(gateway, transport, PersonChanges(changes=(change(code, "FAMILY"),), cursor="a", more=False))
    with gateway.engine.connect() as connection:
        (row,) = outbox.listed(connection, states=[State.WAITING])
        request = load(gateway.archive.get(connection, row.id, "request"), row.id)
    assert (request.context.purpose, request.arguments["data_sets"]) == ("family-assessment", ("FAMILY",))


def test_more_persons_than_a_set_holds_are_asked_in_several(gateway: Gateway, transport: Wire) -> None:
    codes = sorted({person_code() for _ in range(150)})
    with gateway.engine.begin() as connection:
        for code in codes:
            feed(connection, minimal(code), provenance())
    ask(gateway, "pmlp")
    told = tuple(change(code, "NAME_AND_CODE") for code in codes)
    deliver(gateway, transport, PersonChanges(changes=told, cursor="a", more=False))
    asked = [arguments["person_codes"] for _, arguments in queued(gateway)]
    assert sorted(len(part) for part in asked if isinstance(part, tuple)) == [50, 100]
    assert sorted(code for part in asked if isinstance(part, tuple) for code in part) == codes


def test_a_disability_that_is_held_is_asked_anew(gateway: Gateway, transport: Wire) -> None:
    held, other = person_code(), person_code()
    known(gateway, held, other)
    with gateway.engine.begin() as connection:
        status = DisabilityStatus(person_code=held, on_date=date(2026, 5, 1), disability=SECOND_GROUP)
        feed(connection, status, provenance(source="vdeavk"))
    ask(gateway)
    deliver(gateway, transport, page("a", held, other, more=False))
    assert queued(gateway) == [("GetDisability", {"person_code": held})]


def test_what_is_asked_by_itself_may_be_asked(gateway: Gateway) -> None:
    """Every sync, and every question because of one, is granted in access.d."""
    for adapter in gateway.adapters.values():
        for followed in adapter.operations:
            if (sync := followed.sync) is None:
                continue
            for name, purpose, rule in (
                (followed.name, sync.purpose, sync.rule),
                *((one.operation, one.purpose, one.rule) for one in sync.anew),
            ):
                context = Context(purpose, rule, Official("", "", ""), "", uuid.uuid4(), Environment.TEST)
                gateway.access.decide(sync.recipient, f"{adapter.name}.{name}", context)
