"""The sequencer: one at a time, in order, never upon a tree that its checkpoint denies, alive after failures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, delete, func, select, update

from audit.checkpoint import parse
from audit.sequencer import Sequencer
from audit.tables import log_checkpoints, log_records, log_tree, sequencer_queue
from errors import ConfigurationError, LogUnavailable
from exchange import Environment
from tests.audit.logs import KEY, exchange, fill, open_log, opened, sequence, sequencer, unguard, verified
from tests.audit.test_log import wait_until


def size(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(select(func.count()).select_from(log_tree)).scalar_one())


def test_it_begins_the_log(engine: Engine) -> None:
    assert sequencer(engine).run_once() == 1
    report = verified(engine)
    assert (report.status, report.size, report.last_good_checkpoint) == ("unanchored", 1, 1)


def test_records_keep_the_order_in_which_they_were_written(engine: Engine) -> None:
    log = open_log(engine)
    written = [str(id_) for _ in range(10) for id_ in log.write(*exchange())]
    sequence(engine, batch=7)
    with engine.begin() as connection:
        placed = connection.execute(select(log_tree.c.record_id).order_by(log_tree.c.idx)).scalars().all()
        assert connection.execute(select(func.count()).select_from(sequencer_queue)).scalar_one() == 0
    assert placed[1:] == written


def test_one_checkpoint_for_a_batch(engine: Engine) -> None:
    fill(engine, exchanges=4, batch=5)
    with engine.begin() as connection:
        notes = connection.execute(select(log_checkpoints).order_by(log_checkpoints.c.size)).all()
    assert [row.size for row in notes] == [5, 10, 13]
    assert all(parse(row.note).signed_by(KEY.public_key()) for row in notes)


def test_an_origin_written_late_still_comes_first(engine: Engine) -> None:
    log = open_log(engine)
    with engine.begin() as connection:
        log.append(connection, opened())
    sequence(engine)
    assert verified(engine).status == "unanchored"


def test_two_race_and_neither_skips_nor_repeats(engine: Engine) -> None:
    log = open_log(engine)
    racers = [sequencer(engine, batch=3, lease_seconds=0.0) for _ in range(3)]
    for racer in racers:
        racer._lease = racer._lease * 0  # each may take over from another at once
    stop = threading.Event()

    def race(racer: Sequencer) -> int:
        done = 0
        while not stop.is_set():
            done += racer.run_once()
        return done

    with ThreadPoolExecutor(7) as pool:
        racing = [pool.submit(race, racer) for racer in racers]
        for writing in [pool.submit(lambda: log.write(*exchange())) for _ in range(30)]:
            writing.result()
        wait_until(lambda: size(engine) == 91)
        stop.set()
        done = [future.result() for future in racing]
    assert sum(done) == 91
    assert verified(engine).status == "unanchored"


def test_a_held_lease_keeps_others_out(engine: Engine) -> None:
    first, second = sequencer(engine), sequencer(engine)
    assert first.run_once() == 1
    open_log(engine).write(opened())
    assert second.run_once() == 0
    first.release()
    assert second.run_once() == 1
    open_log(engine).write(opened())
    assert first.run_once() == 0


def test_a_lease_that_ran_out_is_taken_over(engine: Engine) -> None:
    first, second = sequencer(engine), sequencer(engine)
    first._lease = first._lease * 0
    assert first.run_once() == 1
    open_log(engine).write(opened())
    assert second.run_once() == 1
    second.release()
    open_log(engine).write(opened())
    assert first.run_once() == 1, "it goes on from what the other has written"
    assert verified(engine).size == 3


def a_hash_changed(connection: Connection) -> None:
    connection.execute(update(log_tree).where(log_tree.c.idx == 5).values(leaf_hash=bytes(32)))


def the_last_checkpoint_gone(connection: Connection) -> None:
    connection.execute(update(log_tree).where(log_tree.c.idx >= 8).values(checkpoint=8))
    connection.execute(delete(log_checkpoints).where(log_checkpoints.c.size == 10))


def the_last_leaf_gone(connection: Connection) -> None:
    connection.execute(delete(log_tree).where(log_tree.c.idx == 9))


def a_leaf_gone(connection: Connection) -> None:
    connection.execute(delete(log_tree).where(log_tree.c.idx == 5))


def the_last_checkpoint_of_another_key(connection: Connection) -> None:
    newest = log_checkpoints.c.size == 10
    note = connection.execute(select(log_checkpoints.c.note).where(newest)).scalar_one()
    forged = parse(note).signed(Ed25519PrivateKey.generate()).note()
    connection.execute(update(log_checkpoints).where(newest).values(note=forged))


@pytest.mark.parametrize(
    "damage",
    [
        a_hash_changed,
        the_last_checkpoint_gone,
        the_last_leaf_gone,
        a_leaf_gone,
        the_last_checkpoint_of_another_key,
    ],
)
def test_nothing_is_built_upon_a_damaged_tree(engine: Engine, damage: Callable[[Connection], None]) -> None:
    fill(engine, exchanges=3, batch=4)
    assert verified(engine).size == 10
    unguard(engine)
    with engine.begin() as connection:
        damage(connection)
    open_log(engine).write(opened())
    before = size(engine)
    with pytest.raises(LogUnavailable):
        sequencer(engine).run_once()
    assert size(engine) == before


def test_a_running_one_remembers_a_tail_that_is_gone(engine: Engine) -> None:
    fill(engine, exchanges=2, batch=8)
    running = sequencer(engine, batch=8)
    open_log(engine).write(*exchange())
    assert running.run_once() == 3
    unguard(engine)
    with engine.begin() as connection:
        connection.execute(delete(log_tree).where(log_tree.c.idx >= 7))
        connection.execute(delete(log_checkpoints).where(log_checkpoints.c.size == 10))
    open_log(engine).write(opened())
    with pytest.raises(LogUnavailable, match="shrunk"):
        running.run_once()


def test_a_log_of_another_key_is_refused(engine: Engine) -> None:
    fill(engine)
    other = Sequencer(engine, Ed25519PrivateKey.generate(), environment=Environment.TEST)
    with pytest.raises(ConfigurationError):
        other.run_once()


def test_a_row_queued_twice_is_sequenced_once(engine: Engine) -> None:
    fill(engine, exchanges=1)
    with engine.begin() as connection:
        some = connection.execute(select(log_records.c.id).limit(1)).scalar_one()
        connection.execute(sequencer_queue.insert(), [{"record_id": some}, {"record_id": some}])
    assert sequencer(engine).run_once() == 0
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(sequencer_queue)).scalar_one() == 0
    assert verified(engine).status == "unanchored"
