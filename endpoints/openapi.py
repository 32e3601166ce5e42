"""The OpenAPI 3.1 document of /api/v1, made from what is discovered: adapters, mapping tables, registers, errors.

Nothing in it is written twice: a field added to a mapping table stands in the document, with its rule.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import errors
import registers
from audit.receipts import HEADER as RECEIPT
from endpoints import problems
from endpoints.envelope import ContextForm, read_context
from endpoints.paths import REGISTERS, ROOT, kebab
from endpoints.schemas import (
    PERSON_CODE,
    Schema,
    arguments_schema,
    criteria_schema,
    record_schema,
    register_schema,
    sample,
    sample_arguments,
)
from gateway import Gateway
from mappings.mapping import Mapping
from registers import Register
from routing.followed_registers import ARGUMENTS as FOLLOWED
from routing.person_services import LISTS
from routing.person_services import OPERATION as LIST_SERVICES
from routing.register_routes import operation_name

_ID = "0192f3a0-5c1e-7000-8000-000000000001"
_UUID: Schema = {"type": "string", "format": "uuid"}

SAMPLE_CONTEXT: Schema = {
    "purpose": "social-service",
    "rule": "p8",
    "official": {"id": "A-17", "institution": "90000022632", "role": "case-worker"},
    "case": "L-2026/118",
    "request_id": "0192f3a0-5c1e-7000-8000-00000000000a",
    "environment": "test",
}

_SAMPLE = read_context(json.dumps(SAMPLE_CONTEXT).encode())

DESCRIPTION = """\
Data of state systems and registers, for SPOLIS core. Every request states its context: who asks, why, under which rule.
A field without a permission is absent and is named in `withheld`. Every answer has `X-Exchange-Id`, under which the
exchange log has it. `x-rule` names the point of Cabinet Regulation 587 that a field rests on.

A repeated `request_id` with the same content is safe: where a register is written it gets the first answer again."""

# What HTTP itself answers before an exchange begins.
_BEFORE = {405: "invalid_request", 413: "too_large", 415: "invalid_request", 429: "busy"}


def document(gateway: Gateway) -> Schema:
    """The whole document."""
    paths: Schema = {}
    for adapter in gateway.adapters.values():
        for operation in adapter.operations:
            selection = operation.selection.argument if operation.selection else None
            paths[f"{ROOT}/{adapter.name}/{kebab(operation.name)}"] = _posted(
                adapter.name,
                operation.name,
                _sentence(operation.answer.record_type),
                arguments_schema(operation.request, selection),
                record_schema(operation.answer),
                operation.request,
            )
    for name, writable in registers.WRITES.items():
        written = record_schema(writable.table)
        written["properties"] = {"id": _UUID, **written["properties"]}
        paths[f"{ROOT}/{REGISTERS}/{name}"] = _posted(
            REGISTERS,
            operation_name("Write", name),
            f"Writes a record: {writable.identity}. One effect for one request_id.",
            arguments_schema(writable.table),
            written,
            writable.table,
        )
    for register in registers.REGISTERS.values():
        paths |= _register_paths(register)
    paths[f"{ROOT}/{REGISTERS}/list-services"] = _posted(
        REGISTERS,
        LIST_SERVICES,
        "All services of one person, state and municipal.",
        _object({"person_code": PERSON_CODE}, required=["person_code"]),
        _object(
            {
                name: {"type": "array", "items": register_schema(registers.register(register))}
                for name, register in LISTS.items()
            },
            required=list(LISTS),
        ),
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SPOLIS gateway",
            "version": metadata.version("spolis-gateway"),
            "description": DESCRIPTION,
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name} for name in (*gateway.adapters, REGISTERS)],
        "paths": paths,
        "components": _components(),
    }


def to_json(content: Schema) -> bytes:
    """The document as it is served."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _posted(
    system: str,
    operation: str,
    summary: str,
    arguments: Schema,
    record: Schema,
    taken_by: Mapping[Any] | None = None,
) -> Schema:
    needed = (
        ["context", "arguments"] if "required" in arguments or "minProperties" in arguments else ["context"]
    )
    body = _object(
        {"context": {"$ref": "#/components/schemas/Context"}, "arguments": arguments}, required=needed
    )
    if taken_by is not None:
        given = sample_arguments(taken_by, arguments, _SAMPLE)
    else:
        # One criterion is enough: an example with all of them would find nobody.
        criterion = next(iter(arguments["properties"]))
        given = {criterion: sample(arguments["properties"][criterion], criterion)}
    return {
        "post": {
            **_named(system, operation, summary),
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": body,
                        "example": {"context": SAMPLE_CONTEXT, "arguments": given},
                    }
                },
            },
            "responses": _responses(record),
        }
    }


