"""Shows the newest checkpoint to the witness and keeps its cosignature.

No transaction is open while the witness is asked. What it says of a size that is not the one we thought is normal once
(an answer was lost, a host is new); that it has seen more than there is, or another history, is not.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy import Connection, Engine, select

from audit import checkpoint, notes, proofs, witnessed
from audit.checkpoint import Checkpoint
from audit.notes import Signature, VerifierKey
from audit.tables import log_checkpoints
from audit.witness import SIZE
from audit.witness_client import Said
from errors import AnswerRefused, RequestRefused, SystemUnavailable
from storage import reading

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,17})\n?")


@dataclass(frozen=True, slots=True)
class Submitted:
    """How the log stands with its witness: `size` is what it has cosigned.

    `contradiction`: what the witness says that the log cannot be true beside; None where all is well.
    """

    size: int
    contradiction: str | None = None


def due(connection: Connection, key: VerifierKey) -> tuple[Checkpoint, Checkpoint | None] | None:
    """The newest checkpoint and the last that the witness has cosigned; None when it has cosigned the newest."""
    newest, seen = _newest(connection), witnessed.newest(connection, key)
    if newest is None or (seen is not None and seen.size >= newest.size):
        return None
    return newest, seen


def submit(engine: Engine, key: VerifierKey, ask: Callable[[bytes], Said]) -> Submitted | None:
    """Have the newest checkpoint cosigned by asking the witness; None when there is nothing to do.

    Raises: SystemUnavailable, SystemTimeout, AnswerRefused when the witness cannot be reached or makes no sense,
    RequestRefused when it does not know this log or its key, LogUnavailable.
    """
    with reading(engine).begin() as connection:
        found = due(connection, key)
    if found is None:
        return None
    newest, seen = found
    # Of a log that was restored the witness has seen nothing under its new name.
    old = seen.size if seen is not None and seen.origin == newest.origin else 0
    said = ask(_request(engine, newest, old))
    if said.status == HTTPStatus.CONFLICT:
        theirs = _size(said)
        if theirs > newest.size and _grown(engine, key, newest):
            return submit(engine, key, ask)  # another process has shown more meanwhile
        if theirs > newest.size:
            return Submitted(theirs, f"it has seen {theirs} records, and {newest.size} are here")
        if theirs == old:  # as a witness by an earlier text of the protocol says it
            return Submitted(theirs, f"it has another root at {theirs} records")
        old = theirs
        said = ask(_request(engine, newest, old))
    if said.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return Submitted(old, f"{newest.size} records do not go on from the {old} that it has seen")
    if said.status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
        raise RequestRefused(
            f"the witness does not know this log or its key: give it log.pub (HTTP {said.status})"
        )
    if said.status != HTTPStatus.OK:
        raise SystemUnavailable(f"the witness answers HTTP {said.status}")
    signature = _cosignature(said.text, newest, key)
    with engine.begin() as connection:
        witnessed.add(connection, newest.size, signature)
    return Submitted(newest.size)


def _grown(engine: Engine, key: VerifierKey, known: Checkpoint) -> bool:
    with reading(engine).begin() as connection:
        newest, seen = _newest(connection), witnessed.newest(connection, key)
    return newest != known or (seen is not None and seen.size >= known.size)


def _newest(connection: Connection) -> Checkpoint | None:
    note = connection.execute(
        select(log_checkpoints.c.note).order_by(log_checkpoints.c.size.desc()).limit(1)
    ).scalar()
    return None if note is None else checkpoint.parse(note)


def _request(engine: Engine, newest: Checkpoint, old: int) -> bytes:
    with reading(engine).begin() as connection:
        path = proofs.consistency(connection, old, newest.size)
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in path)]
    return ("\n".join(lines) + f"\n\n{newest.note()}").encode()


def _size(said: Said) -> int:
    found = _NUMBER.fullmatch(said.text)
    if said.content_type != SIZE or found is None:
        raise AnswerRefused("the witness does not say which size it has seen")
    return int(found[1])


def _cosignature(text: str, signed: Checkpoint, key: VerifierKey) -> Signature:
    """The line of this witness among those that it answered; those of other keys are passed over."""
    try:
        lines = [notes.parse_line(line) for line in text.removesuffix("\n").split("\n")]
        (ours,) = [line for line in lines if key.made(line)]
        key.check(signed.body().decode(), ours)
    except ValueError as error:
        raise AnswerRefused("the witness's cosignature does not hold: is its key another now?") from error
    return ours
