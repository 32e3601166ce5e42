"""The State Address Register (VARIS) as a whole: the tables that an open-data edition is loaded into.

A row belongs to the editions from `first_edition` up to, and without, `ended_edition` (None: to the newest). Whoever
reads takes the number of the edition in use once and asks for rows of that number, so that an edition that is being
loaded, whole or half, is never seen. What an edition changes is a new row beside the old one: names and parents of
before stay, and with them the history. Where rows come from is told once for an edition, not for each of its rows.

Source: p17.10; open data of Valsts zemes dienests, CC BY 4.0.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.sql import ColumnElement, FromClause

from registers.history import Exact, provenance_columns
from storage import Instant, metadata

SCHEMA = "vzd"
# Words are looked up by their beginning, which an index of PostgreSQL can do in byte order only.
_BYTES = Text(collation="C").with_variant(Text(), "sqlite")
# Told of every table whose rows are those of editions: the column that names the edition, and the table of editions.
_TOLD = {"provenance": ("first_edition", "vzd_edition")}

EDITION = Table(
    "vzd_edition",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("newest_on", Date),
    Column("counts", JSON),
    Column("files", JSON),
    Column("switched_at", Instant),
    Column("recorded_at", Instant, nullable=False),
    *provenance_columns(),
    schema=SCHEMA,
)
Index(
    "uq_vzd_edition_current",
    EDITION.c.state,
    unique=True,
    postgresql_where=text("state = 'current'"),
    sqlite_where=text("state = 'current'"),
)

PLACE = Table(
    "vzd_place",
    metadata,
    Column("code", Integer, primary_key=True, autoincrement=False),
    Column("first_edition", Integer, primary_key=True, autoincrement=False),
    Column("ended_edition", Integer),
    Column("kind", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sort_name", Text, nullable=False),
    Column("parent", Integer, nullable=False),
    Column("parent_kind", SmallInteger, nullable=False),
    Column("postcode", Text),
    Column("atvk", Text),
    Column("small_village", Boolean, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("approval", SmallInteger),
    Column("post_office", Integer),
    Column("for_building", Boolean),
    Column("planned", Boolean),
    Column("valid_from", Date, nullable=False),
    Column("modified_on", Date),
    Column("valid_to", Date),
    # From which day name, parent and postcode hold, where an earlier edition had others; None: as far back as is known.
    Column("holds_from", Date),
    # The full address of the source, where the chain does not give the same.
    Column("given_text", Text),
    Column("lks_x", Exact),
    Column("lks_y", Exact),
    Column("north", Exact),
    Column("east", Exact),
    # The name as it is searched for among its siblings.
    Column("search_key", _BYTES, nullable=False),
    Column("digest", BigInteger, nullable=False),
    schema=SCHEMA,
    info=_TOLD,
    sqlite_with_rowid=False,
)
Index(None, PLACE.c.parent, PLACE.c.search_key)

FORMER = Table(
    "vzd_former_place",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_edition", Integer, nullable=False),
    Column("ended_edition", Integer),
    Column("code", Integer, nullable=False),
    Column("code_before", Integer),
    Column("kind", SmallInteger, nullable=False),
    Column("name", Text),
    Column("parent", Integer),
    Column("parent_kind", SmallInteger),
    Column("full_text", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("modified_on", Date),
    Column("valid_to", Date),
    Column("search_key", _BYTES),
    Column("digest", BigInteger, nullable=False),
    schema=SCHEMA,
    info=_TOLD,
)
Index(None, FORMER.c.code)
Index(
    "ix_vzd_former_place_code_before",
    FORMER.c.code_before,
    postgresql_where=text("code_before IS NOT NULL"),
    sqlite_where=text("code_before IS NOT NULL"),
)
Index(None, FORMER.c.parent, FORMER.c.search_key)

CENTROID = Table(
    "vzd_centroid",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_edition", Integer, nullable=False),
    Column("ended_edition", Integer),
    Column("code", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("lks_x", Exact),
    Column("lks_y", Exact),
    Column("north", Exact, nullable=False),
    Column("east", Exact, nullable=False),
    Column("digest", BigInteger, nullable=False),
    schema=SCHEMA,
    info=_TOLD,
)
Index(None, CENTROID.c.code)

# Words of present and former names; none is taken away, since a former name finds what it was the name of.
WORD = Table(
    "vzd_place_word",
    metadata,
    Column("word", _BYTES, primary_key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("code", Integer, primary_key=True, autoincrement=False),
    Column("first_edition", Integer, nullable=False),
    schema=SCHEMA,
    info=_TOLD,
    sqlite_with_rowid=False,
)

for _table in (PLACE, FORMER, CENTROID):
    Index(
        f"ix_{_table.name}_ended_edition",
        _table.c.ended_edition,
        postgresql_where=text("ended_edition IS NOT NULL"),
        sqlite_where=text("ended_edition IS NOT NULL"),
    )


def seen_in(table: FromClause, edition: int) -> tuple[ColumnElement[bool], ...]:
    """The rows of a table that belong to an edition."""
    ended = table.c.ended_edition
    return table.c.first_edition <= edition, (ended.is_(None)) | (ended > edition)
