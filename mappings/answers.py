"""What a service of ours answers: the exchange, what may be given of a record, and the names of what may not.

The tables are those of the system or register that answers, in the namespace of our contract.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from exchange import Disclosed, Json
from mappings.fields import Field, identifier, many, nested, text
from mappings.kinds import Scalar
from mappings.mapping import Mapping as Table

R = TypeVar("R")
Compose = Callable[[uuid.UUID, Disclosed], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One record, or None where there is none or everything of it is withheld (Atbilde)."""

    exchange_id: uuid.UUID
    record: object | None
    withheld: tuple[str, ...]


def one(namespace: str, element: str, path: str, table: Table[Any]) -> tuple[Table[Answer], Compose]:
    """The table of an answer whose record stands at `path`, and what makes it of what may be given."""
    record = table.given(namespace, path.rpartition("/")[2])
    answer = Table(
        Answer, namespace, element, (_EXCHANGE, nested("record", path, record, optional=True), _WITHHELD)
    )

    def compose(exchange_id: uuid.UUID, disclosed: Disclosed) -> Answer:
        found = _record(record, disclosed.record)
        return Answer(exchange_id=exchange_id, record=found, withheld=_withheld(record, disclosed.withheld))

    return answer, compose


def several(
    record_type: Callable[..., R],
    namespace: str,
    element: str,
    lists: Mapping[str, tuple[str, Table[Any]]],
    *said: Field,
) -> tuple[Table[R], Compose]:
    """The table of an answer with lists by their names, each with the path of its records and their table.

    `record_type` takes exchange_id, the lists, what is `said` of the answer as a whole, and withheld. A record of
    which nothing may be given is left out.
    """
    tables = {name: table.given(namespace, path.rpartition("/")[2]) for name, (path, table) in lists.items()}
    listed = [many(nested(name, lists[name][0], table), optional=True) for name, table in tables.items()]
    answer = Table(record_type, namespace, element, (_EXCHANGE, *listed, *said, _WITHHELD))

    def compose(exchange_id: uuid.UUID, disclosed: Disclosed) -> R:
        given = disclosed.record if isinstance(disclosed.record, dict) else {}
        records = {name: _records(table, given.get(name)) for name, table in tables.items()}
        whole = {field.name: _said(field, given.get(field.name)) for field in said}
        withheld = _withheld(answer, disclosed.withheld)
        return record_type(exchange_id=exchange_id, withheld=withheld, **records, **whole)

    return answer, compose


_EXCHANGE = identifier("exchange_id", "ApmainasId", rule="p19.2", always=True)
_WITHHELD = many(text("withheld", "Aizturets", rule="p20", always=True), optional=True)


def _record(table: Table[Any], given: Json) -> object | None:
    """What a table has of a record that may be given; None where that is nothing."""
    if not isinstance(given, dict):
        return None
    known = {
        field.name: given[field.name] for field in table.fields if given.get(field.name) not in (None, [])
    }
    return table.from_json(known) if known else None


def _records(table: Table[Any], given: Json) -> tuple[object, ...]:
    found = [_record(table, each) for each in given] if isinstance(given, list) else []
    return tuple(each for each in found if each is not None)


def _said(field: Field, given: Json) -> object:
    """A value that stands in the answer itself, or what the field holds where there is none."""
    return field.kind.take(given) if given is not None and isinstance(field.kind, Scalar) else field.absent


def _withheld(table: Table[Any], names: Iterable[str]) -> tuple[str, ...]:
    """The withheld fields that a table has."""
    known = {row.field for row in table.lineage("")}
    return tuple(name for name in names if name in known)
