"""How the answers to questions of auditors are printed: records that were found, and the report to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from audit.search import Found
from commands import print_json
from commands.rendering import Form, print_rows
from exchange import Json
from questions import sheets
from questions.report import Report
from questions.sheets import PERSONAL, told

_SHOWN = ("instant", "kind", "system", "operation", "institution", "outcome", "exchange")


def print_found(found: Sequence[Found], values: Sequence[Mapping[str, Json]] | None, form: Form) -> None:
    """Print records; with `values` the personal ones too, in the order of the records."""
    beside = values or [{} for _ in found]
    if form is Form.JSON:
        shown: list[Json] = []
        for one, more in zip(found, beside, strict=True):
            shown.append(one.json() | ({} if values is None else {"values": dict(more)}))
        print_json(shown)
    elif form is Form.CSV:
        click.echo(sheets.records(found, values), nl=False)
    else:
        personal = PERSONAL if values is not None else ()
        rows = [
            (
                told(one.index),
                *(told(one.leaf.get(name)) for name in _SHOWN),
                *(told(more.get(name)) for name in personal),
            )
            for one, more in zip(found, beside, strict=True)
        ]
        print_rows(("index", *_SHOWN, *personal), rows)


def print_report(report: Report, form: Form) -> None:
    """Print the report to a person."""
    if form is Form.JSON:
        print_json(report.json())
    elif form is Form.CSV:
        click.echo(sheets.report(report), nl=False)
    else:
        for line in report.text():
            click.echo(line)
