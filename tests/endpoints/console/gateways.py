"""A gateway of its own for a test of the console, and what is on its log."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

import config
from audit import Entry, Kind
from audit.tables import log_records, log_values
from exchange import Json, new_id, utc_now
from gateway import Gateway, wire
from routing.access import Access
from tests.endpoints.console.recorded import sequence
from tests.steps.wired import Wire


@contextmanager
def own_gateway(state: Path, database: str, rights: Access | None = None) -> Iterator[Gateway]:
    """A gateway over an empty database; systems answer as `Wire` does, and nobody is told to be slower."""
    known = config.load({})
    limits = dataclasses.replace(known.limits, requests_per_s=100_000)
    settings = dataclasses.replace(known, state=state, database_url=database, limits=limits)
    transport = Wire()
    gateway = wire(settings, rights=rights, profile=lambda _system: transport)
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
    sequence(gateway)


def acts(gateway: Gateway, beginning: str = "") -> list[dict[str, Any]]:
    """The acts on record whose name begins so, oldest first, each with its values that can be erased."""
    query = select(log_records.c.id, log_records.c.leaf).order_by(log_records.c.instant, log_records.c.id)
    with gateway.engine.connect() as connection:
        found = [(row.id, json.loads(row.leaf)) for row in connection.execute(query)]
        wanted = [
            (each, leaf) for each, leaf in found if leaf.get("act") and leaf["act"].startswith(beginning)
        ]
        return [leaf | {"values": _values(connection, each)} for each, leaf in wanted]


def _values(connection: Connection, record: str) -> dict[str, Any]:
    own = (log_values.c.record_id == record, log_values.c.name != "subject_index")
    rows = connection.execute(select(log_values).where(*own))
    return {row.name: json.loads(row.value) for row in rows}
