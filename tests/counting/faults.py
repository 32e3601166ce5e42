"""Ways in which the log's database fails while calls go on, and how each ends."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import text

from tests.counting.world import World

# Above the patience with a silent server, so that callers hear of it.
SILENT_SECONDS = 10.0
_FULL = (
    """CREATE OR REPLACE FUNCTION log.no_room() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$""",
    "CREATE TRIGGER no_room BEFORE INSERT ON log.log_records EXECUTE FUNCTION log.no_room()",
)


@contextmanager
def cut(world: World) -> Iterator[None]:
    """It is gone: connections break in the middle of whatever they were, and new ones fail."""
    world.relay.cut()
    yield
    world.relay.mend()


@contextmanager
def stalled(world: World) -> Iterator[None]:
    """It is silent: connections stay, nothing comes."""
    world.relay.stall()
    yield
    world.relay.mend()


@contextmanager
def slow(world: World) -> Iterator[None]:
    """Everything takes a twentieth of a second more, each way."""
    world.relay.delay = 0.05
    yield
    world.relay.mend()


@contextmanager
def full(world: World) -> Iterator[None]:
    """It takes no row of the log more: SQLSTATE 53100, as PostgreSQL says it of a full disk."""
    with world.engine.begin() as connection:
        for statement in _FULL:
            connection.execute(text(statement))
    yield
    with world.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER no_room ON log.log_records"))


Fault = Callable[[World], AbstractContextManager[None]]
SECONDS: Mapping[str, float] = {"cut": 2.0, "stalled": SILENT_SECONDS, "slow": 2.0, "full": 2.0}
FAULTS = {"cut": cut, "stalled": stalled, "slow": slow, "full": full}


def during(world: World, name: str, seconds: float, threads: int = 8) -> Counter[str]:
    """Calls that go on before, during and after a fault; how each ended."""
    ended: Counter[str] = Counter()
    stop, lock = threading.Event(), threading.Lock()

    def work(first: int) -> None:
        number = first
        while not stop.is_set():
            how = world.call(number)
            number += threads
            with lock:
                ended[how] += 1
            stop.wait(0.02 if how == "200" else 0.1)  # as a caller does who is told to come later

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for each in workers:
        each.start()
    try:
        time.sleep(0.5)
        with FAULTS[name](world):
            time.sleep(seconds)
        time.sleep(0.5)
    finally:
        stop.set()
        for each in workers:
            each.join()
    return ended


def recovered(world: World, seconds: float = 60.0) -> bool:
    """Whether both ways in answer again within a time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if world.call(0) == world.call(1) == "200":
            return True
        time.sleep(0.2)
    return False
