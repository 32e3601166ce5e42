"""How comparisons, differences and correction requests are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from commands import print_json
from commands.rendering import print_rows
from exchange import Json

_LISTED = (
    "id",
    "system",
    "field",
    "rule",
    "state",
    "decision",
    "ours_source",
    "ours_recorded_at",
    "theirs_source",
    "theirs_recorded_at",
)
_SEEN = ("person_code", "ours", "theirs")
_BELOW = {
    "events": ("instant", "act", "actor", "reason", "exchange_id"),
    "requests": ("id", "recipient", "state", "sent_at", "reference", "answer"),
}


def print_list(listed: Sequence[Mapping[str, Json]], *, values: bool, as_json: bool) -> None:
    """Print differences, one a line."""
    if as_json:
        print_json([dict(one) for one in listed])
        return
    heads = (*_LISTED, *_SEEN) if values else _LISTED
    print_rows(heads, [[_cell(one[head]) for head in heads] for one in listed])


def print_one(shown: Mapping[str, Json], *, as_json: bool) -> None:
    """Print a difference with what happened to it."""
    if as_json:
        print_json(dict(shown))
        return
    heads = [name for name in shown if name not in _BELOW]
    print_rows(("difference", ""), [(name.replace("_", " "), _cell(shown[name])) for name in heads])
    for name, columns in _BELOW.items():
        rows = shown[name]
        if isinstance(rows, list) and rows:
            click.echo(f"\n{name}")
            cells = [[_cell(row[column]) for column in columns] for row in rows if isinstance(row, dict)]
            print_rows(columns, cells)


def print_counts(counted: Mapping[str, Json], *, as_json: bool) -> None:
    """Print a run in numbers."""
    if as_json:
        print_json(dict(counted))
        return
    rows = [(name.replace("_", " "), _cell(value)) for name, value in counted.items()]
    print_rows(("comparison", ""), rows)
    if not counted["ended"]:
        click.echo("not all was asked; the same command goes on", err=True)


def print_handed(handed: Sequence[Mapping[str, Json]], *, as_json: bool) -> None:
    """Print the correction requests that were handed over."""
    if as_json:
        print_json([dict(one) for one in handed])
    else:
        heads = ("request", "to", "reference")
        print_rows(heads, [[_cell(one[head]) for head in heads] for one in handed])


def _cell(value: Json) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    if not isinstance(value, dict):
        return str(value)
    if set(value) == {"code", "text_lv", "text_en"}:
        return str(value["code"])
    return "; ".join(f"{name}: {_cell(one)}" for name, one in value.items())
