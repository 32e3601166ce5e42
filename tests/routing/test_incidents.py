"""Incidents: one open at a time of a kind and subject, told once by each channel, closed when nobody sees them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Table, select, update
from sqlalchemy.schema import SchemaItem

from routing import incidents
from routing.incidents import CLOSED, Channel, Finding, Incident
from storage import database_now, metadata

LATE = Finding("sequencer", "", "seconds=75")
QUIET = timedelta(seconds=60)
BOTH = (Channel.WEBHOOK, Channel.MAIL)


def see(engine: Engine, *findings: Finding) -> None:
    for finding in findings:
        with engine.begin() as connection:
            incidents.see(connection, finding)


def listed(engine: Engine, *, closed: bool = True) -> list[Incident]:
    with engine.begin() as connection:
        return incidents.listed(connection, closed=closed)


def age(engine: Engine, seconds: float) -> None:
    """Let so much time pass since all incidents were seen and tried."""
    table = incidents.incidents
    with engine.begin() as connection:
        for row in connection.execute(select(table)).all():
            past = {
                name: getattr(row, name) - timedelta(seconds=seconds)
                for name in ("seen_at", "try_at", "opened_at")
            }
            connection.execute(update(table).where(table.c.id == row.id).values(past))


def close(engine: Engine) -> None:
    with engine.begin() as connection:
        expected = incidents.any_to_close(connection, QUIET)
        assert expected == (incidents.close_unseen(connection, QUIET) > 0)


def claim(engine: Engine, holder: str = "one", channels: tuple[Channel, ...] = BOTH) -> Incident | None:
    with engine.begin() as connection:
        return incidents.claim(connection, holder, channels, seconds=30)


def claimed(engine: Engine, holder: str = "one", channels: tuple[Channel, ...] = BOTH) -> Incident:
    incident = claim(engine, holder, channels)
    assert incident is not None
    return incident


def tell(engine: Engine, incident: Incident, done: dict[Channel, int], holder: str = "one") -> None:
    with engine.begin() as connection:
        incidents.told(connection, incident, holder, done)


def test_seen_again_it_is_the_same_incident(engine: Engine) -> None:
    see(engine, LATE, Finding("sequencer", "", "seconds=80"), Finding("breaker", "pmlp"))
    found = {incident.kind: incident for incident in listed(engine)}
    assert found["sequencer"].seen == 2
    assert found["sequencer"].detail == "seconds=80"
    assert found["breaker"].seen == 1
    with engine.begin() as connection:
        assert incidents.open_counts(connection) == {"sequencer": 1, "breaker": 1}


def test_of_many_processes_one_opens_it(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _number: see(engine, LATE), range(32)))
    (incident,) = listed(engine)
    assert incident.seen == 32


def test_it_is_over_when_nobody_has_seen_it_for_a_while_and_another_may_begin(engine: Engine) -> None:
    see(engine, LATE)
    close(engine)
    assert listed(engine, closed=False)
    age(engine, 61)
    close(engine)
    assert not listed(engine, closed=False)
    see(engine, LATE)
    assert len(listed(engine)) == 2
    assert len(listed(engine, closed=False)) == 1


def test_one_process_tells_each_stage_once(engine: Engine) -> None:
    see(engine, LATE)
    with engine.begin() as connection:
        assert incidents.any_to_tell(connection, BOTH)
        assert not incidents.any_to_tell(connection, ())
    with ThreadPoolExecutor(8) as pool:
        found = [one for one in pool.map(lambda n: claim(engine, str(n)), range(16)) if one]
    assert len(found) == 1
    age(engine, 31)  # who claimed it did not come back
    incident = claimed(engine)
    assert incident.next_stage(Channel.MAIL) == 1
    tell(engine, incident, {Channel.WEBHOOK: 1, Channel.MAIL: 1})
    see(engine, LATE)
    assert claim(engine) is None
    see(engine, Finding("sequencer", "", "seconds=900", grade=1))
    graver = claimed(engine)
    assert graver.next_stage(Channel.MAIL) == 2
    tell(engine, graver, {Channel.WEBHOOK: 2, Channel.MAIL: 2})
    see(engine, LATE)
    assert claim(engine) is None, "less grave again is no news"
    age(engine, 61)
    close(engine)
    over = claimed(engine)
    assert over.next_stage(Channel.WEBHOOK) == CLOSED
    tell(engine, over, {Channel.WEBHOOK: CLOSED, Channel.MAIL: CLOSED})
    assert claim(engine) is None


def test_a_channel_that_fails_is_tried_again_without_the_other(engine: Engine) -> None:
    see(engine, LATE)
    incident = claimed(engine)
    tell(engine, incident, {Channel.WEBHOOK: 1})
    again = claimed(engine)
    assert again.next_stage(Channel.WEBHOOK) is None
    assert again.next_stage(Channel.MAIL) == 1
    tell(engine, again, {})
    assert claim(engine) is None, "not at once"
    age(engine, 6)
    third = claimed(engine)
    tell(engine, third, {})
    age(engine, 6)
    assert claim(engine) is None, "later and later"
    age(engine, 5)
    assert claim(engine) is not None


def test_who_comes_late_to_a_claim_notes_nothing(engine: Engine) -> None:
    see(engine, LATE)
    slow = claimed(engine, "slow")
    age(engine, 31)
    assert claim(engine, "other") is not None
    tell(engine, slow, {Channel.WEBHOOK: 1, Channel.MAIL: 1}, "slow")
    (incident,) = listed(engine)
    assert incident.told == {Channel.WEBHOOK: 0, Channel.MAIL: 0}


def test_what_was_never_told_as_open_is_told_so_before_it_is_told_as_over(engine: Engine) -> None:
    see(engine, LATE)
    age(engine, 61)
    close(engine)
    incident = claimed(engine, channels=(Channel.MAIL,))
    assert incident.next_stage(Channel.MAIL) == 1
    tell(engine, incident, {Channel.MAIL: 1})
    again = claimed(engine, channels=(Channel.MAIL,))
    assert again.next_stage(Channel.MAIL) == CLOSED


def test_what_was_told_from_memory_is_not_told_again(engine: Engine) -> None:
    with engine.begin() as connection:
        began = database_now(connection) - timedelta(minutes=5)
        incidents.see(connection, LATE, since=began, told={Channel.WEBHOOK: 1, Channel.MAIL: 1})
        incidents.see(connection, LATE, since=began + timedelta(minutes=1), told={Channel.WEBHOOK: 1})
    (incident,) = listed(engine)
    assert incident.opened_at == began
    assert incident.told == {Channel.WEBHOOK: 1, Channel.MAIL: 1}
    assert claim(engine) is None


def test_the_table_is_as_the_module_declares_it(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        return  # Alembic cannot compare indexes of SQLite that hold for some rows only

    def ours(item: SchemaItem, _name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:
        table = item if isinstance(item, Table) else getattr(item, "table", None)
        return isinstance(table, Table) and table.name == incidents.incidents.name

    options = {"include_schemas": True, "include_object": ours}
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
