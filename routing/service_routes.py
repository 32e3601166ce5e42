"""Routes of our own services: an operation goes on to what answers it, or hands in a record for the registers.

A record that is handed in is kept in the transaction of the outcome, with its supplier as its source. Source: p16, p17.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

import errors
from adapters import Repeat
from exchange import Argument, Disclosed, Grant, Lease, Provenance, Request
from mappings.services import Service, ServiceOperation, Submission
from registers import Fed, feed
from routing.delivery import Exchanged
from routing.routes import BeforeSend, Plan, Route


def service_routes(
    services: Mapping[str, Service], others: Mapping[tuple[str, str], Route]
) -> dict[tuple[str, str], Route]:
    """A route from every operation of our own services to what answers it, which is among `others`.

    Raises: ConfigurationError when a service names an operation that there is not.
    """
    return {
        (service.name, operation.name): _route(service, operation, others)
        for service in services.values()
        for operation in service.operations
    }


def _route(service: Service, operation: ServiceOperation, others: Mapping[tuple[str, str], Route]) -> Route:
    if isinstance(operation.via, Submission):
        return SubmissionRoute(service, operation.via)
    try:
        return ServiceRoute(operation, others[operation.via])
    except KeyError as error:
        unknown = ".".join(operation.via)
        raise errors.ConfigurationError(f"service {service.name} names the unknown {unknown}") from error


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
        return SubmissionPlan(self, record, next(submission.table.persons(record), None))


@dataclass(frozen=True, slots=True)
class SubmissionPlan:
    """A canonical record on its way into the registers."""

    route: SubmissionRoute
    record: object
    subject: str | None
    needs_open_stay: str | None = None
    repeat: Repeat = Repeat.DEDUPES
    settles_after: float = 0.0
    from_outbox_only: bool = False

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> SubmissionAnswer:
        """Nothing leaves: the record is kept in the transaction of the outcome."""
        before_send(1, b"")
        submission = self.route.submission
        others = tuple(dict.fromkeys(submission.table.persons(self.record)))
        origin = (submission.source, self.route.service.version, submission.table.version)
        return SubmissionAnswer(self.record, others, origin)


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


def _holds(given: Argument, path: str) -> bool:
    """Whether arguments hold a value at a canonical path, `members[].income`."""
    if isinstance(given, tuple):
        return any(_holds(one, path) for one in given)
    name, _, below = path.partition(".")
    value = given.get(name.removesuffix("[]")) if isinstance(given, Mapping) else None
    return value is not None and (not below or _holds(value, below))
