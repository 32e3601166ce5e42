"""SQLAlchemy's dialect of SQLite, with transactions that begin as concurrent writers need them.

The driver's own transactions lose concurrent updates silently, and a transaction that begins without the write lock
and takes it later is refused whatever the time-out. An event of SQLAlchemy could begin them too, but then it dispatches
events around every statement.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import PoolProxiedConnection

# How an engine's URL names this dialect.
DRIVER = "sqlite+gateway"


class Dialect(SQLiteDialect_pysqlite):
    """Transactions take the write lock when they begin; those of `reading()` never do."""

    supports_statement_cache = True
    beginning = "BEGIN IMMEDIATE"

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction."""
        connection: Any = dbapi_connection
        connection.execute(self.beginning)

    def reading(self) -> Dialect:
        """The same dialect for transactions that only read."""
        other = copy.copy(self)
        other.beginning = "BEGIN"
        return other


registry.register("sqlite.gateway", __name__, "Dialect")
