"""Where a request goes: to an external system, to a register, or from a service of ours to the system behind it.

Routes come from what is discovered (adapters, services, registers); none is listed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection

import errors
import mappings.mapping as tables
from adapters import Adapter, Operation
from adapters.profiles import Profile, outgoing_id
from exchange import Argument, Disclosed, Grant, Provenance, Request
from mappings.services import Service
from registers import Fed, feed
from routing.access import narrow
from routing.delivery import Exchanged, call

BeforeSend = Callable[[int, bytes], None]


class Delivered(Protocol):
    """What came of a delivery: attempts, the error or what may be disclosed, and what the registers keep of it.

    `subjects` are persons seen beyond the one that the request names; `origin` is source, contract version and
    mapping version.
    """

    @property
    def subjects(self) -> tuple[str, ...]: ...

    @property
    def attempts(self) -> tuple[Exchanged, ...]: ...

    @property
    def error(self) -> errors.GatewayError | None: ...

    @property
    def request_signed(self) -> bool: ...

    @property
    def answer_signed(self) -> bool: ...

    @property
    def origin(self) -> tuple[str, str, str]: ...

    def disclose(self, grant: Grant) -> Disclosed:
        """Only what the grant permits."""

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Feed the registers, in the transaction of the outcome."""


class Plan(Protocol):
    """A request in canonical form, on its way to one place."""

    @property
    def subject(self) -> str | None: ...

    @property
    def needs_open_stay(self) -> str | None: ...

    def deliver(self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend) -> Delivered:
        """Carry it out; `before_send` returns when the attempt is on record."""


class Route(Protocol):
    """Where one operation goes."""

    def plan(self, request: Request, grant: Grant) -> Plan:
        """Map the request to canonical form. Raises: InvalidRequest, InvalidPersonCode, AccessDenied."""


class Routes:
    """Every route by system and operation."""

    def __init__(self, routes: Mapping[tuple[str, str], Route]) -> None:
        self._routes = routes

    def find(self, system: str, operation: str) -> Route:
        """The route of an operation.

        Raises: UnknownOperation.
        """
        try:
            return self._routes[system, operation]
        except KeyError as error:
            raise errors.UnknownOperation from error

    def names(self) -> list[tuple[str, str]]:
        """Every (system, operation), sorted."""
        return sorted(self._routes)


@dataclass(frozen=True, slots=True)
class SystemRoute:
    """To an operation of an external system; `fixed` arguments are set by us, whatever the caller says."""

    adapter: Adapter
    operation: Operation
    profile: Callable[[str], Profile]
    fixed: Mapping[str, Argument]

    def plan(self, request: Request, grant: Grant) -> SystemPlan:
        """Narrow the request to what may be given and map it by the operation's request table."""
        arguments = narrow(
            self.operation.selection, {**request.arguments, **self.fixed}, grant, self.adapter.name
        )
        canonical = self.operation.request.from_json(arguments, context=request.context)
        subject = getattr(canonical, self.operation.subject) if self.operation.subject else None
        return SystemPlan(self, canonical, subject, self.operation.needs_open_stay)


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """A canonical request to an external system."""

    route: SystemRoute
    request: object
    subject: str | None
    needs_open_stay: str | None

    def deliver(self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend) -> SystemAnswer:
        """Call the system; every attempt carries the exchange's own MessageID."""
        called = call(
            self.route.profile(self.route.adapter.name),
            self.route.operation,
            self.request,
            message_id=outgoing_id(exchange_id),
            deadline=deadline,
            before_send=before_send,
        )
        answer = self.route.operation.answer
        named = answer.persons(called.record) if called.record is not None else ()
        return SystemAnswer(
            subjects=tuple(dict.fromkeys(named)),
            attempts=called.attempts,
            error=called.error,
            request_signed=True,
            answer_signed=called.verified,
            origin=(self.route.adapter.name, self.route.adapter.version, answer.version),
            answer=answer,
            record=called.record,
            asked=self.subject,
        )


@dataclass(frozen=True, slots=True)
class SystemAnswer:
    """What an external system answered."""

    subjects: tuple[str, ...]
    attempts: tuple[Exchanged, ...]
    error: errors.GatewayError | None
    request_signed: bool
    answer_signed: bool
    origin: tuple[str, str, str]
    answer: tables.Mapping[Any]
    record: object
    asked: str | None

    def disclose(self, grant: Grant) -> Disclosed:
        """The record as JSON; values of this source whose rule is not granted are left out and named."""
        source = self.origin[0]

        def permits(rule: str) -> bool:
            return grant.permits(rule, source)

        withheld = self.answer.withheld(permits)
        given = tuple(row.field for row in self.answer.lineage(source) if row.field not in withheld)
        return Disclosed(self.answer.json(self.record, permits), given, withheld)

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Feed the registers with the whole record: what is withheld from a caller is not lost to SPOLIS."""
        return feed(connection, self.record, provenance, self.asked)


def system_routes(
    adapters: Mapping[str, Adapter], profile: Callable[[str], Profile]
) -> dict[tuple[str, str], Route]:
    """A route to every operation of every adapter."""
    return {
        (adapter.name, operation.name): SystemRoute(adapter, operation, profile, {})
        for adapter in adapters.values()
        for operation in adapter.operations
    }


def service_routes(
    services: Mapping[str, Service], adapters: Mapping[str, Adapter], profile: Callable[[str], Profile]
) -> dict[tuple[str, str], Route]:
    """A route from every operation of our own services to the system operation that answers it.

    Raises: ConfigurationError when a service names a system operation that no adapter has.
    """
    routes: dict[tuple[str, str], Route] = {}
    for service in services.values():
        for operation in service.operations:
            system, name = operation.via
            target = adapters[system].operation(name) if system in adapters else None
            if target is None:
                raise errors.ConfigurationError(f"service {service.name} names the unknown {system}.{name}")
            routes[service.name, operation.name] = SystemRoute(
                adapters[system], target, profile, operation.arguments
            )
    return routes
