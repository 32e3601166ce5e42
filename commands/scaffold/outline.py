"""A contract as the records and tables that a mapping module will have: names are guessed, types as far as they say.

What is guessed is for a person to put right: Latvian element names become canonical English ones, rules are looked up
in the regulation, a code list is filled from the system's classifiers.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

from wsdl.description import Description, Exchange, Node, Simple

# What stands wherever a person has to decide; `gateway check` and the golden case stay red until it is gone.
TODO = "TODO"
CONTEXT = "Konteksts"
_CODED = ("Kods", "Nosaukums")
_WHOLE = {
    "integer",
    "int",
    "long",
    "short",
    "positiveInteger",
    "nonNegativeInteger",
    "unsignedInt",
    "unsignedShort",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a table: the maker of `mappings.fields`, its further arguments, and how it is kept and simulated.

    `annotation` is the type of the record's attribute without its optionality. `column` is the SQLAlchemy type of its
    register column, "" where none could hold it, "person" for a personal code. `codes` is the constant of its list.
    """

    name: str
    element: str
    maker: str
    annotation: str
    arguments: tuple[str, ...] = ()
    optional: bool = False
    many: bool = False
    minimum: int = 0
    column: str = ""
    codes: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A record with its table: `element` is the one that the table is of."""

    name: str
    element: str
    lines: tuple[Line, ...]
    context: bool = False
    request: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """Everything that the modules of a new system are written from.

    `nested` records stand before those that use them. `words` are the contract's own closed sets, by class name;
    `lists` the code lists by file name.
    """

    nested: tuple[Record, ...]
    operations: tuple[tuple[str, Record, Record], ...]
    words: tuple[tuple[str, tuple[str, ...]], ...]
    lists: tuple[str, ...]


def outline(system: str, described: Description) -> Outline:
    """The outline of a contract."""
    return _Outliner(system).outline(described)


def snake(name: str) -> str:
    """`DokumentaNumurs` as an attribute is written: `dokumenta_numurs`."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", re.sub(r"\W", "_", name)).lower()
    return f"{parts}_" if keyword.iskeyword(parts) else parts


def constant(name: str) -> str:
    """`CheckDocumentRequest` as a table is named: `CHECK_DOCUMENT_REQUEST`."""
    return snake(name).upper()


def is_coded(node: Node) -> bool:
    """Whether an element is a code with its text."""
    return tuple(part.name for part in node.parts) == _CODED


class _Outliner:
    def __init__(self, system: str) -> None:
        self._system = system
        self._nested: dict[str, Record] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        self._lists: dict[str, None] = {}

    def outline(self, described: Description) -> Outline:
        operations = tuple(
            (name, self._request(name, exchange), self._answer(name, exchange))
            for name, exchange in described.operations.items()
        )
        return Outline(
            tuple(self._nested.values()), operations, tuple(self._words.items()), tuple(self._lists)
        )

    def _request(self, name: str, exchange: Exchange) -> Record:
        parts = exchange.request.parts
        own = tuple(part for part in parts if part.name != CONTEXT)
        lines = tuple(self._lines(own, f"{name}Request"))
        return Record(f"{name}Request", exchange.request.name, lines, len(own) < len(parts), request=True)

    def _answer(self, name: str, exchange: Exchange) -> Record:
        lines = tuple(self._lines(exchange.answer.parts, f"{name}Answer"))
        return Record(f"{name}Answer", exchange.answer.name, lines)

    def _lines(self, parts: tuple[Node, ...], holder: str) -> Iterator[Line]:
        for part in parts:
            yield self._line(part, holder)

    def _line(self, part: Node, holder: str) -> Line:
        element, inner, optional = part.name, part, part.least == 0
        # A container with one thing that is repeated is a way to write a list.
        if part.most == 1 and len(part.parts) == 1 and part.parts[0].most != 1:
            inner = part.parts[0]
            element = f"{part.name}/{inner.name}"
        many = inner.most != 1
        one = self._one(inner, element, holder)
        return Line(
            name=snake(part.name),
            element=element,
            maker=one.maker,
            annotation=one.annotation,
            arguments=one.arguments,
            optional=optional,
            many=many,
            minimum=inner.least if many and not optional else 0,
            column="" if many else one.column,
            codes=one.codes,
            said=part.said or inner.said,
        )

    def _one(self, node: Node, element: str, holder: str) -> Line:
        """Maker, annotation and column of one value, whatever its cardinality."""
        if is_coded(node):
            name = f"{self._system}_{snake(node.name)}"
            self._lists[name] = None
            codes = constant(node.name)
            return Line("", element, "code", "Code", (codes,), column="Text()", codes=codes)
        if node.parts or node.simple is None:
            record = self._record(node)
            return Line("", element, "nested", record.name, (constant(record.name),))
        return self._scalar(node, node.simple, element, holder)

    def _record(self, node: Node) -> Record:
        """The record of a complex type; one type is one record, whoever holds it."""
        name = re.sub(r"Structure$", "", node.type) or node.name
        if name not in self._nested:
            lines = tuple(self._lines(node.parts, name))
            self._nested[name] = Record(name, node.name, lines)
        return self._nested[name]

    def _scalar(self, node: Node, simple: Simple, element: str, holder: str) -> Line:
        if simple.words:
            name = re.sub(r"Type$", "", simple.name) or f"{holder}{node.name}"
            self._words[name] = simple.words
            return Line("", element, "choice", name, (name,), column="Text()")
        if "PersonasKods" in (node.name, re.sub(r"Type$", "", simple.name)):
            asked = ("asked=True",) if holder.endswith("Request") else ()
            return Line("", element, "person_code", "str", asked, column="person")
        if simple.name == "UuidType":
            return Line("", element, "identifier", "uuid.UUID", column="Uuid()")
        match simple.base:
            case "date":
                return Line("", element, "day", "date", column="Date()")
            case "gYearMonth":
                return Line("", element, "month", "date", column="Month()")
            case "boolean":
                return Line("", element, "boolean", "bool", column="Boolean()")
            case "decimal":
                places = simple.facet("fractionDigits") or "2"
                return Line("", element, "decimal", "Decimal", (f"places={places}",), column="Exact()")
            case whole if whole in _WHOLE:
                return Line("", element, "integer", "int", column="Integer()")
        return Line("", element, "text", "str", column="Text()")
