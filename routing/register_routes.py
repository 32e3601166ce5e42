"""Routes to the registers: read one thing, search, and write what SPOLIS core itself keeps.

A register that is read leaves an attempt in the log before it is, like a call to any system.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

import errors
import registers
from exchange import Arguments, Disclosed, Grant, Json, Lease, Provenance, Request, new_id
from mappings.mapping import plain
from mappings.person_code import normalise
from registers import Fed, Register, Row, Writable
from routing import followed_registers, person_services
from routing.delivery import Exchanged
from routing.routes import HERE, OWN_SOURCE, BeforeSend, Manner, Route
from storage import reading

SYSTEM = "registers"
SOURCE = OWN_SOURCE
_VERSION = "v1-0"


def operation_name(act: str, register: str) -> str:
    """The operation on a register as access.d names it: `SearchCareStays`."""
    return act + "".join(part.capitalize() for part in register.split("-"))


def register_routes(engine: Engine, secret: bytes = b"") -> dict[tuple[str, str], Route]:
    """A route to reading and searching every register, to writing those that SPOLIS core writes, and to following
    those that may be followed. `secret` is what pseudonyms are made with.
    """
    routes: dict[tuple[str, str], Route] = {
        (SYSTEM, operation_name("Write", name)): WriteRoute(engine, writable)
        for name, writable in registers.WRITES.items()
    }
    routes[SYSTEM, person_services.OPERATION] = person_services.PersonServicesRoute(engine)
    for register in registers.REGISTERS.values():
        routes[SYSTEM, operation_name("Read", register.name)] = ReadRoute(engine, register)
        routes[SYSTEM, operation_name("Search", register.name)] = SearchRoute(engine, register, secret)
        if register.followed:
            route = followed_registers.FollowRoute(engine, register)
            routes[SYSTEM, operation_name("Follow", register.name)] = route
    return routes


@dataclass(frozen=True, slots=True)
class RowsAnswer:
    """Rows of a register; each value is judged by the source of its own row.

    `secret` is what pseudonyms are made with; who may not know a person gets nothing without it.
    """

    register: Register
    rows: Sequence[Row]
    single: bool
    subjects: tuple[str, ...]
    secret: bytes = b""
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False
    origin: tuple[str, str, str] = (SOURCE, _VERSION, _VERSION)

    def disclose(self, grant: Grant) -> Disclosed:
        """The rows as JSON without what is withheld; rows of which nothing may be given are left out."""
        given: list[Json] = []
        names: dict[str, None] = {}
        withheld: dict[str, None] = {}
        for row in self.rows:
            record, kept_back = self._judged(row, grant)
            withheld.update(dict.fromkeys(kept_back))
            if record:
                given.append(record)
                names.update(dict.fromkeys(record))
        if self.single and not given:
            raise errors.AccessDenied(self.register.name)
        record_or_list: Json = given[0] if self.single else {"rows": given}
        return Disclosed(record_or_list, tuple(names), tuple(withheld))

    def _judged(self, row: Row, grant: Grant) -> tuple[dict[str, Json], tuple[str, ...]]:
        if grant.pseudonyms_of is None:
            return registers.disclose(row, grant.permits)
        pseudonyms = registers.Pseudonyms.of(self.secret, grant.pseudonyms_of)
        return registers.disclose_nameless(row, grant.permits, pseudonyms)

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Reading changes nothing."""
        return Fed()


