"""The lineage of every field: which rule allows it, where it comes from, where it is kept and who may have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache

import adapters
import registers
from adapters import Adapter, Operation
from errors import UnknownOperation
from exchange import Grant, Lineage
from mappings.services import OwnReading, Reading, Service, Submission
from mappings.services import discover as discover_services
from registers import REGISTERS, WRITES, register
from routing.access import Right
from routing.own_data import told_of
from routing.person_services import LISTS
from routing.person_services import OPERATION as LIST_SERVICES
from routing.register_routes import SYSTEM as REGISTERS_SYSTEM
from routing.register_routes import operation_name
from routing.routes import OWN_SOURCE

HEADS = ("rule", "system", "operation", "source element", "canonical field", "register column", "recipients")


def systems() -> tuple[str, ...]:
    """Every system whose fields have a line: external ones, the registers, and services of ours."""
    return (*adapters.discover(), REGISTERS_SYSTEM, *_discovered())


def rows(rights: tuple[Right, ...], system: str = "") -> tuple[tuple[str, ...], ...]:
    """The whole table, or the lines of one system, under `HEADS`.

    Raises: UnknownOperation where there is no such system.
    """
    if system and system not in systems():
        raise UnknownOperation(f"systems: {', '.join(systems())}")
    where = HEADS.index("system")
    return tuple(row for row in _whole(rights) if system in ("", row[where]))


@cache
def _discovered() -> dict[str, Service]:
    """The services of ours: asked for each field, and they do not change."""
    return discover_services()


@lru_cache(maxsize=2)
def _whole(rights: tuple[Right, ...]) -> tuple[tuple[str, ...], ...]:
    """It changes with the rights alone: with access.d, and on the days on which they begin and end."""
    external = (row for adapter in adapters.discover().values() for row in lineage_rows(adapter, rights))
    return (*external, *written_rows(rights), *submission_rows(rights), *reading_rows(rights))


def lineage_rows(adapter: Adapter, rights: tuple[Right, ...]) -> Iterator[tuple[str, ...]]:
    """One row for every field of every answer of a system, in the order of its mapping tables."""
    for operation in adapter.operations:
        judged = operation.answer.withheld(lambda _rule: False)
        direct = {f"{adapter.name}.{operation.name}": None, **dict(_services(adapter, operation))}
        for line in operation.answer.lineage(adapter.name):
            told = sorted(
                recipients(line, {**direct, **_readings(line)}, rights)
                if line.field in judged
                else {right.recipient for right in rights if not direct.keys().isdisjoint(right.operations)}
            )
            yield _row(line, adapter.name, operation.name, told)


def written_rows(rights: tuple[Right, ...]) -> Iterator[tuple[str, ...]]:
    """One row for every field of what SPOLIS core writes into the registers itself."""
    for name, writable in WRITES.items():
        operation = operation_name("Write", name)
        for line in writable.table.lineage(OWN_SOURCE):
            ways = {f"{REGISTERS_SYSTEM}.{operation}": None, **_readings(line)}
            told = recipients(line, ways, rights) | _told(line, rights)
            yield _row(line, REGISTERS_SYSTEM, operation, sorted(told))


def submission_rows(rights: tuple[Right, ...]) -> Iterator[tuple[str, ...]]:
    """One row for every field that is handed in by a service of ours; its recipients are those who may read it."""
    for service in _discovered().values():
        for own in service.operations:
            if isinstance(own.via, Submission):
                for line in own.via.table.lineage(own.via.source):
                    told = recipients(line, _readings(line), rights) | _told(line, rights)
                    whole = replace(line, element=f"/{own.name}{line.element}")
                    yield _row(whole, service.name, own.name, sorted(told))


def reading_rows(rights: tuple[Right, ...]) -> Iterator[tuple[str, ...]]:
    """One row for every field of a register that a service of ours tells, under the rule of the service's table."""
    for service in _discovered().values():
        for own in service.operations:
            if isinstance(own.via, Reading):
                sources = _sources(own.via.register)
                for lines in zip(*(own.via.table.lineage(source) for source in sources), strict=True):
                    name = {f"{service.name}.{own.name}": None}
                    told = set[str]().union(*(recipients(line, name, rights) for line in lines))
                    whole = replace(
                        lines[0],
                        field=f"{own.via.name}[].{lines[0].field}",
                        element=f"/{own.answer.element}{lines[0].element}",
                    )
                    yield _row(whole, service.name, own.name, sorted(told))


