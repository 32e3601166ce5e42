"""A mapping table: declared once, it reads, writes, discloses, explains and checks one record.

From the same fields come the canonical record, the message, JSON with only what is permitted, the lineage of every
value (rule → source element → canonical field → register column) and the comparison with the published schema.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

from lxml import etree

from errors import ConfigurationError, InvalidRequest, SchemaViolation, UnexpectedElement, UnknownCode
from exchange import Argument, Arguments, Context, Json, Lineage, today_in_riga
from mappings import plan
from mappings.codes import Code, CodeList
from mappings.coverage import Part, declared, differences
from mappings.fields import Field, Flag
from mappings.kinds import Coded, PersonCode, Scalar
from mappings.plan import Permits
from security.xml import Element
from wsdl import Contract

R = TypeVar("R")

_ARGUMENT_NAME = re.compile(r"[a-z][a-z_]{0,40}", re.ASCII)


class Mapping(Generic[R]):
    """A table between a canonical record and an element with its children.

    A table of a request (`request=True`) holds the caller to account: what it does not know is a SchemaViolation.
    `check` looks at a whole record made of arguments and gives what is wrong with it, or "".
    """

    def __init__(
        self,
        record_type: Callable[..., R],
        namespace: str,
        element: str,
        fields: Sequence[Field | Flag],
        *,
        request: bool = False,
        check: Callable[[R], str] | None = None,
    ) -> None:
        self.record_type = record_type
        self.namespace = namespace
        self.element = element
        self.fields = tuple(fields)
        self.request = request
        self.check = check
        self._elements = tuple(field for field in self.fields if isinstance(field, Field))
        self._flags = tuple((field, self._codes(field)) for field in self.fields if isinstance(field, Flag))
        self._tag = f"{{{namespace}}}{element}"
        self._node = plan.compile_fields(namespace, self._elements)
        self._absent = {field.name: field.absent for field in self._elements}
        self._many = tuple(field.name for field in self._elements if field.many)
        self.part = Part(element, required=True, many=False, parts=plan.parts(self._node))
        self._leaves = tuple(self._find_leaves())
        self.mandatory = tuple(
            field.name for field in self._elements if field.required and field.default is None
        )
        self._lineages: dict[str, tuple[Lineage, ...]] = {}
        self.version = hashlib.sha256(self._signature().encode()).hexdigest()[:12]

    def read(self, element: Element) -> R:
        """Read a message's element into a record.

        Raises: UnexpectedElement, UnknownCode with the element's path; for a request SchemaViolation,
        InvalidPersonCode.
        """
        try:
            if element.tag != self._tag:
                raise UnexpectedElement(plan.path(element, element))
            return self.read_part(element, element)
        except (UnexpectedElement, UnknownCode) as error:
            if self.request:
                raise SchemaViolation(error.detail) from error
            raise

    def write(self, record: R, permits: Permits | None = None) -> Element:
        """Write a record as an element, without the fields whose rule is not permitted.

        Raises: InvalidRequest naming a field whose value is missing or cannot stand in XML.
        """
        element = etree.Element(self._tag, nsmap={None: self.namespace})
        plan.write(self._node, element, record, permits)
        return element

    def json(self, record: R, permits: Permits | None = None) -> dict[str, Json]:
        """A record in JSON: Decimal as "12.34", dates ISO, a code with its texts; not permitted is absent."""
        given: dict[str, Json] = {}
        for field in self.fields:
            value = getattr(record, field.name)
            if isinstance(field, Flag):
                if permits is None or permits(field.rule):
                    given[field.name] = value
            elif plan.permitted(field, permits):
                given[field.name] = (
                    [_json(field, one, permits) for one in value]
                    if field.many
                    else _json(field, value, permits)
                )
        return given

    def from_json(
        self,
        values: abc.Mapping[str, object],
        context: Context | None = None,
        *,
        today: date | None = None,
    ) -> R:
        """A record from the arguments of a call; what is left out takes its default by `today` (in Riga).

        Raises: InvalidRequest naming the argument, InvalidPersonCode.
        """
        record = self._take(values, context, today or today_in_riga(), "")
        wrong = self.check(record) if self.check is not None else ""
        if wrong:
            raise InvalidRequest(wrong)
        return record

    def arguments(self, record: R) -> Arguments:
        """The arguments that a request's record was made of: everything but its context and what was left out.

        A value of a code list is its code.
        """
        found: dict[str, Argument] = {}
        for field in self._elements:
            value = getattr(record, field.name)
            if value not in (None, ()) and not (field.name == "context" and self.request):
                found[field.name] = (
                    tuple(_argument(field, one) for one in value) if field.many else _argument(field, value)
                )
        return found

    def persons(self, record: R) -> Iterator[str]:
        """Every personal code that a record names, in the order of the table."""
        for field in self._elements:
            value = getattr(record, field.name)
            for one in value if field.many else (value,):
                if one is not None and isinstance(field.kind, PersonCode):
                    yield one
                elif one is not None and isinstance(field.kind, Mapping):
                    yield from field.kind.persons(one)

    def withheld(self, permits: Permits) -> tuple[str, ...]:
        """The canonical names of all fields that are not permitted, whether the record has a value or not."""
        return tuple(name for name, field, _ in self._leaves if not field.always and not permits(field.rule))

    def lineage(self, source: str) -> tuple[Lineage, ...]:
        """Where every field comes from, in the order of the table."""
        if source not in self._lineages:
            self._lineages[source] = tuple(
                Lineage(name, field.rule, source, element, field.column)
                for name, field, element in self._leaves
            )
        return self._lineages[source]

    def problems(self, contract: Contract) -> list[str]:
        """What the table and the published schema disagree on, with paths; empty when they agree."""
        if contract.namespace != self.namespace:
            return [f"/{self.element}: in the namespace of another contract"]
        published = declared(contract.xsd, self.element)
        if published is None:
            return [f"/{self.element}: no such element in the schema"]
        return list(differences(self.part, published))

    def gives(self, permits: Permits) -> bool:
        """Whether any field may leave."""
        return any(field.always or permits(field.rule) for _, field, _ in self._leaves)

    def given(self, namespace: str, element: str) -> Mapping[R]:
        """The same table in a contract of ours, where any field may be withheld: every element may be absent."""
        return Mapping(
            self.record_type,
            namespace,
            element,
            [
                replace(
                    field,
                    kind=field.kind.given(namespace, field.kind.element)
                    if isinstance(field.kind, Mapping)
                    else field.kind,
                    optional=True,
                    nillable=False,
                    absent=() if field.many else None,
                    minimum=0,
                    default=None,
                    always=False,
                )
                if isinstance(field, Field)
                else field
                for field in self.fields
            ],
        )

    def read_part(self, element: Element, root: Element) -> R:
        """Read an element whatever its name; paths in errors begin at `root`."""
        values: dict[str, Any] = dict(self._absent)
        for name in self._many:
            del values[name]
        plan.read(self._node, element, root, values)
        for name in self._many:
            values[name] = tuple(values.get(name, ()))
        return self._made(values)

    def write_part(self, element: Element, record: R, permits: Permits | None) -> None:
        """Write the fields of a record below an element that is there."""
        plan.write(self._node, element, record, permits)

    def _take(self, values: abc.Mapping[str, object], context: Context | None, today: date, where: str) -> R:
        names = {field.name for field in self._elements if not (field.name == "context" and self.request)}
        for name in values:
            if name not in names:
                shown = name if isinstance(name, str) and _ARGUMENT_NAME.fullmatch(name) else "an argument"
                raise InvalidRequest(f"{where}{shown} is not known")
        taken: dict[str, Any] = {}
        for field in self._elements:
            if field.name not in names:
                if context is None:
                    raise InvalidRequest("context is missing")
                taken[field.name] = context
            elif (value := values.get(field.name)) is not None:
                taken[field.name] = _take(field, value, today, f"{where}{field.name}")
        for field in self._elements:
            if field.name not in taken:
                if field.required and field.default is None:
                    raise InvalidRequest(f"{where}{field.name} is missing")
                taken[field.name] = field.default(taken, today) if field.default else field.absent
        return self._made(taken)

    def _made(self, values: dict[str, Any]) -> R:
        for field, codes in self._flags:
            code = values[field.of]
            values[field.name] = codes.flags[field.flag][code.code] if code is not None else None
        return self.record_type(**values)

    def _codes(self, flag: Flag) -> CodeList:
        for field in self._elements:
            if (
                field.name == flag.of
                and isinstance(field.kind, Coded)
                and flag.flag in field.kind.codes.flags
            ):
                return field.kind.codes
        raise ConfigurationError(f"{flag.name}: no code list has the column {flag.flag} for {flag.of}")

    def _find_leaves(self) -> Iterator[tuple[str, Field | Flag, str]]:
        """Every field that holds a value: canonical path, field, element path."""
        paths = {field.name: "/".join(field.path) for field in self._elements}
        for field in self.fields:
            if isinstance(field, Flag):
                yield field.name, field, f"/{self.element}/{paths[field.of]}"
                continue
            element = f"/{self.element}/{paths[field.name]}"
            if isinstance(field.kind, Scalar | Coded):
                yield field.name, field, element
                continue
            name = f"{field.name}[]" if field.many else field.name
            for inner, leaf, below in field.kind._leaves:
                yield f"{name}.{inner}", leaf, element + below.removeprefix(f"/{field.kind.element}")

    def _signature(self) -> str:
        lines = [self._tag]
        for field in self.fields:
            if isinstance(field, Flag):
                lines.append(repr(field))
                continue
            kind = field.kind if isinstance(field.kind, Scalar | Coded) else field.kind._signature()
            lines.append(
                f"{field.name} {'/'.join(field.path)} {kind} {field.rule} {field.column} {field.optional} "
                f"{field.nillable} {field.absent!r} {field.always} {field.many} {field.minimum}"
            )
        return "\n".join(lines)


def plain(values: abc.Mapping[str, object]) -> dict[str, Json]:
    """Arguments in JSON's own types: dates ISO, Decimal and UUID as text, tuples as lists."""
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, abc.Mapping):
        return plain(value)
    if isinstance(value, Iterable):
        return [_plain(one) for one in value]
    raise InvalidRequest(f"{type(value).__name__} is no argument")


