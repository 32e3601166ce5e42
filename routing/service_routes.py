"""Routes of our own services: an operation goes on to what answers it, hands in a record, or reads a register.

A record that is handed in is kept in the transaction of the outcome, with its supplier as its source. What is read of
a register is told as a record of the service's own table, and of all registers to a person himself.
Source: p16, p17, p18.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine

import errors
from exchange import Argument, Disclosed, Grant, Json, Lease, Provenance, Request
from mappings.mapping import Mapping as Table
from mappings.services import OwnReading, Reading, Service, ServiceOperation, Submission
from registers import Fed, Register, Row, feed
from routing.delivery import Exchanged
from routing.own_data import OwnDataRoute
from routing.register_routes import SYSTEM as REGISTERS
from routing.register_routes import RowsAnswer, SearchPlan, SearchRoute, operation_name
from routing.routes import HERE, BeforeSend, Manner, Plan, Route, SystemRoute


def service_routes(
    engine: Engine, services: Mapping[str, Service], others: Mapping[tuple[str, str], Route]
) -> dict[tuple[str, str], Route]:
    """A route from every operation of our own services to what answers it, which is among `others`.

    Raises: ConfigurationError when a service names an operation that there is not.
    """
    return {
        (service.name, operation.name): _route(engine, service, operation, others)
        for service in services.values()
        for operation in service.operations
    }


def _route(
    engine: Engine, service: Service, operation: ServiceOperation, others: Mapping[tuple[str, str], Route]
) -> Route:
    if isinstance(operation.via, Submission):
        return SubmissionRoute(service, operation.via)
    if isinstance(operation.via, Reading):
        via = (REGISTERS, operation_name("Search", operation.via.register))
        search = others.get(via)
        if isinstance(search, SearchRoute):
            return ReadingRoute(operation, operation.via, search)
    elif isinstance(operation.via, OwnReading):
        via = (operation.via.system, operation.via.operation)
        asked = others.get(via)
        if isinstance(asked, SystemRoute):
            return OwnDataRoute(engine, operation.via, asked)
    else:
        via = operation.via
        if (route := others.get(via)) is not None:
            return ServiceRoute(operation, route)
    raise errors.ConfigurationError(f"service {service.name} names the unknown {'.'.join(via)}")


@dataclass(frozen=True, slots=True)
class ServiceRoute:
    """On to the operation that answers, with arguments where the caller gave none."""

    operation: ServiceOperation
    route: Route

    def plan(self, request: Request, grant: Grant) -> Plan:
        """The plan of the operation that answers."""
        arguments = {**self.operation.arguments, **request.arguments}
        return self.route.plan(replace(request, arguments=arguments), grant)


@dataclass(frozen=True, slots=True)
class SubmissionRoute:
    """A record for the registers."""

    service: Service
    submission: Submission

    def plan(self, request: Request, grant: Grant) -> SubmissionPlan:
        """Raises: InvalidRequest, InvalidPersonCode, and AccessDenied naming a field that the supplier may not give."""
        submission = self.submission
        given = request.arguments.get(submission.argument)
        if not isinstance(given, Mapping):
            raise errors.InvalidRequest(f"{submission.argument} is missing")
        for name in submission.table.withheld(lambda rule: grant.permits(rule, submission.source)):
            if _holds(given, name):
                raise errors.AccessDenied(f"{submission.argument}.{name}")
        record = submission.table.from_json(given)
        if submission.supplier:
            record = replace(record, **{submission.supplier: request.caller.name})
        return SubmissionPlan(self, record, submission.subject(record))


@dataclass(frozen=True, slots=True)
class SubmissionPlan:
    """A canonical record on its way into the registers."""

    route: SubmissionRoute
    record: object
    subject: str | None
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> SubmissionAnswer:
        """Nothing leaves: the record is kept in the transaction of the outcome."""
        before_send(1, b"")
        submission = self.route.submission
        about = () if self.subject is None else (self.subject,)
        persons = tuple(dict.fromkeys((*about, *submission.table.persons(self.record))))
        origin = (submission.source, self.route.service.version, submission.table.version)
        return SubmissionAnswer(self.record, persons, origin)


@dataclass(frozen=True, slots=True)
class SubmissionAnswer:
    """What will be kept; nothing of it is given back."""

    record: object
    subjects: tuple[str, ...]
    origin: tuple[str, str, str]
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False

    def disclose(self, grant: Grant) -> Disclosed:
        """Nothing: the supplier has it."""
        return Disclosed(None, (), ())

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Keep it. Raises: InvalidRequest when it contradicts what is kept."""
        return feed(connection, self.record, provenance)


