"""Fakes by argument for a gateway: a way in that believes the test, a transport that answers what it is given."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, cast

from sqlalchemy import Row, select, text

import errors
from adapters import Operation
from adapters.profiles import Message, one_message
from audit.tables import log_records
from config import Settings
from exchange import (
    Arguments,
    Arrival,
    Caller,
    Context,
    Disclosed,
    Environment,
    Json,
    Official,
    Peer,
    Received,
    Reply,
    Request,
    Way,
)
from gateway import Gateway, run, wire
from mappings.codes import Code
from mappings.npais import Decision
from mappings.pmlp import Person
from storage import metadata

CODE = "321234-56789"


class Wire:
    """A transport that answers with records or errors, and tells what was sent."""

    converse = one_message

    def __init__(self) -> None:
        self.answers: list[object] = []
        self.sent: list[Message] = []
        self.seconds = 0.0

    def compose(self, operation: Operation, request: object, message_id: str) -> Message:
        return Message(message_id, operation.name, repr(request).encode())

    def send(self, message: Message, deadline: float) -> bytes:
        self.sent.append(message)
        time.sleep(self.seconds)
        answer = self.answers.pop(0)
        if isinstance(answer, errors.SystemUnavailable):
            raise answer
        self.record = answer
        return b"the exact bytes of the answer"

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        if isinstance(self.record, errors.GatewayError):
            raise self.record
        return self.record


@dataclasses.dataclass
class Door:
    """A way in that believes what the test says."""

    system: str = "pmlp"
    operation: str = "GetPerson"
    arguments: Arguments = dataclasses.field(default_factory=lambda: {"person_code": CODE})
    purpose: str = "social-service"
    rule: str = "p8.1"
    recipient: str = "spolis-core"
    environment: Environment = Environment.TEST
    message_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    effect_once: bool = False
    content: bytes = b"0" * 32

    def read(self, received: Received) -> Request:
        if received.arrival.body == b"unsigned":
            raise errors.Unsigned
        official = Official("PK:390000-00001", "90000022632", "social worker")
        context = Context(self.purpose, self.rule, official, "L-1", uuid.uuid4(), self.environment)
        return Request(
            Caller("core", self.recipient),
            context,
            self.system,
            self.operation,
            self.arguments,
            self.message_id,
            self.content,
            self.effect_once,
        )

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        return json.dumps([str(exchange_id), disclosed.record, disclosed.withheld]).encode()

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        return Reply(200, {}, answer)

    def refuse(self, received: Received, error: errors.GatewayError) -> Reply:
        return Reply(error.status, {}, f"{error.exchange_id} {error}".encode())


def decision(of: str) -> Decision:
    on = date(2026, 1, 5)
    kind = Code("END_CARE", "Izbeigt ārpusģimenes aprūpi", "End out-of-family care")
    return Decision(
        person_code=of,
        number=of[-5:],
        decided_on=on,
        court="Talsu novada bāriņtiesa",
        kind=kind,
        effective_from=on,
        effective_to=None,
    )


def person(**values: object) -> Person:
    known: dict[str, object] = {
        "given_names": ("Ilze",),
        "family_name": "Paraudziņa",
        "person_code": CODE,
        "birth_date": date(1980, 2, 3),
        "data_sets": ("IDENTITY",),
    }
    return Person(**(known | values))  # type: ignore[arg-type] # values are the test's


@contextmanager
def wired(settings: Settings, transport: Wire) -> Iterator[Gateway]:
    """A gateway by these settings, on a database that is there already."""
    made = wire(settings, profile=lambda _system: transport)
    try:
        yield made
    finally:
        made.log.close()
        made.engine.dispose()


def arrive(gateway: Gateway, door: Door, body: bytes = b"request", seconds: float = 5) -> Reply:
    arrival = Arrival(Way.API, Peer("127.0.0.1"), "/api", body, deadline=time.monotonic() + seconds)
    return run(gateway, arrival, door)


def leaves(gateway: Gateway) -> list[dict[str, Json]]:
    with gateway.engine.connect() as connection:
        found = connection.execute(select(log_records.c.leaf).order_by(log_records.c.instant)).scalars()
        return [leaf for leaf in map(json.loads, found) if leaf["kind"] != "origin"]


def kinds(gateway: Gateway) -> list[Json]:
    return [leaf["kind"] for leaf in leaves(gateway)]


def count(gateway: Gateway, table: str) -> int:
    return int(by_hand(gateway, f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 — the test's own names


def by_hand(gateway: Gateway, statement: str) -> Sequence[Row[Any]]:
    """Run a statement as it stands; tables are found without their schema."""
    with gateway.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            schemas = sorted({table.schema for table in metadata.tables.values() if table.schema})
            connection.execute(text(f"SET LOCAL search_path TO {', '.join(schemas)}"))
        found = connection.execute(text(statement))
        return found.all() if found.returns_rows else []


STAY: Arguments = {
    "person_code": CODE,
    "institution": "Sprūžu aprūpes centrs",
    "institution_address": "Ozolu iela 18, Valmiermuiža, Valmieras pag., Valmieras nov., LV-4219",
    "institution_kind": "STATE_CARE_CENTRE",
    "entered_on": "2026-01-02",
    "funding_source": "STATE",
}


def stay(**values: object) -> Door:
    arguments = cast("Arguments", {**STAY, **values})
    return Door("registers", "WriteCareStays", arguments, "care-payment", "p12.8.13", effect_once=True)
