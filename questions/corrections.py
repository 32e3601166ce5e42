"""Corrections reach those who received the wrong value: which versions were wrong, since when, and whom to tell.

Wrong was what a person replaced by deciding on a difference, and what a supplier corrected or deleted under its own
number (`corrected.tsv` says of which tables that holds). What changed in life was not wrong: a new address is none.
Source: Regulation 2016/679, article 19.
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, select

from audit import ExchangeLog, search
from errors import ConfigurationError, InvalidRequest
from exchange import Json, instant_text, new_id
from mappings.regulation import chain
from questions.acting import Acting
from questions.received import Receipt, received, told_by
from registers import codes_of, value_notices
from registers.corrections import with_texts
from registers.differences import DIFFERENCE, EVENT, Act, Decision, State, told
from registers.history import business_columns, one_current, recorded
from registers.value_notices import LOOKED_INTO, NoticeState
from routing.access import Access as Rights
from routing.child_watch import Progress, unseen
from storage import metadata, reading

FILE = Path(__file__).parent / "corrected.tsv"
_HEADS = ["table", "columns", "why"]
# Exchanges that were under way while a version ended have their outcome on record by then.
SETTLED = timedelta(minutes=5)
# A correction is looked for so long after it was made, should nobody have been there.
_LOOKED_BACK = timedelta(days=40)
# What feeds the registers itself: it holds what the registers hold.
_OURSELVES = frozenset({"spolis-registers"})
_NUMBERS = frozenset({"supplier", "case_no", "record_no"})


@dataclass(frozen=True, slots=True)
class Wrong:
    """A version of a register's row that held something wrong: in which columns, and from when until when.

    `after` is what the row holds instead; None where it was deleted.
    """

    table: Table
    version_id: uuid.UUID
    person_id: uuid.UUID
    columns: tuple[str, ...]
    since: datetime
    until: datetime
    after: Mapping[str, Json] | None
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as the lineage has them: `vsac_stay.institution`."""
        return tuple(f"{self.table.name}.{column}" for column in self.columns)


@dataclass(frozen=True, slots=True)
class Made:
    """What a look for corrections did: wrong versions looked into, and notices made."""

    versions: int
    notices: int


