"""Columns and values of a register from the mapping table of its record: declared once, where the message is read.

A record in a record stands in columns of its own; a list of records is one JSON column, each with its canonical names
and codes with their texts. Such a column has the rule above those of its fields: who may have it may have them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Integer, Text
from sqlalchemy.types import TypeEngine

from errors import ConfigurationError
from exchange import Json
from mappings import kinds
from mappings.codes import Code
from mappings.fields import Field
from mappings.mapping import Mapping
from registers.history import Exact, Month, Texts, Value
from registers.history import field as kept

_TYPES: dict[type, type[TypeEngine[Any]]] = {
    kinds.Text: Text,
    kinds.PersonCode: Text,
    kinds.Day: Date,
    kinds.Month: Month,
    kinds.Boolean: Boolean,
    kinds.Number: Exact,
    kinds.Integer: Integer,
    kinds.Coded: Text,
}


def columns(table: Mapping[Any], name: str) -> tuple[Column[Any], ...]:
    """The columns of the register table `name` that a mapping table names, without the supplier's numbers.

    Raises: ConfigurationError for a kind of value that no column holds.
    """
    return tuple(
        column
        for column in _columns(table, f"{name}.", optional=False)
        if column.name not in ("case_no", "record_no")
    )


def values(table: Mapping[Any], record: object, name: str) -> dict[str, Value]:
    """What of a record is kept in the register table `name`, by column."""
    return dict(_values(table, record, f"{name}."))


def rule_above(rules: Sequence[str]) -> str:
    """The point that all rules stand under, or the one that they are."""
    parts = [rule.split(".") for rule in rules]
    shared = next(
        (n for n in range(min(map(len, parts)), 0, -1) if len({tuple(own[:n]) for own in parts}) == 1), 0
    )
    if not shared:
        raise ConfigurationError(f"no point stands above {', '.join(sorted(set(rules)))}")
    return ".".join(parts[0][:shared])


def _columns(table: Mapping[Any], prefix: str, *, optional: bool) -> Iterator[Column[Any]]:
    for field in _fields(table):
        if isinstance(field.kind, Mapping) and field.many:
            leaves = field.kind.lineage("")
            rule = rule_above([line.rule for line in leaves])
            if leaves[0].column.startswith(prefix):
                name = leaves[0].column.removeprefix(prefix)
                yield kept(name, JSON(none_as_null=True), rule=rule, optional=optional)
        elif isinstance(field.kind, Mapping):
            yield from _columns(field.kind, prefix, optional=optional or field.optional)
        elif field.column.startswith(prefix):
            yield _column(field, field.column.removeprefix(prefix), optional=optional)


def _column(field: Field, name: str, *, optional: bool) -> Column[Any]:
    if type(field.kind) not in _TYPES:
        raise ConfigurationError(f"no column holds {field.name}")
    kind = Texts() if field.many else _TYPES[type(field.kind)]()
    codes = field.kind.codes if isinstance(field.kind, kinds.Coded) else None
    absent = optional or (field.optional and not field.many)
    return kept(name, kind, rule=field.rule, codes=codes, optional=absent)


def _values(table: Mapping[Any], record: object, prefix: str) -> Iterator[tuple[str, Value]]:
    for field in _fields(table):
        value = None if record is None else getattr(record, field.name)
        if isinstance(field.kind, Mapping) and field.many:
            name = field.kind.lineage("")[0].column
            if name.startswith(prefix):
                yield name.removeprefix(prefix), None if value is None else _listed(field.kind, value)
        elif isinstance(field.kind, Mapping):
            yield from _values(field.kind, value, prefix)
        elif field.column.startswith(prefix):
            yield field.column.removeprefix(prefix), _plain(value)


def _listed(table: Mapping[Any], records: Sequence[object]) -> list[Json]:
    return [table.json(one) for one in records]


def _plain(value: Any) -> Value:
    if isinstance(value, Code):
        return value.code
    if isinstance(value, tuple):
        return tuple(one.code if isinstance(one, Code) else one for one in value)
    plain: Value = value
    return plain


def _fields(table: Mapping[Any]) -> Iterator[Field]:
    return (field for field in table.fields if isinstance(field, Field))
