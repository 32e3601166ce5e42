"""Whose signatures count on the ways in for partners: read from files, and read again when they change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from config import Settings
from exchange import Environment
from security.certificates import load_authorities, load_revocations
from security.engines import ENGINES
from security.wsse import Policy, nobody

# What tells that a file is another one than before: name, inode, size, instant of change (ns).
_Mark = tuple[str, int, int, int]


class PartnerTrust:
    """The signature policy for partners: `trust/*.pem`, `crl/*.pem`, in the test environment our own test authority.

    An authority added or a list replaced counts from the next message on, in every process.
    """

    def __init__(
        self, settings: Settings, *, may_leave_unsigned: Callable[[x509.Certificate], bool] = nobody
    ) -> None:
        """`may_leave_unsigned`: see `security.wsse.Policy`; asked at every message that leaves something unsigned."""
        self._may_leave_unsigned = may_leave_unsigned
        self._engine = ENGINES[settings.signature.engine]
        self._trust = settings.trust
        self._crl = settings.crl
        test = settings.environment is Environment.TEST
        self._own = settings.keys / "authority.pem" if test else None
        self._lock = threading.Lock()
        self._read: tuple[tuple[_Mark, ...], Policy] | None = None

    def policy(self) -> Policy:
        """The policy of now.

        Raises: ConfigurationError when a file cannot be read: nobody is believed on half of the lists.
        """
        with self._lock:
            marks = self._marks()
            if self._read is None or self._read[0] != marks:
                self._read = marks, self._load()
            return self._read[1]

    def _load(self) -> Policy:
        authorities = load_authorities(self._trust)
        # An installation whose test authority was taken away believes only what lies in trust/.
        if self._own is not None and self._own.exists():
            authorities += load_authorities(self._own)
        return Policy(
            authorities=authorities,
            crls=load_revocations(self._crl),
            may_leave_unsigned=self._may_leave_unsigned,
            engine=self._engine,
        )

    def _marks(self) -> tuple[_Mark, ...]:
        files = [*self._trust.glob("*.pem"), *self._crl.glob("*.pem")]
        if self._own is not None:
            files.append(self._own)
        return tuple(sorted(mark for file in files if (mark := _mark(file)) is not None))


def _mark(file: Path) -> _Mark | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return str(file), found.st_ino, found.st_size, found.st_mtime_ns
