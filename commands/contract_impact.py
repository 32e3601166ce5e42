"""What a change of a contract means here: whom it breaks, which mapped fields and which services it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import adapters
import mappings.services
from mappings import kinds
from mappings.fields import Field
from mappings.mapping import Mapping
from mappings.services import OwnReading, Reading, Submission
from wsdl.changes import Change, Kind, Side

_OURS = "spolis/"


class Verdict(StrEnum):
    """What all changes together are."""

    NONE = "none"
    COMPATIBLE = "compatible"
    BREAKING = "breaking"


@dataclass(frozen=True, slots=True)
class Mapped:
    """A field of a mapping table with the path of its element in a message, and its canonical name with its table's."""

    path: str
    name: str
    field: Field


@dataclass(frozen=True, slots=True)
class Impact:
    """A change with what it means: whether it breaks, which mapped fields it is about, whether the table survives it.

    `survives` None: no table of ours maps the operation.
    """

    change: Change
    breaking: bool
    fields: tuple[str, ...]
    survives: bool | None


def is_ours(system: str) -> bool:
    """Whether a contract is one that we publish: others call us by it."""
    return system.startswith(_OURS)


def breaks(change: Change, *, ours: bool) -> bool:
    """Whether a change breaks somebody who keeps to the old contract.

    Who calls us is asked to read on past an optional element that he does not know; we ourselves refuse one, because
    what is not mapped could be lost.
    """
    if change.harms_requests:
        return True
    tolerated = ours and change.kind is Kind.ELEMENT_ADDED and not change.narrows
    return change.harms_answers and not tolerated


def impacts(found: tuple[Change, ...], system: str) -> tuple[Impact, ...]:
    """Every change with what it means for a system's adapter, or for a service of ours and its callers."""
    ours, tables = is_ours(system), _tables(system)
    return tuple(_impact(change, tables, breaks(change, ours=ours)) for change in found)


def verdict(found: tuple[Impact, ...]) -> Verdict:
    """What all of it is."""
    if not found:
        return Verdict.NONE
    return Verdict.BREAKING if any(one.breaking for one in found) else Verdict.COMPATIBLE


def services_behind(system: str, found: tuple[Impact, ...]) -> tuple[str, ...]:
    """The services of ours whose callers notice: the service itself, or those that an operation broken here answers."""
    if is_ours(system):
        return (system.removeprefix(_OURS),) if found else ()
    broken = {one.change.operation for one in found if one.breaking}
    return tuple(
        name
        for name, service in mappings.services.discover().items()
        if any(
            (via := _asked(own.via)) is not None and via[0] == system and (via[1] in broken or "" in broken)
            for own in service.operations
        )
    )


def _asked(via: tuple[str, str] | Submission | Reading | OwnReading) -> tuple[str, str] | None:
    """The operation that an operation of a service asks, if it asks one."""
    if isinstance(via, OwnReading):
        return via.system, via.operation
    return None if isinstance(via, Submission | Reading) else via


def _impact(change: Change, tables: dict[tuple[str, Side], Mapping[Any]], breaking: bool) -> Impact:
    if change.side in (Side.ALL, Side.FAULT):
        return Impact(change, breaking, (), _survives_around(change, {operation for operation, _ in tables}))
    table = tables.get((change.operation, change.side))
    if table is None:
        return Impact(change, breaking, (), None)
    every = tuple(_mapped(table, f"/{table.element}", ""))
    concerned = tuple(
        one for one in every if one.path == change.path or one.path.startswith(f"{change.path}/")
    )
    own = next((one for one in every if one.path == change.path), None)
    names = tuple(dict.fromkeys(f"{table.element}: {one.name}" for one in concerned))
    if change.kind is Kind.ELEMENT_ADDED:
        names = (f"{table.element}: no field for {change.path.rpartition('/')[2]}",)
    return Impact(change, breaking, names, _survives(change, own, bool(concerned)))


def _survives_around(change: Change, mapped: set[str]) -> bool | None:
    """The same for what is not of one message: a table reads namespace and action from the contract, and any fault."""
    if change.kind is Kind.OPERATION_REMOVED:
        return False if change.operation in mapped else None
    if change.kind is Kind.OPERATION_ADDED:
        return True if change.operation in mapped else None
    return True if mapped else None


def _survives(change: Change, mapped: Mapped | None, concerned: bool) -> bool:
    """Whether the table as it is would map by the new contract: read, write, and hold against its schema."""
    match change.kind:
        case Kind.ELEMENT_ADDED:
            return False
        case Kind.ELEMENT_REMOVED | Kind.ELEMENT_RENAMED | Kind.ORDER | Kind.CHOICE:
            return not concerned
    if not concerned:
        return True
    if mapped is None:
        return change.kind is not Kind.TYPE and change.kind is not Kind.OCCURS
    match change.kind:
        case Kind.OCCURS:
            return _cardinality(change.before) == _cardinality(change.after)
        case Kind.NILLABLE:
            return mapped.field.nillable == (change.after == "true")
        case Kind.TYPE | Kind.PATTERN:
            return isinstance(mapped.field.kind, kinds.Text)
        case Kind.WORDS:
            return not (isinstance(mapped.field.kind, kinds.Choice) and change.widens)
        case Kind.FACET:
            return not (isinstance(mapped.field.kind, kinds.Number) and "fractionDigits" in change.after)
    return False


def _cardinality(occurs: str) -> tuple[bool, bool]:
    """What a table knows of it: whether it must be there, whether there may be several."""
    least, _, most = occurs.partition("..")
    return least != "0", most != "1"


def _tables(system: str) -> dict[tuple[str, Side], Mapping[Any]]:
    """The tables of a system's adapter or of a service of ours, by operation and side."""
    found: dict[tuple[str, Side], Mapping[Any]] = {}
    if is_ours(system):
        service = mappings.services.discover().get(system.removeprefix(_OURS))
        for own in service.operations if service is not None else ():
            found[own.name, Side.REQUEST] = own.request
            found[own.name, Side.ANSWER] = own.answer
        return found
    adapter = adapters.discover().get(system)
    for operation in adapter.operations if adapter is not None else ():
        found[operation.name, Side.REQUEST] = operation.request
        found[operation.name, Side.ANSWER] = operation.answer
    return found


def _mapped(table: Mapping[Any], path: str, prefix: str) -> Iterator[Mapped]:
    """Every field of a table and of those nested in it; a code's own parts count as the code."""
    for field in table.fields:
        if not isinstance(field, Field):
            continue
        here, name = f"{path}/{'/'.join(field.path)}", f"{prefix}{field.name}{'[]' if field.many else ''}"
        yield Mapped(here, name, field)
        if isinstance(field.kind, Mapping):
            yield from _mapped(field.kind, here, f"{name}.")
        elif isinstance(field.kind, kinds.Coded):
            for part in ("Kods", "Nosaukums"):
                yield Mapped(f"{here}/{part}", name, field)
