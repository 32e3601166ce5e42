"""One module per external system: its operations, how each may be repeated, and honest answers on its quality.

Adapters are discovered, never listed: every module of this package declares `ADAPTER`. An incomplete or duplicate
one stops start-up.
"""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

import mappings.mapping as tables
from errors import ConfigurationError
from exchange import Arguments, Json
from registers.history import Change
from registers.taken import Taken


class Repeat(StrEnum):
    """What may be done when the outcome of a call is unclear."""

    DEDUPES = "dedupes"  # the system recognises our MessageID, or the call only reads: send again
    QUERYABLE = "queryable"  # ask first whether it took effect
    NEITHER = "neither"  # a person decides


@dataclass(frozen=True, slots=True)
class Selection:
    """An argument that selects what is asked, and the rules that each of its values stands for.

    So that nothing is asked which could not be given.
    """

    argument: str
    rules: Mapping[str, tuple[str, ...]]

    def chosen(self, arguments: Arguments) -> tuple[str, ...] | None:
        """The values that a caller chose, None where that was left to us.

        One text may hold several values with commas between, as the mapping table takes them.
        """
        given = arguments.get(self.argument)
        if given is None:
            return None
        return tuple(str(value) for value in (given if isinstance(given, tuple) else str(given).split(",")))

    def rules_of(self, arguments: Arguments) -> frozenset[str] | None:
        """The rules that the values chosen stand for, None where the choice was left to us."""
        chosen = self.chosen(arguments)
        return (
            None
            if chosen is None
            else frozenset(rule for value in chosen for rule in self.rules.get(value, ()))
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """Makes an operation tell a recipient of a change in a register, by way of the outbox.

    `follows` is the canonical record whose change causes it; `arguments` gives what is to be told of a change, in
    order, or nothing; `acknowledged` whether an answer says that it was taken.
    """

    follows: type
    recipient: str
    purpose: str
    rule: str
    arguments: Callable[[Change], tuple[Arguments, ...]]
    acknowledged: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """How to ask a system whether a message, by its MessageID, took effect.

    It is asked no sooner than `settles_after` seconds after a message whose outcome is unclear: longer than the system
    can hold one before it takes effect or never will.
    """

    operation: str
    arguments: Callable[[str], Arguments]
    took_effect: Callable[[Any], bool]
    settles_after: float = 5.0


class OffDays(StrEnum):
    """What becomes of a slot on a day on which state institutions do not work."""

    ASKED = "asked"  # the source works every day
    SKIPPED = "skipped"
    MOVED = "moved"  # to the next working day, at the same hour


@dataclass(frozen=True, slots=True)
class Schedule:
    """The slots of what is asked by itself: `hours` of the day in Europe/Riga, on `weekdays` (0 is Monday)."""

    hours: str
    weekdays: frozenset[int] = frozenset(range(7))
    off_days: OffDays = OffDays.ASKED


@dataclass(frozen=True, slots=True)
class Cursor:
    """How an operation is followed page by page: `arguments` go on from a cursor, `ends` reads it from an answer.

    `ends` gives where the page ends, and whether there is more now.
    """

    arguments: Callable[[str], Arguments]
    ends: Callable[[Any], tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Anew:
    """What is asked because of an answer that says who changed, not what: `questions` gives the arguments of each.

    It looks into the registers after they were fed, so that nobody is asked about who is nobody of ours.
    """

    operation: str
    purpose: str
    rule: str
    questions: Callable[[Connection, Any], tuple[Arguments, ...]]


@dataclass(frozen=True, slots=True)
class Sync:
    """Makes an operation be asked on a schedule, by way of the outbox.

    `arguments` begin at a day: that of the last question that was answered, or the first day of the time to catch up.
    With a `cursor` only the first question of all begins so. `taken` counts, in the registers that an answer has fed,
    what they took of it.
    """

    schedule: Schedule
    recipient: str
    purpose: str
    rule: str
    arguments: Callable[[date], Arguments]
    taken: Callable[[Connection, Any], Taken]
    cursor: Cursor | None = None
    anew: tuple[Anew, ...] = ()


class Found(Protocol):
    """An edition that lies in a folder, and the names of its files."""

    @property
    def folder(self) -> Path: ...

    @property
    def names(self) -> tuple[str, ...]: ...


class Loaded(Protocol):
    """What a load did."""

    def json(self) -> dict[str, Json]:
        """As it is put on record and printed."""


class LoadEdition(Protocol):
    """How an edition is loaded, all or nothing. Raises: InvalidRequest where it cannot be taken, Busy."""

    def __call__(
        self,
        engine: Engine,
        paths: Iterable[Path],
        *,
        settle: Callable[[Callable[[Connection], None], Any], None],
        progress: Callable[[int, int | None], None],
        exchange_id: uuid.UUID,
    ) -> Loaded: ...


@dataclass(frozen=True, slots=True)
class Edition:
    """Data that a system publishes whole, as files in the folder that its settings name, and when they are loaded.

    `look` reads what lies there, `loaded` whether that was loaded before, `taken` counts how much of it the register
    holds, by what `load` did or, without that, in the edition in use.
    """

    schedule: Schedule
    act: str
    look: Callable[[Path], Found]
    loaded: Callable[[Connection, Any], bool]
    load: LoadEdition
    taken: Callable[[Connection, Any, Any], Taken]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an external system.

    `subject` names the argument that holds the personal code, or several; `needs_open_stay` the rule that allows the
    operation only while the person stays in an institution. `answered` looks at request and answer together and names
    the field of the answer that does not belong to the request, or "". `once`: it changes something there, so that a
    caller's repeated message gets the first answer and is not sent again. What is not `kept` feeds no register.
    """

    name: str
    request: tables.Mapping[Any]
    answer: tables.Mapping[Any]
    repeat: Repeat
    subject: str | None = None
    selection: Selection | None = None
    needs_open_stay: str | None = None
    notice: Notice | None = None
    query: Query | None = None
    sync: Sync | None = None
    answered: Callable[[Any, Any], str] | None = None
    once: bool = False
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Adapter:
    """An external system: contract version, operations and the header table of its quality.

    `quality` answers each rule of the quality scale: `done`, `todo` or `exempt: reason`. `edition` is what it publishes
    whole beside its operations.
    """

    name: str
    version: str
    operations: tuple[Operation, ...]
    quality: Mapping[str, str] = field(default_factory=dict)
    edition: Edition | None = None

    def operation(self, name: str) -> Operation | None:
        """The operation of that name, if the system has it."""
        return next((operation for operation in self.operations if operation.name == name), None)


def discover() -> dict[str, Adapter]:
    """Every adapter by name.

    Raises: ConfigurationError naming the module that declares none, or two that declare the same.
    """
    found: dict[str, Adapter] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            continue
        adapter = getattr(importlib.import_module(f"{__name__}.{module.name}"), "ADAPTER", None)
        if not isinstance(adapter, Adapter) or adapter.name != module.name:
            raise ConfigurationError(f"adapters/{module.name}.py declares no ADAPTER named {module.name}")
        for operation in adapter.operations:
            if operation.repeat is Repeat.QUERYABLE and operation.query is None:
                raise ConfigurationError(f"{adapter.name}.{operation.name} is queryable and names no query")
        found[adapter.name] = adapter
    return found
