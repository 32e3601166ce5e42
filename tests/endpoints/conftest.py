"""A real gateway behind /api/v1: real keys, database and log; the systems are fakes by argument."""

from __future__ import annotations

import copy
import dataclasses
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import Client, TestResponse

import config
import errors
from adapters import Operation
from adapters.profiles import Message, one_message
from audit.tables import log_records
from endpoints import api
from endpoints.openapi import SAMPLE_CONTEXT
from exchange import utc_now
from gateway import Gateway, wire
from mappings.pmlp import Person
from mappings.pmlp_changes import Subscription, Subscriptions
from routing.parties import add_caller
from security.keys import new_keys

CODE = "321987-60017"
DEAD = "399999-99999"
BROKEN = "398888-88888"

STAY = {
    "person_code": CODE,
    "institution": "VSAC Paraugs",
    "institution_address": "Krasta iela 1, Rīga, LV-1003",
    "institution_kind": "STATE_CARE_CENTRE",
    "entered_on": "2026-01-31",
    "funding_source": "STATE",
}


class Systems:
    """A transport that knows everybody; for DEAD it is not reached, for BROKEN it fails in a way nobody foresaw."""

    converse = one_message

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        several = getattr(request, "person_codes", ("",))
        return Message(message_id, operation.name, str(getattr(request, "person_code", several[0])).encode())

    def send(self, message: Message, deadline: float) -> bytes:
        if message.content == DEAD.encode():
            raise errors.RequestRefused
        if message.content == BROKEN.encode():
            raise RuntimeError(f"unforeseen for {BROKEN}")
        return message.content

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        if operation.name == "Subscribe":
            one = Subscription(person_code=answer.decode(), subscribed=True)
            return Subscriptions(subscriptions=(one,))
        return Person(
            given_names=("Ilze", "Anna"),
            family_name="Paraudziņa",
            person_code=answer.decode(),
            data_sets=("NAME_AND_CODE",),
        )


@dataclass(frozen=True)
class Site:
    """The application, its gateway and the key of a caller."""

    gateway: Gateway
    client: Client
    key: str

    def post(self, path: str, content: object, **headers: str) -> TestResponse:
        """Post JSON, or bytes as they are."""
        return self.send("POST", path, content, headers)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, b"", {name.replace("_", "-"): value for name, value in headers.items()})

    def send(self, method: str, path: str, content: object, headers: dict[str, str]) -> TestResponse:
        """Send a request; headers given replace the usual ones, an empty one is left out."""
        usual = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        known = {name: value for name, value in (usual | headers).items() if value}
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        # The client would set the length itself.
        length = {"CONTENT_LENGTH": known["Content-Length"]} if "Content-Length" in known else {}
        return self.client.open(
            f"/api/v1{path}", method=method, data=body, headers=known, environ_overrides=length
        )

    def leaves(self, response: TestResponse) -> list[dict[str, Any]]:
        """The log's records of an answer's exchange, in the order of their writing."""
        number = response.headers["X-Exchange-Id"]
        query = (
            select(log_records.c.leaf)
            .where(log_records.c.exchange_id == number)
            .order_by(log_records.c.instant, log_records.c.id)
        )
        with self.gateway.engine.connect() as connection:
            return [json.loads(leaf) for leaf in connection.execute(query).scalars()]


def context(**changes: object) -> dict[str, Any]:
    """A right context with an id of its own, and something changed."""
    return copy.deepcopy(SAMPLE_CONTEXT) | {"request_id": str(uuid.uuid4())} | changes


def asking(arguments: object = None, **changes: object) -> dict[str, Any]:
    """A right request for one person, and something of its context changed."""
    return {
        "context": context(**changes),
        "arguments": {"person_code": CODE} if arguments is None else arguments,
    }


@pytest.fixture(scope="session")
def api_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("api")
    new_keys(state / "keys", ["pmlp"])
    return state


@pytest.fixture(scope="session")
def site(api_keys: Path, session_database: str) -> Iterator[Site]:
    """One gateway for all tests of the application, on each database: each test has messages of its own."""
    known = config.load({})
    settings = dataclasses.replace(
        known,
        state=api_keys,
        database_url=session_database,
        limits=dataclasses.replace(known.limits, body_bytes=20_000, requests_per_s=100_000),
    )
    systems = Systems()
    gateway = wire(settings, profile=lambda _system: systems)
    with gateway.engine.begin() as connection:
        key = add_caller(connection, "core", "spolis-core", utc_now())
    yield Site(gateway, Client(api.application(gateway)), key)
    gateway.log.close()
    gateway.engine.dispose()
