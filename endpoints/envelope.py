"""The JSON of /api/v1, read strictly: what two readers could take differently is refused, with its place.

A place is a JSON path (`$.context.official.id`). It holds names that look like names only, and never a value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from errors import InvalidRequest, MalformedMessage
from exchange import Context, Environment, Json, Official

MOST_DEEP = 16
# The whole numbers that every reader of JSON takes the same (RFC 8785).
_MOST = 2**53 - 1
_NAME = re.compile(r"[A-Za-z_]{1,40}")
# What XML 1.0 and PostgreSQL cannot carry, and halves of surrogate pairs.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OfficialForm(_Strict):
    """Who asks: the person at a desk, not the system."""

    id: Text = Field(description="The official's identifier in his institution.")
    institution: Text = Field(description="Registration number of the institution, 11 digits.")
    role: Text = Field(description="The role in which the official asks.")


class ContextForm(_Strict):
    """Why, for whom and under which rule the request is made; it is kept with the exchange."""

    purpose: Text = Field(description="Purpose of the processing, as granted to the recipient.")
    rule: Annotated[
        str, StringConstraints(pattern=r"^p[0-9]+(\^[0-9]+)?(\.[0-9]+(\^[0-9]+)?)*$", max_length=40)
    ] = Field(description="Rule id of the point of the regulation that the request rests on.")
    official: OfficialForm
    case: Annotated[str, StringConstraints(max_length=100)] = Field(default="", description="Case reference.")
    request_id: Annotated[
        str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    ] = Field(
        description="UUID of this request; the same one again marks a repeat.",
        json_schema_extra={"format": "uuid"},
    )
    environment: Literal["production", "test"] = Field(
        description="The environment that the request is meant for."
    )


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request read: its context, and its arguments as they were given."""

    context: Context
    arguments: dict[str, Json]


def read_envelope(body: bytes) -> Envelope:
    """Read `{"context": {…}, "arguments": {…}}`; arguments may be left out.

    Raises: MalformedMessage, InvalidRequest with the place.
    """
    content = _object(parse(body), "$")
    for name in content:
        if name not in ("context", "arguments"):
            raise InvalidRequest(f"{_place('$', name)} is unknown")
    if "context" not in content:
        raise InvalidRequest("$.context is missing")
    return Envelope(
        _context(content["context"], ("context",)), _object(content.get("arguments", {}), "$.arguments")
    )


def read_context(header: bytes) -> Context:
    """Read the context of a request without a body: JSON, as UTF-8 or in base64.

    Raises: MalformedMessage, InvalidRequest with the place.
    """
    if not header:
        raise InvalidRequest("the header X-Context is missing")
    if not header.lstrip().startswith(b"{"):
        try:
            header = base64.b64decode(header.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
        except binascii.Error as error:
            raise MalformedMessage("X-Context is neither JSON nor base64") from error
    return _context(parse(header), ())


def parse(data: bytes) -> Json:
    """Parse JSON, refusing what readers disagree on: duplicate keys, NaN, fractions, numbers past 2^53, depth.

    Raises: MalformedMessage for what is no JSON in UTF-8, InvalidRequest with the place.
    """
    try:
        raw = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_Pairs,
            parse_float=_Fraction,
            parse_constant=_Fraction,
            parse_int=_whole,
        )
    except RecursionError as error:
        raise InvalidRequest(f"nested deeper than {MOST_DEEP} levels") from error
    except ValueError as error:
        raise MalformedMessage("no JSON in UTF-8") from error
    return _checked(raw, "$", 1)


class _Pairs(list[tuple[str, object]]):
    """An object as it was written, duplicate keys and all."""


class _Fraction(str):
    """A number that is no whole number within bounds."""

    __slots__ = ()


def _whole(text: str) -> int | _Fraction:
    return int(text) if len(text) < 18 and abs(int(text)) <= _MOST else _Fraction(text)


def _checked(raw: object, place: str, depth: int) -> Json:
    if depth > MOST_DEEP:
        raise InvalidRequest(f"nested deeper than {MOST_DEEP} levels")
    if isinstance(raw, _Pairs):
        content: dict[str, Json] = {}
        for name, value in raw:
            inner = _place(place, name)
            if name in content:
                raise InvalidRequest(f"{inner} is given twice")
            _fit(name, inner)
            content[name] = _checked(value, inner, depth + 1)
        return content
    if isinstance(raw, list):
        return [_checked(value, f"{place}[{number}]", depth + 1) for number, value in enumerate(raw)]
    if isinstance(raw, _Fraction):
        raise InvalidRequest(f"{place} is no whole number within 2^53; give amounts as text")
    if isinstance(raw, str):
        return _fit(raw, place)
    if raw is None or isinstance(raw, bool | int):
        return raw
    raise InvalidRequest(f"{place} is of no known kind")


def _fit(text: str, place: str) -> str:
    if _UNFIT.search(text):
        raise InvalidRequest(f"{place} holds a control character or half a character")
    return text


def _place(parent: str, name: str) -> str:
    """The place of a member. A name that does not look like one could be a value that slipped in."""
    return f"{parent}.{name}" if _NAME.fullmatch(name) else f"{parent}.…"


def _object(value: Json, place: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{place} must be an object")
    return value


def _context(value: Json, place: tuple[str, ...]) -> Context:
    try:
        form = ContextForm.model_validate(value)
    except ValidationError as error:
        # Type and place only: the library's own text repeats the value.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = "$"
        for step in (*place, *first["loc"]):
            where = _place(where, str(step))
        raise InvalidRequest(f"{where}: {first['type'].replace('_', ' ')}") from None
    return Context(
        purpose=form.purpose,
        rule=form.rule,
        official=Official(form.official.id, form.official.institution, form.official.role),
        case=form.case,
        request_id=uuid.UUID(form.request_id),
        environment=Environment(form.environment),
    )