@dataclass(frozen=True, slots=True)
class ReadRoute:
    """One thing of a register by its id."""

    engine: Engine
    register: Register

    def plan(self, request: Request, grant: Grant) -> ReadPlan:
        """Raises: InvalidRequest when the id is none."""
        unknown = set(request.arguments) - {"id", "history"}
        history = request.arguments.get("history", False)
        if unknown or not isinstance(history, bool):
            raise errors.InvalidRequest("a register is read by id and, if wanted, history")
        try:
            row_id = uuid.UUID(str(request.arguments.get("id")))
        except ValueError as error:
            raise errors.InvalidRequest("the id is no UUID") from error
        return ReadPlan(self.engine, self.register, row_id, history)


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Read one thing of a register."""

    engine: Engine
    register: Register
    row_id: uuid.UUID
    history: bool
    subject: str | None = None
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> RowsAnswer:
        """Read it after the attempt is on record."""
        before_send(1, b"")
        with reading(self.engine).begin() as connection:
            rows = registers.read(connection, self.register.name, self.row_id, self.history)
            return RowsAnswer(self.register, rows, not self.history, _subjects(connection, rows))


@dataclass(frozen=True, slots=True)
class SearchRoute:
    """The rows of a register that meet all criteria."""

    engine: Engine
    register: Register
    secret: bytes = b""

    def plan(self, request: Request, grant: Grant) -> SearchPlan:
        """Raises: InvalidRequest; AccessDenied for a criterion whose value may not be given, since a hit would tell."""
        criteria = {
            name: value for name, value in plain(request.arguments).items() if name not in ("limit", "offset")
        }
        for rule, source in self.register.rules_of(criteria):
            if not grant.permits(rule, source):
                raise errors.AccessDenied("criterion")
        if grant.pseudonyms_of is not None and any(
            registers.names_a_person(self.register, name) for name in criteria
        ):
            raise errors.AccessDenied("criterion")
        limit, offset = (
            _count(request.arguments, name, default) for name, default in (("limit", 50), ("offset", 0))
        )
        code = criteria.get("person_code")
        subject = normalise(code) if isinstance(code, str) else None
        return SearchPlan(self.engine, self.register, criteria, limit, offset, subject, self.secret)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """Search a register."""

    engine: Engine
    register: Register
    criteria: Mapping[str, Json]
    limit: int
    offset: int
    subject: str | None
    secret: bytes = b""
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> RowsAnswer:
        """Search it after the attempt is on record."""
        before_send(1, b"")
        with reading(self.engine).begin() as connection:
            rows = registers.search(connection, self.register.name, self.criteria, self.limit, self.offset)
            subjects = _subjects(connection, rows)
        return RowsAnswer(self.register, rows, False, subjects, self.secret)


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """A record that SPOLIS core writes."""

    engine: Engine
    writable: Writable

    def plan(self, request: Request, grant: Grant) -> WritePlan:
        """Raises: InvalidRequest, InvalidPersonCode, and AccessDenied when the recipient may not hold the record."""
        if not grant.permits(self.writable.rule, SOURCE):
            raise errors.AccessDenied(self.writable.rule)
        record = self.writable.table.from_json(request.arguments)
        return WritePlan(self.engine, self.writable, record, next(self.writable.table.persons(record), None))


@dataclass(frozen=True, slots=True)
class WritePlan:
    """Write a record; its register says which records are the same."""

    engine: Engine
    writable: Writable
    record: object
    subject: str | None
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> WrittenAnswer:
        """Find the id that the record has or will have; it is written in the transaction of the outcome."""
        before_send(1, b"")
        with reading(self.engine).begin() as connection:
            known = self.writable.find(connection, self.record)
        origin = (SOURCE, _VERSION, self.writable.table.version)
        return WrittenAnswer(self.writable, self.record, known or new_id(), origin)


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """The record as it will be kept, with its id."""

    writable: Writable
    record: object
    row_id: uuid.UUID
    origin: tuple[str, str, str]
    subjects: tuple[str, ...] = ()
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False

    def disclose(self, grant: Grant) -> Disclosed:
        """What was written, as far as it may be read back."""

        def permits(rule: str) -> bool:
            return grant.permits(rule, SOURCE)

        table = self.writable.table
        record: dict[str, Any] = {"id": str(self.row_id), **table.json(self.record, permits)}
        return Disclosed(record, tuple(record), table.withheld(permits))

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Write it. Raises: InvalidRequest when it contradicts what is kept."""
        return self.writable.write(connection, self.record, provenance, self.row_id)


def _subjects(connection: Connection, rows: Sequence[Row]) -> tuple[str, ...]:
    """How the persons whose rows are seen stand in the log: who asks later who saw his data must find this."""
    persons = dict.fromkeys(row.person_id for row in rows if row.person_id is not None)
    found = (registers.subject_of(connection, person) for person in persons)
    return tuple(subject for subject in found if subject is not None)


def _count(arguments: Arguments, name: str, default: int) -> int:
    value = arguments.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise errors.InvalidRequest(f"{name} is a whole number")
