"""How the answers to questions of auditors are printed: records that were found, and the report to a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click

from audit.search import Found
from commands import print_json
from commands.rendering import Form, print_rows, table
from exchange import RIGA, Json
from questions.report import Report

_SHOWN = ("instant", "kind", "system", "operation", "institution", "outcome", "exchange")
_CSV = (
    *("instant", "kind", "system", "operation", "institution", "role", "caller", "recipient", "purpose"),
    *("rule", "outcome", "code", "act", "exchange"),
)
_PERSONAL = ("official", "case", "subject", "selection")
_REPORT = ("instant", "institution", "role", "purpose", "rule", "asked", "given", "withheld", "source")


def print_found(found: Sequence[Found], values: Sequence[Mapping[str, Json]] | None, form: Form) -> None:
    """Print records; with `values` the personal ones too, in the order of the records."""
    beside = values or [{} for _ in found]
    if form is Form.JSON:
        shown: list[Json] = []
        for one, more in zip(found, beside, strict=True):
            shown.append(one.json() | ({} if values is None else {"values": dict(more)}))
        print_json(shown)
        return
    names = _CSV if form is Form.CSV else _SHOWN
    personal = _PERSONAL if values is not None else ()
    rows = [
        (
            told(one.index),
            *(told(one.leaf.get(name)) for name in names),
            *(told(more.get(name)) for name in personal),
        )
        for one, more in zip(found, beside, strict=True)
    ]
    heads = ("index", *names, *personal)
    if form is Form.CSV:
        click.echo(table("records", heads, [tuple(map(_in_a_sheet, row)) for row in rows], form), nl=False)
    else:
        print_rows(heads, rows)


def print_report(report: Report, form: Form) -> None:
    """Print the report to a person."""
    if form is Form.JSON:
        print_json(report.json())
    elif form is Form.CSV:
        heads = (*_REPORT, "outcome", "exchange")
        rows = [
            (
                f"{entry.instant.astimezone(RIGA):%Y-%m-%d %H:%M:%S}",
                *(
                    "; ".join(value) if isinstance(value := getattr(entry, name), tuple) else str(value)
                    for name in _REPORT[1:]
                ),
                entry.outcome,
                entry.exchange_id,
            )
            for entry in report.entries
        ]
        click.echo(table("report", heads, [tuple(map(_in_a_sheet, row)) for row in rows], form), nl=False)
    else:
        for line in report.text():
            click.echo(line)


def told(value: Json) -> str:
    """A value in one line."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_a_sheet(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: a caller writes what he likes into a role or a rule."""
    return f"'{text}" if len(text) > 1 and text[0] in "=+-@\t\r" else text
