"""Where the suppliers of 10.11 do not agree on a child's stay: listed with both values, and nothing is overwritten.

NPAIS and the municipality each keep their own rows. Two rows are of one stay when they share days: of several, the one
of the same institution, then the one that began nearest. A stay that one supplier alone has told is no conflict.
Which value counts says `precedence.tsv`. Source: p10.11.1–p10.11.3, p17.3, p17.5.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from typing import Any

from sqlalchemy import Connection, Date, Row, Text, select

from exchange import RIGA, Provenance
from registers.care_stays import overlap
from registers.history import Fed, Values, field, recorded, replace, versioned
from registers.precedence import sources_of
from registers.reading import Register
from storage import metadata

CONFLICT = versioned(
    "childcare",
    "conflict",
    field("institution", Text(), rule="p10.11"),
    field("entered_on", Date(), rule="p10.11.1"),
    field("field", Text(), rule="p10.11"),
    field("rule", Text(), rule="p10.11"),
    field("preferred_source", Text(), rule="p10.11"),
    field("preferred_value", Text(), rule="p10.11", optional=True),
    field("preferred_on", Date(), rule="p10.11"),
    field("other_source", Text(), rule="p10.11"),
    field("other_value", Text(), rule="p10.11", optional=True),
    field("other_on", Date(), rule="p10.11"),
)

REGISTERS = (
    Register(
        name="placement-conflicts",
        table=CONFLICT,
        source="spolis",
        criteria={
            name: CONFLICT.c[name]
            for name in ("institution", "entered_on", "field", "preferred_source", "other_source")
        },
        order=("entered_on", "field"),
    ),
)

# The fields that both suppliers give, each under its rule.
FIELDS: Mapping[str, str] = {
    "institution": "p10.11",
    "entered_on": "p10.11.1",
    "stopped_on": "p10.11.2",
    "stop_reason": "p10.11.3",
}

# Looked up when they are read: the modules that declare these tables list conflicts by this one.
_TABLES = {"npais": "npais.npais_placement", "spolis": "municipal.municipal_placement"}
_QUOTES = str.maketrans("", "", "\"'“”„«»")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A child's stay as one supplier tells it."""

    source: str
    institution: str
    entered_on: date
    stopped_on: date | None
    stop_reason: str | None
    recorded_at: datetime


def relist(connection: Connection, person_id: uuid.UUID, provenance: Provenance) -> Fed:
    """List the conflicts on a child as they are now; those that are no more are superseded.

    The caller holds the person's lock.
    """
    told = {
        source: [
            placed(source, row)
            for row in connection.execute(
                select(metadata.tables[name]).where(
                    metadata.tables[name].c.person_id == person_id, recorded(metadata.tables[name])
                )
            ).all()
        ]
        for source, name in _TABLES.items()
    }
    rows = [row for one, other in same_stays(told) for row in differing(one, other)]
    fed = replace(
        connection,
        CONFLICT,
        {"person_id": person_id},
        rows,
        provenance,
        key=("institution", "entered_on", "field", "other_source"),
    )
    return Fed(written=fed.written)


def placed(source: str, row: Row[Any]) -> Placed:
    """A row of a supplier's table as a stay."""
    return Placed(
        source=source,
        institution=row.institution,
        entered_on=row.entered_on,
        stopped_on=row.stopped_on,
        stop_reason=row.stop_reason,
        recorded_at=row.recorded_at,
    )


def same_stays(told: Mapping[str, Iterable[Placed]]) -> Iterator[tuple[Placed, Placed]]:
    """The stays that two suppliers tell of, in pairs; each stay is in one pair of two suppliers at most."""
    for one, other in combinations(sorted(told), 2):
        left = list(told[other])
        alike = [
            (_far(mine, theirs), mine, theirs)
            for mine in told[one]
            for theirs in left
            if overlap((mine.entered_on, mine.stopped_on), (theirs.entered_on, theirs.stopped_on))
            or mine.entered_on == theirs.entered_on
        ]
        paired: list[Placed] = []
        for _, mine, theirs in sorted(alike, key=lambda pair: pair[0]):
            if mine not in paired and theirs in left:
                paired.append(mine)
                left.remove(theirs)
                yield mine, theirs


def differing(one: Placed, other: Placed) -> Iterator[Values]:
    """A row for each field in which two tellings of a stay differ; the source that counts comes first."""
    began = min(one.entered_on, other.entered_on)
    for name, rule in FIELDS.items():
        if _same(name, one, other):
            continue
        order = sources_of(rule, began)
        first, second = sorted((one, other), key=lambda placed: order.index(placed.source))
        yield {
            "institution": first.institution,
            "entered_on": first.entered_on,
            "field": name,
            "rule": rule,
            "preferred_source": first.source,
            "preferred_value": _text(getattr(first, name)),
            "preferred_on": _day(first),
            "other_source": second.source,
            "other_value": _text(getattr(second, name)),
            "other_on": _day(second),
        }


def _far(one: Placed, other: Placed) -> tuple[bool, int]:
    """How little two stays look like one: another institution, then the days between their beginnings."""
    return not _same("institution", one, other), abs((one.entered_on - other.entered_on).days)


def _same(name: str, one: Placed, other: Placed) -> bool:
    values = [getattr(placed, name) for placed in (one, other)]
    if name == "institution":
        values = [institution_key(value) for value in values]
    return bool(values[0] == values[1])


def institution_key(name: str) -> str:
    """An institution's name as it is compared: quotation marks, case and spaces make no other institution."""
    return " ".join(name.translate(_QUOTES).casefold().split())


def _text(value: date | str | None) -> str | None:
    return None if value is None else str(value)


def _day(placed: Placed) -> date:
    return placed.recorded_at.astimezone(RIGA).date()
