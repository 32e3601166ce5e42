"""Differences as people see them, and what of it stands in the record of an act about them.

Who looks at a person or at values, and why, is put on record by whoever asks, before anything is shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from exchange import Json, instant_text
from registers import codes_of, corrections, settlement

PURPOSE = "reconciliation"

# What of a difference is told only where the person and the values are to be seen, or not at all.
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


def told(connection: Connection, row: Row[Any], *, values: bool) -> dict[str, Json]:
    """A difference as people see it; the person and the values only where they are to be seen."""
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


def subjects(connection: Connection, rows: Sequence[Row[Any]]) -> list[str]:
    """The codes in force of the persons whom differences are about."""
    return [codes_of(connection, person)[0] for person in dict.fromkeys(row.person_id for row in rows)]


def facts(rows: Sequence[Row[Any]]) -> dict[str, Json]:
    """What of differences stands in the record of an act for good: nothing of a person."""
    return {
        "purpose": PURPOSE,
        "differences": [str(row.id) for row in rows],
        "fields": [f"{row.system} {row.field}" for row in rows],
    }


def _plain(value: Any) -> Json:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return instant_text(value)
    held: Json = value
    return held
