"""What the simulators saw: one JSON line for each request, from all processes into one file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from exchange import instant_text

NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a request said of itself, as far as it could be read; an unsigned one may say anything."""

    operation: str | None = None
    message_id: str | None = None
    request_id: str | None = None
    body_sha256: str | None = None


class Journal:
    """A file that several processes append to; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = None if path is None else os.open(path, flags, 0o600)

    def write(self, instant: datetime, system: str, seen: Seen, effect: str, answered: str) -> None:
        """Append one line. It is one write to a file opened for appending, so that lines never mix."""
        if self._descriptor is None:
            return
        line = {"instant": instant_text(instant), "system": system, **asdict(seen)}
        line |= {"effect": effect, "answered": answered}
        os.write(self._descriptor, json.dumps(line, ensure_ascii=False).encode() + b"\n")
