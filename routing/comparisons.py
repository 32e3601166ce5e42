"""Routes to comparisons: a system is asked about a person, and its answer is compared instead of kept.

One operation for each comparison that a register module declares, `reconciliation.Compare<System>`, with the item of a
run as its argument. It goes to the system by the system's own route, with the rights granted for the comparison.
Nothing of the answer is given to the caller, and no register changes: what differs is listed.
"""

from __future__ import annotations

import pkgutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType

from sqlalchemy import Connection, Engine

import errors
import registers
from exchange import Argument, Disclosed, Grant, Lease, Provenance, Request, utc_now
from registers import Fed, codes_of, differences
from registers.comparing import Agreement, Asked, Comparison, Question
from registers.persons import hold_person, present_id
from routing import reconciliation
from routing.delivery import Exchanged
from routing.reconciliation import Item
from routing.routes import BeforeSend, Manner, Route, SystemAnswer, SystemPlan, SystemRoute
from storage import reading

SYSTEM = "reconciliation"


def discover(modules: Iterable[ModuleType] | None = None) -> dict[str, Comparison]:
    """The comparisons that register modules declare, by system.

    Raises: ConfigurationError when two modules declare one for the same system.
    """
    found: dict[str, Comparison] = {}
    for module in modules or _register_modules():
        for comparison in getattr(module, "COMPARISONS", ()):
            if comparison.system in found:
                raise errors.ConfigurationError(f"{module.__name__}: {comparison.system} is compared twice")
            found[comparison.system] = comparison
    return found


def _register_modules() -> Iterable[ModuleType]:
    return (
        import_module(f"{registers.__name__}.{info.name}")
        for info in pkgutil.iter_modules(registers.__path__)
        if not info.ispkg
    )


def operation_name(system: str) -> str:
    """The comparison with a system as access.d names it: `ComparePmlp`."""
    return f"Compare{system.capitalize()}"


def comparison_routes(
    engine: Engine, others: Mapping[tuple[str, str], Route]
) -> dict[tuple[str, str], Route]:
    """A route to every comparison by way of the system's own, which is among `others`.

    Raises: ConfigurationError when a comparison names an operation that there is not.
    """
    routes: dict[tuple[str, str], Route] = {}
    for comparison in discover().values():
        via = others.get((comparison.system, comparison.operation))
        if not isinstance(via, SystemRoute):
            raise errors.ConfigurationError(
                f"the comparison with {comparison.system} names the unknown {comparison.operation}"
            )
        routes[SYSTEM, operation_name(comparison.system)] = ComparisonRoute(engine, comparison, via)
    return routes


@dataclass(frozen=True, slots=True)
class ComparisonRoute:
    """To a system, to compare."""

    engine: Engine
    comparison: Comparison
    via: SystemRoute

    def plan(self, request: Request, grant: Grant) -> ComparisonPlan:
        """Ask what the item says, about the person under the code in force.

        Raises: InvalidRequest when no such item waits; AccessDenied.
        """
        if set(request.arguments) != {"item"}:
            raise errors.InvalidRequest("a comparison takes an item of a run")
        try:
            item_id = uuid.UUID(str(request.arguments["item"]))
        except ValueError as error:
            raise errors.InvalidRequest("the item is no UUID") from error
        with reading(self.engine).begin() as connection:
            item, person_id = reconciliation.item(connection, item_id)
            code = codes_of(connection, person_id)[0]
        if item.system != self.comparison.system or item.state != Item.WAITING:
            raise errors.InvalidRequest("the item is of another system, or was answered")
        arguments: dict[str, Argument] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in item.arguments.items()
        }
        if self.via.operation.subject is not None:
            arguments[self.via.operation.subject] = code
        asked = Asked(person_id, code, Question(item.arguments, item.thing_id))
        via = replace(
            request,
            system=self.comparison.system,
            operation=self.comparison.operation,
            arguments=arguments,
        )
        return ComparisonPlan(self.comparison, self.via.plan(via, grant), item_id, asked)


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """A question to a system whose answer will be compared."""

    comparison: Comparison
    via: SystemPlan
    item_id: uuid.UUID
    asked: Asked

    @property
    def subject(self) -> str | None:
        """The person compared, also where the system is asked about an address."""
        return self.asked.code

    @property
    def manner(self) -> Manner:
        """As the system's own operation."""
        return self.via.manner

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> ComparedAnswer:
        """Ask the system."""
        answered = self.via.deliver(exchange_id, deadline, before_send, lease)
        return ComparedAnswer(self.comparison, answered, self.item_id, self.asked)


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """What the system answered, to be compared where the exchange is put on record."""

    comparison: Comparison
    answered: SystemAnswer
    item_id: uuid.UUID
    asked: Asked

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every person that the answer names."""
        return self.answered.subjects

    @property
    def attempts(self) -> tuple[Exchanged, ...]:
        """Those at the system."""
        return self.answered.attempts

    @property
    def error(self) -> errors.GatewayError | None:
        """That of the system."""
        return self.answered.error

    @property
    def request_signed(self) -> bool:
        """As to every system."""
        return self.answered.request_signed

    @property
    def answer_signed(self) -> bool:
        """Whether the system's signature held."""
        return self.answered.answer_signed

    @property
    def origin(self) -> tuple[str, str, str]:
        """The system, which is the source of what differs."""
        return self.answered.origin

    def disclose(self, grant: Grant) -> Disclosed:
        """Nothing: what differs is looked at by itself, which is on record."""
        return Disclosed(None, (), ())

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """List what differs, and keep that the item was answered. A register changes by a decision alone."""
        source = self.answered.origin[0]
        lineage = self.answered.answer.lineage(source)
        asked = _locked(connection, self.asked)
        agreement = self.comparison.compare(connection, asked, self.answered.record, lineage, provenance)
        state = Item.DIFFERENT if agreement.findings else Item.SAME
        if reconciliation.answered(connection, self.item_id, state, provenance.exchange_id):
            _keep(connection, self.comparison, self.item_id, asked, agreement, provenance)
        return Fed()


def not_found(
    connection: Connection,
    comparison: Comparison,
    origin: tuple[str, str, str],
    item_id: uuid.UUID,
    exchange_id: uuid.UUID,
) -> None:
    """Keep that the system knows nothing under what it was asked: that too is a difference.

    `origin` is source, contract version and mapping version of the answer that said so.
    """
    item, person_id = reconciliation.item(connection, item_id)
    asked = Asked(person_id, codes_of(connection, person_id)[0], Question(item.arguments, item.thing_id))
    asked = _locked(connection, asked)
    provenance = Provenance(exchange_id, *origin, utc_now())
    if reconciliation.answered(connection, item_id, Item.NOT_FOUND, exchange_id, code=errors.NotFound.code):
        agreement = comparison.missing(connection, asked)
        _keep(connection, comparison, item_id, asked, agreement, provenance)


def _locked(connection: Connection, asked: Asked) -> Asked:
    """The person as he is under the lock: two may have become one since he was asked about."""
    hold_person(connection, asked.person_id)
    person_id = present_id(connection, asked.person_id)
    if person_id == asked.person_id:
        return asked
    hold_person(connection, person_id)
    return replace(asked, person_id=person_id)


def _keep(
    connection: Connection,
    comparison: Comparison,
    item_id: uuid.UUID,
    asked: Asked,
    agreement: Agreement,
    provenance: Provenance,
) -> None:
    kept = differences.record(
        connection,
        asked.person_id,
        comparison.system,
        agreement.findings,
        provenance,
        agreement.looked_at,
    )
    reconciliation.tally(connection, item_id, agreement.ours, agreement.theirs, kept)
