"""Exchanges counted by hour, and how long they took."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

from alembic import command
from sqlalchemy import Engine, event, select, text, update

from audit import Entry, Kind, activity
from audit.activity import Durations, activity_of, durations
from audit.catalogue import catch_up, differing, differing_hours, make_anew
from audit.hours import hours
from exchange import Json, new_id
from storage import migrate
from tests.audit.logs import open_log, sequence

NOON = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)


def ended(system: str | None, outcome: str = "ok", at: datetime = NOON, ms: Json = 40) -> Entry:
    """The outcome of an exchange."""
    facts: dict[str, Json] = {"outcome": outcome, "ms": ms} | ({} if system is None else {"system": system})
    return Entry(Kind.OUTCOME, new_id(), at, facts)


def counted(engine: Engine) -> list[tuple[str, str, str, int]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(hours).order_by(*hours.c))]


def test_exchanges_are_counted_once_each_by_hour_system_and_outcome(engine: Engine) -> None:
    log = open_log(engine)
    log.write(ended("pmlp"), ended("pmlp"), ended("pmlp", "failed"), ended(None, "invalid"))
    log.write(dataclasses.replace(ended("pmlp"), kind=Kind.ATTEMPT))
    sequence(engine)
    catch_up(engine)
    log.write(ended("pmlp"), ended("sais", at=NOON + timedelta(hours=1)))
    sequence(engine)
    catch_up(engine)
    assert counted(engine) == [
        ("2026-11-28T12", "", "invalid", 1),
        ("2026-11-28T12", "pmlp", "failed", 1),
        ("2026-11-28T12", "pmlp", "ok", 3),
        ("2026-11-28T13", "sais", "ok", 1),
    ]
    assert differing_hours(engine) == []


def test_processes_that_catch_up_at_a_time_count_once(engine: Engine) -> None:
    log = open_log(engine)
    for _ in range(5):
        log.write(*(ended("pmlp") for _ in range(40)))
        sequence(engine)
    with ThreadPoolExecutor(4) as several:
        assert sum(several.map(lambda _number: catch_up(engine), range(4))) >= 200
    assert counted(engine) == [("2026-11-28T12", "pmlp", "ok", 200)]


def test_a_count_that_was_changed_is_found_and_made_anew(engine: Engine) -> None:
    open_log(engine).write(ended("pmlp"), ended("sais", at=NOON - timedelta(hours=5)))
    sequence(engine)
    catch_up(engine)
    before = counted(engine)
    with engine.begin() as connection:
        connection.execute(update(hours).where(hours.c.system == "pmlp").values(exchanges=7))
        connection.execute(hours.insert().values(hour="2026-11-27T01", system="x", outcome="ok", exchanges=1))
    assert differing(engine) == []
    assert differing_hours(engine) == ["2026-11-27T01", "2026-11-28T12"]
    make_anew(engine)
    assert differing_hours(engine) == []
    assert counted(engine) == before


def test_made_anew_while_another_takes_records_in(engine: Engine) -> None:
    """What the other has not committed yet must not be all that is left, and count as the end."""
    log = open_log(engine)
    log.write(*(ended("pmlp") for _ in range(3)))
    sequence(engine)
    catch_up(engine)
    log.write(ended("pmlp"), ended("sais"))
    sequence(engine)
    taken, forgotten, anew = threading.Event(), threading.Event(), set[int]()

    @event.listens_for(engine, "before_cursor_execute")
    def _in_the_worst_order(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT") and "catalogue_hours" in statement and not taken.is_set():
            taken.set()
            forgotten.wait(0.5)
        if statement.startswith("DELETE") and "catalogue_hours" in statement:
            anew.add(threading.get_ident())
        elif threading.get_ident() in anew and not forgotten.is_set():
            forgotten.set()
            wait([taking], 10)

    with ThreadPoolExecutor(2) as both:
        taking = both.submit(catch_up, engine)
        assert taken.wait(10)
        both.submit(make_anew, engine).result()
    assert differing(engine) == []
    assert differing_hours(engine) == []
    assert counted(engine) == [("2026-11-28T12", "pmlp", "ok", 4), ("2026-11-28T12", "sais", "ok", 1)]


def test_the_busiest_stand_alone_and_the_others_together(engine: Engine) -> None:
    log = open_log(engine)
    log.write(ended("sais"), ended("pmlp"), ended("pmlp"), ended("npais"), ended(None))
    log.write(ended("pmlp", at=NOON - timedelta(hours=3)))
    sequence(engine)
    found = activity.activity(engine, NOON - timedelta(hours=2), most=2)
    assert found.systems == ("pmlp", "npais")
    told = {(count.system, count.outcome): count.exchanges for count in found.counts}
    assert told == {("pmlp", "ok"): 2, ("npais", "ok"): 1, (None, "ok"): 2}
    assert {count.hour for count in found.counts} == {NOON.replace(minute=0)}


def test_of_one_system(engine: Engine) -> None:
    open_log(engine).write(ended("sais"), ended("pmlp"), ended("pmlp", "failed"))
    sequence(engine)
    found = activity_of(engine, ["pmlp"], NOON)
    assert [(count.outcome, count.exchanges) for count in found] == [("failed", 1), ("ok", 1)]
    assert activity_of(engine, ["pmlp"], NOON + timedelta(hours=1)) == ()


def test_an_hour_that_is_none_is_left_out(engine: Engine) -> None:
    """Only a leaf that was changed says one; the page must stand all the same."""
    with engine.begin() as connection:
        for hour in ("2026-11-28T99", "x" * 13):
            connection.execute(hours.insert().values(hour=hour, system="pmlp", outcome="ok", exchanges=1))
    assert activity.activity(engine, NOON).counts == ()
    assert activity_of(engine, ["pmlp"], NOON) == ()


def test_durations_are_of_the_newest_exchanges_that_were_carried_out(engine: Engine) -> None:
    log = open_log(engine)
    log.write(*(ended("pmlp", ms=number, at=NOON + timedelta(seconds=number)) for number in range(1, 101)))
    log.write(ended("pmlp", "denied", ms=9_999), ended("pmlp", "queued", ms=9_999), ended("sais", ms="long"))
    log.write(ended("npais", "failed", ms=3_000))
    sequence(engine)
    catch_up(engine)
    systems = ("pmlp", "sais", "npais", "vzd")
    assert durations(engine, systems, NOON) == (
        Durations("pmlp", 100, 50, 95),
        Durations("npais", 1, 3_000, 3_000),
    )
    assert durations(engine, ["pmlp"], NOON, sample=10) == (Durations("pmlp", 10, 95, 100),)
    assert durations(engine, ["pmlp"], NOON + timedelta(seconds=99)) == (Durations("pmlp", 2, 99, 100),)


def test_they_are_found_by_an_index(engine: Engine) -> None:
    """However many records of other systems there are."""
    statement = (
        "SELECT idx FROM catalogue_records WHERE system = 'pmlp' AND instant >= '2026' "
        "AND outcome NOT IN ('queued', 'denied', 'invalid') ORDER BY instant DESC, idx DESC LIMIT 200"
    )
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            plan = str(connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
        assert "ix_catalogue_records_system" in plan
        assert "TEMP B-TREE" not in plan


def test_what_the_catalogue_holds_already_is_counted_when_the_counts_are_new(engine: Engine) -> None:
    open_log(engine).write(ended("pmlp"), ended(None, "denied"))
    sequence(engine)
    catch_up(engine)
    before = counted(engine)
    config = migrate._config(migrate._ROOTS)
    with migrate._locked(engine) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "catalogue@catalogue_0001")
    migrate.upgrade(engine)
    assert counted(engine) == before
    assert len(before) == 2
