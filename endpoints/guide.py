"""The OpenAPI document as a page for people, made on the server, with nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape

import errors
from endpoints import problems
from endpoints.openapi import DESCRIPTION
from endpoints.paths import ROOT
from endpoints.schemas import Schema


def page(document: Schema) -> str:
    """The document for people: operations with their arguments and an example, and the table of errors."""
    parts = ["<h1>SPOLIS gateway /api/v1</h1>"]
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in DESCRIPTION.split("\n\n")]
    parts.append(f'<p><a href="{ROOT}/openapi.json">openapi.json</a></p><h2>Darbības / Operations</h2>')
    for path, methods in document["paths"].items():
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
    for code in errors.by_code():
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
