"""Whose signatures count on the ways in for partners: read from files, and read again when they change."""

from __future__ import annotations

import threading
from pathlib import Path

from config import Settings
from errors import ConfigurationError
from exchange import Environment
from security.certificates import load_authorities, load_revocations
from security.keys import of_test_authority
from security.wsse import Policy

# What tells that a file is another one than before: name, inode, size, instant of change (ns).
_Mark = tuple[str, int, int, int]


class PartnerTrust:
    """The signature policy for partners: `trust/*.pem`, `crl/*.pem`, in the test environment our own test authority.

    An authority added or a list replaced counts from the next message on, in every process.
    """

    def __init__(self, settings: Settings) -> None:
        self._trust = settings.trust
        self._crl = settings.crl
        test = settings.environment is Environment.TEST
        self._own = settings.keys / "authority.pem" if test else None
        self._lock = threading.Lock()
        self._read: tuple[tuple[_Mark, ...], Policy] | None = None

    def policy(self) -> Policy:
        """The policy of now.

        Raises: ConfigurationError when a file cannot be read, since nobody is believed on half of the lists; in
        production also for a test authority in trust/.
        """
        with self._lock:
            marks = self._marks()
            if self._read is None or self._read[0] != marks:
                self._read = marks, self._load()
            return self._read[1]

    def _load(self) -> Policy:
        authorities = load_authorities(self._trust)
        if self._own is None and any(map(of_test_authority, authorities)):
            raise ConfigurationError(f"{self._trust}: a test authority is not believed in production")
        # An installation whose test authority was taken away believes only what lies in trust/.
        if self._own is not None and self._own.exists():
            authorities += load_authorities(self._own)
        return Policy(authorities=authorities, crls=load_revocations(self._crl))

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
