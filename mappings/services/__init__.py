"""Our own services: one module each, with the tables of its operations and the system operation that answers them.

Services are discovered, never listed: every module of this package declares `SERVICE`. A duplicate stops start-up.
"""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from errors import ConfigurationError
from exchange import Argument, Disclosed, Environment
from mappings.mapping import Mapping
from security.xml import Element


@dataclass(frozen=True, slots=True)
class ServiceOperation:
    """One operation of a service.

    `via` names system and operation that answer it; `arguments` are fixed by us, whatever the caller says.
    `compose` makes the record of our answer of what may be given.
    """

    name: str
    request: Mapping[Any]
    answer: Mapping[Any]
    via: tuple[str, str]
    arguments: abc.Mapping[str, Argument]
    compose: Callable[[uuid.UUID, Disclosed], object]

    def write(self, exchange_id: uuid.UUID, disclosed: Disclosed) -> Element:
        """Our answer as an element, from what may be given of the system's."""
        return self.answer.write(self.compose(exchange_id, disclosed))


@dataclass(frozen=True, slots=True)
class Service:
    """A service of ours: its contract is wsdl/spolis/<name>/<version>.

    A refusal says exactly what was wrong (paths and rules, never values) in the environments that it `explains` in;
    elsewhere it says its code and the sentence that goes with the code.
    """

    name: str
    version: str
    operations: tuple[ServiceOperation, ...]
    explains: frozenset[Environment] = frozenset(Environment)

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
