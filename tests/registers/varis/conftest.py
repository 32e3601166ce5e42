"""A fresh database for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from storage import open_engine


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine on a migrated database without rows."""
    engine = open_engine(database)
    yield engine
    engine.dispose()
