"""Statements that every exchange runs: said in SQLAlchemy, compiled once, then given to the driver as they are.

SQLAlchemy's way from a statement to the driver costs ten times what the driver takes for it. Here that way is gone
once: what is left for each run is to convert values. The transaction is SQLAlchemy's as everywhere, and so are the
errors.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from sqlalchemy import ClauseElement, Connection, Dialect, Insert, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from storage import UpsertOf, upsert_of

# One row: a named tuple, by the names of the columns.
Row: TypeAlias = Any

_Convert: TypeAlias = Callable[[Any], Any]


@dataclass(slots=True)
class _Compiled:
    """The text for one dialect; each value by its name and how it becomes the driver's; how a row comes back.

    `constants` are the values that stand in the statement itself. How values come back is known when the driver has
    said for the first time what they are.
    """

    dialect: Dialect

    text: str
    by_name: bool
    values: tuple[tuple[str, _Convert | None], ...]
    constants: Mapping[str, Any]
    row: Callable[[Iterable[Any]], Row]
    columns: tuple[TypeEngine[Any], ...]
    results: tuple[_Convert | None, ...] | None = None

    def given(self, values: Mapping[str, Any]) -> Any:
        if self.constants:
            values = {**self.constants, **values}
        if self.by_name:
            return {
                name: values[name] if convert is None else convert(values[name])
                for name, convert in self.values
            }
        return [values[name] if convert is None else convert(values[name]) for name, convert in self.values]

    def told(self, cursor: Any, found: Sequence[Any]) -> Row:
        results = self.results
        if results is None:
            results = self.results = tuple(
                kind.dialect_impl(self.dialect).result_processor(self.dialect, described[1])
                for kind, described in zip(self.columns, cursor.description, strict=True)
            )
        return self.row(
            value if convert is None else convert(value)
            for value, convert in zip(found, results, strict=True)
        )


class Statement:
    """A statement with named values (`bindparam`, or the columns of an INSERT); no list may be among them.

    Given is the statement, or how it is made where an INSERT needs the dialect's own `on_conflict_do_…`. Every column
    of an INSERT needs a value, unless it has an SQL expression as its default. Run with a connection that is not in a
    transaction, it is one of its own; on PostgreSQL that ends when the connection is given back.
    Raises, when run: SQLAlchemy's `DBAPIError`, as if SQLAlchemy had run it.
    """

    def __init__(self, statement: ClauseElement | Callable[[UpsertOf], ClauseElement]) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def first(self, connection: Connection, **values: Any) -> Row | None:
        """The first row, or None."""
        compiled = self._for(connection)
        cursor = self._execute(connection, compiled, values)
        found = cursor.fetchone()
        return None if found is None else compiled.told(cursor, found)

    def all(self, connection: Connection, **values: Any) -> list[Row]:
        """Every row."""
        compiled = self._for(connection)
        cursor = self._execute(connection, compiled, values)
        return [compiled.told(cursor, found) for found in cursor.fetchall()]

    def run(self, connection: Connection, **values: Any) -> int:
        """How many rows it changed."""
        count: int = self._execute(connection, self._for(connection), values).rowcount
        return count

    def run_each(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
        """Once for each of several sets of values; how many rows it changed in all."""
        compiled = self._for(connection)
        cursor = driver(connection).cursor()
        try:
            cursor.executemany(compiled.text, [compiled.given(row) for row in rows])
        except connection.dialect.loaded_dbapi.Error as error:
            _fail(connection, compiled, error)
        count: int = cursor.rowcount
        return count

    def _execute(self, connection: Connection, compiled: _Compiled, values: Mapping[str, Any]) -> Any:
        try:
            return driver(connection).execute(compiled.text, compiled.given(values))
        except connection.dialect.loaded_dbapi.Error as error:
            _fail(connection, compiled, error)

    def _for(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(connection, dialect)
        return compiled

    def _compile(self, connection: Connection, dialect: Dialect) -> _Compiled:
        statement = self._statement
        if not isinstance(statement, ClauseElement):
            statement = statement(upsert_of(connection))
        schemas = connection.get_execution_options().get("schema_translate_map")
        compiled = statement.compile(
            dialect=dialect,
            column_keys=_column_keys(statement),
            schema_translate_map=schemas,
            render_schema_translate=schemas is not None,
        )
        if not isinstance(compiled, SQLCompiler) or compiled.insert_prefetch or compiled.update_prefetch:
            raise TypeError("values that SQLAlchemy would make itself have no place here")
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise TypeError("lists and literals have no place here")
        names = compiled.positiontup if compiled.positional else list(compiled.binds)
        columns = _result_columns(statement)
        row: Any = namedtuple("Row", list(columns), rename=True)  # type: ignore[misc] # — its names are data
        return _Compiled(
            dialect=dialect,
            text=str(compiled),
            by_name=not compiled.positional,
            values=tuple((name, _binding(compiled.binds[name].type, dialect)) for name in names or ()),
            constants={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            row=row._make,
            columns=tuple(columns.values()),
        )


def driver(connection: Connection) -> Any:
    """The driver's own connection beneath one of SQLAlchemy, also one that does not go back to the pool."""
    return connection.connection.dbapi_connection


def _column_keys(statement: ClauseElement) -> list[str] | None:
    """The columns that an INSERT is given values for: all that do not get theirs from SQL."""
    if not isinstance(statement, Insert):
        return None
    table = statement.table
    return [column.key for column in table.columns if column.default is None and not _numbers(table, column)]


def _numbers(table: Any, column: Any) -> bool:
    """Whether the database gives a column its value, as a row's own number."""
    return column is table.autoincrement_column


def _result_columns(statement: ClauseElement) -> dict[str, TypeEngine[Any]]:
    if isinstance(statement, Select):
        return {str(column.key): column.type for column in statement.selected_columns}
    returned = getattr(statement, "exported_columns", ())
    return {str(column.key): column.type for column in returned}


def _binding(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _fail(connection: Connection, compiled: _Compiled, error: Exception) -> NoReturn:
    """Raise what SQLAlchemy raises, without the values; a connection that broke is not used again."""
    dialect = connection.dialect
    broken = dialect.is_disconnect(error, driver(connection), None)  # type: ignore[arg-type] # — of the driver's own types
    ours = DBAPIError.instance(
        compiled.text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=broken,
        dialect=dialect,
    )
    if broken:
        connection.invalidate(error)
    raise ours from error
