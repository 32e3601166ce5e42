"""What has been kept for its time goes, whole and for good; what has not, what is held and what is proof stays."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from audit import Archive, Entry, Kind, eraser, guards, holds, retention
from audit.eraser import Scope
from audit.tables import archive_keys, archive_payloads, log_records, log_tree, log_values
from errors import NotFound
from exchange import new_id, utc_now
from storage import open_engine
from tests.audit.logs import exchange, open_log, sequence, verified
from tests.audit.test_archive import open_archive

CODE = "320101-54321"
OTHER = "320101-54322"
CUTOFF = retention.months_before(utc_now(), 61)
OLD = retention.months_before(utc_now(), 70)
DATA = f"<Envelope>{CODE}</Envelope>".encode()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return open_archive(tmp_path)


def write(engine: Engine, archive: Archive, code: str = CODE, instant: datetime = OLD) -> uuid.UUID:
    """One exchange with its records, its place in the tree and its bytes."""
    entries = exchange(code, instant=instant)
    open_log(engine).write(*entries)
    with engine.begin() as connection:
        archive.put(connection, entries[0].exchange_id, "request", DATA, instant)
    sequence(engine)
    return entries[0].exchange_id


def nothing(_done: int, _total: int | None) -> None:
    pass


def look(engine: Engine, name: str = "exchange", before: datetime = CUTOFF) -> Scope:
    return eraser.look(engine, retention.named(name), before, nothing)


def put_on_record(engine: Engine, scope: Scope) -> None:
    open_log(engine).write(Entry(Kind.ERASURE, new_id(), utc_now(), scope.facts()))
    sequence(engine)


def count(engine: Engine, exchanges: Sequence[uuid.UUID]) -> tuple[int, int]:
    """How many values and payloads there are of them."""
    values = (
        select(func.count())
        .select_from(log_values)
        .join(log_records, log_records.c.id == log_values.c.record_id)
        .where(log_records.c.exchange_id.in_(map(str, exchanges)))
    )
    payloads = (
        select(func.count())
        .select_from(archive_payloads)
        .where(archive_payloads.c.exchange_id.in_(exchanges))
    )
    with engine.begin() as connection:
        return connection.execute(values).scalar_one(), connection.execute(payloads).scalar_one()


def test_what_is_over_goes_and_the_log_holds(engine: Engine, archive: Archive) -> None:
    old, young = write(engine, archive), write(engine, archive, instant=utc_now())
    scope = look(engine)
    assert (scope.exchanges, scope.values, scope.payloads, scope.held, scope.running) == (1, 7, 1, 0, 0)
    assert scope.names == {"address", "subject", "subject_index", "official"}
    assert not eraser.on_record(engine, scope)
    put_on_record(engine, scope)
    assert eraser.on_record(engine, scope)
    gone = eraser.erase(engine, scope, nothing)
    assert (gone.values, gone.payloads, gone.keys) == (7, 1, 1)
    assert (count(engine, [old]), count(engine, [young])) == ((0, 0), (7, 1))
    report = verified(engine)
    assert (report.status, report.erased) == ("unanchored", 7)
    assert not look(engine).exchanges
    with engine.begin() as connection:
        months = connection.execute(select(archive_keys.c.month)).scalars().all()
        assert list(months) == [f"{utc_now():%Y-%m}"]
        with pytest.raises(NotFound):
            archive.get(connection, old, "request")


def test_each_class_by_itself(engine: Engine, archive: Archive) -> None:
    """An arrival that was turned away before anybody was recognised goes earlier, with its record `opened`."""
    known = write(engine, archive)
    opened, _, outcome = exchange(instant=OLD)
    refused = Entry(Kind.OUTCOME, outcome.exchange_id, OLD, {"outcome": "denied"}, {"address": "192.0.2.9"})
    open_log(engine).write(opened, refused)
    open_log(engine).write(Entry(Kind.ADMIN, new_id(), OLD, {"act": "caller add"}, {"official": "root"}))
    sequence(engine)
    scope = look(engine, "refusal")
    assert (scope.exchanges, scope.values) == (1, 2)
    put_on_record(engine, scope)
    assert eraser.erase(engine, scope, nothing).values == 2
    assert count(engine, [known]) == (7, 1)
    assert verified(engine).status == "unanchored"
    assert look(engine, "administration").values == 1
    assert look(engine, "reference").values == 0


def test_an_exchange_is_erased_whole_or_not_at_all(engine: Engine, archive: Archive) -> None:
    late = write(engine, archive)
    open_log(engine).write(Entry(Kind.OUTCOME, late, utc_now(), {"caller": "core", "outcome": "ok"}))
    opened, attempt, outcome = exchange(instant=OLD)
    queued = Entry(Kind.OUTCOME, opened.exchange_id, OLD, {**outcome.facts, "outcome": "queued"})
    open_log(engine).write(opened, attempt, queued)
    open_log(engine).write(*exchange(instant=OLD)[:1])
    sequence(engine)
    scope = look(engine)
    assert (scope.exchanges, scope.running) == (0, 1), "one has a later outcome, one waits in the outbox"
    open_log(engine).write(*exchange(instant=OLD))
    assert look(engine).exchanges == 0, "without a place in the tree"


def test_a_hold_keeps_values_and_bytes_beyond_the_key_of_their_month(
    engine: Engine, archive: Archive
) -> None:
    kept, other = write(engine, archive), write(engine, archive, OTHER)
    with engine.begin() as connection:
        holds.begin(connection, "court")
        assert holds.put_under(connection, archive, "court", [str(kept)]) == 1
        assert holds.put_under(connection, archive, "court", [str(kept)]) == 0
        with pytest.raises(NotFound):
            holds.put_under(connection, archive, "court", [str(new_id())])
    scope = look(engine)
    assert (scope.exchanges, scope.held) == (1, 1)
    put_on_record(engine, scope)
    assert eraser.erase(engine, scope, nothing).keys == 1
    assert (count(engine, [kept]), count(engine, [other])) == ((7, 1), (0, 0))
    with engine.begin() as connection:
        assert archive.get(connection, kept, "request") == DATA
        assert connection.execute(select(archive_keys.c.month)).scalars().all() == ["hold"]
        assert holds.release(connection, "court") == 1
        assert [(one.name, one.exchanges) for one in holds.every(connection)] == [("court", 1)]
    scope = look(engine)
    put_on_record(engine, scope)
    assert eraser.erase(engine, scope, nothing).keys == 1
    assert count(engine, [kept]) == (0, 0)
    assert verified(engine).status == "unanchored"


def test_a_hold_made_after_the_look(engine: Engine, archive: Archive) -> None:
    kept = write(engine, archive)
    scope = look(engine)
    put_on_record(engine, scope)
    with engine.begin() as connection:
        holds.begin(connection, "court")
        holds.put_under(connection, archive, "court", [str(kept)])
    assert eraser.erase(engine, scope, nothing).values == 0
    assert count(engine, [kept]) == (7, 1)


def test_killed_in_the_midst_it_goes_on(engine: Engine, database: str, archive: Archive) -> None:
    exchanges = [write(engine, archive, f"32{number:09d}") for number in range(4)]
    scope = look(engine)
    put_on_record(engine, scope)
    child = os.fork()
    if not child:

        def killed(done: int, _total: int | None) -> None:
            if done:
                os.kill(os.getpid(), signal.SIGKILL)

        eraser.erase(open_engine(database), scope, killed, size=1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert count(engine, exchanges) == (3 * 7, 3)
    assert verified(engine).status == "unanchored", "what is gone was on record before"
    left = look(engine)
    assert (left.exchanges, eraser.on_record(engine, left)) == (3, True)
    assert eraser.erase(engine, left, nothing).keys == 1
    assert count(engine, exchanges) == (0, 0)
    assert verified(engine).erased == 4 * 7


def test_sqlite_refuses_to_change_the_log(engine: Engine, archive: Archive) -> None:
    write(engine, archive)
    with engine.begin() as connection:
        (warning,) = guards.missing(connection) or ("",)
    if engine.dialect.name != "sqlite":
        assert "may change the log" in warning, "the tests connect as an administrator"
        return
    assert not warning
    for table in (log_records, log_tree, log_values):
        column = next(c for c in table.columns if c.name in ("leaf", "leaf_hash", "value"))
        for statement in (update(table).values({column.name: column}), delete(table)):
            with pytest.raises(IntegrityError, match="never changed"), engine.begin() as connection:
                connection.execute(statement)
    with engine.begin() as connection, guards.lifted(connection):
        connection.execute(delete(log_values).where(log_values.c.name == "address"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(delete(log_values))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER log_tree_no_update")
        assert "log_tree_no_update" in guards.missing(connection)[0]
