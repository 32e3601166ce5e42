"""Refusals before an exchange: one record for all of them, and none is lost while the log is away."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.sql import text

import config
from audit import open_log
from audit.tables import log_records
from endpoints import refusals
from errors import LogUnavailable
from exchange import Environment, Json
from security.keys import new_keys


def summed(engine: Engine) -> list[dict[str, Json]]:
    with engine.connect() as connection:
        found = connection.execute(select(log_records.c.leaf).where(log_records.c.kind == "refusals"))
        return [json.loads(leaf)["refused"] for leaf in found.scalars()]


def test_refusals_become_one_record(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("state")
    (state / "var").mkdir()
    settings = config.load({"GATEWAY_CONFIG": str(state)})
    new_keys(settings.keys, [])
    log = open_log(settings, engine)
    refusals.sum_up(log, Environment.TEST)  # what other tests counted
    before = len(summed(engine))
    for code in ("too_large", "busy", "busy"):
        refusals.count(code)
    with engine.begin() as connection:
        connection.execute(
            text(
                "ALTER TABLE log_records RENAME TO away"
                if engine.dialect.name == "sqlite"
                else "ALTER TABLE log.log_records RENAME TO away"
            )
        )
    with pytest.raises(LogUnavailable):
        refusals.sum_up(log, Environment.TEST)
    with engine.begin() as connection:
        connection.execute(
            text(
                "ALTER TABLE away RENAME TO log_records"
                if engine.dialect.name == "sqlite"
                else "ALTER TABLE log.away RENAME TO log_records"
            )
        )
    refusals.sum_up(log, Environment.TEST)
    refusals.sum_up(log, Environment.TEST)
    assert summed(engine)[before:] == [{"busy": 2, "too_large": 1}]
