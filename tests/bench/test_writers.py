"""Sixteen processes at once write one log without a gap; at full size in `python -m bench.writers`."""

from __future__ import annotations

import dataclasses

from sqlalchemy import text

from bench.writers import _wrong, run
from storage import open_engine


def test_sixteen_processes_make_one_gapless_log(migrated_postgresql: str) -> None:
    found = run(migrated_postgresql, writers=16, records=50)
    assert dataclasses.replace(found, per_second=0, sequenced_per_second=0) == dataclasses.replace(
        found, size=801, verified="unanchored", wrong=(), per_second=0, sequenced_per_second=0
    )
    # And what was wrong would be seen: one record at another's place, one that is gone.
    engine = open_engine(migrated_postgresql)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE log.log_tree DISABLE TRIGGER ALL"))
        connection.execute(text("DELETE FROM log.log_tree WHERE idx = 400"))
    engine.dispose()
    assert len(list(_wrong(migrated_postgresql, 16, 50, 4))) == 2, (
        "a gap in the indexes, and a thread's record"
    )
