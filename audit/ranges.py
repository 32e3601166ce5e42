"""The records of a long log are checked by several processes, a range of indexes each, at one moment of the database.

On SQLite each process sees its own moment. What they check is below a size that all see, and is never changed; only
values may be erased meanwhile. Whoever finds something is not believed: the walk in one process then has the word.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

# Below so many leaves it takes longer to start processes than to do their work.
LARGE = 50_000
# A multiple of the rows that are read at once.
_RANGE = 20_000


@dataclass(frozen=True, slots=True)
class Range:
    """Indexes from `start` up to `stop`, and what a process needs to check them: the database, its moment, the keys."""

    url: str
    moment: str
    public_key: bytes
    subject_key: bytes | None
    start: int
    stop: int


class Unsound(Exception):
    """A range does not hold, or could not be checked."""


def processes() -> int:
    """How many processes this one may use at a time."""
    return len(os.sched_getaffinity(0))


class Ranges:
    """Ranges that are being checked."""

    def __init__(self, total: int, futures: dict[Future[int | None], int]) -> None:
        self._total = total
        self._futures = futures

    def values(self, progress: Callable[[int, int], None]) -> int:
        """Wait for all, and say how many values they have. Raises: Unsound."""
        done = values = 0
        for future in as_completed(self._futures):
            try:
                found = future.result()
            except BrokenExecutor as error:  # a process was ended from outside
                raise Unsound from error
            if found is None:
                raise Unsound
            values += found
            done += self._futures[future]
            progress(done, self._total)
        return values


@contextmanager
def begun(
    engine: Engine,
    moment: str,
    keys: tuple[bytes, bytes | None],
    total: int,
    work: Callable[[Range], int | None],
) -> Iterator[Ranges]:
    """Check all ranges below `total` with `work`, which says how many values one has, or None where it does not hold.

    What is not done at the end of the block is given up.
    """
    url = engine.url.render_as_string(hide_password=False)
    # Not forked: a child must not have the connections of this process.
    pool = ProcessPoolExecutor(processes(), mp_context=multiprocessing.get_context("spawn"))
    try:
        futures = {}
        for start in range(0, total, _RANGE):
            stop = min(start + _RANGE, total)
            futures[pool.submit(work, Range(url, moment, *keys, start, stop))] = stop - start
        yield Ranges(total, futures)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
