"""The State Address Register as a whole, loaded from open-data editions.

Revision: vzd_edition_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import Instant

revision = "vzd_edition_0001"
down_revision = "vzd_0001"
branch_labels = None
depends_on = None

# A decimal that SQLite keeps as text, because its numbers are floats.
_EXACT = sa.Numeric().with_variant(sa.Text(), "sqlite")
_BYTES = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")
_TABLES = ("vzd_place", "vzd_former_place", "vzd_centroid")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vzd_edition",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("newest_on", sa.Date(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=True),
        sa.Column("files", sa.JSON(), nullable=True),
        sa.Column("switched_at", Instant(), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("exchange_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vzd_edition")),
        schema="vzd",
    )
    op.create_index(
        "uq_vzd_edition_current",
        "vzd_edition",
        ["state"],
        unique=True,
        schema="vzd",
        postgresql_where=sa.text("state = 'current'"),
        sqlite_where=sa.text("state = 'current'"),
    )
    _place()
    _former_place()
    _centroid()
    op.create_table(
        "vzd_place_word",
        sa.Column("word", _BYTES, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_edition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", "kind", "code", name=op.f("pk_vzd_place_word")),
        schema="vzd",
        sqlite_with_rowid=False,
    )
    for table in _TABLES:
        op.create_index(
            f"ix_{table}_ended_edition",
            table,
            ["ended_edition"],
            schema="vzd",
            postgresql_where=sa.text("ended_edition IS NOT NULL"),
            sqlite_where=sa.text("ended_edition IS NOT NULL"),
        )


def _place() -> None:
    op.create_table(
        "vzd_place",
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ended_edition", sa.Integer(), nullable=True),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("parent_kind", sa.SmallInteger(), nullable=False),
        sa.Column("postcode", sa.Text(), nullable=True),
        sa.Column("atvk", sa.Text(), nullable=True),
        sa.Column("small_village", sa.Boolean(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("approval", sa.SmallInteger(), nullable=True),
        sa.Column("post_office", sa.Integer(), nullable=True),
        sa.Column("for_building", sa.Boolean(), nullable=True),
        sa.Column("planned", sa.Boolean(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("modified_on", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("holds_from", sa.Date(), nullable=True),
        sa.Column("given_text", sa.Text(), nullable=True),
        sa.Column("lks_x", _EXACT, nullable=True),
        sa.Column("lks_y", _EXACT, nullable=True),
        sa.Column("north", _EXACT, nullable=True),
        sa.Column("east", _EXACT, nullable=True),
        sa.Column("search_key", _BYTES, nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", "first_edition", name=op.f("pk_vzd_place")),
        schema="vzd",
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_vzd_place_parent_search_key"), "vzd_place", ["parent", "search_key"], schema="vzd"
    )


def _former_place() -> None:
    op.create_table(
        "vzd_former_place",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_edition", sa.Integer(), nullable=False),
        sa.Column("ended_edition", sa.Integer(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("code_before", sa.Integer(), nullable=True),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("parent_kind", sa.SmallInteger(), nullable=True),
        sa.Column("full_text", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("modified_on", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("search_key", _BYTES, nullable=True),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vzd_former_place")),
        schema="vzd",
    )
    op.create_index(op.f("ix_vzd_former_place_code"), "vzd_former_place", ["code"], schema="vzd")
    op.create_index(
        "ix_vzd_former_place_code_before",
        "vzd_former_place",
        ["code_before"],
        schema="vzd",
        postgresql_where=sa.text("code_before IS NOT NULL"),
        sqlite_where=sa.text("code_before IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_vzd_former_place_parent_search_key"),
        "vzd_former_place",
        ["parent", "search_key"],
        schema="vzd",
    )


def _centroid() -> None:
    op.create_table(
        "vzd_centroid",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_edition", sa.Integer(), nullable=False),
        sa.Column("ended_edition", sa.Integer(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("lks_x", _EXACT, nullable=True),
        sa.Column("lks_y", _EXACT, nullable=True),
        sa.Column("north", _EXACT, nullable=False),
        sa.Column("east", _EXACT, nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vzd_centroid")),
        schema="vzd",
    )
    op.create_index(op.f("ix_vzd_centroid_code"), "vzd_centroid", ["code"], schema="vzd")


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    for table in (*_TABLES, "vzd_place_word", "vzd_edition"):
        op.drop_table(table, schema="vzd")
