"""The wired gateway, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

import config
from gateway import Gateway
from security.keys import new_keys
from tests.steps.wired import Wire, wired


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    new_keys(folder / "keys", ["pmlp"])
    return folder


@pytest.fixture
def transport() -> Wire:
    return Wire()


@pytest.fixture
def gateway(keys: Path, database: str, transport: Wire) -> Iterator[Gateway]:
    settings = dataclasses.replace(config.load({}), state=keys, database_url=database)
    with wired(settings, transport) as made:
        yield made
