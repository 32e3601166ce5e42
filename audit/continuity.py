"""Whether the log in the database is the one that a checkpoint kept elsewhere vouches for, and what it lacks.

A restored log is whole in itself and still behind: only a checkpoint from outside the database can tell by how much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, func, select

from audit import checkpoint, leaf, origin
from audit.checkpoint import Checkpoint
from audit.merkle import Frontier
from audit.tables import log_checkpoints, log_records, log_tree, sequencer_queue
from errors import InvalidRequest

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the log in the database goes: the tree's size, the records without a place yet, the newest instant."""

    size: int
    pending: int
    newest: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the log stands to a checkpoint kept elsewhere.

    `holds` is False where the two are of different histories. `missing` counts the records that the checkpoint covers
    and the database does not have.
    """

    known: int
    holds: bool
    missing: int


def extent(connection: Connection) -> Extent:
    """How far the log goes, with its newest checkpoint."""
    last = connection.execute(select(func.max(log_tree.c.idx))).scalar()
    note = connection.execute(
        select(log_checkpoints.c.note).order_by(log_checkpoints.c.size.desc()).limit(1)
    ).scalar()
    return Extent(
        size=0 if last is None else last + 1,
        pending=connection.execute(select(func.count()).select_from(sequencer_queue)).scalar_one(),
        newest=connection.execute(select(func.max(log_records.c.instant))).scalar(),
        note=note,
    )


def covered_to(connection: Connection, note: str) -> str | None:
    """The instant of the newest record that a checkpoint of this log covers; None where there is none."""
    try:
        size = checkpoint.parse(note).size
    except ValueError:  # it was changed, which `audit verify` tells
        return None
    instant: str | None = connection.execute(
        select(log_records.c.instant)
        .join(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_tree.c.idx == size - 1)
    ).scalar()
    return instant


def read_note(path: Path, key: Ed25519PublicKey) -> Checkpoint:
    """A checkpoint kept elsewhere, as `gateway audit checkpoint` prints it or a witness gives it out.

    Raises: InvalidRequest when it is none, or not signed by this log's key.
    """
    try:
        found = checkpoint.parse(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest(f"{path}: {error}") from error
    if not found.vouched_by(key):
        raise InvalidRequest(f"{path}: not signed by log.pub: another log's, or changed")
    return found


def compare(connection: Connection, outside: Checkpoint) -> Standing:
    """Recompute the tree up to the checkpoint's size, as far as there are leaves.

    Raises: InvalidRequest when the checkpoint is of a log that this one is not and does not go on from.
    """
    ours = extent(connection)
    line, ends = _span(connection, outside.origin)
    if line is None:
        raise InvalidRequest(f"the checkpoint is of another log: {outside.origin}")
    if outside.size > (ours.size if ends is None else ends):
        # Of an origin that ended here, what lies beyond was lost before and is on record.
        beyond = 0 if ends is not None else outside.size - ours.size - ours.pending
        return Standing(outside.size, True, max(0, beyond))
    return Standing(outside.size, _root(connection, outside.size) == outside.root, 0)


def origins(connection: Connection) -> list[str]:
    """The names under which this log has gone, first to last.

    Raises: ValueError where a leaf that should say so does not.
    """
    return [line for _, line in _origins(connection)]


def _origins(connection: Connection) -> Iterator[tuple[int, str]]:
    rows = connection.execute(
        select(log_tree.c.idx, log_records.c.leaf)
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .where(log_records.c.kind == leaf.Kind.ORIGIN.value)
        .order_by(log_tree.c.idx)
    ).all()
    for row in rows:
        yield row.idx, origin.read(leaf.parse(row.leaf)).line


def _span(connection: Connection, line: str) -> tuple[str | None, int | None]:
    """The origin of that name in this log, and the size at which the next one took over; None while it lasts."""
    found: str | None = None
    for index, name in _origins(connection):
        if found is not None:
            return found, index
        if name == line:
            found = line
    return found, None


def _root(connection: Connection, size: int) -> bytes:
    frontier = Frontier()
    while frontier.size < size:
        rows = connection.execute(
            select(log_tree.c.leaf_hash)
            .where(log_tree.c.idx >= frontier.size, log_tree.c.idx < size)
            .order_by(log_tree.c.idx)
            .limit(_BATCH)
        ).scalars()
        before = frontier.size
        for leaf_hash in rows:
            frontier.append(leaf_hash)
        if frontier.size == before:
            return b""
    return frontier.root()
