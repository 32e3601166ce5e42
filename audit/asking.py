"""Gathers what is known of the log outside its database: what its witness holds, and a checkpoint that somebody kept."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from audit import continuity, witnessed
from audit.checkpoint import Checkpoint
from audit.outside import KEPT, NOBODY, Held, Outside
from audit.witness_client import WitnessClient
from config import Settings
from errors import PartnerError
from storage import reading


def ask(settings: Settings, engine: Engine, log_key: Ed25519PublicKey, *, offline: bool = False) -> Outside:
    """The witness of the settings, and what it holds; with `offline`, or without an address, it is not asked.

    A witness that cannot be had is told of in `error`. Raises: ConfigurationError when its key cannot be read.
    """
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


def kept(path: Path, log_key: Ed25519PublicKey) -> Held:
    """A checkpoint in a file, as the log or its witness gave it out.

    Raises: InvalidRequest.
    """
    found: Checkpoint = continuity.read_note(path, log_key)
    return Held(found, KEPT)
