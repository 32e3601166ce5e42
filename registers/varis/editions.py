"""Editions by their number: the one in use, beginning one, switching to it, and undoing one that came to nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from errors import Busy, NotFound
from exchange import Json, utc_now
from registers.edition import CENTROID, EDITION, FORMER, PLACE, WORD

CONTRACT = "varis-open-data"
MAPPING = "1"
_CHUNK = 20_000


def in_use(connection: Connection) -> int:
    """The number of the edition that readers see.

    Raises: NotFound when none is loaded.
    """
    number = connection.execute(select(EDITION.c.number).where(EDITION.c.state == "current")).scalar()
    if number is None:
        raise NotFound("no edition of the address register is loaded: gateway addresses load")
    return int(number)


def newest_day(connection: Connection) -> date | None:
    """The newest day of modification in the edition in use; None without one."""
    found: date | None = connection.execute(
        select(EDITION.c.newest_on).where(EDITION.c.state == "current")
    ).scalar()
    return found


def begin(connection: Connection, exchange_id: uuid.UUID) -> int:
    """Put an edition on record as being loaded; its number is higher than all before."""
    highest = connection.execute(select(func.max(EDITION.c.number))).scalar()
    number = int(highest or 0) + 1
    connection.execute(
        insert(EDITION).values(
            number=number,
            state="loading",
            recorded_at=utc_now(),
            exchange_id=exchange_id,
            source="vzd",
            contract_version=CONTRACT,
            mapping_version=MAPPING,
        )
    )
    return number


def still_loading(connection: Connection, number: int) -> None:
    """Raises: Busy when the edition is not being loaded any more, because another load has undone it."""
    state = connection.execute(select(EDITION.c.state).where(EDITION.c.number == number)).scalar()
    if state != "loading":
        raise Busy("another load has taken over", retry_after=60)


def switch(
    connection: Connection,
    number: int,
    newest: date | None,
    counts: Mapping[str, Json],
    files: Sequence[Json],
) -> None:
    """From the commit on readers see this edition. May be run again where the transaction is.

    Raises: Busy as `still_loading`.
    """
    still_loading(connection, number)
    connection.execute(update(EDITION).where(EDITION.c.state == "current").values(state="superseded"))
    connection.execute(
        update(EDITION)
        .where(EDITION.c.number == number)
        .values(
            state="current",
            newest_on=newest,
            counts=dict(counts),
            files=list(files),
            switched_at=utc_now(),
        )
    )


def unfinished(connection: Connection) -> list[int]:
    """Editions whose load was killed, or is under way where the caller does not hold the lock."""
    return list(connection.execute(select(EDITION.c.number).where(EDITION.c.state == "loading")).scalars())


def undo(writer: Connection, number: int, state: str) -> None:
    """Take away what a load has written and put on record what became of it.

    On SQLite some rows at a time, so that other writers come between.
    """
    for table in (PLACE, FORMER, CENTROID):
        with writer.begin():
            writer.execute(update(table).where(table.c.ended_edition == number).values(ended_edition=None))
    for table in (PLACE, FORMER, CENTROID, WORD):
        key = tuple_(*table.primary_key.columns)
        some = select(*table.primary_key.columns).where(table.c.first_edition == number).limit(_CHUNK)
        statement = delete(table).where(
            table.c.first_edition == number if writer.dialect.name == "postgresql" else key.in_(some)
        )
        gone = 1
        while gone:
            with writer.begin():
                gone = writer.execute(statement).rowcount
    with writer.begin():
        writer.execute(update(EDITION).where(EDITION.c.number == number).values(state=state))
