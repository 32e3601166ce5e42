"""Our own services: one module each, with the tables of its operations and what answers them.

Services are discovered, never listed: every module of this package declares `SERVICE`. A duplicate stops start-up.
"""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from errors import ConfigurationError
from exchange import Argument, Disclosed
from mappings.clients import client_subject
from mappings.mapping import Mapping
from security.xml import Element


@dataclass(frozen=True, slots=True)
class Submission:
    """What an operation hands in for the registers.

    `argument` names the record in the request, `table` maps it, `source` is who supplies it: a supplier may hand in
    the fields whose (rule, source) it is granted. `supplier` names the field of the record that gets the registered
    name of the caller, where a record is corrected and deleted only by who handed it in. `client` names the field
    that holds the supplier's own code of a person whose personal code it does not know. Source: p17.
    """

    argument: str
    table: Mapping[Any]
    source: str
    supplier: str = ""
    client: str = ""

    def subject(self, record: object) -> str | None:
        """Whom a record is about: the first personal code in it, or supplier and client code; None: nobody."""
        client: str | None = getattr(record, self.client) if self.client else None
        if client is not None:
            return client_subject(getattr(record, self.supplier), client)
        return next(self.table.persons(record), None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an operation reads of a register, by the criteria that it is asked with.

    Each row becomes a record of `table`, whose columns say where its values are kept. A field leaves when the pair of
    its rule in this table and the source of the row is granted: one column may be told under several rules. `name`
    is that of the list in the answer.
    """

    register: str
    table: Mapping[Any]
    name: str


@dataclass(frozen=True, slots=True)
class OwnReading:
    """What an operation reads of all registers about one person: the one who asks, or whom he represents.

    Who asks stands in the context with this `role` and his personal code. Who represents a person, an operation of a
    system says on that day, asked with these `arguments`; only representatives of these `kinds` are told anything.
    Each field leaves when the pair of its rule in the register and the source of its row is granted.
    """

    role: str
    system: str
    operation: str
    arguments: abc.Mapping[str, Argument]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class ServiceOperation:
    """One operation of a service.

    `via` names what answers it: an operation of a system or of the registers, a `Submission`, a `Reading` or an
    `OwnReading`. `arguments` stand where the caller gives none. `compose` makes the record of our answer of what may be
    given. Without `once`, a repeated message is carried out anew: what it may be told depends on the day.
    """

    name: str
    request: Mapping[Any]
    answer: Mapping[Any]
    via: tuple[str, str] | Submission | Reading | OwnReading
    compose: Callable[[uuid.UUID, Disclosed], object]
    arguments: abc.Mapping[str, Argument] = field(default_factory=dict)
    once: bool = True

    def write(self, exchange_id: uuid.UUID, disclosed: Disclosed) -> Element:
        """Our answer as an element, from what may be given of the system's."""
        return self.answer.write(self.compose(exchange_id, disclosed))


@dataclass(frozen=True, slots=True)
class Service:
    """A service of ours: its contract is wsdl/spolis/<name>/<version>."""

    name: str
    version: str
    operations: tuple[ServiceOperation, ...]

    def operation(self, name: str) -> ServiceOperation | None:
        """The operation of that name, if the service has it."""
        return next((operation for operation in self.operations if operation.name == name), None)


def discover() -> dict[str, Service]:
    """Every service by name.

    Raises: ConfigurationError naming the module that declares none, or declares one that another has.
    """
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    return collect(
        {module.__name__.rpartition(".")[2]: getattr(module, "SERVICE", None) for module in modules}
    )


def collect(declared: abc.Mapping[str, object]) -> dict[str, Service]:
    """The services that modules declare, by service name; one name belongs to one module.

    Raises: ConfigurationError.
    """
    found: dict[str, Service] = {}
    for module, service in declared.items():
        if not isinstance(service, Service):
            raise ConfigurationError(f"mappings/services/{module}.py declares no SERVICE")
        if service.name in found:
            raise ConfigurationError(f"mappings/services/{module}.py declares {service.name} a second time")
        found[service.name] = service
    return found