def _register_paths(register: Register) -> Schema:
    row = register_schema(register)
    rows = _object({"rows": {"type": "array", "items": row}}, required=["rows"])
    name = "".join(part.capitalize() for part in register.name.split("-"))
    search = _posted(
        REGISTERS,
        f"Search{name}",
        f"Rows of the register {register.name} that meet all criteria.",
        criteria_schema(register),
        rows,
    )
    read: Schema = {
        **_named(
            REGISTERS,
            f"Read{name}",
            f"One thing of the register {register.name}: the current version, or all.",
        ),
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "schema": _UUID,
                "description": "Never a personal code.",
            },
            {
                "name": "history",
                "in": "query",
                "schema": {"type": "boolean", "default": False},
                "description": "All versions, newest first, instead of the current one.",
            },
            {
                "name": "X-Context",
                "in": "header",
                "required": True,
                "description": "The context as JSON, as it is in UTF-8 or in base64.",
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/Context"},
                        "example": SAMPLE_CONTEXT,
                    }
                },
            },
        ],
        "responses": _responses({"anyOf": [row, rows]}),
    }
    paths: Schema = {
        f"{ROOT}/{REGISTERS}/{register.name}/search": search,
        f"{ROOT}/{REGISTERS}/{register.name}/{{id}}": {"get": read},
    }
    if register.followed:
        paths[f"{ROOT}/{REGISTERS}/{register.name}/changes"] = _posted(
            REGISTERS,
            f"Follow{name}",
            f"What has changed in the register {register.name} since a day, oldest first, page by page.",
            arguments_schema(FOLLOWED),
            _object(
                {
                    "rows": {"type": "array", "items": row},
                    "next": {
                        "anyOf": [_UUID, {"type": "null"}],
                        "description": "Where the next page begins: its `after`.",
                    },
                },
                required=["rows", "next"],
            ),
            FOLLOWED,
        )
    return paths


def _named(system: str, operation: str, summary: str) -> Schema:
    return {"operationId": f"{system}.{operation}", "summary": summary, "tags": [system]}


def _responses(record: Schema) -> Schema:
    answer = _object(
        {
            "exchange_id": _UUID,
            "record": record,
            "withheld": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Fields that were not given, by their path.",
            },
        },
        required=["exchange_id", "record", "withheld"],
    )
    example: Schema = {"exchange_id": _ID, "record": sample(record), "withheld": []}
    headers: Schema = {
        "X-Exchange-Id": {"$ref": "#/components/headers/ExchangeId"},
        RECEIPT: {"$ref": "#/components/headers/Receipt"},
    }
    given: Schema = {
        "200": {
            "description": "What may be given.",
            "headers": headers,
            "content": {"application/json": {"schema": answer, "example": example}},
        }
    }
    for status in sorted({error.status for error in errors.by_code().values()} | set(_BEFORE)):
        given[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return given


def _components() -> Schema:
    codes: dict[int, list[str]] = {status: [code] for status, code in _BEFORE.items()}
    for code, error in errors.by_code().items():
        if code not in codes.setdefault(error.status, []):
            codes[error.status].append(code)
    return {
        "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "The key that `gateway caller add` shows once.",
            }
        },
        "headers": {
            "ExchangeId": {
                "description": "The id of this exchange. A repeat has one of its own; its body names the first.",
                "required": True,
                "schema": _UUID,
            },
            "Receipt": {
                "description": "The log's signed word for the record of this exchange: keep it. "
                "`gateway audit receipt` says what became of it.",
                "schema": {"type": "string"},
            },
            "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
        },
        "schemas": {"Context": _context_schema(), "Problem": _problem_schema(codes)},
        "responses": {
            f"Problem{status}": _problem_response(status, names) for status, names in sorted(codes.items())
        },
    }


def _context_schema() -> Schema:
    schema: Schema = json.loads(json.dumps(ContextForm.model_json_schema()))
    # The one nested model is put in its place, so that the schema stands alone.
    nested = schema.pop("$defs")
    schema["properties"]["official"] = nested["OfficialForm"]
    return {**schema, "example": SAMPLE_CONTEXT}


def _problem_schema(codes: dict[int, list[str]]) -> Schema:
    every = [code for status in sorted(codes) for code in codes[status]]
    return _object(
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "enum": list(dict.fromkeys(every))},
            "exchange_id": _UUID,
            "retryable": {"type": "boolean"},
            "retry_after": {"type": ["integer", "null"], "description": "Seconds."},
            "detail": {"type": "string", "description": "The place in the message, never a value."},
        },
        required=["type", "title", "status", "code", "exchange_id", "retryable", "retry_after"],
    )


def _problem_response(status: int, codes: list[str]) -> Schema:
    examples: Schema = {}
    for code in codes:
        known = problems.about(code)
        examples[code] = {
            "value": {
                "type": known["type"],
                "title": known["title_en"],
                "status": status,
                "code": code,
                "exchange_id": _ID,
                "retryable": known["retryable"],
                "retry_after": 1 if known["retryable"] else None,
            }
        }
    return {
        "description": "Refused: " + ", ".join(codes),
        "headers": {
            "X-Exchange-Id": {"$ref": "#/components/headers/ExchangeId"},
            RECEIPT: {"$ref": "#/components/headers/Receipt"},
            "Retry-After": {"$ref": "#/components/headers/RetryAfter"},
        },
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": examples,
            }
        },
    }


def _object(properties: Schema, *, required: Iterable[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _sentence(record: object) -> str:
    """The first sentence of a record's docstring."""
    return " ".join((inspect.getdoc(record) or "").partition("\n\n")[0].split()).partition(" Source:")[0]
