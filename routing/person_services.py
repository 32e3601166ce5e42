"""All services of one person, state and municipal, in one answer: what a municipality asks before it grants another.

Source: p18.3; the one service card of docs/interfaces.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

import errors
import registers
from exchange import Disclosed, Grant, Json, Lease, Provenance, Request
from mappings.person_code import normalise
from registers import Fed, Row
from registers.reading import MOST
from routing.delivery import Exchanged
from routing.routes import HERE, OWN_SOURCE, BeforeSend, Manner
from storage import reading

OPERATION = "ListServices"
_VERSION = "v1-0"

# The names of the two lists, and the registers that hold them.
LISTS = {"state": "care-stays", "municipal": "services"}


@dataclass(frozen=True, slots=True)
class PersonServicesRoute:
    """To what the registers hold of one person's services."""

    engine: Engine

    def plan(self, request: Request, grant: Grant) -> PersonServicesPlan:
        """Raises: InvalidRequest, InvalidPersonCode."""
        code = request.arguments.get("person_code")
        if not isinstance(code, str) or len(request.arguments) != 1:
            raise errors.InvalidRequest("services are listed by person_code")
        return PersonServicesPlan(self.engine, normalise(code))


@dataclass(frozen=True, slots=True)
class PersonServicesPlan:
    """Read them."""

    engine: Engine
    subject: str
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> PersonServices:
        """Read them after the attempt is on record."""
        before_send(1, b"")
        with reading(self.engine).begin() as connection:
            return PersonServices(
                {name: all_rows(connection, register, self.subject) for name, register in LISTS.items()}
            )


@dataclass(frozen=True, slots=True)
class PersonServices:
    """Rows of both registers; each value is judged by the source of its own row."""

    rows: Mapping[str, tuple[Row, ...]]
    subjects: tuple[str, ...] = ()
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False
    origin: tuple[str, str, str] = (OWN_SOURCE, _VERSION, _VERSION)

    def disclose(self, grant: Grant) -> Disclosed:
        """The lists as JSON without what is withheld; a register of which nothing may be given is left out."""
        record: dict[str, Json] = {}
        given: dict[str, None] = {}
        withheld: dict[str, None] = {}
        for name, rows in self.rows.items():
            listed: list[Json] = []
            for row in rows:
                fields, kept_back = registers.disclose(row, grant.permits)
                withheld.update({f"{name}[].{field}": None for field in kept_back})
                if fields:
                    listed.append(fields)
                    given.update({f"{name}[].{field}": None for field in fields})
            record[name] = listed
        return Disclosed(record, tuple(given), tuple(withheld))

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Reading changes nothing."""
        return Fed()


def all_rows(connection: Connection, register: str, code: str) -> tuple[Row, ...]:
    """Every current row of a register about a person."""
    found: tuple[Row, ...] = ()
    while len(found) % MOST == 0:
        more = registers.search(connection, register, {"person_code": code}, MOST, len(found))
        if not more:
            break
        found += more
    return found
