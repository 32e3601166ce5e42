"""One database of each kind for all tests of the registers: every test speaks of persons of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from storage import open_engine
from tests.conftest import Template, _postgresql


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, template: Template
) -> Iterator[Engine]:
    """An engine on a migrated database, SQLite and PostgreSQL in turn."""
    with ExitStack() as later:
        if request.param == "sqlite":
            path = tmp_path_factory.mktemp("registers") / "gateway.db"
            shutil.copy(template("sqlite"), path)
            url = f"sqlite:///{path}"
        else:
            url = later.enter_context(_postgresql(template("postgresql")))
        database = open_engine(url)
        yield database
        database.dispose()
