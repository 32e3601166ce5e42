"""What SAIS knows of care stays: which notices took effect, and the stays that they told of."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from simulators.effects import had_effect

EFFECT = "write:NotifyCareStay"


@dataclass(slots=True)
class CareStays:
    """Notices by MessageID, and stays by person, institution and first day; asked from many threads.

    `forgetful` takes every message for a new one. A stand-in that was started anew knows from its journal which
    messages took effect, and not of which stays: it then takes any LEAVE.
    """

    forgetful: bool = False
    took_effect: set[str] = field(default_factory=set)
    restarted: bool = False
    _stays: set[tuple[str, str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def notify(self, message_id: str, stay: tuple[str, str, str], *, leaves: bool) -> bool | None:
        """Whether the notice took effect now; None where it is refused: it ends a stay that was never told."""
        with self._lock:
            if message_id in self.took_effect and not self.forgetful:
                return False
            if leaves and stay not in self._stays and not self.restarted:
                return None
            self.took_effect.add(message_id)
            self._stays.add(stay)
            return True


def recalled(journal: Path | None, *, forgetful: bool) -> CareStays:
    """What a stand-in knows that was started anew, by its journal."""
    known = had_effect(journal, EFFECT)
    return CareStays(forgetful=forgetful, took_effect=known, restarted=bool(known))
