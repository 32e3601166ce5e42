"""Evidence of one exchange as it is handed out: what the log and the archive have, with a cover page and a checker."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from audit import Archive, evidence, snapshot, witnessed
from audit.evidence import Collected
from config import Settings
from questions.cover import cover

_BESIDE = Path(evidence.__file__).parent


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was collected, and the files of the container by their names."""

    found: Collected
    files: Mapping[str, bytes]


def evidence_of(
    settings: Settings, engine: Engine, archive: Archive, exchange: uuid.UUID, purpose: str, now: datetime
) -> Evidence:
    """Everything of an exchange with its proofs; that it is made, and why, is on record before.

    Raises: NotFound, Busy while a record waits for its index, LogUnavailable, ConfigurationError.
    """
    witness = witnessed.chosen(settings)
    with snapshot.at_one_moment(engine) as connection:
        found = evidence.collect(
            connection, archive, exchange, settings.keys / "log.pub", None if witness is None else witness.key
        )
    files = {
        "cover.html": cover(found, now, purpose),
        **found.files,
        **{name: (_BESIDE / name).read_bytes() for name in ("README.txt", "check.py")},
    }
    return Evidence(found, files)
