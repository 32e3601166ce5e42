"""Proofs as files that say by themselves what they prove, with the signed checkpoint that they lead to.

Inclusion, as C2SP tlog-proof has it; the extra data are the leaf's own bytes:

    c2sp.org/tlog-proof@v1
    extra <base64 of the leaf>
    index <index>
    <base64 of a hash>        one line each, sibling of the leaf first

    <checkpoint>

Consistency, as C2SP tlog-witness has it in a request:

    old <size>
    <base64 of a hash>        one line each

    <checkpoint>

A checkpoint bears the signatures of the witnesses too, where they are known.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from audit import checkpoint, proofs, snapshot
from audit.merkle import leaf_hash
from audit.tables import log_checkpoints, log_cosignatures, log_records, log_tree
from errors import InvalidRequest, LogUnavailable, NotFound
from exchange import Json


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf stands at an index of a tree; `note` is the signed checkpoint of that tree."""

    index: int
    leaf: str
    path: Sequence[bytes]
    note: str

    def text(self) -> str:
        """The proof as a file."""
        extra = base64.b64encode(self.leaf.encode()).decode()
        head = f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {self.index}\n"
        return f"{head}{_hashes(self.path)}\n{self.note}"

    def json(self) -> dict[str, Json]:
        """As `gateway audit prove INDEX --json` prints it."""
        return {
            "index": self.index,
            "size": checkpoint.parse(self.note).size,
            "leaf": self.leaf,
            "leaf_hash": leaf_hash(self.leaf.encode()).hex(),
            "path": [each.hex() for each in self.path],
            "checkpoint": self.note,
        }


@dataclass(frozen=True, slots=True)
class Consistency:
    """That a tree begins with all leaves of an earlier one; the notes are their checkpoints, "" of the empty tree."""

    old: int
    path: Sequence[bytes]
    old_note: str
    note: str

    def text(self) -> str:
        """The proof as a file."""
        return f"old {self.old}\n{_hashes(self.path)}\n{self.note}"

    def json(self) -> dict[str, Json]:
        """As `gateway audit prove --consistency OLD NEW --json` prints it."""
        return {
            "old": self.old,
            "size": checkpoint.parse(self.note).size,
            "path": [each.hex() for each in self.path],
            "old_checkpoint": self.old_note,
            "checkpoint": self.note,
        }


def inclusion(engine: Engine, index: int, size: int | None) -> Inclusion:
    """The proof of a leaf at the checkpoint of a size; without one at the newest that a witness has signed, if it
    covers the leaf, else at the newest.

    Raises: NotFound, InvalidRequest where no checkpoint was signed at the size, LogUnavailable.
    """
    try:
        with snapshot.at_one_moment(engine) as connection:
            at = _newest(connection, index) if size is None else size
            note = _note(connection, at)
            path = proofs.inclusion(connection, index, at)
            text = connection.execute(
                select(log_records.c.leaf)
                .join(log_tree, log_tree.c.record_id == log_records.c.id)
                .where(log_tree.c.idx == index)
            ).scalar_one()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return Inclusion(index, text, path, note)


def consistency(engine: Engine, old: int, new: int) -> Consistency:
    """The proof between the checkpoints of two sizes.

    Raises: NotFound, InvalidRequest where no checkpoint was signed at the sizes, LogUnavailable.
    """
    try:
        with snapshot.at_one_moment(engine) as connection:
            earlier = _note(connection, old) if old else ""
            return Consistency(old, proofs.consistency(connection, old, new), earlier, _note(connection, new))
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def _newest(connection: Connection, index: int) -> int:
    seen: int | None = connection.execute(
        select(log_cosignatures.c.size).order_by(log_cosignatures.c.size.desc()).limit(1)
    ).scalar()
    if seen is not None and seen > index:
        return seen
    newest: int | None = connection.execute(
        select(log_checkpoints.c.size).order_by(log_checkpoints.c.size.desc()).limit(1)
    ).scalar()
    if newest is None or newest <= index:
        raise NotFound(f"no checkpoint covers index {index} yet")
    return newest


def _note(connection: Connection, size: int) -> str:
    note = snapshot.note(connection, size)
    if note is None:
        raise InvalidRequest(f"no checkpoint was signed at {size}{_near(connection, size)}")
    lines = snapshot.cosignatures(connection, size - 1, size)
    return note + "".join(line for _, _, _, line in lines)


def _near(connection: Connection, size: int) -> str:
    after = connection.execute(
        select(log_checkpoints.c.size)
        .where(log_checkpoints.c.size > size)
        .order_by(log_checkpoints.c.size)
        .limit(1)
    ).scalar()
    return "" if after is None else f"; the next is at {after}"


def _hashes(path: Sequence[bytes]) -> str:
    return "".join(f"{base64.b64encode(each).decode()}\n" for each in path)
