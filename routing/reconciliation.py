"""Runs of a comparison over a set of persons: each question once, however often the run is interrupted.

A run is one system and one set of persons, with an item for each question. What an answer said is kept in the
transaction of its exchange's outcome, together with the item: a run that is killed goes on where it stopped, with
nothing lost and nothing asked again that was answered.
"""

from __future__ import annotations

import fcntl
import hmac
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    and_,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql import ColumnElement

from errors import Busy, NotFound, every_error
from exchange import Json, new_id
from registers.care_stays import CARE_STAY
from registers.comparing import Comparison, Question
from registers.differences import Kept
from registers.history import recorded
from registers.persons import person_by_code, present_id
from storage import Instant, identifier, metadata


class Item(StrEnum):
    """What became of one question of a run."""

    WAITING = "waiting"
    SAME = "same"
    DIFFERENT = "different"
    NOT_FOUND = "not_found"  # the system knows nothing under what it was asked
    FAILED = "failed"  # no answer, or one that cannot be believed


RUN = Table(
    "reconciliation_run",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("system", Text, nullable=False),
    Column("selection", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("persons", Integer, nullable=False),
    Column("not_held", Integer, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("ended_at", Instant),
    schema="reconciliation",
)
_NOT_ENDED = text("ended_at IS NULL")
Index(
    "uq_reconciliation_run_under_way",
    RUN.c.system,
    RUN.c.selection,
    unique=True,
    postgresql_where=_NOT_ENDED,
    sqlite_where=_NOT_ENDED,
)

ITEM = Table(
    "reconciliation_item",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("run_id", identifier(), ForeignKey("reconciliation.reconciliation_run.id"), nullable=False),
    Column("person_id", identifier(), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("thing_id", identifier()),
    Column("state", Text, nullable=False),
    Column("code", Text),
    Column("exchange_id", identifier()),
    Column("ours", Integer, nullable=False),
    Column("theirs", Integer, nullable=False),
    Column("opened", Integer, nullable=False),
    Column("standing", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
    schema="reconciliation",
)
Index(None, ITEM.c.run_id, ITEM.c.state, ITEM.c.id)


@dataclass(frozen=True, slots=True)
class Selected:
    """A set of persons: its name, the persons of it that are held, and how many codes stand for nobody here."""

    name: str
    persons: tuple[uuid.UUID, ...]
    not_held: int


def by_codes(connection: Connection, codes: Iterable[str], key: bytes) -> Selected:
    """The persons of these codes; the set is named by a keyed digest, which tells nothing of them.

    Raises: InvalidPersonCode.
    """
    given = sorted(set(codes))
    found = [person_by_code(connection, code) for code in given]
    persons = tuple(dict.fromkeys(person for person in found if person is not None))
    name = f"persons {hmac.digest(key, ' '.join(given).encode(), 'sha256').hex()}"
    return Selected(name, persons, found.count(None))


def in_open_stays(connection: Connection, on_date: date) -> Selected:
    """Everybody who is in a care institution on a day."""
    table = CARE_STAY
    stays = (
        select(table.c.person_id)
        .where(
            recorded(table),
            table.c.entered_on <= on_date,
            or_(table.c.ended_on.is_(None), table.c.ended_on >= on_date),
        )
        .distinct()
        .order_by(table.c.person_id)
    )
    return Selected("open-stays", tuple(connection.execute(stays).scalars()), 0)


def under_way(connection: Connection, system: str, selection: str) -> uuid.UUID | None:
    """The run of this system and set that has not ended."""
    found: uuid.UUID | None = connection.execute(
        select(RUN.c.id).where(RUN.c.system == system, RUN.c.selection == selection, RUN.c.ended_at.is_(None))
    ).scalar()
    return found


def questions(
    connection: Connection, comparison: Comparison, selected: Selected
) -> list[tuple[uuid.UUID, Question]]:
    """Every question about every person of a set, with the person."""
    return [
        (person_id, question)
        for person_id in selected.persons
        for question in comparison.questions(connection, person_id)
    ]


def begin(
    connection: Connection,
    comparison: Comparison,
    selected: Selected,
    asked: Sequence[tuple[uuid.UUID, Question]],
    on_whose_behalf: tuple[str, str],
    now: datetime,
) -> uuid.UUID:
    """Put down a run with every question of it, and who wants it and why."""
    run_id, (actor, reason) = new_id(now), on_whose_behalf
    connection.execute(
        insert(RUN).values(
            id=run_id,
            system=comparison.system,
            selection=selected.name,
            actor=actor,
            reason=reason,
            persons=len(selected.persons) + selected.not_held,
            not_held=selected.not_held,
            begun_at=now,
        )
    )
    rows = [
        {
            "id": new_id(),
            "run_id": run_id,
            "person_id": person_id,
            "arguments": dict(question.arguments),
            "thing_id": question.thing_id,
            "state": Item.WAITING.value,
            **dict.fromkeys(("ours", "theirs", "opened", "standing", "settled"), 0),
        }
        for person_id, question in asked
    ]
    if rows:
        connection.execute(insert(ITEM), rows)
    return run_id


# What a question may fail with and be asked again.
_PASSING = frozenset(error.code for error in every_error() if error.retryable)


def again(connection: Connection, run_id: uuid.UUID) -> None:
    """Let questions wait again that failed with what passes."""
    connection.execute(update(ITEM).where(*_failed(run_id)).values(state=Item.WAITING.value, code=None))


def end(connection: Connection, run_id: uuid.UUID, now: datetime) -> bool:
    """End a run unless a question waits, or failed with what passes; whether it has ended."""
    open_ones = or_(ITEM.c.state == Item.WAITING.value, and_(*_failed(run_id)))
    if connection.execute(select(ITEM.c.id).where(ITEM.c.run_id == run_id, open_ones)).first() is not None:
        return False
    leave(connection, run_id, now)
    return True


def leave(connection: Connection, run_id: uuid.UUID, now: datetime) -> None:
    """End a run though questions of it wait: another takes its place."""
    connection.execute(update(RUN).where(RUN.c.id == run_id).values(ended_at=now))


def _failed(run_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return ITEM.c.run_id == run_id, ITEM.c.state == Item.FAILED.value, ITEM.c.code.in_(sorted(_PASSING))


def waiting(connection: Connection, run_id: uuid.UUID, limit: int) -> Sequence[uuid.UUID]:
    """The next questions of a run."""
    mine = select(ITEM.c.id).where(ITEM.c.run_id == run_id, ITEM.c.state == Item.WAITING.value)
    return connection.execute(mine.order_by(ITEM.c.id).limit(limit)).scalars().all()


def item(connection: Connection, item_id: uuid.UUID) -> tuple[Row[Any], uuid.UUID]:
    """A question with its system, and the person whom it is about now.

    Raises: NotFound.
    """
    query = select(ITEM, RUN.c.system).join(RUN, RUN.c.id == ITEM.c.run_id).where(ITEM.c.id == item_id)
    found = connection.execute(query).first()
    if found is None:
        raise NotFound("item")
    return found, present_id(connection, found.person_id)


def answered(
    connection: Connection,
    item_id: uuid.UUID,
    state: Item,
    exchange_id: uuid.UUID | None,
    *,
    code: str | None = None,
) -> bool:
    """Keep what became of a question; False where it is known already."""
    mine = update(ITEM).where(ITEM.c.id == item_id, ITEM.c.state == Item.WAITING.value)
    done = connection.execute(mine.values(state=state.value, exchange_id=exchange_id, code=code))
    return bool(done.rowcount)


def tally(connection: Connection, item_id: uuid.UUID, ours: int, theirs: int, kept: Kept) -> None:
    """Keep how many rows either side had, and what became of the differences."""
    values = {"ours": ours, "theirs": theirs, "opened": kept.opened}
    mine = update(ITEM).where(ITEM.c.id == item_id)
    connection.execute(mine.values(**values, standing=kept.standing, settled=kept.settled))


def recent(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    """The newest runs: system, how many persons, when begun and ended."""
    shown = [RUN.c[name] for name in ("id", "system", "persons", "not_held", "begun_at", "ended_at")]
    return connection.execute(select(*shown).order_by(RUN.c.id.desc()).limit(limit)).all()


def counts(connection: Connection, run_id: uuid.UUID) -> dict[str, Json]:
    """A run in numbers: persons, questions by what became of them, rows of either side, differences."""
    run = connection.execute(select(RUN).where(RUN.c.id == run_id)).one()
    mine = ITEM.c.run_id == run_id
    states: Mapping[str, int] = {
        row.state: row.number
        for row in connection.execute(
            select(ITEM.c.state, func.count().label("number")).where(mine).group_by(ITEM.c.state)
        )
    }
    names = ("ours", "theirs", "opened", "standing", "settled")
    sums = connection.execute(
        select(*(func.coalesce(func.sum(ITEM.c[n]), 0) for n in names)).where(mine)
    ).one()
    ours, theirs, opened, standing, settled = (int(number) for number in sums)
    asked = sum(number for state, number in states.items() if state != Item.WAITING)
    return {
        "run": str(run_id),
        "system": run.system,
        "ended": run.ended_at is not None,
        "persons": run.persons,
        "not_held": run.not_held,
        "questions": sum(states.values()),
        "asked": asked,
        **{state.value: states.get(state.value, 0) for state in Item},
        "rows": {"ours": ours, "theirs": theirs},
        "differences": {"opened": opened, "standing": standing, "settled": settled},
    }


@contextmanager
def alone(engine: Engine, name: str) -> Iterator[None]:
    """Hold a name over all processes until the block ends; it is free again when the process that holds it dies.

    Raises: Busy when another process holds it.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            key = {"name": name}
            take = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
            if not connection.execute(take, key).scalar():
                raise Busy(f"{name} is under way in another process", retry_after=60)
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)
        return
    with open(f"{engine.url.database}.{name.replace(' ', '-')}.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"{name} is under way in another process", retry_after=60) from error
        yield
