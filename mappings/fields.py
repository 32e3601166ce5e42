"""The makers of a mapping table's fields: a canonical name, the element that carries it, the rule that allows it.

An element is a path below the table's own: `Persona/Dokumenti/Dokuments`. What lies between is a container; it may be
absent when everything in it may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as date_type
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

from mappings import kinds
from mappings.codes import CodeList

if TYPE_CHECKING:
    from mappings.mapping import Mapping as Table

# The value of an argument that was left out, from those taken before it and today's date in Riga.
Default = Callable[[Mapping[str, object], date_type], object]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a mapping table.

    `column` is the register column that keeps it ("" where none does). `absent` is what the record holds where an
    optional element is missing. `always` marks what is said of the answer, not of a person: no right is asked for it.
    """

    name: str
    path: tuple[str, ...]
    kind: kinds.Scalar | kinds.Coded | Table[Any]
    rule: str = ""
    column: str = ""
    optional: bool = False
    nillable: bool = False
    absent: object = None
    always: bool = False
    default: Default | None = None
    many: bool = False
    minimum: int = 0

    @property
    def required(self) -> bool:
        """Whether a message must hold the element."""
        return self.minimum > 0 if self.many else not self.optional


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes/no that no element carries: what the code list of the field `of` says of its code in column `flag`."""

    name: str
    of: str
    flag: str
    rule: str
    column: str = ""
    always: bool = False


class Options(TypedDict, total=False):
    """What every maker takes."""

    rule: Required[str]
    column: str
    optional: bool
    nillable: bool
    absent: object
    always: bool
    default: Default


def text(
    name: str,
    element: str,
    *,
    pattern: str = "",
    shortest: int = 1,
    longest: int = 1000,
    **options: Unpack[Options],
) -> Field:
    """A text; pattern and lengths are asked of arguments."""
    return Field(name, _path(element), kinds.Text(pattern, shortest, longest), **options)


def date(name: str, element: str, **options: Unpack[Options]) -> Field:
    """A calendar day in Europe/Riga."""
    return Field(name, _path(element), kinds.Day(), **options)


def month(name: str, element: str, **options: Unpack[Options]) -> Field:
    """A month, held as its first day."""
    return Field(name, _path(element), kinds.Month(), **options)


def boolean(name: str, element: str, **options: Unpack[Options]) -> Field:
    """Yes or no."""
    return Field(name, _path(element), kinds.Boolean(), **options)


def decimal(name: str, element: str, *, places: int, **options: Unpack[Options]) -> Field:
    """A decimal number with so many fraction digits."""
    return Field(name, _path(element), kinds.Number(places), **options)


def integer(
    name: str, element: str, *, least: int = 0, most: int = 999_999_999, **options: Unpack[Options]
) -> Field:
    """A whole number; the limits are asked of arguments."""
    return Field(name, _path(element), kinds.Integer(least, most), **options)


def person_code(name: str, element: str, *, asked: bool = False, **options: Unpack[Options]) -> Field:
    """A personal code; `asked` in a request, where a caller gives it."""
    return Field(name, _path(element), kinds.PersonCode(asked), **options)


def identifier(name: str, element: str, **options: Unpack[Options]) -> Field:
    """A UUID."""
    return Field(name, _path(element), kinds.Identifier(), **options)


def choice(name: str, element: str, words: type[StrEnum], **options: Unpack[Options]) -> Field:
    """One of the contract's own words."""
    return Field(name, _path(element), kinds.Choice(words), **options)


def code(name: str, element: str, codes: CodeList, **options: Unpack[Options]) -> Field:
    """A code with its texts: {Kods, Nosaukums}. The list's text counts, whatever text came with the code."""
    return Field(name, _path(element), kinds.Coded(codes), **options)


def key(name: str, element: str, codes: CodeList, **options: Unpack[Options]) -> Field:
    """A code of which the record keeps the bare code."""
    return Field(name, _path(element), kinds.Coded(codes, key=True), **options)


def flag(name: str, *, of: str, flag: str, rule: str, column: str = "") -> Flag:
    """A yes/no by the code list of another field of the table."""
    return Flag(name, of, flag, rule, column)


def nested(name: str, element: str, table: Table[Any], *, optional: bool = False) -> Field:
    """A record of its own, by a table of its own."""
    return Field(name, _path(element), table, optional=optional)


def many(field: Field, *, minimum: int = 0, optional: bool = False) -> Field:
    """A field that occurs again and again: a tuple in the record. `optional`: its container may be absent."""
    return replace(field, many=True, minimum=minimum, optional=optional, absent=())


def under(prefix: str, fields: Sequence[Field | Flag]) -> tuple[Field | Flag, ...]:
    """The same fields one container further down."""
    return tuple(
        replace(field, path=(*_path(prefix), *field.path)) if isinstance(field, Field) else field
        for field in fields
    )


def _path(element: str) -> tuple[str, ...]:
    return tuple(element.split("/"))
