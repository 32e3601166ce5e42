"""The records of a long log are checked by several processes, a range of indexes each, at one moment of the database.

On SQLite each process sees its own moment. What they check is below a size that all see, and is never changed; only
values may be erased meanwhile. Whoever finds something is not believed: the walk in one process then has the word.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.process import BaseProcess

from sqlalchemy import Engine

# Below so many leaves it takes longer to start processes than to do their work.
LARGE = 50_000
# A multiple of the rows that are read at once.
_RANGE = 20_000


@dataclass(frozen=True, slots=True)
class Range:
    """Indexes from `start` up to `stop`, and what a process needs to check them."""

    url: str
    moment: str
    subject_key: bytes | None
    now: datetime
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Found:
    """How many leaves a range has that hold, how many values, and how many that were erased."""

    leaves: int
    values: int
    erased: int


class Unsound(Exception):
    """A range does not hold, or could not be checked."""


def processes() -> int:
    """How many processes this one may use at a time."""
    return len(os.sched_getaffinity(0))


class Ranges:
    """Ranges that are being checked."""

    def __init__(self, total: int, futures: Sequence[Future[Found | None]]) -> None:
        self._total = total
        self._futures = futures

    def found(self, progress: Callable[[int, int], None]) -> tuple[int, int]:
        """Wait for all, and say how many values are there and how many are erased. Raises: Unsound."""
        leaves = values = erased = 0
        for future in as_completed(self._futures):
            try:
                found = future.result()
            except BrokenExecutor as error:  # a process was ended from outside
                raise Unsound from error
            if found is None:
                raise Unsound
            leaves, values, erased = leaves + found.leaves, values + found.values, erased + found.erased
            progress(leaves, self._total)
        return values, erased


@contextmanager
def begun(
    engine: Engine,
    moment: str,
    subject_key: bytes | None,
    now: datetime,
    total: int,
    work: Callable[[Range], Found | None],
) -> Iterator[Ranges]:
    """Check all ranges below `total` with `work`, which says what one has, or None where it does not hold.

    What is not done at the end of the block is given up.
    """
    url = engine.url.render_as_string(hide_password=False)
    # Not forked: a child must not have the connections of this process.
    pool = ProcessPoolExecutor(processes(), multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        parts = [
            Range(url, moment, subject_key, now, start, min(start + _RANGE, total))
            for start in range(0, total, _RANGE)
        ]
        yield Ranges(total, [pool.submit(work, part) for part in parts])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
