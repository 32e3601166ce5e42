"""What the tests of pages that decide something have in common: a gateway of their own, and what is on record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from werkzeug.test import Client

import config
from audit.tables import log_records, log_values
from endpoints.console.roles import Role
from gateway import Gateway, wire
from tests.endpoints.console.signing_in import csrf_of, signed_in
from tests.steps.wired import Wire

SCRIPT = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;"


@contextmanager
def own_gateway(state: Path, database: str) -> Iterator[Gateway]:
    """A gateway with nothing in its database."""
    known = config.load({})
    limits = dataclasses.replace(known.limits, requests_per_s=100_000)
    wanted = dataclasses.replace(known, state=state, database_url=database, limits=limits)
    transport = Wire()
    gateway = wire(wanted, profile=lambda _system: transport)
    yield gateway
    gateway.log.close()
    gateway.engine.dispose()


def acts(gateway: Gateway, beginning: str) -> list[dict[str, Any]]:
    """The acts on record whose name begins so, oldest first, each with its values that can be erased."""
    query = select(log_records.c.id, log_records.c.leaf).order_by(log_records.c.instant, log_records.c.id)
    with gateway.engine.connect() as connection:
        found = [(row.id, json.loads(row.leaf)) for row in connection.execute(query)]
        wanted = [(each, leaf) for each, leaf in found if str(leaf.get("act", "")).startswith(beginning)]
        return [leaf | {"values": _values(connection, each)} for each, leaf in wanted]


def _values(connection: Any, record: str) -> dict[str, Any]:
    own = (log_values.c.record_id == record, log_values.c.name != "subject_index")
    rows = connection.execute(select(log_values).where(*own))
    return {row.name: json.loads(row.value) for row in rows}


def token(client: Client, page: str) -> str:
    """The token of a signed-in browser, from a page that has a form."""
    return csrf_of(client.get(page).text)


def statuses(gateway: Gateway, page: str) -> dict[Role, int]:
    """What each role is answered on a page."""
    return {role: signed_in(gateway, role).get(page).status_code for role in Role}


def opened_by(*roles: Role) -> dict[Role, int]:
    """What `statuses` gives where these roles alone may look."""
    return {role: 200 if role in roles else 403 for role in Role}
