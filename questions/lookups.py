"""Look-ups of officials as the log has them, and when the institutions of each recipient work: `office_hours.tsv`.

What the gateway asks by itself, on a schedule or out of the outbox, is nobody's look-up, and a
person who looks at his own data is no official.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, or_, select
from sqlalchemy.exc import SQLAlchemyError

from audit import Kind
from audit.catalogue import catalogue, catch_up
from audit.leaf import SUBJECT_INDEX, value
from audit.tables import log_records, log_values
from errors import ConfigurationError, LogUnavailable
from exchange import RIGA, Way, instant_text
from routing.working_days import is_working_day
from storage import reading

FILE = Path(__file__).parent / "office_hours.tsv"
_HEADS = ["recipient", "days", "from", "to", "why"]
_BATCH = 1000
# Who looks at his own data by this purpose is no official.
_OWN_DATA = "own-data"
_BY_OFFICIALS = frozenset({Way.API.value, Way.SOAP.value, Way.COMMAND.value})


@dataclass(frozen=True, slots=True)
class LookUp:
    """One exchange in which an official asked about persons, who stand here by their digests."""

    exchange_id: str
    instant: datetime
    recipient: str
    role: str
    official: str
    case: str
    persons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Hours:
    """When a recipient's officials work, in Riga; `to` None is midnight."""

    recipient: str
    every_day: bool
    begins: time
    ends: time | None

    def hold(self, instant: datetime) -> bool:
        """Whether an instant lies in them."""
        moment = instant.astimezone(RIGA)
        if not self.every_day and not is_working_day(moment.date()):
            return False
        return moment.time() >= self.begins and (self.ends is None or moment.time() < self.ends)


@cache
def office_hours(path: Path = FILE) -> dict[str, Hours]:
    """By recipient; `*` is of all whom no line names.

    Raises: ConfigurationError naming file and line.
    """
    found: dict[str, Hours] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            if len(row) != len(_HEADS) or row[0] in found or row[1] not in ("working", "all") or not row[4]:
                raise ConfigurationError(
                    f"{where}: a recipient once, days working or all, hours and a reason"
                )
            try:
                ends = None if row[3] == "24:00" else time.fromisoformat(row[3])
                found[row[0]] = Hours(row[0], row[1] == "all", time.fromisoformat(row[2]), ends)
            except ValueError as error:
                raise ConfigurationError(f"{where}: hours are written 07:00") from error
    if "*" not in found:
        raise ConfigurationError(f"{path.name}: the line of * is missing")
    return found


def in_office_hours(lookup: LookUp, hours: Mapping[str, Hours]) -> bool:
    """Whether a look-up was made when its recipient's officials work."""
    return hours.get(lookup.recipient, hours["*"]).hold(lookup.instant)


def lookups(engine: Engine, since: datetime, until: datetime) -> Iterator[LookUp]:
    """Every look-up that ended between two instants, oldest first; `until` is exclusive.

    Raises: LogUnavailable.
    """
    catch_up(engine)
    after = (instant_text(since), -1)
    end = instant_text(until)
    try:
        while True:
            with reading(engine).begin() as connection:
                rows = _page(connection, after, end)
                values = _values(connection, [row.record_id for row in rows])
            for row in rows:
                lookup = _lookup(row.leaf, values.get(row.record_id, {}))
                if lookup is not None:
                    yield lookup
            if len(rows) < _BATCH:
                return
            after = rows[-1].instant, rows[-1].idx
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def _page(connection: Connection, after: tuple[str, int], end: str) -> Sequence[Any]:
    instant, idx = after
    query = (
        select(catalogue.c.idx, catalogue.c.instant, catalogue.c.record_id, log_records.c.leaf)
        .join(log_records, log_records.c.id == catalogue.c.record_id)
        .where(
            catalogue.c.kind == Kind.OUTCOME.value,
            catalogue.c.instant >= instant,
            catalogue.c.instant < end,
            or_(catalogue.c.instant > instant, catalogue.c.idx > idx),
        )
        .order_by(catalogue.c.instant, catalogue.c.idx)
        .limit(_BATCH)
    )
    return connection.execute(query).all()


def _values(connection: Connection, records: Sequence[str]) -> dict[str, dict[str, str]]:
    wanted = or_(
        log_values.c.name.in_(("official", "case")),
        log_values.c.name.startswith(SUBJECT_INDEX, autoescape=True),
    )
    query = select(log_values.c.record_id, log_values.c.name, log_values.c.value)
    found: dict[str, dict[str, str]] = {}
    for row in connection.execute(query.where(log_values.c.record_id.in_(records), wanted)):
        found.setdefault(row.record_id, {})[row.name] = str(value(row.value))
    return found


def _lookup(text: str, values: Mapping[str, str]) -> LookUp | None:
    leaf = json.loads(text)
    official = values.get("official", "")
    persons = frozenset(digest for name, digest in values.items() if name.startswith(SUBJECT_INDEX))
    own_data = leaf.get("purpose") == _OWN_DATA
    if leaf.get("way") not in _BY_OFFICIALS or own_data or not official or not persons:
        return None
    return LookUp(
        exchange_id=leaf["exchange"],
        instant=datetime.fromisoformat(leaf["instant"]),
        recipient=leaf.get("recipient") or "",
        role=leaf.get("role") or "",
        official=official,
        case=values.get("case", ""),
        persons=persons,
    )
