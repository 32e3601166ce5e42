"""How the gateway is: /healthz (it answers), /readyz (it can work), /metrics (what it did).

They need no key and tell nothing of persons or callers. /readyz says for each check whether it holds, and for one
that does not only of which kind the error is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from audit.tables import leases, log_records, sequencer_queue
from config import Settings
from endpoints import metered
from exchange import Json, new_id, utc_now
from gateway import Gateway
from storage import reading
from wsdl import contract

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATHS = ("/healthz", "/readyz", "/metrics")

# A record without an index after this many seconds is a failure (docs/interfaces.md).
MOST_BEHIND_SECONDS = 60.0
# What must be in the directory of keys.
KEYS = ("gateway.pem", "gateway.key", "log.key", "log.pub", "master.key", "subject.key")


def application(gateway: Gateway) -> WSGIApplication:
    """The three pages."""
    app = Flask(__name__, static_folder=None)

    def healthz() -> Response:
        return _json({"alive": True}, 200)

    def readyz() -> Response:
        content = readiness(gateway)
        return _json(content, 200 if content["ready"] else 503)

    def metrics() -> Response:
        try:
            pending, oldest = lag(gateway)
        except SQLAlchemyError:  # the other figures are told all the same; /readyz says what is wrong
            pending, oldest = None, None
        return Response(metered.exposition(pending, oldest), 200, {"Content-Type": metered.CONTENT_TYPE})

    for path, page in zip(PATHS, (healthz, readyz, metrics), strict=True):
        app.add_url_rule(path, path, page, methods=("GET",))
    return app.wsgi_app


def readiness(gateway: Gateway) -> dict[str, Json]:
    """Every check by name; `ready` when all hold.

    Shape: {"ready", "checks": {"database", "log", "keys", "contracts": {"ok", …}}}
    """
    checks: dict[str, Json] = {}
    ready = True
    for name, check in (
        ("database", _database),
        ("log", _log),
        ("keys", _keys),
        ("contracts", _contracts),
    ):
        try:
            found = check(gateway)
        except (
            Exception
        ) as error:  # whatever it is, this check does not hold; its text could name hosts or tables
            found = {"ok": False, "error": type(error).__name__}
        checks[name] = found
        ready = ready and bool(found["ok"])
    return {"ready": ready, "checks": checks}


def lag(gateway: Gateway) -> tuple[int, float | None]:
    """How many records have no place in the tree yet, and for how many seconds the oldest has waited."""
    with reading(gateway.engine).begin() as connection:
        pending = connection.execute(select(func.count()).select_from(sequencer_queue)).scalar_one()
        waiting = log_records.join(sequencer_queue, sequencer_queue.c.record_id == log_records.c.id)
        oldest = connection.execute(select(func.min(log_records.c.instant)).select_from(waiting)).scalar()
    if oldest is None:
        return pending, None
    return pending, max(0.0, (utc_now() - datetime.fromisoformat(oldest)).total_seconds())


def missing_keys(settings: Settings) -> Iterator[Path]:
    """The key files that are not there."""
    return (settings.keys / name for name in KEYS if not (settings.keys / name).is_file())


def load_contracts(gateway: Gateway) -> int:
    """Load and compile every contract, theirs and ours, and say how many there are.

    Raises: ConfigurationError.
    """
    contracts = [contract(adapter.name, adapter.version) for adapter in gateway.adapters.values()]
    contracts += [
        contract(f"spolis/{service.name}", service.version) for service in gateway.services.values()
    ]
    for each in contracts:
        each.schema()
    return len(contracts)


def _database(gateway: Gateway) -> dict[str, Json]:
    with reading(gateway.engine).begin() as connection:
        connection.execute(select(1))
    return {"ok": True}


def _log(gateway: Gateway) -> dict[str, Json]:
    with gateway.engine.connect() as connection:
        _try_writing(connection)
    pending, oldest = lag(gateway)
    return {
        "ok": (oldest or 0.0) < MOST_BEHIND_SECONDS,
        "pending": pending,
        "oldest_seconds": None if oldest is None else round(oldest, 1),
    }


def _try_writing(connection: Connection) -> None:
    """A write like any other, taken back: a full disk, a read-only copy, a lock that stays would show."""
    transaction = connection.begin()
    try:
        connection.execute(insert(leases).values(name=f"readyz-{new_id()}", holder="", until=utc_now()))
    finally:
        transaction.rollback()


def _keys(gateway: Gateway) -> dict[str, Json]:
    missing: list[Json] = [path.name for path in missing_keys(gateway.settings)]
    return {"ok": not missing, "missing": missing}


def _contracts(gateway: Gateway) -> dict[str, Json]:
    return {"ok": True, "loaded": load_contracts(gateway)}


def _json(content: dict[str, Json], status: int) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(json.dumps(content).encode(), status, headers)
