"""Sixteen processes at once write one log without a gap; at full size in `python -m bench.writers`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from bench.writers import _wrong, run
from storage import migrate, open_engine
from tests.instances import PrivatePostgres


@pytest.fixture
def server() -> Iterator[str]:
    """A server of the test's own: sixteen processes with four threads each take most of what one lets in."""
    with PrivatePostgres() as postgres:
        engine = open_engine(postgres.url)
        migrate.upgrade(engine)
        engine.dispose()
        yield postgres.url


def test_sixteen_processes_make_one_gapless_log(server: str) -> None:
    found = run(server, writers=16, records=50)
    assert dataclasses.replace(found, per_second=0, sequenced_per_second=0) == dataclasses.replace(
        found, size=801, verified="unanchored", wrong=(), per_second=0, sequenced_per_second=0
    )
    # And what was wrong would be seen: one record at another's place, one that is gone.
    engine = open_engine(server)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE log.log_tree DISABLE TRIGGER ALL"))
        connection.execute(text("DELETE FROM log.log_tree WHERE idx = 400"))
    engine.dispose()
    assert len(list(_wrong(server, 16, 50, 4))) == 2, "a gap in the indexes, and a thread's record"
