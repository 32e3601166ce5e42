"""The outbox: one holder at a time, one person's messages in order, nothing lost, an end to every retry."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, update

import errors
from adapters import Repeat
from exchange import Lease, new_id
from routing import interventions, outbox, publishing, settling, switches
from routing.outbox import Settled, State
from storage import database_now, open_engine

NAME = ("sais", "NotifyCareStay")
HOUR = timedelta(hours=1)


def queue(engine: Engine, order: str | None = None, name: tuple[str, str] = NAME) -> uuid.UUID:
    one = new_id()
    with engine.begin() as connection:
        outbox.put(connection, one, name, give_up_after=HOUR, subject_order=order)
    return one


def take(engine: Engine, holder: str = "one", seconds: float = 30, **wanted: object) -> Lease | None:
    with engine.begin() as connection:
        return outbox.take(connection, holder, seconds=seconds, **wanted)  # type: ignore[arg-type] # — as given


def taken(engine: Engine, **wanted: object) -> Lease:
    lease = take(engine, **wanted)  # type: ignore[arg-type] # — as given
    assert lease is not None
    return lease


def begin(engine: Engine, lease: Lease) -> None:
    with engine.begin() as connection:
        outbox.begin(connection, lease)


def settle(engine: Engine, lease: Lease, state: State = State.DELIVERED, pause: float = 0.0) -> None:
    with engine.begin() as connection:
        outbox.settle(connection, lease, Settled(state, None, pause))


def state_of(engine: Engine, one: uuid.UUID) -> State:
    with engine.connect() as connection:
        return outbox.find(connection, one).state


def expire(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            update(outbox.outbox).values(leased_until=database_now(connection) - timedelta(seconds=1))
        )


def digest(number: int) -> str:
    return f"{number:064x}"


def test_a_row_goes_from_waiting_to_delivered(engine: Engine) -> None:
    one = queue(engine)
    lease = taken(engine)
    assert (lease.exchange_id, lease.attempts, lease.unclear, lease.lapses) == (one, 0, False, 0)
    assert take(engine, "two") is None
    begin(engine, lease)
    settle(engine, lease)
    with engine.connect() as connection:
        row = outbox.find(connection, one)
    assert (row.state, row.attempts, row.unclear, row.last_error) == (State.DELIVERED, 1, False, None)
    assert take(engine) is None


def test_of_many_that_reach_for_a_row_one_gets_it(engine: Engine, database: str) -> None:
    rows = [queue(engine) for _ in range(20)]
    other = open_engine(database)
    got: list[uuid.UUID] = []

    def reach(of: Engine, holder: str) -> None:
        while (lease := take(of, holder)) is not None:
            got.append(lease.exchange_id)

    threads = [
        threading.Thread(target=reach, args=(of, f"{number}"))
        for number, of in enumerate((engine, other, engine, other, engine, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.dispose()
    assert Counter(got) == Counter(rows)


def test_nothing_leaves_when_the_lease_has_run_out(engine: Engine) -> None:
    one = queue(engine)
    late = taken(engine)
    expire(engine)
    with pytest.raises(errors.Busy):
        begin(engine, late)
    with engine.connect() as connection:
        assert outbox.find(connection, one).attempts == 0


def test_one_who_comes_late_changes_nothing(engine: Engine) -> None:
    one = queue(engine)
    late = taken(engine)
    begin(engine, late)
    expire(engine)
    now = taken(engine, holder="two")
    assert (now.attempts, now.lapses, now.unclear) == (1, 1, True)
    with pytest.raises(errors.Busy):
        begin(engine, late)
    with pytest.raises(errors.Busy):
        settle(engine, late)
    assert state_of(engine, one) is State.LEASED
    settle(engine, now)
    assert state_of(engine, one) is State.DELIVERED


def test_lapses_in_a_row_are_counted_and_forgotten_when_settled(engine: Engine) -> None:
    queue(engine)
    for lapses in range(3):
        assert taken(engine, holder=f"{lapses}").lapses == lapses
        expire(engine)
    last = taken(engine, holder="last")
    settle(engine, last, State.WAITING)
    assert taken(engine).lapses == 0


@pytest.mark.parametrize(
    ("first", "blocks"),
    [
        (State.WAITING, True),
        (State.LEASED, True),
        (State.DEAD, True),
        (State.UNKNOWN, True),
        (State.PARKED, False),
        (State.DELIVERED, False),
    ],
)
def test_a_person_s_messages_go_in_order(engine: Engine, first: State, blocks: bool) -> None:
    entered, left, other = queue(engine, digest(1)), queue(engine, digest(1)), queue(engine, digest(2))
    with engine.begin() as connection:
        held = {"due": database_now(connection) + HOUR, "leased_until": database_now(connection) + HOUR}
        connection.execute(
            update(outbox.outbox).where(outbox.outbox.c.id == entered).values(state=first.value, **held)
        )
    got = {lease.exchange_id for lease in (take(engine, "a"), take(engine, "b")) if lease is not None}
    assert got == ({other} if blocks else {left, other})


# SQLite has one writer at a time.
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_positions_of_one_person_follow_the_commits(engine: Engine, database: str) -> None:
    first, second, done = new_id(), new_id(), threading.Event()
    other = open_engine(database)

    def later() -> None:
        with other.begin() as connection:
            outbox.put(connection, second, NAME, give_up_after=HOUR, subject_order=digest(1))
        done.set()

    with engine.begin() as connection:
        outbox.put(connection, first, NAME, give_up_after=HOUR, subject_order=digest(1))
        thread = threading.Thread(target=later)
        thread.start()
        assert not done.wait(0.3), "the second waits for the first to commit"
    thread.join(10)
    other.dispose()
    with engine.connect() as connection:
        assert [row.id for row in outbox.listed(connection)] == [first, second]


def test_what_is_switched_off_waits(engine: Engine) -> None:
    one = queue(engine)
    with engine.begin() as connection:
        switches.switch_off(connection, *NAME, "VSAA moves")
        assert switches.switched_off(connection) == {NAME: "VSAA moves"}
    assert take(engine) is None
    with engine.begin() as connection:
        assert switches.switch_on(connection, *NAME)
        assert not switches.switch_on(connection, *NAME)
    assert taken(engine).exchange_id == one


def test_systems_can_be_left_out(engine: Engine) -> None:
    queue(engine)
    other = queue(engine, name=("npais", "GetDecisions"))
    assert taken(engine, without=("sais",)).exchange_id == other
    assert take(engine, without=("sais",)) is None


def test_ids_are_published_once_and_again_when_they_seem_lost(engine: Engine) -> None:
    one = queue(engine)
    with engine.begin() as connection:
        assert publishing.any_unpublished(connection)
        assert publishing.publishable(connection, 10) == [one]
        assert publishing.publishable(connection, 10) == []
        publishing.mark(connection, [one], database_now(connection) - timedelta(minutes=1))
        assert publishing.publishable(connection, 10, again_after=HOUR) == []
        assert publishing.publishable(connection, 10) == [one]
        publishing.mark(connection, [one], None)
        assert publishing.publishable(connection, 10) == [one]


def test_a_system_that_is_back_gets_at_once_what_waited_for_it(engine: Engine) -> None:
    away, refused = queue(engine), queue(engine)
    for error in (errors.SystemTimeout(), errors.AnswerMismatch()):
        lease = taken(engine, only=away if isinstance(error, errors.SystemTimeout) else refused)
        with engine.begin() as connection:
            outbox.settle(connection, lease, Settled(State.WAITING, error.code, 600))
    assert take(engine) is None
    with engine.begin() as connection:
        outbox.due_again(connection, "sais")
    assert taken(engine).exchange_id == away
    assert take(engine) is None


def test_replay_and_park(engine: Engine) -> None:
    one = queue(engine)
    lease = taken(engine)
    begin(engine, lease)
    with engine.begin() as connection:
        outbox.settle(connection, lease, Settled(State.UNKNOWN, "outcome_unknown", unclear=True))
    with engine.begin() as connection:
        assert interventions.park(connection, one).state is State.PARKED
        with pytest.raises(errors.InvalidRequest, match="parked"):
            interventions.park(connection, one)
        again = interventions.replay(connection, one, give_up_after=HOUR)
        assert (again.state, again.unclear, again.attempts) == (State.WAITING, True, 1)
        assert not interventions.replay(connection, one, give_up_after=HOUR, decided=True).unclear
    lease = taken(engine)
    with engine.begin() as connection, pytest.raises(errors.InvalidRequest, match="leased"):
        interventions.replay(connection, one, give_up_after=HOUR)
    settle(engine, lease)
    with engine.begin() as connection:
        with pytest.raises(errors.InvalidRequest, match="delivered"):
            interventions.replay(connection, one, give_up_after=HOUR)
        with pytest.raises(errors.NotFound):
            interventions.replay(connection, new_id(), give_up_after=HOUR)


def test_counts_lag_and_what_is_forgotten(engine: Engine) -> None:
    with engine.connect() as connection:
        assert outbox.next_due(connection) is None
        assert outbox.lag(connection) is None
    done, _left = queue(engine), queue(engine)
    settle(engine, taken(engine, only=done))
    with engine.begin() as connection:
        assert outbox.counts(connection)[State.WAITING] == 1
        assert outbox.waiting(connection, 5) == 1
        assert (outbox.lag(connection) or -1) >= 0
        now = database_now(connection)
        assert outbox.forget_delivered(connection, now - HOUR) == 0
        assert outbox.forget_delivered(connection, now + HOUR) == 1
        assert [row.state for row in outbox.listed(connection)] == [State.WAITING]


def lease_of(attempts: int = 0, *, unclear: bool = False, late: bool = False) -> Lease:
    return Lease(new_id(), "sais", "one", attempts, 0, unclear, late)


EVERY = [kind for kind in errors.every_error() if kind is not errors.GatewayError]
# Errors that say that the message was not carried out, or could not be.
SAID_NO = (errors.SystemUnreachable, errors.RequestRefused, errors.NotFound)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_what_may_have_taken_effect_is_never_sent_again_to_a_system_that_cannot_know_it(
    kind: type[errors.GatewayError],
) -> None:
    after = settling.judge(kind(), Repeat.NEITHER, lease_of(), sent=1)
    if issubclass(kind, SAID_NO):
        assert after.state in (State.WAITING, State.DEAD)
        assert not after.unclear
    else:
        assert (after.state, after.unclear) == (State.UNKNOWN, True)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_system_that_can_be_asked_is_asked_before_it_is_sent_again(kind: type[errors.GatewayError]) -> None:
    after = settling.judge(kind(), Repeat.QUERYABLE, lease_of(), sent=1)
    assert after.unclear is (not issubclass(kind, SAID_NO))


def test_a_system_is_asked_only_after_it_has_settled() -> None:
    timeout = errors.SystemTimeout()
    assert settling.judge(timeout, Repeat.QUERYABLE, lease_of(), 1, settles_after=50).pause >= 50
    assert (
        settling.judge(errors.SystemUnreachable(), Repeat.QUERYABLE, lease_of(), 1, settles_after=50).pause
        < 50
    )
    assert (
        settling.judge(errors.Busy(), Repeat.QUERYABLE, lease_of(unclear=True), 0, settles_after=50).pause
        < 50
    )


@pytest.mark.parametrize("later", [State.DELIVERED, State.LEASED])
def test_what_was_overtaken_is_not_replayed_by_mistake(engine: Engine, later: State) -> None:
    entered, left = queue(engine, digest(1)), queue(engine, digest(1))
    with engine.begin() as connection:
        interventions.park(connection, entered)
    lease = taken(engine)
    assert lease.exchange_id == left
    if later is State.DELIVERED:
        settle(engine, lease)
    with engine.begin() as connection, pytest.raises(errors.InvalidRequest, match="a later message"):
        interventions.replay(connection, entered, give_up_after=HOUR)
    assert state_of(engine, entered) is State.PARKED
    with engine.begin() as connection:
        assert (
            interventions.replay(connection, entered, give_up_after=HOUR, out_of_order=True).state
            is State.WAITING
        )


def test_a_row_whose_lease_ran_out_can_be_parked(engine: Engine) -> None:
    one, lease = queue(engine), taken(engine)
    with engine.begin() as connection, pytest.raises(errors.InvalidRequest, match="leased"):
        interventions.park(connection, one)
    expire(engine)
    with engine.begin() as connection:
        interventions.park(connection, one)
    with pytest.raises(errors.Busy):
        begin(engine, lease)
    assert (state_of(engine, one), take(engine)) == (State.PARKED, None)


def test_what_cannot_be_delivered_now_is_no_lag(engine: Engine) -> None:
    queue(engine, digest(1))
    queue(engine, digest(1))
    with engine.begin() as connection:
        assert outbox.lag(connection) is not None
        switches.switch_off(connection, *NAME, "VSAA moves")
        assert outbox.lag(connection) is None
        switches.switch_on(connection, *NAME)
    taken(engine)
    with engine.connect() as connection:
        assert outbox.lag(connection) is None, "the first is under way, the second waits for it"


def test_what_never_left_stays_as_unclear_as_it_was() -> None:
    for unclear in (False, True):
        after = settling.judge(errors.Busy(), Repeat.QUERYABLE, lease_of(unclear=unclear), sent=0)
        assert (after.state, after.unclear) == (State.WAITING, unclear)
    assert (
        settling.judge(errors.Busy(), Repeat.NEITHER, lease_of(unclear=True), sent=0).state is State.UNKNOWN
    )


def test_refusals_and_denials_end_in_a_dead_letter() -> None:
    for error in (errors.RequestRefused("WRONG"), errors.AccessDenied("rule"), errors.InvalidRequest("x")):
        after = settling.judge(error, Repeat.DEDUPES, lease_of(), sent=1)
        assert (after.state, after.error) == (State.DEAD, error.code)


def test_answers_that_cannot_be_trusted_are_asked_for_again_but_not_for_ever() -> None:
    states = [
        settling.judge(errors.AnswerMismatch(), Repeat.DEDUPES, lease_of(attempts), sent=1).state
        for attempts in range(settling.MOST_BAD_ANSWERS + 2)
    ]
    assert states[0] is State.WAITING
    assert states[-1] is State.DEAD


def test_pauses_grow_vary_and_have_an_end() -> None:
    def pause(attempts: int) -> float:
        return settling.judge(errors.SystemTimeout(), Repeat.DEDUPES, lease_of(attempts), sent=1).pause

    assert 0.8 <= pause(0) <= 1.2
    assert all(pause(more) > pause(fewer) for fewer, more in ((0, 2), (2, 4), (4, 6), (6, 9)))
    assert pause(500) <= 1.2 * 3600
    assert len({pause(3) for _ in range(20)}) > 1
    quota = errors.QuotaExceeded("requests", retry_after=5000)
    assert settling.judge(quota, Repeat.DEDUPES, lease_of(), sent=0).pause >= 5000


def test_after_its_time_one_more_failure_is_the_last() -> None:
    timeout = errors.SystemTimeout()
    assert settling.judge(timeout, Repeat.DEDUPES, lease_of(late=True), sent=1).state is State.DEAD
    # Nothing left: the breaker was open. It still gets its last attempt.
    assert settling.judge(timeout, Repeat.DEDUPES, lease_of(late=True), sent=0).state is State.WAITING


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["queue", "take", "begin", "expire", "retry", "deliver"]), st.integers(0, 2)
        ),
        max_size=40,
    )
)
def test_whatever_happens_order_and_leases_hold(engine: Engine, steps: list[tuple[str, int]]) -> None:
    with engine.begin() as connection:
        connection.execute(outbox.outbox.delete())
    held: list[Lease] = []
    queued: list[uuid.UUID] = []
    delivered: dict[int, list[uuid.UUID]] = {0: [], 1: [], 2: []}
    person: dict[uuid.UUID, int] = {}

    def act(step: str, number: int) -> None:
        if step == "queue":
            queued.append(queue(engine, digest(number)))
            person[queued[-1]] = number
        elif step == "take" and (lease := take(engine, f"{uuid.uuid4()}")):
            held.append(lease)
        elif step == "expire":
            expire(engine)
        elif held:
            lease = held.pop(number % len(held))
            try:
                if step == "begin":
                    begin(engine, lease)
                    held.append(lease)
                    return
                settle(engine, lease, State.DELIVERED if step == "deliver" else State.WAITING)
            except errors.Busy:
                return
            if step == "deliver":
                delivered[person[lease.exchange_id]].append(lease.exchange_id)

    for step, number in steps:
        act(step, number)
        with engine.connect() as connection:
            rows = outbox.listed(connection, limit=None)
        assert {row.id for row in rows} == set(queued), "no row is lost"
        under_way = Counter(row.subject_order for row in rows if row.state is State.LEASED)
        assert all(count == 1 for count in under_way.values()), "a person has one message under way"
    for number, done in delivered.items():
        assert done == [one for one in queued if person[one] == number][: len(done)], (
            "in the order of queueing"
        )


def test_a_row_that_is_taken_can_be_told_by_its_holder(engine: Engine) -> None:
    def due(connection: Connection) -> bool:
        return outbox.any_due(connection)

    with engine.connect() as connection:
        assert not due(connection)
    queue(engine)
    with engine.connect() as connection:
        assert due(connection)
    taken(engine)
    with engine.connect() as connection:
        assert not due(connection)
