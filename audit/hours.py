"""How many exchanges ended in each hour, by system and outcome: counted as the catalogue takes records in.

Counting a million records takes seconds, these rows milliseconds. They are derived from the catalogue, as that is from
the log: counted in the same transaction, made anew with it, compared when it is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    delete,
    func,
    select,
    union_all,
)

from audit.leaf import Kind
from storage import metadata, upsert

# Of an instant as it stands in a leaf: `2026-01-31T08`.
HOUR_LETTERS = 13

hours = Table(
    "catalogue_hours",
    metadata,
    Column("hour", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("exchanges", BigInteger, nullable=False),
    PrimaryKeyConstraint("hour", "system", "outcome"),
    schema="catalogue",
)


def count_in(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Count rows of the catalogue that were taken in just now; an exchange that named no system stands under ""."""
    counted = Counter(
        (row["instant"][:HOUR_LETTERS], row["system"] or "", row["outcome"] or "")
        for row in rows
        if row["kind"] == Kind.OUTCOME.value
    )
    if not counted:
        return
    statement = upsert(connection, hours)
    added = statement.on_conflict_do_update(
        index_elements=["hour", "system", "outcome"],
        set_={"exchanges": hours.c.exchanges + statement.excluded.exchanges},
    )
    # In order: two processes must not wait for each other.
    rows_of = [
        {"hour": hour, "system": system, "outcome": outcome, "exchanges": exchanges}
        for (hour, system, outcome), exchanges in sorted(counted.items())
    ]
    connection.execute(added, rows_of)


def forget(connection: Connection) -> None:
    """Forget every count, with the catalogue."""
    connection.execute(delete(hours))


def differing(connection: Connection, catalogue: Table) -> list[str]:
    """The hours whose counts are not those of the catalogue, earliest first.

    One statement, so that it sees one moment of both.
    """
    kept: Select[Any] = select(hours.c.hour, hours.c.system, hours.c.outcome, hours.c.exchanges.label("n"))
    hour = func.substr(catalogue.c.instant, 1, HOUR_LETTERS)
    system, outcome = func.coalesce(catalogue.c.system, ""), func.coalesce(catalogue.c.outcome, "")
    true = (
        select(
            hour.label("hour"), system.label("system"), outcome.label("outcome"), (-func.count()).label("n")
        )
        .where(catalogue.c.kind == Kind.OUTCOME.value)
        .group_by(hour, system, outcome)
    )
    both = union_all(kept, true).subquery()
    wrong = (
        select(both.c.hour)
        .group_by(both.c.hour, both.c.system, both.c.outcome)
        .having(func.sum(both.c.n) != 0)
    ).subquery()
    return list(connection.execute(select(wrong.c.hour).distinct().order_by(wrong.c.hour)).scalars())
