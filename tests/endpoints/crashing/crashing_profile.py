"""The plain profile with what goes wrong in real ones: a library that logs what it read, and one that crashes on it."""

from __future__ import annotations

import logging

from adapters import Operation
from adapters.profiles import Message
from adapters.profiles.soap import SoapProfile


class CrashingProfile(SoapProfile):
    """Logs of whom each answer is; on that of a person whose code ends in an odd digit it crashes."""

    def read(self, operation: Operation, message: Message, answer: bytes) -> object:
        """As the plain profile, and badly behaved."""
        record = super().read(operation, message, answer)
        code = str(getattr(record, "person_code", ""))
        try:
            raise KeyError(f"{record!r}")
        except KeyError:
            logging.getLogger("a.library").warning("odd answer for %s", code, exc_info=True)
        if code[-1:] in ("1", "3", "5", "7", "9"):
            raise ValueError(f"cannot read {record!r}")
        return record


open_profile = CrashingProfile
