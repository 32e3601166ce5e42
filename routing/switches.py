"""Routes that are switched off: what they would deliver waits in the outbox until an operator switches them on."""

from __future__ import annotations

from sqlalchemy import Column, Connection, String, Table, Text, delete, select

from storage import Instant, database_now, metadata, upsert

disabled = Table(
    "routing_disabled",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("operation", String(100), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    schema="routing",
)


def switch_off(connection: Connection, system: str, operation: str, reason: str) -> None:
    """Deliver nothing of this operation from now on; what is under way ends."""
    values = {"since": database_now(connection), "reason": reason}
    connection.execute(
        upsert(connection, disabled)
        .values(system=system, operation=operation, **values)
        .on_conflict_do_nothing(index_elements=["system", "operation"])
    )


def switch_on(connection: Connection, system: str, operation: str) -> bool:
    """Deliver again; False when it was not switched off."""
    found = connection.execute(
        delete(disabled)
        .where(disabled.c.system == system, disabled.c.operation == operation)
        .returning(disabled.c.system)
    )
    return found.first() is not None


def switched_off(connection: Connection) -> dict[tuple[str, str], str]:
    """The reason by (system, operation)."""
    return {(row.system, row.operation): row.reason for row in connection.execute(select(disabled))}
