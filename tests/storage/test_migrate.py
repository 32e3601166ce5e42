"""Migrations: all branches at once, once only, by whoever comes first; and the tables that the modules declare."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, Table, inspect, text
from sqlalchemy.schema import SchemaItem

from audit.tables import (
    LOG_TABLES,
    archive_keys,
    archive_payloads,
    leases,
    sequencer_queue,
    sweeps,
    tree_nodes,
)
from errors import ConfigurationError
from storage import metadata, open_engine
from storage.migrate import upgrade

CHECKOUT = Path(__file__).parent.parent.parent

AUDIT = (*LOG_TABLES, leases, sequencer_queue, sweeps, tree_nodes, archive_keys, archive_payloads)

BRANCH = """
import sqlalchemy as sa
from alembic import op
from storage.migrate import create_schema

revision, down_revision, branch_labels, depends_on = "{name}_0001", None, ("{name}",), None


def upgrade():
    create_schema("{name}")
    op.create_table("{name}_things", sa.Column("id", sa.Integer, primary_key=True), schema="{name}")
    {more}
"""


def names(engine: Engine) -> set[str]:
    found = inspect(engine)
    schemas = found.get_schema_names() if engine.dialect.name == "postgresql" else [None]
    return {
        name for schema in schemas if schema != "information_schema" for name in found.get_table_names(schema)
    }


def heads(engine: Engine) -> set[str]:
    with engine.begin() as connection:
        return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def branch(root: Path, name: str, more: str = "pass") -> None:
    (root / name).mkdir(parents=True)
    (root / name / f"{name}_0001.py").write_text(BRANCH.format(name=name, more=more))


def test_every_branch_reaches_its_head(empty_database: str) -> None:
    engine = open_engine(empty_database)
    upgrade(engine)
    assert {table.name for table in metadata.tables.values()} <= names(engine)
    before = heads(engine)
    assert before
    upgrade(engine)
    assert heads(engine) == before
    engine.dispose()


def test_tables_are_as_the_modules_declare_them(engine: Engine) -> None:
    found = inspect(engine)
    for table in AUDIT:
        schema = table.schema if engine.dialect.name == "postgresql" else None
        assert [column["name"] for column in found.get_columns(table.name, schema)] == [
            c.name for c in table.columns
        ]
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            ours = {"include_schemas": True, "include_object": is_ours}
            assert compare_metadata(MigrationContext.configure(connection, opts=ours), metadata) == []


def is_ours(item: SchemaItem, _name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:
    table = item if isinstance(item, Table) else getattr(item, "table", None)
    return isinstance(table, Table) and table.name in {one.name for one in AUDIT}


def test_a_new_branch_is_a_new_folder(empty_database: str, tmp_path: Path) -> None:
    engine = open_engine(empty_database)
    upgrade(engine, [tmp_path])
    branch(tmp_path, "tenth")
    branch(tmp_path, "eleventh")
    (tmp_path / "empty").mkdir()
    upgrade(engine, [tmp_path])
    assert {"tenth_things", "eleventh_things"} <= names(engine)
    assert heads(engine) == {"tenth_0001", "eleventh_0001"}
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(empty_database: str, tmp_path: Path) -> None:
    engine = open_engine(empty_database)
    branch(tmp_path, "good")
    branch(tmp_path, "wrong", 'op.execute("SELECT * FROM nowhere")')
    with pytest.raises(ConfigurationError):
        upgrade(engine, [tmp_path])
    assert not names(engine) & {"good_things", "wrong_things"}
    engine.dispose()


def test_a_server_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        upgrade(open_engine("postgresql+psycopg://127.0.0.1:1/nowhere"), [tmp_path])


STARTING = """
import sys
from storage import migrate, open_engine
migrate.upgrade(open_engine(sys.argv[1]))
"""


def test_processes_that_start_together_all_succeed(empty_database: str) -> None:
    together = [
        subprocess.Popen(  # noqa: S603 — our own interpreter and program
            [sys.executable, "-c", STARTING, empty_database], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in together:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    engine = open_engine(empty_database)
    assert {table.name for table in metadata.tables.values()} <= names(engine)
    engine.dispose()


def test_a_database_of_a_newer_gateway_is_told_as_such(empty_database: str, tmp_path: Path) -> None:
    engine = open_engine(empty_database)
    branch(tmp_path / "old", "known")
    branch(tmp_path / "new", "known")
    branch(tmp_path / "new", "unknown")
    upgrade(engine, [tmp_path / "new"])
    with pytest.raises(ConfigurationError, match="does not know"):
        upgrade(engine, [tmp_path / "old"])
    engine.dispose()