@cache
def corrected_columns(path: Path = FILE) -> dict[str, frozenset[str]]:
    """By table, the columns whose change is a correction; `*` is all of them, `-` none: only a deletion is.

    Raises: ConfigurationError naming file and line.
    """
    found: dict[str, frozenset[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        for row in rows:
            if len(row) != len(_HEADS) or row[0] in found or not all(row):
                raise ConfigurationError(f"{path.name}, line {rows.line_num}: a table once, columns and why")
            found[row[0]] = frozenset(row[1].split(","))
    return found


def wrong_versions(connection: Connection, since: datetime, until: datetime) -> Iterator[Wrong]:
    """Versions that were found wrong between two instants and that nobody has looked into yet."""
    for name, columns in corrected_columns().items():
        yield from _supplied(connection, _table(name), columns, since, until)
    yield from _decided(connection, since, until)


def recipients_of(
    engine: Engine, key: bytes, codes: Sequence[str], field: str, since: datetime, until: datetime | None
) -> tuple[Receipt, ...]:
    """Who was given a field of a person (`pmlp_address.text`) between two instants, whether it was wrong or not.

    Raises: InvalidRequest for a field that no register has, InvalidPersonCode, LogUnavailable.
    """
    name, _, column = field.partition(".")
    table = next((one for one in metadata.tables.values() if one.name == name), None)
    if table is None or "person_id" not in table.c or "rule" not in getattr(table.c.get(column), "info", {}):
        raise InvalidRequest("a field is a register column as `gateway mappings table` names it")
    return received(engine, search.indexes(key, codes), [field], since, until)


def make_notices(
    engine: Engine,
    log: ExchangeLog,
    key: bytes,
    rights: Rights,
    acting: Acting,
    now: datetime,
    *,
    settled: timedelta = SETTLED,
    progress: Progress = unseen,
) -> Made:
    """Make a notice for every recipient of a value that was found wrong, each once, with its record.

    Raises: LogUnavailable, Busy; what was made until then stays.
    """
    with reading(engine).begin() as connection:
        found = list(wrong_versions(connection, now - _LOOKED_BACK, now - settled))
    notices = versions = 0
    for number, wrong in enumerate(found):
        progress(number, len(found))
        with reading(engine).begin() as connection:
            codes = codes_of(connection, wrong.person_id)
        receipts = received(engine, search.indexes(key, codes), wrong.names, wrong.since, wrong.until)
        to_tell = [one for one in receipts if one.recipient not in _OURSELVES]

        def work(
            connection: Connection, wrong: Wrong = wrong, to_tell: Sequence[Receipt] = to_tell
        ) -> int | None:
            if not value_notices.look_into(connection, wrong.version_id, now):
                return None
            entry = acting.entry(
                "corrections notice",
                {
                    "name": str(wrong.version_id),
                    "fields": list(wrong.names),
                    "to": [one.recipient for one in to_tell],
                },
                codes_of(connection, wrong.person_id)[:1],
            )
            for one in to_tell:
                _put(connection, wrong, one, rights, entry.exchange_id, now)
            log.append(connection, entry)
            return len(to_tell)

        made = log.commit(work)
        versions += made is not None
        notices += made or 0
    progress(len(found), len(found))
    return Made(versions, notices)


def _put(
    connection: Connection,
    wrong: Wrong,
    receipt: Receipt,
    rights: Rights,
    exchange_id: uuid.UUID,
    now: datetime,
) -> None:
    notice_id = new_id(now)
    way = told_by(wrong.table.name, receipt.recipient)
    value_notices.put(
        connection,
        id=notice_id,
        recipient=receipt.recipient,
        person_id=wrong.person_id,
        register_table=wrong.table.name,
        version_id=wrong.version_id,
        fields=list(wrong.columns),
        state=(NoticeState.TOLD if way else NoticeState.PREPARED).value,
        way=way or None,
        handed_at=now if way else None,
        document=_document(connection, notice_id, wrong, receipt, rights, now),
        exchange_id=exchange_id,
        made_at=now,
    )


def _document(
    connection: Connection,
    notice_id: uuid.UUID,
    wrong: Wrong,
    receipt: Receipt,
    rights: Rights,
    now: datetime,
) -> dict[str, Json]:
    """What a recipient is told: which fields, in which of its exchanges, and what holds now as far as it may know."""
    may = {pair for right in rights.rights_of(receipt.recipient) for pair in right.pairs()}
    fields: list[Json] = []
    for name in wrong.columns:
        rule = str(wrong.table.c[name].info["rule"])
        field: dict[str, Json] = {
            "field": f"{wrong.table.name}.{name}",
            "rule": rule,
            "rule_text_lv": [one.text for one in chain(rule)],
            "deleted": wrong.after is None,
        }
        if wrong.after is not None and any((one.id, wrong.source) in may for one in chain(rule)):
            field["value"] = with_texts(_Named(wrong.table.name, name), wrong.after[name])  # type: ignore[arg-type] # — it has what is read of a difference
        fields.append(field)
    return {
        "version": 1,
        "notice_id": str(notice_id),
        "to": receipt.recipient,
        "made_at": instant_text(now),
        "person_code": codes_of(connection, wrong.person_id)[0],
        "wrong_since": instant_text(wrong.since),
        "corrected_at": instant_text(wrong.until),
        "fields": fields,
        "received_in": [
            {"exchange_id": one.exchange_id, "instant": instant_text(one.instant), "operation": one.name}
            for one in receipt.accesses
        ],
    }


@dataclass(frozen=True, slots=True)
class _Named:
    """A register's column as `with_texts` reads it of a difference."""

    register_table: str
    register_column: str


def _supplied(
    connection: Connection, table: Table, columns: frozenset[str], since: datetime, until: datetime
) -> Iterator[Wrong]:
    """Versions that ended, and whose successor says otherwise or is not there."""
    ended = select(table).where(
        table.c.superseded_at >= since,
        table.c.superseded_at < until,
        ~select(LOOKED_INTO.c.version_id).where(LOOKED_INTO.c.version_id == table.c.version_id).exists(),
    )
    for row in connection.execute(ended.order_by(table.c.superseded_at, table.c.version_id)).all():
        after = _after(connection, table, row)
        if after is not None and columns == {"-"}:
            continue
        looked_at = [
            name
            for name in business_columns(table)
            if name not in _NUMBERS
            and "rule" in table.c[name].info
            and (columns <= {"*", "-"} or name in columns)
        ]
        wrong = tuple(
            name
            for name in looked_at
            if getattr(row, name) not in (None, (), [])
            and (after is None or getattr(after, name) != getattr(row, name))
        )
        if wrong:
            yield _wrong(connection, table, row, wrong, after)


def _decided(connection: Connection, since: datetime, until: datetime) -> Iterator[Wrong]:
    """Versions that somebody replaced by what the source says."""
    decided = (
        select(DIFFERENCE, EVENT.c.instant)
        .join(EVENT, EVENT.c.difference_id == DIFFERENCE.c.id)
        .where(
            EVENT.c.act == Act.TAKEN.value,
            EVENT.c.instant >= since,
            EVENT.c.instant < until,
            DIFFERENCE.c.state == State.DECIDED.value,
            DIFFERENCE.c.decision == Decision.TAKE.value,
            DIFFERENCE.c.ours_version_id.is_not(None),
            ~select(LOOKED_INTO.c.version_id)
            .where(LOOKED_INTO.c.version_id == DIFFERENCE.c.ours_version_id)
            .exists(),
        )
    )
    for difference in connection.execute(decided.order_by(EVENT.c.instant)).all():
        table = _table(difference.register_table)
        row = connection.execute(
            select(table).where(table.c.version_id == difference.ours_version_id)
        ).first()
        if row is None or row.superseded_at is None or table.name in corrected_columns():
            continue
        after = _after(connection, table, row)
        column = difference.register_column
        columns = (
            (column,)
            if column
            else tuple(name for name in business_columns(table) if getattr(row, name) is not None)
        )
        yield _wrong(connection, table, row, columns, after)


def _after(connection: Connection, table: Table, row: Row[Any]) -> Row[Any] | None:
    """The version that took the place of another; where two persons became one, the same thing of the one."""
    own = select(table).where(table.c.id == row.id, table.c.recorded_at == row.superseded_at)
    key = [name for name in one_current(table) if name != "person_id"]
    twin = select(table).where(
        table.c.person_id == row.person_id,
        table.c.id != row.id,
        *(table.c[name] == getattr(row, name) for name in key),
        recorded(table, row.superseded_at),
    )
    return connection.execute(own).first() or connection.execute(twin).first()


def _wrong(
    connection: Connection, table: Table, row: Row[Any], columns: tuple[str, ...], after: Row[Any] | None
) -> Wrong:
    """The version, from the first of those before it that held the same in one of the wrong columns."""
    earlier = connection.execute(
        select(table)
        .where(table.c.id == row.id, table.c.recorded_at < row.recorded_at)
        .order_by(table.c.recorded_at.desc())
    ).all()
    since = row.recorded_at
    for version in earlier:
        if not any(getattr(version, name) == getattr(row, name) for name in columns):
            break
        since = version.recorded_at
    return Wrong(
        table=table,
        version_id=row.version_id,
        person_id=row.person_id,
        columns=columns,
        since=since,
        until=row.superseded_at,
        after=None if after is None else {name: told(getattr(after, name)) for name in columns},
        source=row.source,
    )


def _table(name: str) -> Table:
    return next(table for table in metadata.tables.values() if table.name == name)
