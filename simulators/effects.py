"""Which messages took effect, by MessageID: a message that comes again has no second effect."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Effects:
    """Messages that took effect; asked from many threads. `forgetful` takes every message for a new one."""

    forgetful: bool = False
    took_effect: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def once(self, message_id: str, act: Callable[[], None]) -> bool:
        """Let a message take effect unless it did already; whether it took effect now."""
        with self._lock:
            if message_id in self.took_effect and not self.forgetful:
                return False
            act()
            self.took_effect.add(message_id)
            return True


def had_effect(journal: Path | None, effect: str) -> set[str]:
    """The messages that had an effect by the journal of a stand-in that ran before."""
    if journal is None or not journal.is_file():
        return set()
    with journal.open(encoding="utf-8") as lines:
        seen = (json.loads(line) for line in lines if effect in line)
        return {str(line["message_id"]) for line in seen if line["effect"] == effect}
