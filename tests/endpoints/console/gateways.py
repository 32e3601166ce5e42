"""A gateway of its own for a test of the console, and what is on its log."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

import config
from audit import Entry, Kind
from audit.sequencer import Sequencer
from audit.tables import log_records
from exchange import Json, new_id, utc_now
from gateway import Gateway, wire
from routing.access import Access


@contextmanager
def opened(state: Path, database: str, rights: Access | None = None) -> Iterator[Gateway]:
    """A gateway over an empty database."""
    settings = dataclasses.replace(config.load({}), state=state, database_url=database)
    gateway = wire(settings, rights=rights)
    yield gateway
    gateway.log.close()
    gateway.engine.dispose()


def ended(system: str | None, outcome: str = "ok", at: datetime | None = None, ms: int = 40) -> Entry:
    """The record of how an exchange ended, now or at an instant."""
    facts: dict[str, Json] = {"outcome": outcome, "ms": ms}
    if system is not None:
        facts["system"] = system
    return Entry(Kind.OUTCOME, new_id(), at or utc_now(), facts)


def put(gateway: Gateway, *entries: Entry) -> None:
    """Write records, and give them their place."""
    gateway.log.write(*entries)
    sequencer = Sequencer(gateway.engine, gateway.log_key, environment=gateway.settings.environment)
    while sequencer.run_once():
        pass
    sequencer.release()


def acts(gateway: Gateway) -> list[dict[str, Any]]:
    """The acts of administration that are on record."""
    query = select(log_records.c.leaf).where(log_records.c.kind == Kind.ADMIN.value)
    with gateway.engine.connect() as connection:
        return [json.loads(leaf) for leaf in connection.execute(query).scalars()]
