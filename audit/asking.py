"""Gathers what is known of the log outside its database: what its witness holds, and what somebody kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from audit import continuity, origin, stamps, witnessed
from audit.checkpoint import Checkpoint
from audit.outside import KEPT, NOBODY, Held, Outside
from audit.witness_client import WitnessClient
from config import Settings
from errors import PartnerError
from storage import reading


def ask(settings: Settings, engine: Engine, log_key: Ed25519PublicKey, *, offline: bool = False) -> Outside:
    """The witness of the settings, and what it holds; with `offline`, or without an address, it is not asked.

    A witness that cannot be had is told of in `error`. Raises: ConfigurationError when its key, or the authorities of
    time stamps, cannot be read.
    """
    authorities = stamps.roots_of(settings.log.tsa_trust)
    return replace(_witness(settings, engine, log_key, offline=offline), authorities=authorities)


def _witness(settings: Settings, engine: Engine, log_key: Ed25519PublicKey, *, offline: bool) -> Outside:
    known = witnessed.chosen(settings)
    if known is None:
        return NOBODY
    if offline or not settings.log.witness_url:
        return Outside(known.key, known.pinned)
    try:
        with reading(engine).begin() as connection:
            origins = continuity.origins(connection)
    except (SQLAlchemyError, ValueError):
        origins = []  # damaged: the walk says where
    try:
        held = WitnessClient(settings.log.witness_url).held(log_key, known.key, origins)
    except PartnerError as error:
        return Outside(known.key, known.pinned, error=error.detail or error.code)
    return Outside(known.key, known.pinned, asked=True, held=held)


@dataclass(frozen=True, slots=True)
class Known:
    """The newest checkpoint from outside the database, until when it vouches, and why the witness did not tell."""

    checkpoint: Checkpoint | None = None
    until: datetime | None = None
    silent: str | None = None


def newest_known(settings: Settings, engine: Engine, note: Path | None) -> Known:
    """Of the checkpoint in a file and of what the witness has seen of this log, the one that goes further.

    Raises: ConfigurationError, InvalidRequest where the file holds none of this log's key.
    """
    key = origin.load_public_key(settings.keys / "log.pub")
    outside = ask(settings, engine, key)
    known = Known(silent=outside.error)
    if note is not None:
        written = datetime.fromtimestamp(note.stat().st_mtime, UTC)
        known = replace(known, checkpoint=continuity.read_note(note, key), until=written)
    with reading(engine).begin() as connection:
        ours = continuity.origins(connection)[-1:]
    for held in outside.held:
        other = known.checkpoint
        further = other is None or other.origin != held.tree.origin or other.size < held.tree.size
        if [held.tree.origin] == ours and held.cosigned is not None and further:
            known = replace(known, checkpoint=held.tree, until=datetime.fromtimestamp(held.cosigned, UTC))
    return known


def kept(path: Path, log_key: Ed25519PublicKey) -> Held:
    """A checkpoint in a file, as the log or its witness gave it out.

    Raises: InvalidRequest.
    """
    found: Checkpoint = continuity.read_note(path, log_key)
    return Held(found, KEPT)
