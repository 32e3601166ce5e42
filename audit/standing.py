"""How the records of one exchange stand in the log: where, under which checkpoint, and who vouches for that."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from audit import checkpoint, notes, proofs, snapshot
from audit.checkpoint import Checkpoint
from audit.merkle import leaf_hash
from audit.notes import VerifierKey
from audit.tables import log_checkpoints, log_cosignatures, log_records, log_tree
from errors import LogUnavailable

# An exchange that was tried for days has very many records: the paths of the newest are followed.
_MOST_FOLLOWED = 10


class State(StrEnum):
    """What is proven of an exchange's records."""

    WAITING = "waiting"  # one of them has no index yet
    SIGNED = "signed"  # they lead to a checkpoint that the log has signed, and no witness yet
    WITNESSED = "witnessed"  # the witness has cosigned that checkpoint
    BROKEN = "broken"  # they contradict the log's checkpoints: `gateway audit verify` says where


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: its index, the hash of its leaf as the record is now, the first checkpoint over it."""

    index: int
    leaf_hash: bytes
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one exchange. `places` by record id.

    `proven_to` is the checkpoint that the paths of so many of its newest records were `followed` to just now.
    """

    state: State
    places: Mapping[str, Place]
    proven_to: Checkpoint | None
    followed: int = 0


def of_exchange(
    engine: Engine, exchange_id: uuid.UUID, log_key: Ed25519PublicKey, witness: VerifierKey | None
) -> Standing:
    """Follow the paths of the records to the newest checkpoint that the witness has signed, else to the newest one.

    Raises: LogUnavailable where the database is not reached.
    """
    query = (
        select(
            log_records.c.id, log_records.c.leaf, log_tree.c.idx, log_tree.c.leaf_hash, log_tree.c.checkpoint
        )
        .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
        .where(log_records.c.exchange_id == str(exchange_id))
        .order_by(log_tree.c.idx)
    )
    try:
        with snapshot.at_one_moment(engine) as connection:
            rows = connection.execute(query).all()
            placed = [row for row in rows if row.idx is not None]
            places = {row.id: Place(row.idx, leaf_hash(row.leaf.encode()), row.checkpoint) for row in placed}
            if not placed:
                return Standing(State.WAITING, places, None)
            try:
                signed, witnessed = newest_over(connection, placed[-1].idx + 1, witness)
                for row in placed[-_MOST_FOLLOWED:]:
                    proofs.inclusion(connection, row.idx, signed.size)
            except (LogUnavailable, ValueError):
                return Standing(State.BROKEN, places, None)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    same = all(row.leaf_hash == places[row.id].leaf_hash for row in placed)
    note = notes.Note(signed.body().decode(), signed.signatures)
    cosigned = not witnessed or witness is None or note.signed_by([witness])
    if not same or not signed.vouched_by(log_key) or not cosigned:
        return Standing(State.BROKEN, places, signed)
    followed = min(len(placed), _MOST_FOLLOWED)
    if len(placed) < len(rows):
        return Standing(State.WAITING, places, signed, followed)
    return Standing(State.WITNESSED if witnessed else State.SIGNED, places, signed, followed)


def newest_over(connection: Connection, size: int, witness: VerifierKey | None) -> tuple[Checkpoint, bool]:
    """The newest checkpoint over so many leaves that the witness has signed, else the newest one: with every
    cosignature there is, and whether the witness's is among them.

    Raises: LogUnavailable where none covers them.
    """
    over = select(log_checkpoints.c.size, log_checkpoints.c.note).where(log_checkpoints.c.size >= size)
    newest = over.order_by(log_checkpoints.c.size.desc()).limit(1)
    row = None
    if witness is not None:
        row = connection.execute(
            newest.join(log_cosignatures, log_cosignatures.c.size == log_checkpoints.c.size).where(
                log_cosignatures.c.name == witness.name, log_cosignatures.c.key_id == witness.id.hex()
            )
        ).first()
    witnessed = row is not None
    row = row or connection.execute(newest).first()
    if row is None:
        raise LogUnavailable("no checkpoint covers the exchange; run `gateway audit verify`")
    lines = connection.execute(
        select(log_cosignatures.c.line)
        .where(log_cosignatures.c.size == row.size)
        .order_by(log_cosignatures.c.name, log_cosignatures.c.key_id)
    ).scalars()
    return checkpoint.parse(f"{row.note}{''.join(lines)}"), witnessed