# The operations by which a field can be had, with the rules that each is bound to; None: whatever is granted.
Ways = Mapping[str, frozenset[str] | None]


def recipients(line: Lineage, ways: Ways, rights: tuple[Right, ...]) -> set[str]:
    """Who may have a field: (its rule, its source) is granted for one of the operations that give it."""
    return {
        right.recipient
        for right in rights
        if any(
            name in right.operations and (bound is None or line.rule in bound) for name, bound in ways.items()
        )
        and (right.identifying or not _names_a_person(line))
        and Grant(frozenset(right.pairs())).permits(line.rule, line.source)
    }


def _names_a_person(line: Lineage) -> bool:
    """Whether the register column of a field is withheld from who may not know a person."""
    table_name, _, column = line.column.partition(".")
    kept = (
        own for one in REGISTERS.values() for own in (one, *(part.register for part in one.parts.values()))
    )
    return any(own.table.name == table_name and registers.identifying(own, column) for own in kept)


def _services(adapter: Adapter, operation: Operation) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Operations of our own services that the operation answers, with the rules of what they ask for."""
    selection = operation.selection
    for service in _discovered().values():
        for own in service.operations:
            if own.via == (adapter.name, operation.name):
                chosen = selection is None or any(f.name == selection.argument for f in own.request.fields)
                fixed = None if selection is None or chosen else own.arguments.get(selection.argument)
                asked = fixed if isinstance(fixed, tuple) else None
                bound = (
                    frozenset(rule for value in asked for rule in selection.rules[str(value)])
                    if selection is not None and asked is not None
                    else None
                )
                yield f"{service.name}.{own.name}", bound


def _told(line: Lineage, rights: tuple[Right, ...]) -> set[str]:
    """Who may have the register column of a field by a service that reads it, under the rules of that service."""
    return {
        recipient
        for service in _discovered().values()
        for own in service.operations
        if isinstance(own.via, Reading)
        for told in own.via.table.lineage(line.source)
        if told.column == line.column
        for recipient in recipients(told, {f"{service.name}.{own.name}": None}, rights)
    }


def _sources(name: str) -> tuple[str, ...]:
    """Who supplies a register: its own source, and whoever hands in what it keeps."""
    kept = register(name)
    handed_in = (
        own.via.source
        for service in _discovered().values()
        for own in service.operations
        if isinstance(own.via, Submission)
        and any(line.column.startswith(f"{kept.table.name}.") for line in own.via.table.lineage(""))
    )
    return tuple(dict.fromkeys((kept.source, *handed_in)))


def _readings(line: Lineage) -> Ways:
    """Reading, searching and listing the registers that keep the field, and the services that go on to that."""
    return _readings_of(line.column.partition(".")[0])


@cache
def _readings_of(table_name: str) -> Ways:
    ways: set[tuple[str, str]] = set()
    for one in REGISTERS.values():
        tables = {one.table.name, *(part.register.table.name for part in one.parts.values())}
        if table_name in tables:
            ways |= {(REGISTERS_SYSTEM, operation_name(act, one.name)) for act in ("Read", "Search")}
            ways |= {(REGISTERS_SYSTEM, LIST_SERVICES)} if one.name in LISTS.values() else set()
    person = any(
        one.of_persons and table_name in (table.table.name for _, table in told_of(one))
        for one in REGISTERS.values()
    )
    own: dict[str, frozenset[str] | None] = {
        f"{service.name}.{operation.name}": None
        for service in _discovered().values()
        for operation in service.operations
        if (person if isinstance(operation.via, OwnReading) else operation.via in ways)
    }
    return dict.fromkeys((".".join(way) for way in sorted(ways)), None) | own


def _row(line: Lineage, system: str, operation: str, told: Sequence[str]) -> tuple[str, ...]:
    return (
        line.rule,
        system,
        operation,
        line.element,
        line.field,
        line.column or "—",
        ", ".join(told) or "nobody",
    )
