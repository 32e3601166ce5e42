"""Who received the value of a register: by which operations it is given, and under which names the log tells it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Engine

import adapters
from exchange import Lineage, Outcome
from mappings.services import Reading, Submission, discover
from questions import words
from questions.accesses import Access, accesses, opened
from registers import REGISTERS, WRITES
from routing.person_services import LISTS
from routing.person_services import OPERATION as LIST_SERVICES
from routing.register_routes import SYSTEM, operation_name

# An operation, and the name of a field in its records of the log.
_Given = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A recipient with the exchanges in which it got a value."""

    recipient: str
    accesses: tuple[Access, ...]


@cache
def given_as() -> dict[str, frozenset[_Given]]:
    """By register column (`pmlp_address.text`), every operation that gives it and the field's name there."""
    found: dict[str, set[_Given]] = defaultdict(set)
    for column, operation, field in (*_of_systems(), *_of_registers(), *_of_services(), *_of_notices()):
        if column:
            found[column].add((operation, field))
    return {column: frozenset(names) for column, names in found.items()}


def told_by(table: str, recipient: str) -> str:
    """The operation by which a recipient hears of every change of a register's rows; "" where there is none."""
    for adapter in adapters.discover().values():
        for operation in adapter.operations:
            notice = operation.notice
            if notice is not None and notice.recipient == recipient:
                columns = (line.column for line in _kept(notice.follows))
                if any(column.startswith(f"{table}.") for column in columns):
                    return f"{adapter.name}.{operation.name}"
    return ""


def received(
    engine: Engine, subjects: Sequence[str], columns: Collection[str], since: datetime, until: datetime | None
) -> tuple[Receipt, ...]:
    """Who was given one of these columns of a person between two instants, by recipient.

    Raises: LogUnavailable.
    """
    names = set[_Given]().union(*(given_as().get(column, frozenset()) for column in columns))
    by_recipient: dict[str, list[Access]] = defaultdict(list)
    for access in opened(engine, accesses(engine, subjects, since, until)):
        if access.recipient and access.outcome == Outcome.OK and _gave(access, names):
            by_recipient[access.recipient].append(access)
    return tuple(Receipt(recipient, tuple(own)) for recipient, own in sorted(by_recipient.items()))


def _gave(access: Access, names: Iterable[_Given]) -> bool:
    """Whether an exchange gave one of these fields; the log names the whole path, or the list or part it is in.

    Of a system that lets the caller choose, the log names what he might have had: what he did not choose is no gift.
    """
    given = set(access.given)
    chosen = words.asked_for(access.system, access.operation, access.selection)
    rules = words.rules_of_fields(access.system, access.operation)
    return any(
        operation == access.name
        and not given.isdisjoint(_names(field))
        and (chosen is None or not chosen.isdisjoint(rules.get(field, ())))
        for operation, field in names
    )


def _names(path: str) -> tuple[str, ...]:
    """What a field can be named by: its path, or the list or part that it stands in."""
    head = path.partition(".")[0]
    return (path,) if head == path else (path, head, head.removesuffix("[]"))


def _of_systems() -> Iterator[tuple[str, str, str]]:
    for adapter in adapters.discover().values():
        for operation in adapter.operations:
            names = [f"{adapter.name}.{operation.name}", *_services_of((adapter.name, operation.name))]
            for line in operation.answer.lineage(adapter.name):
                yield from ((line.column, name, line.field) for name in names)


def _of_registers() -> Iterator[tuple[str, str, str]]:
    for register in REGISTERS.values():
        table = register.table.name
        for act in ("Read", "Search"):
            own = operation_name(act, register.name)
            for name in (f"{SYSTEM}.{own}", *_services_of((SYSTEM, own))):
                yield from ((f"{table}.{column}", name, column) for column in register.fields)
                for part_name, part in register.parts.items():
                    of_part = part.register
                    yield from (
                        (f"{of_part.table.name}.{column}", name, part_name) for column in of_part.fields
                    )
    for name, register_name in LISTS.items():
        kept = REGISTERS[register_name]
        for operation in (f"{SYSTEM}.{LIST_SERVICES}", *_services_of((SYSTEM, LIST_SERVICES))):
            yield from (
                (f"{kept.table.name}.{column}", operation, f"{name}[].{column}") for column in kept.fields
            )


def _of_services() -> Iterator[tuple[str, str, str]]:
    for service in discover().values():
        for own in service.operations:
            if isinstance(own.via, Reading):
                for line in own.via.table.lineage(""):
                    yield line.column, f"{service.name}.{own.name}", f"{own.via.name}[].{line.field}"


def _of_notices() -> Iterator[tuple[str, str, str]]:
    for adapter in adapters.discover().values():
        for operation in adapter.operations:
            if operation.notice is not None:
                for line in _kept(operation.notice.follows):
                    yield line.column, f"{adapter.name}.{operation.name}", line.field


def _kept(record: type) -> Iterator[Lineage]:
    """Where the fields of a record are kept that SPOLIS core writes, or somebody hands in."""
    for writable in WRITES.values():
        if writable.table.record_type is record:
            yield from writable.table.lineage("")
    for service in discover().values():
        for own in service.operations:
            if isinstance(own.via, Submission) and own.via.table.record_type is record:
                yield from own.via.table.lineage("")


def _services_of(via: tuple[str, str]) -> list[str]:
    """The operations of our services that another answers."""
    return [
        f"{service.name}.{own.name}"
        for service in discover().values()
        for own in service.operations
        if own.via == via
    ]
