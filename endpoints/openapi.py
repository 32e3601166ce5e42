"""The OpenAPI 3.1 document of /api/v1, made from what is discovered: adapters, mapping tables, registers, errors.

Nothing in it is written twice: a field added to a mapping table stands in the document, with its rule.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from html import escape
from importlib import metadata

import registers
from endpoints import problems
from endpoints.envelope import ContextForm
from endpoints.paths import REGISTERS, ROOT, kebab
from endpoints.schemas import (
    Schema,
    arguments_schema,
    criteria_schema,
    record_schema,
    register_schema,
    sample,
)
from gateway import Gateway
from mappings.care_stays import CARE_STAY
from registers import Register

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

_DESCRIPTION = """\
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
            )
    written = record_schema(CARE_STAY)
    written["properties"] = {"id": _UUID, **written["properties"]}
    paths[f"{ROOT}/{REGISTERS}/care-stays"] = _posted(
        REGISTERS,
        "WriteCareStays",
        "Writes a stay; the same person, institution and first day are the same stay. One effect for one request_id.",
        arguments_schema(CARE_STAY),
        written,
    )
    for register in registers.REGISTERS.values():
        paths |= _register_paths(register)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SPOLIS gateway",
            "version": metadata.version("spolis-gateway"),
            "description": _DESCRIPTION,
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


def _posted(system: str, operation: str, summary: str, arguments: Schema, record: Schema) -> Schema:
    body = _object(
        {"context": {"$ref": "#/components/schemas/Context"}, "arguments": arguments},
        required=[
            "context",
            *(["arguments"] if arguments.get("required") or "minProperties" in arguments else []),
        ],
    )
    example: Schema = {"context": SAMPLE_CONTEXT, "arguments": sample(arguments)}
    return {
        "post": {
            **_named(system, operation, summary),
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": body, "example": example}},
            },
            "responses": _responses(record),
        }
    }


def _register_paths(register: Register) -> Schema:
    row = register_schema(register)
    rows = _object({"rows": {"type": "array", "items": row}}, required=["rows"])
    name = "".join(part.capitalize() for part in register.name.split("-"))
    criteria = criteria_schema(register)
    search = _posted(
        REGISTERS,
        f"Search{name}",
        f"Rows of the register {register.name} that meet all criteria.",
        criteria,
        rows,
    )
    # One criterion is enough: an example with all of them would find nobody.
    criterion = next(iter(criteria["properties"]))
    search["post"]["requestBody"]["content"]["application/json"]["example"] = {
        "context": SAMPLE_CONTEXT,
        "arguments": {criterion: sample(criteria["properties"][criterion], criterion)},
    }
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
    return {
        f"{ROOT}/{REGISTERS}/{register.name}/search": search,
        f"{ROOT}/{REGISTERS}/{register.name}/{{id}}": {"get": read},
    }


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
    headers: Schema = {"X-Exchange-Id": {"$ref": "#/components/headers/ExchangeId"}}
    given: Schema = {
        "200": {
            "description": "What may be given.",
            "headers": headers,
            "content": {"application/json": {"schema": answer, "example": example}},
        }
    }
    for status in sorted({error.status for error in problems.by_code().values()} | set(_BEFORE)):
        given[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return given


def _components() -> Schema:
    codes: dict[int, list[str]] = {status: [code] for status, code in _BEFORE.items()}
    for code, error in problems.by_code().items():
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
            "Retry-After": {"$ref": "#/components/headers/RetryAfter"},
        },
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": examples,
            }
        },
    }


def page(content: Schema) -> str:
    """The same for people: operations with their arguments and an example, and the table of errors."""
    parts = ["<h1>SPOLIS gateway /api/v1</h1>"]
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in _DESCRIPTION.split("\n\n")]
    parts.append(f'<p><a href="{ROOT}/openapi.json">openapi.json</a></p><h2>Darbības / Operations</h2>')
    for path, methods in content["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h3><code>{method.upper()} {escape(path)}</code></h3>")
            parts.append(f"<p>{escape(operation['summary'])}</p>")
            if "requestBody" in operation:
                media = operation["requestBody"]["content"]["application/json"]
                parts.append(_arguments_table(media["schema"]["properties"]["arguments"]))
                parts.append(
                    f"<pre>{escape(json.dumps(media['example'], ensure_ascii=False, indent=2))}</pre>"
                )
    parts.append(
        "<h2>Kļūdas / Errors</h2><table><tr><th>code</th><th>HTTP</th><th>latviski</th><th>English</th></tr>"
    )
    for code in problems.by_code():
        known = problems.about(code)
        cells = (known["status"], known["title_lv"], known["title_en"])
        row = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        parts.append(f'<tr><td><a href="/problems/{code}"><code>{code}</code></a></td>{row}</tr>')
    return problems.document("SPOLIS gateway /api/v1", "".join([*parts, "</table>"]))


def _arguments_table(arguments: Schema) -> str:
    rows = []
    for name, schema in arguments["properties"].items():
        kind = schema.get("type") or " / ".join(str(one.get("type")) for one in schema["anyOf"])
        cells = (kind, schema.get("x-rule", ""))
        row = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        rows.append(f"<tr><td><code>{escape(name)}</code></td>{row}</tr>")
    return f"<table><tr><th>arguments</th><th></th><th>rule</th></tr>{''.join(rows)}</table>"


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
