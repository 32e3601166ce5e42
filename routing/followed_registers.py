"""What has changed in a register since a day, page by page: for who keeps a register of his own in step with ours.

Only of registers that say nothing of a natural person. Source: p18.8, p19.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine

import errors
import registers
from exchange import Disclosed, Grant, Json, Lease, Provenance, Request
from mappings.fields import date as day
from mappings.fields import identifier, integer
from mappings.mapping import Mapping
from registers import Fed, Register, Row
from registers.reading import MOST
from routing.delivery import Exchanged
from routing.routes import HERE, OWN_SOURCE, BeforeSend, Manner
from storage import reading

_VERSION = "v1-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Changed since which day, after which version, and how many rows at most."""

    since: date
    after: uuid.UUID | None
    limit: int


ARGUMENTS = Mapping(
    Followed,
    "",
    "arguments",
    (
        day("since", "since", rule="p18.8"),
        identifier("after", "after", rule="p18.8", optional=True),
        integer("limit", "limit", rule="p18.8", least=1, most=MOST, default=lambda _taken, _today: 50),
    ),
)


@dataclass(frozen=True, slots=True)
class FollowRoute:
    """To the rows of a register that changed."""

    engine: Engine
    register: Register

    def plan(self, request: Request, grant: Grant) -> FollowPlan:
        """Raises: InvalidRequest."""
        return FollowPlan(self.engine, self.register, ARGUMENTS.from_json(request.arguments))


@dataclass(frozen=True, slots=True)
class FollowPlan:
    """Read them."""

    engine: Engine
    register: Register
    asked: Followed
    subject: str | None = None
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> ChangedAnswer:
        """Read them after the attempt is on record."""
        before_send(1, b"")
        asked = self.asked
        with reading(self.engine).begin() as connection:
            rows, more = registers.changed(connection, self.register, asked.since, asked.after, asked.limit)
        return ChangedAnswer(rows, more)


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """The rows, and where the next page begins; each value is judged by the source of its own row."""

    rows: Sequence[Row]
    more: uuid.UUID | None
    subjects: tuple[str, ...] = ()
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False
    origin: tuple[str, str, str] = (OWN_SOURCE, _VERSION, _VERSION)

    def disclose(self, grant: Grant) -> Disclosed:
        """The rows without what is withheld; rows of which nothing may be given are left out."""
        listed: list[Json] = []
        given: dict[str, None] = {}
        withheld: dict[str, None] = {}
        for row in self.rows:
            fields, kept_back = registers.disclose(row, grant.permits)
            withheld.update({f"rows[].{name}": None for name in kept_back})
            if fields:
                listed.append(fields)
                given.update({f"rows[].{name}": None for name in fields})
        record: Json = {"rows": listed, "next": str(self.more) if self.more else None}
        return Disclosed(record, tuple(given), tuple(withheld))

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Reading changes nothing."""
        return Fed()
