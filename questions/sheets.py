"""Answers as tables for a spreadsheet: records that were found, and the report to a person."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from audit.search import Found
from exchange import RIGA, Json
from questions.purposes import purpose_told
from questions.report import Report

_FACTS = (
    *("instant", "kind", "system", "operation", "institution", "role", "caller", "recipient", "purpose"),
    *("rule", "outcome", "code", "act", "exchange"),
)
PERSONAL = ("official", "case", "subject", "selection")
# What a spreadsheet begins a formula with, or passes over before one; wide ones of East Asian input too.
_FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_REPORT = ("instant", "institution", "role", "purpose", "rule", "asked", "given", "withheld", "source")


def sheet(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as CSV, with no cell that a spreadsheet takes for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(tuple(map(_in_a_sheet, row)) for row in rows)
    return out.getvalue()


def records(found: Sequence[Found], values: Sequence[Mapping[str, Json]] | None) -> str:
    """Records as CSV; with `values` the personal ones too, in the order of the records."""
    personal = PERSONAL if values is not None else ()
    rows = [
        (
            told(one.index),
            *(
                told(purpose_told(one.leaf, more) or None if name == "purpose" else one.leaf.get(name))
                for name in _FACTS
            ),
            *(told((more or {}).get(name)) for name in personal),
        )
        for one, more in zip(found, [None for _ in found] if values is None else values, strict=True)
    ]
    return sheet(("index", *_FACTS, *personal), rows)


def report(answer: Report) -> str:
    """The report to a person as CSV."""
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
        for entry in answer.entries
    ]
    return sheet((*_REPORT, "outcome", "exchange"), rows)


def told(value: Json) -> str:
    """A value in one line."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_a_sheet(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: a caller writes what he likes into a role or a rule."""
    return f"'{text}" if len(text) > 1 and text[0] in _FORMULA else text
