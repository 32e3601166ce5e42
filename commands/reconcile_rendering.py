"""How comparisons, differences and correction requests are printed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from sqlalchemy import Connection, Row

from commands import print_json
from commands.rendering import print_rows
from exchange import Json, instant_text
from registers import codes_of, corrections, settlement

# What of a difference is printed only where the person and the values are to be seen, or not at all.
_HIDDEN = frozenset(
    {
        "person_id",
        "row_key",
        "thing",
        "thing_id",
        "ours",
        "theirs",
        "register_table",
        "register_column",
        "ours_version_id",
    }
)
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


def told(connection: Connection, row: Row[Any], *, values: bool) -> dict[str, Json]:
    """A difference as it is printed; the person and the values only where they are to be seen."""
    shown = {name: value for name, value in plain(row).items() if name not in _HIDDEN}
    if values:
        shown["person_code"] = codes_of(connection, row.person_id)[0]
        shown["row"] = corrections.named_with_texts(row, row.row_key)
        shown["ours"] = corrections.with_texts(row, row.ours)
        shown["theirs"] = corrections.with_texts(row, row.theirs)
        shown["may_be_taken"] = settlement.may_be_taken(row)
    return shown


def plain(row: Row[Any]) -> dict[str, Json]:
    """A row in JSON's own types."""
    return {name: _plain(value) for name, value in row._mapping.items()}


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


def _plain(value: Any) -> Json:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return instant_text(value)
    held: Json = value
    return held


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
