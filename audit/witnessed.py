"""What this log has from its witness: whose word counts, what is cosigned, and what nobody outside vouches for yet.

The witness is the one that `[log] witness_key` names. Where it names none, its key is taken from the witness at the
first contact and pinned in a file beside the keys: from then on no other one will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from audit import checkpoint, notes, snapshot
from audit.checkpoint import Checkpoint
from audit.leaf import Entry, Kind, parse
from audit.notes import COSIGNATURE, Signature, VerifierKey
from audit.tables import log_checkpoints, log_cosignatures, log_tree, sequencer_queue
from config import Settings
from errors import ConfigurationError
from exchange import Environment, Json, new_id, utc_now
from security.keys import replace_file
from storage import database_now, upsert

PIN = "witness.vkey"
ACT = "witness"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The witness whose cosignatures count, and whether its key was pinned on first use."""

    key: VerifierKey
    pinned: bool


@dataclass(frozen=True, slots=True)
class Exposure:
    """What no witness vouches for: how many records, and for how many seconds the oldest of them is there.

    `size` is that of the newest cosigned checkpoint, None without any.
    """

    size: int | None
    records: int
    seconds: float


def chosen(settings: Settings) -> Chosen | None:
    """The witness of the settings, else the pinned one; None where there is neither.

    Raises: ConfigurationError.
    """
    if settings.log.witness_key:
        return Chosen(_key(settings.log.witness_key, "[log] witness_key"), pinned=False)
    file = settings.keys / PIN
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read") from error
    return Chosen(_key(text, str(file)), pinned=True)


def pin(keys: Path, key: VerifierKey) -> None:
    """Keep the key of the witness beside the gateway's own."""
    replace_file(keys, PIN, f"{key}\n".encode())


def _key(text: str, where: str) -> VerifierKey:
    try:
        found = notes.parse_key(text)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    if found.kind != COSIGNATURE:
        raise ConfigurationError(f"{where} is the key of a log, not of a witness")
    return found


def introduction(environment: Environment, key: VerifierKey, pinned: bool) -> Entry:
    """The record that this witness sees the checkpoints from now on; by it its cosignatures can be checked later."""
    facts: dict[str, Json] = {
        "environment": environment.value,
        "act": ACT,
        "name": key.name,
        "key": str(key),
        "pinned_on_first_use": pinned,
    }
    return Entry(Kind.ADMIN, new_id(), utc_now(), facts)


def newest(connection: Connection, key: VerifierKey) -> Checkpoint | None:
    """The newest checkpoint that this witness has cosigned."""
    note = connection.execute(
        select(log_checkpoints.c.note)
        .join(log_cosignatures, log_cosignatures.c.size == log_checkpoints.c.size)
        .where(log_cosignatures.c.name == key.name, log_cosignatures.c.key_id == key.id.hex())
        .order_by(log_cosignatures.c.size.desc())
        .limit(1)
    ).scalar()
    return None if note is None else checkpoint.parse(note)


def add(connection: Connection, size: int, signature: Signature) -> None:
    """Keep a cosignature; one that is there stays as it is."""
    connection.execute(
        upsert(connection, log_cosignatures)
        .values(size=size, name=signature.name, key_id=signature.key.hex(), line=signature.line())
        .on_conflict_do_nothing()
    )


def exposure(connection: Connection, key: VerifierKey | None) -> Exposure:
    """How much of the log the witness has not seen at this moment."""
    seen = None if key is None else newest(connection, key)
    last = connection.execute(select(func.max(log_tree.c.idx))).scalar()
    pending: int = connection.execute(select(func.count()).select_from(sequencer_queue)).scalar_one()
    size = None if seen is None else seen.size
    records = (0 if last is None else last + 1) + pending - (size or 0)
    return Exposure(size, records, seconds_from(connection, size or 0))


def seconds_from(connection: Connection, size: int) -> float:
    """For how long the first record without a place below a size is there; 0 without one, or without a readable one."""
    try:
        instant = datetime.fromisoformat(snapshot.oldest_from(connection, size))
        return round(max(0.0, (database_now(connection) - instant).total_seconds()), 1)
    except (TypeError, ValueError):
        return 0.0


class Cosignatures:
    """Checks the rows of cosignatures as a walk over the log comes by their checkpoints."""

    def __init__(self, connection: Connection, witness: VerifierKey | None) -> None:
        self._connection = connection
        self._witness = witness
        self._known: dict[tuple[str, str], VerifierKey] | None = None
        self.checked = 0

    def check(self, after: int, signed: Checkpoint) -> bool:
        """See that every cosignature above `after`, up to a checkpoint, holds for it; whether the witness's is there.

        Raises: ValueError saying what does not hold.
        """
        witnessed = False
        for size, name, key_id, line in snapshot.cosignatures(self._connection, after, signed.size):
            if size != signed.size:
                raise ValueError(f"a cosignature stands under {size}, where no checkpoint is")
            key = self._keys().get((name, key_id))
            if key is None:
                raise ValueError(f"a cosignature of {signed.size} is of a witness that the log does not know")
            if type(line) is not str or not line.endswith("\n"):
                raise ValueError(f"a cosignature of {signed.size} is no line of a note")
            signature = notes.parse_line(line[:-1])
            if signature.line() != line:
                raise ValueError(f"a cosignature of {signed.size} is not in its exact form")
            key.check(signed.body().decode(), signature)
            witnessed = witnessed or key == self._witness
            self.checked += 1
        return witnessed

    def finish(self, size: int) -> None:
        """See that no cosignature stands elsewhere than under a checkpoint.

        Raises: ValueError.
        """
        if snapshot.count(self._connection, log_cosignatures.c.size) == self.checked:
            return
        where = snapshot.beyond(self._connection, size)
        raise ValueError(f"a cosignature stands under {where or 'no size'}, where no checkpoint is")

    def _keys(self) -> dict[tuple[str, str], VerifierKey]:
        if self._known is None:
            self._known = {} if self._witness is None else {_named(self._witness): self._witness}
            for leaf in snapshot.witnesses(self._connection):
                key = introduced(leaf)
                if key is not None:
                    self._known[_named(key)] = key
        return self._known


def introduced(text: object) -> VerifierKey | None:
    """The key that a leaf introduces; None where it introduces none."""
    try:
        members = parse(text)  # type: ignore[arg-type] # — it refuses what is no text
        return notes.parse_key(str(members["key"])) if members.get("act") == ACT else None
    except (KeyError, TypeError, ValueError):
        return None


def _named(key: VerifierKey) -> tuple[str, str]:
    return key.name, key.id.hex()