def _json(field: Field, value: Any, permits: Permits | None) -> Json:
    if value is None:
        return None
    kind = field.kind
    return kind.json(value) if isinstance(kind, Scalar | Coded) else kind.json(value, permits)


def _argument(field: Field, value: Any) -> Argument:
    if isinstance(field.kind, Mapping):
        return field.kind.arguments(value)
    given: Argument = value.code if isinstance(value, Code) else value
    return given


def _take(field: Field, value: object, today: date, where: str) -> object:
    if not field.many:
        return _take_one(field, value, today, where)
    # On a command line several values of an argument are written with commas.
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or len(given) > 1000:
        raise InvalidRequest(f"{where}: a list is wanted")
    if len(given) < field.minimum:
        raise InvalidRequest(f"{where} is missing")
    return tuple(_take_one(field, one, today, f"{where}[]") for one in given)


def _take_one(field: Field, value: object, today: date, where: str) -> object:
    kind = field.kind
    if isinstance(kind, Scalar | Coded):
        try:
            return kind.take(value)
        except ValueError as error:
            raise InvalidRequest(f"{where}: {error}") from error
    if not isinstance(value, abc.Mapping):
        raise InvalidRequest(f"{where}: an object is wanted")
    return kind._take(value, None, today, f"{where}.")
