"""The first leaf of a log: which log it is, of which environment, and the public key of its checkpoints.

A log that was restored from a backup has signed checkpoints over leaves that it no longer holds. To go on under the
same name would sign other roots for the same sizes, which is a fork. It goes on under a new name instead: the next
leaf is an origin again, which states size and root so far (`continues`) and what was lost after them (`lost`).
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import Connection, Engine, insert, select, text

from audit import leaf as leaves
from audit import restorations
from audit.checkpoint import origin_line
from audit.tables import log_checkpoints, log_records, log_tree, sequencer_queue
from errors import ConfigurationError
from exchange import Environment, Json, new_id, utc_now
from storage import reading

# Any number will do as long as it stays: the key of the advisory lock on PostgreSQL ("origin" in ASCII).
_LOCK = 0x6F726967696E
_NEWEST = select(log_checkpoints.c.note).order_by(log_checkpoints.c.size.desc()).limit(1)
# Any origin will do: one that goes on from another is of the same environment and key.
_ORIGIN = select(log_records.c.leaf).where(log_records.c.kind == leaves.Kind.ORIGIN.value).limit(1)
# The kind is in no index, and each process asks once: the first leaf is looked at before all records are.
_FIRST = _ORIGIN.join(log_tree, log_tree.c.record_id == log_records.c.id).where(log_tree.c.idx == 0)


@dataclass(frozen=True, slots=True)
class Origin:
    """What the first leaf says; one that goes on from another names that one's line, size and root (base64)."""

    log_id: str
    environment: Environment
    public_key: str
    continues: tuple[str, int, str] | None = None

    @property
    def line(self) -> str:
        """The first line of every checkpoint of this log."""
        return origin_line(self.environment, self.log_id)


def key_text(key: Ed25519PublicKey) -> str:
    """A public key as the first leaf names it: base64 of its 32 bytes."""
    return base64.b64encode(key.public_bytes_raw()).decode()


def read(leaf: dict[str, Json]) -> Origin:
    """The origin that a leaf states.

    Raises: ValueError when it is no origin.
    """
    match leaf:
        case {
            "kind": "origin",
            "exchange": str(exchange),
            "log": str(log_id),
            "environment": str(environment),
            "public_key": str(key),
        } if exchange == log_id:
            return Origin(log_id, Environment(environment), key, _continues(leaf.get("continues")))
    raise ValueError("the first leaf is not an origin")


def _continues(value: Json) -> tuple[str, int, str] | None:
    match value:
        case None:
            return None
        case {"log": str(line), "size": int(size), "root": str(root), **more} if (
            type(size) is int and not more
        ):
            return line, size, root
    raise ValueError("an origin goes on from something that is no tree")


def again(
    before: Origin, environment: Environment, key: Ed25519PublicKey, tree: tuple[int, bytes], lost: Json
) -> leaves.Record:
    """The record with which a log goes on under a new name after `tree` (size and root)."""
    log_id = new_id()
    facts: dict[str, Json] = {
        "log": str(log_id),
        "environment": environment.value,
        "public_key": key_text(key),
        "continues": {"log": before.line, "size": tree[0], "root": base64.b64encode(tree[1]).decode()},
        "lost": lost,
    }
    return leaves.seal(leaves.Entry(leaves.Kind.ORIGIN, log_id, utc_now(), facts), uuid.uuid4(), b"")


def ensure(engine: Engine, environment: Environment, key: Ed25519PublicKey) -> str:
    """Begin the log if nobody has, and give its line; of processes that start together, one begins it.

    Raises: ConfigurationError when the log in the database is of the other environment or of another key, or was
    loaded from a backup and is not recovered.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if restorations.open_one(connection) is not None:
            raise ConfigurationError("the database was loaded from a backup: run `gateway recover` first")
        found = _found(connection)
        if found is None:
            return _begin(connection, environment, key).line
        newest = connection.execute(_NEWEST).scalar()
    _ours(found, environment, key)
    # Its last checkpoint names the log: one that was restored has had several names.
    return (newest or "").partition("\n")[0] or _line(found)


def _found(connection: Connection) -> str | None:
    """An origin of the log; None where nobody has begun it."""
    first: str | None = connection.execute(_FIRST).scalar()
    return connection.execute(_ORIGIN).scalar() if first is None else first


def _line(leaf: str) -> str:
    try:
        return read(leaves.parse(leaf)).line
    except (TypeError, ValueError):
        return ""  # damaged: `audit verify` names it


def check(engine: Engine, environment: Environment, key: Ed25519PublicKey) -> None:
    """Refuse a database whose log is of the other environment or of another key, before anything is done with it.

    Raises: ConfigurationError.
    """
    with reading(engine).begin() as connection:
        found = _found(connection)
    if found is not None:
        _ours(found, environment, key)


def _ours(leaf: str, environment: Environment, key: Ed25519PublicKey) -> None:
    try:
        origin = read(leaves.parse(leaf))
    except (TypeError, ValueError):
        return  # damaged: `audit verify` names it, and the exchanges must still be recorded
    if (origin.environment, origin.public_key) != (environment, key_text(key)):
        raise ConfigurationError("the exchange log in the database belongs to another environment or key")


def _begin(connection: Connection, environment: Environment, key: Ed25519PublicKey) -> Origin:
    log_id = new_id()
    entry = leaves.Entry(
        leaves.Kind.ORIGIN,
        log_id,
        utc_now(),
        {"log": str(log_id), "environment": environment.value, "public_key": key_text(key)},
    )
    record = leaves.seal(entry, uuid.uuid4(), b"")
    connection.execute(insert(log_records).values(id=record.id, leaf=record.leaf, **record.columns))
    connection.execute(insert(sequencer_queue).values(record_id=record.id))
    return Origin(str(log_id), environment, key_text(key))


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The key that checkpoints are verified with (`log.pub`, PEM).

    Raises: ConfigurationError.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{path} cannot be read: make keys with `gateway keys new`") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key")
    return key
