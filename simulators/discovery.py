"""The simulators that there are: one module per external system, found by looking, never listed.

A module named as a folder of `wsdl/` declares `SIMULATOR`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import wsdl
from errors import ConfigurationError
from simulators.population import Population
from simulators.service import Model
from simulators.stand_in import Answering, Seals, StandIn
from wsdl import Contract


class Past(Protocol):
    """What a simulator may know of those that ran before it: their journal, unless it is told to forget."""

    @property
    def known(self) -> Path | None: ...

    @property
    def forgetful(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Simulator:
    """How the application of a system is made over a population, the version of the contract that it serves, and what
    stands before it on the wire.
    """

    application: Callable[[Population, Past], Model]
    version: str = "v1-0"
    stand_in: Callable[[Contract, Model, Seals], Answering] = StandIn


@cache
def discover() -> dict[str, Simulator]:
    """Every simulator by the name of its system.

    Raises: ConfigurationError naming the module that declares none.
    """
    found: dict[str, Simulator] = {}
    # Beside this file, whatever else of that name lies where the process was started.
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if (wsdl.ROOT / module.name).is_dir():
            declared = getattr(importlib.import_module(f"simulators.{module.name}"), "SIMULATOR", None)
            if not isinstance(declared, Simulator):
                raise ConfigurationError(f"simulators/{module.name}.py declares no SIMULATOR")
            found[module.name] = declared
    return found
