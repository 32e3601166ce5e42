"""JSON schemas of arguments and records, made from mapping tables and registers; and samples that fit them.

A field that may not be given is absent, so nothing in a record is required. Persons in samples are invented.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Integer

from errors import ConfigurationError, InvalidRequest
from exchange import Context, Json
from mappings import kinds
from mappings.codes import CodeList
from mappings.fields import Field, Flag
from mappings.mapping import Mapping as Table
from registers import Register
from registers.history import Exact, Month, Texts

# A JSON schema is free-form by its nature: what stands in it is known to who wrote it.
Schema = dict[str, Any]

PERSON_CODE: Schema = {"type": "string", "pattern": "^[0-9]{6}-?[0-9]{5}$"}
_DATE: Schema = {"type": "string", "format": "date"}
_MONTH: Schema = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_ID: Schema = {"type": "string", "format": "uuid"}

# Texts that read like the field they stand for; any other text is "Paraugs".
_TEXTS = {
    "given_names": "Anna",
    "family_name": "Paraudziņa",
    "nationality": "LVA",
    "country": "LVA",
    "number": "PA0000017",
    "varis_code": "100003003",
    "code": "100003003",
    "text": "Brīvības iela 1, Rīga, LV-1010",
    "institution_address": "Krasta iela 1, Rīga, LV-1003",
    "postcode": "LV-1010",
    "registration_number": "40000000000",
}


def arguments_schema(table: Table[Any], selection: str | None = None) -> Schema:
    """The arguments of an operation; its context is not one of them.

    `selection` names the argument that may be left out, which then becomes all that is granted.
    """
    taken = _arguments(table)
    return _object(
        {field.name: _taken(field) for field in taken},
        required=[f.name for f in taken if f.required and f.default is None and f.name != selection],
        description=_description(table),
    )


def record_schema(table: Table[Any]) -> Schema:
    """A canonical record as it is given."""
    properties: dict[str, Schema] = {}
    for field in table.fields:
        if isinstance(field, Flag):
            properties[field.name] = {"type": ["boolean", "null"], **_rule(field)}
        else:
            properties[field.name] = _given(field)
    return _object(properties, required=[], description=_description(table))


def register_schema(register: Register) -> Schema:
    """A row of a register as it is given, with its parts."""
    properties: dict[str, Schema] = {"id": _ID}
    if "person_id" in register.table.columns or register.parts:
        properties["person_id"] = _ID
    for name, rule in register.fields.items():
        column = register.table.columns[name]
        properties[name] = {**_column(column), "x-rule": rule}
    for name, own in zip(("valid_from", "valid_to"), register.valid or (), strict=False):
        properties[name] = {**properties[own]}
    properties["recorded_at"] = _INSTANT
    properties["superseded_at"] = _nullable(_INSTANT)
    properties["provenance"] = _object(
        {
            "exchange_id": _ID,
            "source": {"type": "string"},
            "contract_version": {"type": "string"},
            "mapping_version": {"type": "string"},
        },
        required=[],
        description="The exchange that brought the row, by whose contract and mapping table.",
    )
    for name, part in register.parts.items():
        inner = register_schema(part.register)
        # In a history all versions of a part are listed, also of one that is single otherwise.
        listed: Schema = {"type": "array", "items": inner}
        properties[name] = {"anyOf": [inner, {"type": "null"}, listed]} if part.single else listed
    return _object(properties, required=[], description="")


def criteria_schema(register: Register) -> Schema:
    """What a register may be searched by, with limit and offset."""
    properties: dict[str, Schema] = {}
    if "person_id" in register.table.columns or register.parts:
        properties["person_code"] = PERSON_CODE
    for name, column in register.criteria.items():
        wanted = _one_column(column, bare=True)
        if isinstance(column.type, Date):
            span = _object({"from": wanted, "to": wanted}, required=[], description="Both included.")
            wanted = {"anyOf": [wanted, {**span, "minProperties": 1}]}
        properties[name] = {**wanted, "x-rule": column.info["rule"]}
    properties["limit"] = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    properties["offset"] = {"type": "integer", "minimum": 0, "default": 0}
    return {**_object(properties, required=[], description="Criteria; all must be met."), "minProperties": 1}


def sample_arguments(table: Table[Any], schema: Schema, context: Context) -> Json:
    """Arguments that the table takes: all, or as many as go together.

    Raises: ConfigurationError when none of the samples is taken, so that no example stands that does not work.
    """
    every = {name: sample(inner, name) for name, inner in schema["properties"].items()}
    least = {name: value for name, value in every.items() if name in schema.get("required", ())}
    all_but_one = [{other: value for other, value in every.items() if other != name} for name in every]
    least_and_one = [{**least, name: value} for name, value in every.items()]
    for candidate in (every, *all_but_one, *least_and_one, least):
        try:
            table.from_json(candidate, context=context)
        except InvalidRequest:
            continue
        return candidate
    raise ConfigurationError(f"no example can be made for {table.element}")


def sample(schema: Schema, name: str = "") -> Json:
    """A value that fits a schema, with everything in it."""
    if "enum" in schema:
        first: Json = schema["enum"][0]
        return first
    if "examples" in schema:
        example: Json = schema["examples"][0]
        return example
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], name)
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {key: sample(inner, key) for key, inner in schema["properties"].items()}
        case "array":
            return [sample(schema["items"], name)]
        case "boolean":
            return True
        case "integer":
            return max(1, int(schema.get("minimum", 1)))
    return _sample_text(schema, name)


def _sample_text(schema: Schema, name: str) -> str:
    patterned = {PERSON_CODE["pattern"]: "321987-60017", _MONTH["pattern"]: "2026-01"}
    if schema.get("pattern") in patterned:
        return patterned[schema["pattern"]]
    match schema.get("format"):
        case "date":
            return "2026-01-31"
        case "date-time":
            return "2026-01-31T08:00:00.000000Z"
        case "uuid":
            return "0192f3a0-5c1e-7000-8000-000000000001"
    return _TEXTS.get(name, "Paraugs")


def _arguments(table: Table[Any]) -> list[Field]:
    return [
        field
        for field in table.fields
        if isinstance(field, Field) and not (field.name == "context" and table.request)
    ]


def _taken(field: Field) -> Schema:
    kind = field.kind
    schema: Schema
    if isinstance(kind, kinds.Coded):
        schema = {
            "type": "string",
            "enum": [code.code for code in kind.codes],
            "x-code-list": kind.codes.name,
        }
    elif isinstance(kind, kinds.Scalar):
        schema = _scalar(kind)
    else:
        schema = arguments_schema(kind)
    if field.many:
        schema = {"type": "array", "items": schema, "minItems": field.minimum if field.default is None else 0}
    return {**schema, **_rule(field)}


def _given(field: Field) -> Schema:
    kind = field.kind
    schema: Schema
    if isinstance(kind, kinds.Coded):
        schema = (
            {"type": "string", "enum": [code.code for code in kind.codes], "x-code-list": kind.codes.name}
            if kind.key
            else _code(kind.codes)
        )
    elif isinstance(kind, kinds.Scalar):
        schema = _scalar(kind)
    else:
        schema = record_schema(kind)
    if field.many:
        return {"type": "array", "items": schema, **_rule(field)}
    return {**(_nullable(schema) if field.optional or field.nillable else schema), **_rule(field)}


def _scalar(kind: kinds.Scalar) -> Schema:
    """Raises: TypeError for a kind that is not described here yet: the document must not lack it silently."""
    match kind:
        case kinds.Text():
            schema: Schema = {"type": "string", "minLength": kind.shortest, "maxLength": kind.longest}
            return {**schema, "pattern": f"^(?:{kind.pattern})$"} if kind.pattern else schema
        case kinds.Day():
            return _DATE
        case kinds.Month():
            return _MONTH
        case kinds.Boolean():
            return {"type": "boolean"}
        case kinds.Number():
            return {
                "type": "string",
                "format": "decimal",
                "pattern": rf"^-?[0-9]+\.[0-9]{{{kind.places}}}$",
                "examples": [f"{412.35:.{kind.places}f}"],
            }
        case kinds.Integer():
            return {"type": "integer", "minimum": kind.least, "maximum": kind.most}
        case kinds.PersonCode():
            return PERSON_CODE
        case kinds.Identifier():
            return _ID
        case kinds.Choice():
            return {"type": "string", "enum": [str(word) for word in kind.words]}
    raise TypeError(f"no JSON schema for the kind {type(kind).__name__}")


def _code(codes: CodeList) -> Schema:
    """A code never travels without its texts."""
    texts: Mapping[str, Schema] = {
        "code": {"type": "string", "enum": [code.code for code in codes]},
        "text_lv": {"type": "string"},
        "text_en": {"type": "string"},
    }
    return {**_object(texts, required=list(texts), description=""), "x-code-list": codes.name}


def _column(column: Column[Any]) -> Schema:
    schema = _one_column(column, bare=False)
    return _nullable(schema) if column.nullable else schema


def _one_column(column: Column[Any], *, bare: bool) -> Schema:
    """The value of a register's column; `bare` as a criterion, where a code stands alone."""
    codes: CodeList | None = column.info.get("codes")
    if codes is not None:
        one = {"type": "string", "enum": [code.code for code in codes]} if bare else _code(codes)
        return {"type": "array", "items": one} if isinstance(column.type, Texts) else one
    match column.type:
        case Month():
            return _MONTH
        case Date():
            return _DATE
        case Boolean():
            return {"type": "boolean"}
        case Integer():
            return {"type": "integer"}
        case Exact():
            return {"type": "string", "format": "decimal", "examples": ["412.35"]}
        case Texts():
            return {"type": "array", "items": {"type": "string"}}
        case JSON():
            return {"type": "array", "items": {}}
    return {"type": "string"}


def _nullable(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Mapping[str, Schema], *, required: list[str], description: str) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if required:
        schema["required"] = required
    if description:
        schema["description"] = description
    return schema


def _rule(field: Field | Flag) -> Schema:
    return {"x-rule": field.rule} if field.rule else {}


def _description(table: Table[Any]) -> str:
    """What the record's docstring says, without its sources."""
    text = inspect.getdoc(table.record_type) or ""
    return " ".join(text.partition("\n\n")[0].split())
