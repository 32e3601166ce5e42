"""The SPOLIS registers that the gateway feeds, with history and provenance of every row.

A register is a module of this package with `REGISTERS` (how it is read), `FEEDS` (record type → function that keeps
it) and `WRITES` (name → how SPOLIS core writes it). Modules are discovered; two that claim one name or one record type
stop start-up.
"""

from __future__ import annotations

import pkgutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib import import_module
from types import ModuleType
from typing import Any

from sqlalchemy import Connection

from errors import ConfigurationError, UnknownOperation
from exchange import Json, Provenance
from mappings.person_code import normalise
from mappings.pmlp import Person
from registers.disclosure import Permits, disclose
from registers.history import Fed
from registers.persons import code_contested, codes_of, one_person, person_by_code, present_id
from registers.provider_clients import clients_of
from registers.pseudonyms import Pseudonyms, disclose_nameless, identifying, names_a_person
from registers.reading import Register, Row, changed, find, versions
from registers.writing import Writable

__all__ = [
    "FEEDS",
    "REGISTERS",
    "WRITES",
    "Fed",
    "Permits",
    "Pseudonyms",
    "Register",
    "Row",
    "Writable",
    "changed",
    "codes_of",
    "disclose",
    "disclose_nameless",
    "feed",
    "identifying",
    "names_a_person",
    "person_by_code",
    "read",
    "register",
    "search",
    "subject_of",
]

# A function keeps records of its own type, which the table's key says and the type system cannot.
Feed = Callable[[Connection, Any, Provenance], Fed]


def discover(
    modules: Iterable[ModuleType],
) -> tuple[Mapping[str, Register], Mapping[type, Feed], Mapping[str, Writable]]:
    """The registers by name, the feeds by record type and what is written by register that modules declare.

    Raises: ConfigurationError when two modules declare the same.
    """
    found: dict[str, Register] = {}
    feeds: dict[type, Feed] = {}
    writes: dict[str, Writable] = {}
    for module in modules:
        for each in getattr(module, "REGISTERS", ()):
            if each.name in found:
                raise ConfigurationError(f"{module.__name__}: register {each.name} is declared twice")
            found[each.name] = each
        for record, function in getattr(module, "FEEDS", {}).items():
            if record in feeds:
                raise ConfigurationError(f"{module.__name__}: {record.__name__} is fed twice")
            feeds[record] = function
        for name, writable in getattr(module, "WRITES", {}).items():
            if name in writes:
                raise ConfigurationError(f"{module.__name__}: {name} is written twice")
            writes[name] = writable
    return found, feeds, writes


REGISTERS, FEEDS, WRITES = discover(
    import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__) if not info.ispkg
)


def subject_of(connection: Connection, person_id: uuid.UUID) -> str | None:
    """How a person stands in the exchange log: by the personal code in force, else by supplier and client code."""
    known = codes_of(connection, person_id) or clients_of(connection, person_id)
    return next(iter(known), None)


def register(name: str) -> Register:
    """A register by its name in the API.

    Raises: UnknownOperation.
    """
    try:
        return REGISTERS[name]
    except KeyError as error:
        raise UnknownOperation("registers: " + ", ".join(sorted(REGISTERS))) from error


def feed(connection: Connection, record: object, provenance: Provenance, asked: str | None = None) -> Fed:
    """Keep a canonical record in the register of its type; `asked` is the personal code that was asked for.

    PMLP alone says which codes are of one person: where it answers with another code, the two are joined, unless a
    person is to decide that first; then nothing of the answer is kept.
    Runs in the caller's transaction. On PostgreSQL the person stays locked until it ends: a transaction that feeds
    several persons can meet a deadlock with another, and is then to be run again.
    Raises: ConfigurationError for a record that no register keeps.
    """
    try:
        function = FEEDS[type(record)]
    except KeyError as error:
        raise ConfigurationError(f"no register keeps {type(record).__name__}") from error
    joined = Fed()
    if asked is not None and isinstance(record, Person):
        if code_contested(connection, asked, record.person_code):
            return Fed()
        joined = one_person(connection, asked, record.person_code, provenance)
    return joined + function(connection, record, provenance)


def search(
    connection: Connection,
    name: str,
    criteria: Mapping[str, Json],
    limit: int = 50,
    offset: int = 0,
    *,
    at: datetime | None = None,
) -> tuple[Row, ...]:
    """The rows of a register that meet all criteria, as they are now or as they were recorded at an instant.

    A person is found under any code that he has or had.
    Raises: UnknownOperation, InvalidRequest, InvalidPersonCode.
    """

    def person(code: str) -> uuid.UUID | None:
        return person_by_code(connection, normalise(code))

    return find(connection, register(name), criteria, person, limit=limit, offset=offset, at=at)


def read(
    connection: Connection, name: str, row_id: uuid.UUID, history: bool = False, *, at: datetime | None = None
) -> tuple[Row, ...]:
    """One thing of a register: the current version, or with `history` all versions, newest first.

    A person is one row, whose parts then hold all their versions; an id from before two persons became one finds
    the one.
    Raises: UnknownOperation, NotFound.
    """
    if name == "persons":
        row_id = present_id(connection, row_id)
    return versions(connection, register(name), row_id, history=history, at=at)
