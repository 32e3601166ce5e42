"""What keeps rows of the exchange log from being changed by the gateway's own hand, and whether it is in place.

PostgreSQL: the application's role may only add rows (`gateway database roles`). SQLite: triggers refuse to change or
remove any, which is weaker, since whoever can open the file can drop them. Neither is what the log's proof rests on:
that is the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from audit.tables import LOG_TABLES, archive_keys, archive_payloads, log_values

_TRIGGERS = frozenset(f"{table.name}_no_{act}" for table in LOG_TABLES for act in ("update", "delete"))
_ACTS = ("UPDATE", "DELETE", "TRUNCATE")
GUARDED = (*LOG_TABLES, archive_payloads, archive_keys)

_OF_TABLE = text("SELECT has_table_privilege(current_user, to_regclass(:table), :act)")
_OF_COLUMNS = text("SELECT has_any_column_privilege(current_user, to_regclass(:table), :act)")

_LIFTED = f"{log_values.name}_no_delete"


def missing(connection: Connection) -> tuple[str, ...]:
    """What does not protect the rows as it should, as sentences; none when all is in place."""
    if connection.dialect.name == "sqlite":
        found = set(
            connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        )
        lost = sorted(_TRIGGERS - found)
        return (f"triggers that protect the log are gone: {', '.join(lost)}",) if lost else ()
    rights = [
        f"{act} {table.schema}.{table.name}"
        for table in GUARDED
        for act in _ACTS
        if connection.execute(
            _OF_COLUMNS if act == "UPDATE" else _OF_TABLE,
            {"table": f"{table.schema}.{table.name}", "act": act},
        ).scalar()
    ]
    if not rights:
        return ()
    return (
        f"the role that this connects as may change the log ({len(rights)} rights, such as {rights[0]}): "
        "gateway database roles",
    )


@contextmanager
def lifted(connection: Connection) -> Iterator[None]:
    """In a transaction of the eraser: let it remove values. On SQLite the trigger is gone until the commit, for nobody
    else; on PostgreSQL the eraser's role has the right.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    statement = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
    made = connection.execute(statement, {"name": _LIFTED}).scalar()
    if made is not None:
        connection.exec_driver_sql(f"DROP TRIGGER {_LIFTED}")
    yield
    if made is not None:
        connection.exec_driver_sql(made)
