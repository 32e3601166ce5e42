"""Where a request goes: to an external system, to a register, or from a service of ours to the system behind it.

Routes come from what is discovered (adapters, services, registers); none is listed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection

import errors
import mappings.mapping as tables
from adapters import Adapter, Operation, Repeat
from adapters.profiles import outgoing_id
from exchange import Context, Disclosed, Grant, Lease, Provenance, Request, new_id
from registers import Fed, feed
from routing.access import narrow, only_granted
from routing.delivery import MOST_ATTEMPTS, Called, Exchanged, Line, call

BeforeSend = Callable[[int, bytes], None]

# The source of what SPOLIS itself keeps.
OWN_SOURCE = "spolis"

# In place of a record: a system that was asked said that the earlier attempt had been carried out.
TOOK_EFFECT = "took effect"


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


@dataclass(frozen=True, slots=True)
class Manner:
    """How a plan may be carried out.

    `needs_open_stay` is the rule that allows it only while the person stays in an institution. `repeat` says what may
    be done when its outcome is unclear, `settles_after` after how many seconds the system can say it (0: it is not
    asked). `from_outbox_only`: nobody may call it, a notice keeps its order and its one effect by way of the outbox.
    `also_about` are persons whom the request names beside its subject.
    """

    needs_open_stay: str | None = None
    repeat: Repeat = Repeat.DEDUPES
    settles_after: float = 0.0
    from_outbox_only: bool = False
    also_about: tuple[str, ...] = ()


# Of what takes place here, in the transaction of the outcome.
HERE = Manner()


class Plan(Protocol):
    """A request in canonical form, on its way to one place."""

    @property
    def subject(self) -> str | None: ...

    @property
    def manner(self) -> Manner: ...

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> Delivered:
        """Carry it out; `before_send` returns when the attempt is on record. With a `lease` it is sent once."""


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
    """To an operation of an external system."""

    adapter: Adapter
    operation: Operation
    line: Callable[[str], Line]

    def plan(self, request: Request, grant: Grant) -> SystemPlan:
        """Narrow the request to what may be given and map it by the operation's request table.

        A notice holds only what its recipient may have.
        """
        operation, told = self.operation, None
        selected = None if operation.selection is None else operation.selection.rules_of(request.arguments)
        arguments = narrow(operation.selection, request.arguments, grant, self.adapter.name)
        if operation.notice is not None:
            arguments, told = only_granted(operation.request, arguments, grant, OWN_SOURCE)
        canonical = operation.request.from_json(arguments, context=request.context)
        about = getattr(canonical, operation.subject) if operation.subject else None
        subject, *others = about if isinstance(about, tuple) else (about,)
        return SystemPlan(self, request.context, canonical, subject, told, selected, tuple(others))


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """A canonical request to an external system; `told` is what a notice gives to its recipient.

    `selected` are the rules of what the caller chose to ask for, None where the choice was left to us. `others` are
    persons whom the request names beside its subject.
    """

    route: SystemRoute
    context: Context
    request: object
    subject: str | None
    told: Disclosed | None
    selected: frozenset[str] | None = None
    others: tuple[str, ...] = ()

    @property
    def manner(self) -> Manner:
        """By the operation and the settings of its system."""
        query = self.route.operation.query
        asked = query is not None and self.repeat is Repeat.QUERYABLE
        return Manner(
            needs_open_stay=self.route.operation.needs_open_stay,
            repeat=self.repeat,
            settles_after=query.settles_after if query is not None and asked else 0.0,
            from_outbox_only=self.told is not None,
            also_about=self.others,
        )

    @property
    def repeat(self) -> Repeat:
        """What may be done when the outcome is unclear."""
        return self.route.line(self.route.adapter.name).repeat(self.route.operation)

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> SystemAnswer:
        """Call the system; every attempt carries the exchange's own MessageID.

        Where an earlier attempt may have taken effect and the system would not know it again, it is asked first, or
        left to a person.
        """
        called = Called(None, None, ())
        if lease is not None and lease.unclear and self.repeat is not Repeat.DEDUPES:
            called = self._ask(exchange_id, deadline, before_send)
        if called.error is None and not called.record:
            called = self._send(exchange_id, deadline, before_send, called.attempts, once=lease is not None)
        return self._answered(called)

    def _send(
        self,
        exchange_id: uuid.UUID,
        deadline: float,
        before_send: BeforeSend,
        asked: tuple[Exchanged, ...],
        *,
        once: bool,
    ) -> Called:
        called = call(
            self.route.line(self.route.adapter.name),
            self.route.operation,
            self.request,
            message_id=outgoing_id(exchange_id),
            deadline=deadline,
            before_send=lambda number, content: before_send(len(asked) + number, content),
            tries=1 if once else MOST_ATTEMPTS,
        )
        wrong = None if called.error is not None else self._wrong_with(called.record)
        return replace(called, error=called.error or wrong, attempts=asked + called.attempts)

    def _wrong_with(self, record: object) -> errors.PartnerError | None:
        """Why an answer that was read does not answer this request, or None."""
        notice, answered = self.route.operation.notice, self.route.operation.answered
        if notice is not None and not notice.acknowledged(record):
            return errors.RequestRefused("not acknowledged")
        field = answered(self.request, record) if answered is not None else ""
        return errors.AnswerMismatch(field) if field else None

    def _ask(self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend) -> Called:
        """Ask whether an earlier attempt took effect: the record is `TOOK_EFFECT` or None.

        The error is OutcomeUnknown where nobody can be asked, or no answer came.
        """
        query = self.route.operation.query
        question = None if query is None else self.route.adapter.operation(query.operation)
        if self.repeat is Repeat.NEITHER or query is None or question is None:
            return Called(None, errors.OutcomeUnknown(), ())
        arguments = query.arguments(outgoing_id(exchange_id))
        called = call(
            self.route.line(self.route.adapter.name),
            question,
            question.request.from_json(arguments, context=self.context),
            message_id=outgoing_id(new_id()),
            deadline=deadline,
            before_send=before_send,
            tries=1,
        )
        if called.error is not None:
            return Called(None, errors.OutcomeUnknown(called.error.code), called.attempts)
        return Called(TOOK_EFFECT if query.took_effect(called.record) else None, None, called.attempts)

    def _answered(self, called: Called) -> SystemAnswer:
        answer = self.route.operation.answer
        record = None if called.record is TOOK_EFFECT else called.record
        named = answer.persons(record) if record is not None else ()
        return SystemAnswer(
            subjects=tuple(dict.fromkeys(named)),
            attempts=called.attempts,
            error=called.error,
            request_signed=True,
            answer_signed=called.verified,
            origin=(self.route.adapter.name, self.route.adapter.version, answer.version),
            answer=answer,
            record=record,
            asked=self.subject,
            told=self.told,
            selected=self.selected,
            kept=self.route.operation.kept,
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
    told: Disclosed | None = None
    selected: frozenset[str] | None = None
    kept: bool = True

    def disclose(self, grant: Grant) -> Disclosed:
        """The record as JSON; values of this source whose rule is not granted are left out, those asked for named."""
        if self.told is not None or self.record is None:
            return self.told or Disclosed(None, (), ())
        source = self.origin[0]

        def permits(rule: str) -> bool:
            return grant.permits(rule, source)

        refused = self.answer.withheld(permits)
        rows = self.answer.lineage(source)
        given = tuple(row.field for row in rows if row.field not in refused)
        asked = {row.field for row in rows if self.selected is None or row.rule in self.selected}
        withheld = tuple(name for name in refused if name in asked)
        return Disclosed(self.answer.json(self.record, permits), given, withheld)

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Feed the registers with the whole record: what is withheld from a caller is not lost to SPOLIS."""
        if self.told is not None or self.record is None or not self.kept:
            return Fed()
        return feed(connection, self.record, provenance, self.asked)


def system_routes(
    adapters: Mapping[str, Adapter], line: Callable[[str], Line]
) -> dict[tuple[str, str], Route]:
    """A route to every operation of every adapter."""
    return {
        (adapter.name, operation.name): SystemRoute(adapter, operation, line)
        for adapter in adapters.values()
        for operation in adapter.operations
    }