@dataclass(frozen=True, slots=True)
class ReadingRoute:
    """To the rows of a register that meet what is asked; declared arguments stand where the caller gives none."""

    operation: ServiceOperation
    reading: Reading
    route: SearchRoute

    def plan(self, request: Request, grant: Grant) -> ReadingPlan:
        """Raises: InvalidRequest, InvalidPersonCode, and AccessDenied for a criterion that may not be given."""
        arguments = {**self.operation.arguments, **request.arguments}
        return ReadingPlan(self.reading, self.route.plan(replace(request, arguments=arguments), grant))


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """A search in a register, to be told in the words of a service."""

    reading: Reading
    search: SearchPlan
    manner: Manner = HERE

    @property
    def subject(self) -> str | None:
        """The person who is asked about."""
        return self.search.subject

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> ReadingAnswer:
        """Search after the attempt is on record."""
        return ReadingAnswer(self.reading, self.search.deliver(exchange_id, deadline, before_send, lease))


@dataclass(frozen=True, slots=True)
class ReadingAnswer:
    """Rows of a register as records of a service's table; each value is judged by the source of its own row."""

    reading: Reading
    found: RowsAnswer
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """The persons whose rows are seen."""
        return self.found.subjects

    @property
    def origin(self) -> tuple[str, str, str]:
        """The registers' own, told by this table."""
        source, version, _ = self.found.origin
        return source, version, self.reading.table.version

    def disclose(self, grant: Grant) -> Disclosed:
        """The records without what is withheld; one of which nothing may be given is left out.

        Without rows the same fields are named as withheld as with one, so that their number tells nothing.
        """
        table, prefix = self.reading.table, f"{self.reading.name}[]"
        given: list[Json] = []
        names: dict[str, None] = {}
        withheld: dict[str, None] = {}
        for source in [row.provenance.source for row in self.found.rows] or [self.found.register.source]:
            kept_back = table.withheld(_permits(grant, source))
            withheld.update({f"{prefix}.{name}": None for name in kept_back})
        for row in self.found.rows:
            record = table.json(
                _told(table, self.found.register, row), _permits(grant, row.provenance.source)
            )
            if record:
                given.append(record)
                names.update({f"{prefix}.{name}": None for name in record})
        return Disclosed({self.reading.name: given}, tuple(names), tuple(withheld))

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Reading changes nothing."""
        return Fed()


def _permits(grant: Grant, source: str) -> Callable[[str], bool]:
    """Whether a rule is granted for values of this source."""
    return lambda rule: grant.permits(rule, source)


def _told(table: Table[Any], register: Register, row: Row) -> object:
    """A row as a record of a table, by the columns that the table names."""
    columns = {line.field: line.column for line in table.lineage(row.provenance.source)}
    values = {
        field: row.values[column.removeprefix(f"{register.table.name}.")]
        for field, column in columns.items()
        if column
    }
    return table.from_json(values)


def _holds(given: Argument, path: str) -> bool:
    """Whether arguments hold a value at a canonical path, `members[].income`."""
    if isinstance(given, tuple):
        return any(_holds(one, path) for one in given)
    name, _, below = path.partition(".")
    value = given.get(name.removesuffix("[]")) if isinstance(given, Mapping) else None
    return value is not None and (not below or _holds(value, below))
