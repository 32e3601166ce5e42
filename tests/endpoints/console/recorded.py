"""What tests of pages over the exchange log write into it, and read back of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from audit import Entry, Kind, search
from audit.sequencer import Sequencer
from exchange import Json, new_id, utc_now
from gateway import Gateway

SCRIPT = "<script>alert(1)</script>"
FACTS: Mapping[str, Json] = {
    "way": "api",
    "system": "persons",
    "operation": "GetPerson",
    "institution": "90000022632",
    "role": "social worker",
    "caller": "core",
    "recipient": "riga-social-service",
    "purpose": "social-service",
    "rule": "p8.1",
}


def write(
    gateway: Gateway,
    code: str = "320101-12345",
    outcome: str = "ok",
    official: str = "MT-1042",
    case: str = "L-1",
    **more: Json,
) -> uuid.UUID:
    """An exchange of two records, not sequenced; its id."""
    number = new_id()
    personal: dict[str, Json] = {"subject": code, "official": official, "case": case}
    gateway.log.write(
        Entry(Kind.OPENED, number, utc_now(), {"way": "api"}, {"address": "192.0.2.7"}),
        Entry(Kind.OUTCOME, number, utc_now(), {**FACTS, "outcome": outcome, **more}, personal),
    )
    return number


def sequence(gateway: Gateway) -> None:
    """Give everything its place."""
    sequencer = Sequencer(gateway.engine, gateway.log_key, environment=gateway.settings.environment)
    while sequencer.run_once():
        pass
    sequencer.release()


def last_act(gateway: Gateway) -> tuple[dict[str, Json], dict[str, Json]]:
    """Facts and personal values of the newest act of administration."""
    (found,) = search.search(gateway.engine, limit=1, kind="admin")
    (values,) = search.with_values(gateway.engine, [found])
    return dict(found.leaf), dict(values)


def acts(gateway: Gateway, **filters: Any) -> int:
    """How many acts of administration the log has."""
    return len(search.search(gateway.engine, limit=10_000, kind="admin", **filters))
