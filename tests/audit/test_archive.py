"""The archive gives back the exact bytes, keeps them unreadable at rest, and notices changes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

import config
from audit import Archive
from audit.tables import archive_keys, archive_payloads
from errors import ConfigurationError, GatewayError, NotFound
from exchange import new_id
from tests.audit.logs import open_log

JANUARY, FEBRUARY = datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
DATA = b"<Envelope>320101-12345</Envelope>" * 50


def open_archive(state: Path) -> Archive:
    settings = dataclasses.replace(config.load({}), state=state)
    settings.keys.mkdir(parents=True, exist_ok=True)
    if not (settings.keys / "master.key").exists():
        (settings.keys / "master.key").write_bytes(os.urandom(32))
    return Archive(settings)


def test_the_exact_bytes_come_back(engine: Engine, tmp_path: Path) -> None:
    archive, exchange_id = open_archive(tmp_path), new_id()
    with engine.begin() as connection:
        digest = archive.put(connection, exchange_id, "request", DATA, JANUARY)
        archive.put(connection, exchange_id, "reply", b"", JANUARY)
    assert digest == hashlib.sha256(DATA).digest()
    with engine.begin() as connection:
        assert open_archive(tmp_path).get(connection, exchange_id, "request") == DATA
        assert open_archive(tmp_path).get(connection, exchange_id, "reply") == b""
        sealed = connection.execute(select(archive_payloads.c.sealed)).scalars().all()
        assert all(b"12345" not in row and len(row) < len(DATA) for row in sealed)
        with pytest.raises(NotFound):
            archive.get(connection, exchange_id, "answer")


def test_a_key_for_each_month_and_class(engine: Engine, tmp_path: Path) -> None:
    archive = open_archive(tmp_path)
    with engine.begin() as connection:
        for instant, retention in ((JANUARY, "exchange"), (FEBRUARY, "exchange"), (JANUARY, "hold")) * 2:
            archive.put(connection, new_id(), "request", DATA, instant, retention)
        keys = connection.execute(select(archive_keys.c.month, archive_keys.c.retention)).all()
    assert sorted(map(tuple, keys)) == [("2026-01", "exchange"), ("2026-01", "hold"), ("2026-02", "exchange")]


def test_a_key_that_was_rolled_back_is_not_used(engine: Engine, tmp_path: Path) -> None:
    archive, exchange_id = open_archive(tmp_path), new_id()
    with engine.connect() as connection:
        archive.put(connection, new_id(), "request", DATA, JANUARY)
        connection.rollback()
    with engine.begin() as connection:
        archive.put(connection, exchange_id, "request", DATA, JANUARY)
    with engine.begin() as connection:
        assert open_archive(tmp_path).get(connection, exchange_id, "request") == DATA


def test_many_begin_a_month_at_once(engine: Engine, tmp_path: Path) -> None:
    log = open_log(engine, writers=4)
    archives = [open_archive(tmp_path) for _ in range(8)]
    ids = [new_id() for _ in archives]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda pair: log.commit(
                    lambda connection: pair[0].put(connection, pair[1], "request", DATA, JANUARY)
                ),
                zip(archives, ids, strict=True),
            )
        )
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(archive_keys)).scalar_one() == 1
        assert all(archives[0].get(connection, id_, "request") == DATA for id_ in ids)


def test_changes_are_noticed(engine: Engine, tmp_path: Path) -> None:
    archive, first, second = open_archive(tmp_path), new_id(), new_id()
    with engine.begin() as connection:
        archive.put(connection, first, "request", DATA, JANUARY)
        archive.put(connection, second, "request", DATA, JANUARY)
        of_first = archive_payloads.c.exchange_id == first
        other = select(archive_payloads.c.sealed).where(archive_payloads.c.exchange_id == second)
        connection.execute(
            update(archive_payloads).where(of_first).values(sealed=connection.execute(other).scalar_one())
        )
        with pytest.raises(GatewayError):
            archive.get(connection, first, "request")
        connection.execute(
            update(archive_payloads).where(archive_payloads.c.exchange_id == second).values(digest=bytes(32))
        )
        with pytest.raises(GatewayError):
            archive.get(connection, second, "request")


def test_without_a_master_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Archive(dataclasses.replace(config.load({}), state=tmp_path))
