"""Find records of the exchange log by what is public in them, by official, and by whom they are about.

Who may search is decided above; that a search happened is a record itself, written before the answer is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, Select, exists, or_, select
from sqlalchemy.exc import SQLAlchemyError

from audit import leaf
from audit.tables import log_checkpoints, log_records, log_tree, log_values
from errors import LogUnavailable, NotFound
from exchange import Json, instant_text
from storage import reading


@dataclass(frozen=True, slots=True)
class Found:
    """One record: its index (None while it waits for the sequencer) and the leaf's members."""

    index: int | None
    leaf: Mapping[str, Json]

    def json(self) -> dict[str, Json]:
        """Index and leaf as the commands print them."""
        return {"index": self.index, "leaf": dict(self.leaf)}


@dataclass(frozen=True, slots=True)
class Shown:
    """A sequenced record with what the tree says of it, and those of its personal values that are not erased."""

    index: int
    leaf: Mapping[str, Json]
    leaf_hash: bytes
    checkpoint: str
    values: Mapping[str, Json]


def search(
    engine: Engine,
    *,
    system: str | None = None,
    operation: str | None = None,
    institution: str | None = None,
    official: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[Found]:
    """The newest records that match all that is given, newest first; `until` is exclusive.

    Raises: LogUnavailable.
    """
    statement = _records()
    wanted = {"system": system, "operation": operation, "institution": institution, "outcome": outcome}
    for name, text in wanted.items():
        if text is not None:
            statement = statement.where(log_records.c[name] == text)
    if official is not None:
        statement = statement.where(_has("official", official))
    if since is not None:
        statement = statement.where(log_records.c.instant >= instant_text(since))
    if until is not None:
        statement = statement.where(log_records.c.instant < instant_text(until))
    return _found(engine, statement, limit)


def subject(engine: Engine, key: bytes, codes: Iterable[str], limit: int = 100) -> list[Found]:
    """The newest records about a person, by all personal codes that he has or had, newest first.

    A person without one stands as `supplier/client code`.
    Raises: InvalidPersonCode, LogUnavailable.
    """
    indexes = [leaf.subject_index(key, leaf.subject_text(code)) for code in codes]
    return _found(engine, _records().where(or_(*(_has(leaf.SUBJECT_INDEX, one) for one in indexes))), limit)


def show(engine: Engine, index: int) -> Shown:
    """The record at an index, as it stands; `audit verify` says whether it holds.

    Raises: NotFound, LogUnavailable.
    """
    statement = (
        select(log_tree.c.record_id, log_tree.c.leaf_hash, log_records.c.leaf, log_checkpoints.c.note)
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .outerjoin(log_checkpoints, log_checkpoints.c.size == log_tree.c.checkpoint)
        .where(log_tree.c.idx == index)
    )
    values = select(log_values.c.name, log_values.c.value).order_by(log_values.c.name)
    try:
        with reading(engine).begin() as connection:
            row = connection.execute(statement).first()
            if row is None:
                raise NotFound("no such index")
            named = connection.execute(values.where(log_values.c.record_id == row.record_id)).all()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return Shown(
        index,
        _members(row.leaf),
        row.leaf_hash,
        row.note or "",
        {one.name: leaf.value(one.value) for one in named},
    )


def _records() -> Select[int, str]:
    return (
        select(log_tree.c.idx, log_records.c.leaf)
        .select_from(log_records)
        .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
    )


def _has(name: str, value: Json) -> ColumnElement[bool]:
    # `subject_index` is one name, or several with a number where a record is about several persons.
    return exists().where(
        log_values.c.record_id == log_records.c.id,
        log_values.c.value == leaf.canonical(value),
        or_(log_values.c.name == name, log_values.c.name.startswith(f"{name}.", autoescape=True)),
    )


def _found(engine: Engine, statement: Select[int, str], limit: int) -> list[Found]:
    newest = statement.order_by(log_records.c.instant.desc(), log_records.c.id.desc()).limit(limit)
    try:
        with reading(engine).begin() as connection:
            return [Found(row.idx, _members(row.leaf)) for row in connection.execute(newest)]
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def _members(text: str) -> dict[str, Json]:
    try:
        return leaf.parse(text)
    except ValueError as error:
        raise LogUnavailable("a record cannot be read; run `gateway audit verify`") from error
