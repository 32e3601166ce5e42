"""The two roles of PostgreSQL beneath the owner of the tables: the application's, which only adds to the log, and the
eraser's, which removes values and exact bytes, seals what is held anew, and can write no record.

Run by the owner after each migration: rights are given table by table, and what a role has beyond them is taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, inspect, text

from audit import guards
from audit.tables import (
    LOG_TABLES,
    archive_held,
    archive_holds,
    archive_keys,
    archive_payloads,
    log_values,
)
from errors import ConfigurationError
from storage import metadata

_ADDED_TO = (*LOG_TABLES, archive_payloads, archive_keys)
_ERASED = {
    **dict.fromkeys((one.fullname for one in LOG_TABLES), "SELECT"),
    log_values.fullname: "SELECT, DELETE",
    archive_payloads.fullname: "SELECT, DELETE, UPDATE (key_id, sealed)",
    archive_keys.fullname: "SELECT, INSERT, DELETE, UPDATE (wrapped)",
    archive_holds.fullname: "SELECT, INSERT, UPDATE (released_at)",
    archive_held.fullname: "SELECT, INSERT",
    # What the master key wraps there is wrapped anew when that changes.
    "console.console_accounts": "SELECT (name, totp), UPDATE (totp)",
}
_APPLICATION = {
    **dict.fromkeys((one.fullname for one in _ADDED_TO), "SELECT, INSERT"),
    archive_holds.fullname: "SELECT",
    archive_held.fullname: "SELECT",
    "public.alembic_version": "SELECT",
}


def make(connection: Connection, application: str, eraser: str) -> None:
    """Make the two roles where they are missing, without a password, and give each exactly its rights.

    Raises: ConfigurationError where there are no roles, or the tables are missing.
    """
    if connection.dialect.name != "postgresql":
        raise ConfigurationError("SQLite has no roles: triggers guard its log (docs/operators.md)")
    there = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
    for role in sorted({application, eraser} - there):
        connection.exec_driver_sql(f'CREATE ROLE "{role}" LOGIN')
    schemas = {table.schema or "public" for table in metadata.tables.values()}
    tables = list(_tables(connection, schemas))
    if missing := {table.fullname for table in guards.GUARDED} - set(tables):
        raise ConfigurationError(f"{min(missing)} is missing: start the gateway once as the owner")
    for name in tables:
        everything = "SELECT, INSERT, UPDATE, DELETE"
        _give(connection, application, name, _APPLICATION.get(name, everything))
        _give(connection, eraser, name, _ERASED.get(name, ""))
    for schema in sorted(schemas):
        connection.exec_driver_sql(f'GRANT USAGE ON SCHEMA "{schema}" TO "{application}"')
        connection.exec_driver_sql(
            f'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA "{schema}" TO "{application}"'
        )
    for schema in ("log", "archive", "console"):
        connection.exec_driver_sql(f'GRANT USAGE ON SCHEMA "{schema}" TO "{eraser}"')


def rights() -> Mapping[str, Mapping[str, str]]:
    """By role and table, the rights that are given; on tables that are not named the application has all of rows."""
    return {"application": _APPLICATION, "eraser": _ERASED}


def _tables(connection: Connection, schemas: Iterable[str]) -> Iterator[str]:
    found = inspect(connection)
    for schema in sorted(schemas):
        yield from (f"{schema}.{name}" for name in found.get_table_names(schema))


def _give(connection: Connection, role: str, table: str, given: str) -> None:
    schema, _, name = table.partition(".")
    connection.exec_driver_sql(f'REVOKE ALL ON "{schema}"."{name}" FROM "{role}"')
    if given:
        connection.exec_driver_sql(f'GRANT {given} ON "{schema}"."{name}" TO "{role}"')
