"""A restored log goes on under a new origin that names the gap; what is no honest new beginning is found."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, update

from audit import checkpoint, continuity, origin, restorations
from audit.checkpoint import Checkpoint
from audit.merkle import Frontier, leaf_hash
from audit.tables import leases, log_checkpoints, log_records, log_tree, log_values, sequencer_queue
from errors import ConfigurationError, InvalidRequest
from exchange import Environment, Json, utc_now
from tests.audit.logs import KEY, fill, open_log, opened, sequence, sequencer, unguard, verified

LOST: dict[str, Json] = {"records": 3}


def newest(engine: Engine) -> Checkpoint:
    with engine.connect() as connection:
        note = continuity.extent(connection).note
    assert note is not None
    return checkpoint.parse(note)


def nothing(_connection: Connection) -> None:
    pass


def begin_again(engine: Engine) -> origin.Origin:
    one = sequencer(engine)
    ours = one.begin_again(LOST, nothing)
    one.release()
    return ours


def back_to(engine: Engine, size: int) -> None:
    """The log as it was when it had that many records: what a restore brings."""
    unguard(engine)
    with engine.begin() as connection:
        gone = connection.execute(select(log_tree.c.record_id).where(log_tree.c.idx >= size)).scalars().all()
        connection.execute(delete(sequencer_queue))
        connection.execute(delete(leases))
        connection.execute(delete(log_tree).where(log_tree.c.idx >= size))
        connection.execute(delete(log_checkpoints).where(log_checkpoints.c.size > size))
        connection.execute(delete(log_values).where(log_values.c.record_id.in_(gone)))
        connection.execute(delete(log_records).where(log_records.c.id.in_(gone)))


@pytest.fixture
def lost(engine: Engine) -> Checkpoint:
    """A log of five records that once had thirteen; the checkpoint of those is kept elsewhere."""
    fill(engine, exchanges=4, batch=5)
    outside = newest(engine)
    assert outside.size == 13
    back_to(engine, 5)
    return outside


def test_the_gap_is_counted(engine: Engine, lost: Checkpoint) -> None:
    with engine.begin() as connection:
        assert continuity.compare(connection, lost) == continuity.Standing(13, True, 8)


def test_records_without_a_place_are_not_missing(engine: Engine, lost: Checkpoint) -> None:
    open_log(engine).write(opened(), opened())
    with engine.begin() as connection:
        assert continuity.compare(connection, lost).missing == 6


def test_the_log_goes_on_under_a_new_origin_and_verifies(engine: Engine, lost: Checkpoint) -> None:
    before = newest(engine)
    again = begin_again(engine)
    open_log(engine).write(opened())
    sequence(engine)
    after = newest(engine)
    assert (after.origin, after.size) == (again.line, 7)
    assert again.line != before.origin
    assert again.continues == (before.origin, 5, base64.b64encode(before.root).decode())
    report = verified(engine)
    assert (report.status, report.size) == ("unanchored", 7)
    assert "restored at 5" in report.reason
    with engine.begin() as connection:
        # The old name never has two roots for one size.
        names = {
            checkpoint.parse(note).origin
            for note in connection.execute(
                select(log_checkpoints.c.note).where(log_checkpoints.c.size > 5)
            ).scalars()
        }
        assert names == {again.line}
        # What was lost under the old name is on record, and no longer missing.
        assert continuity.compare(connection, lost) == continuity.Standing(13, True, 0)
        assert continuity.compare(connection, before).holds


@pytest.mark.usefixtures("lost")
def test_it_may_be_restored_twice(engine: Engine) -> None:
    begin_again(engine)
    back_to(engine, 6)
    begin_again(engine)
    sequence(engine)
    report = verified(engine)
    assert (report.status, report.size) == ("unanchored", 7)
    assert "restored at 5, 6" in report.reason


def test_another_branch_is_seen(engine: Engine, lost: Checkpoint) -> None:
    forged = Checkpoint(lost.origin, 4, os.urandom(32)).signed(KEY)
    with engine.begin() as connection:
        assert not continuity.compare(connection, forged).holds
        with pytest.raises(InvalidRequest, match="another log"):
            continuity.compare(connection, Checkpoint("spolis-gateway/test/other", 4, lost.root).signed(KEY))


def test_a_note_that_the_log_did_not_sign_is_refused(tmp_path: Path, lost: Checkpoint) -> None:
    file = tmp_path / "checkpoint"
    file.write_text(lost.note())
    assert continuity.read_note(file, KEY.public_key()) == lost
    file.write_text(lost.note().replace("\n13\n", "\n14\n"))
    with pytest.raises(InvalidRequest, match="not signed"):
        continuity.read_note(file, KEY.public_key())


def _begin_again_by_hand(engine: Engine, size: int, root: bytes, before: origin.Origin) -> None:
    """As somebody would who has the log's key and states another past than the true one."""
    record = origin.again(before, Environment.TEST, KEY.public_key(), (size, root), LOST)
    with engine.begin() as connection:
        hashes = connection.execute(select(log_tree.c.leaf_hash).order_by(log_tree.c.idx)).scalars().all()
        frontier = Frontier()
        for one in [*hashes, leaf_hash(record.leaf.encode())]:
            frontier.append(one)
        line = f"spolis-gateway/test/{record.columns['exchange_id']}"
        note = Checkpoint(line, frontier.size, frontier.root()).signed(KEY).note()
        connection.execute(insert(log_records).values(id=record.id, leaf=record.leaf, **record.columns))
        connection.execute(insert(log_checkpoints).values(size=frontier.size, note=note))
        connection.execute(
            insert(log_tree).values(
                idx=frontier.size - 1,
                record_id=record.id,
                leaf_hash=leaf_hash(record.leaf.encode()),
                checkpoint=frontier.size,
            )
        )


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize("lie", ["size", "root", "name", "none"])
def test_a_new_beginning_that_states_another_past_is_bad(engine: Engine, lie: str) -> None:
    true = newest(engine)
    before = origin.Origin(
        true.origin.rpartition("/")[2], Environment.TEST, origin.key_text(KEY.public_key())
    )
    other = origin.Origin("01a20000-0000-7000-8000-000000000000", Environment.TEST, before.public_key)
    _begin_again_by_hand(
        engine,
        4 if lie == "size" else 5,
        os.urandom(32) if lie == "root" else true.root,
        other if lie == "name" else before,
    )
    report = verified(engine)
    if lie == "none":
        assert report.status == "unanchored"
    else:
        assert (report.status, report.first_bad) == ("bad", 5)


def test_nothing_is_written_to_a_restored_database_before_it_is_recovered(engine: Engine) -> None:
    fill(engine, exchanges=1)
    with engine.begin() as connection:
        restorations.mark(connection, utc_now(), 4)
        connection.execute(delete(leases))
    with pytest.raises(ConfigurationError, match="gateway recover"):
        open_log(engine).write(opened())
    with pytest.raises(ConfigurationError, match="gateway recover"):
        sequencer(engine).run_once()
    begin_again(engine)
    open_log(engine).write(opened())


@pytest.mark.usefixtures("lost")
def test_what_goes_with_the_new_beginning_stands_or_falls_with_it(engine: Engine) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(update(leases).values(holder="changed"))
        raise KeyError

    with pytest.raises(KeyError):
        sequencer(engine).begin_again(LOST, fails)
    assert verified(engine).size == 5
