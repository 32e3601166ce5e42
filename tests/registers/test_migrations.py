"""The migrations make exactly the tables that the registers declare."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, MetaData, inspect

import registers
from storage import metadata, open_engine
from storage.migrate import upgrade

SCHEMAS = tuple(
    sorted(
        folder.name
        for folder in (Path(registers.__file__).parent / "migrations").iterdir()
        if folder.is_dir()
    )
)


def shape(engine: Engine) -> dict[str, object]:
    """Everything that a database says of the registers' tables."""
    seen: dict[str, object] = {}
    inspector = inspect(engine)
    for table in metadata.sorted_tables:
        if table.schema not in SCHEMAS:
            continue
        schema = None if engine.dialect.name == "sqlite" else table.schema
        name = table.name
        seen[name] = (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name, schema)],
            inspector.get_pk_constraint(name, schema),
            sorted(inspector.get_foreign_keys(name, schema), key=str),
            sorted(
                (
                    index["name"] or "",
                    index["column_names"],
                    bool(index["unique"]),
                    str(index.get("dialect_options", {}).get(f"{engine.dialect.name}_where", "")),
                )
                for index in inspector.get_indexes(name, schema)
            ),
            inspector.get_unique_constraints(name, schema),
            inspector.get_check_constraints(name, schema),
        )
    return seen


def test_migrations_make_exactly_what_is_declared(empty_database: str) -> None:
    declared = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        if table.schema in SCHEMAS:
            table.to_metadata(declared)
    engine = open_engine(empty_database)
    upgrade(engine)
    inspector = inspect(engine)
    schemas = [None] if engine.dialect.name == "sqlite" else SCHEMAS
    found = {name for schema in schemas for name in inspector.get_table_names(schema)}
    assert {name for name in found if name.split("_")[0] in SCHEMAS} == {
        table.name for table in declared.sorted_tables
    }
    migrated = shape(engine)
    with engine.begin() as connection:
        declared.drop_all(connection)
        declared.create_all(connection)
    assert migrated == shape(engine)
    engine.dispose()


def test_every_table_says_where_its_rows_come_from() -> None:
    assert registers.REGISTERS
    for table in metadata.sorted_tables:
        if table.schema in SCHEMAS and "anonymous" not in table.info:
            names = {"exchange_id", "source", "contract_version", "mapping_version", "recorded_at"}
            if "provenance" in table.info:  # the row names another that tells it of many rows at once
                column, teller = table.info["provenance"]
                assert not table.columns[column].nullable
                assert names <= set(metadata.tables[f"{table.schema}.{teller}"].columns.keys())
            else:
                assert names <= set(table.columns.keys())
            assert table.name.startswith(f"{table.schema}_")
