"""Whose signatures count on the ways in for partners: read from files, and read again when they change.

What responders said is read from the database when a message asks for it. No message makes the gateway call out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from sqlalchemy import Engine

from config import RevocationSource, Settings
from errors import ConfigurationError
from exchange import Environment
from routing.revocations import verdict_of
from security.certificates import load_authorities, load_revocations
from security.engines import ENGINES
from security.keys import of_test_authority
from security.revocation import Memory, Rules
from security.wsse import Policy, nobody

# What tells that a file is another one than before: name, inode, size, instant of change (ns).
_Mark = tuple[str, int, int, int]


class PartnerTrust:
    """The signature policy for partners: `trust/*.pem`, `crl/*.pem`, in the test environment our own test authority.

    An authority added or a list replaced, by hand or by the job that fetches them, counts from the next message on,
    in every process.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        *,
        may_leave_unsigned: Callable[[x509.Certificate], bool] = nobody,
    ) -> None:
        """`may_leave_unsigned`: see `security.wsse.Policy`; asked at every message that leaves something unsigned."""
        self.settings = settings
        self.engine = engine
        self._may_leave_unsigned = may_leave_unsigned
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
        settings = self.settings
        lists = load_revocations(settings.crl)
        for path in fetched(settings):
            lists += load_revocations(path)
        known = settings.revocation
        return Policy(
            authorities=tuple(certificate for _name, found in authorities(settings) for certificate in found),
            crls=lists,
            revocation=Rules(
                grace=timedelta(hours=known.stale_hours),
                refuse_stale=known.when_stale == "refuse",
                listed=frozenset(issuer(settings, source) for source in known.crl),
                answering=frozenset(issuer(settings, source) for source in known.ocsp),
                verdict=partial(verdict_of, self.engine),
                memory=Memory(),
            ),
            may_leave_unsigned=self._may_leave_unsigned,
            engine=ENGINES[settings.signature.engine],
        )

    def _marks(self) -> tuple[_Mark, ...]:
        settings = self.settings
        files = [*_authority_files(settings), *_pem(settings.crl), *fetched(settings)]
        return tuple(sorted(mark for file in files if (mark := _mark(file)) is not None))


def authorities(settings: Settings) -> list[tuple[str, tuple[x509.Certificate, ...]]]:
    """The authorities of partners' certificates by the name of their file.

    Raises: ConfigurationError naming a file that cannot be read or, in production, holds a test authority.
    """
    found = [(path.name, load_authorities(path)) for path in _authority_files(settings)]
    if settings.environment is Environment.PRODUCTION:
        for name, held in found:
            if any(map(of_test_authority, held)):
                raise ConfigurationError(f"trust/{name}: a test authority is not believed in production")
    return found


def issuer(settings: Settings, source: RevocationSource) -> x509.Certificate:
    """The issuer that is meant by a `[[revocation…]]`.

    Raises: ConfigurationError when its file in trust/ does not hold exactly one certificate.
    """
    found = load_authorities(settings.trust / source.issuer)
    if len(found) != 1:
        raise ConfigurationError(
            f"trust/{source.issuer} holds {len(found)} certificates; an issuer that is asked has a file of its own"
        )
    return found[0]


def fetched(settings: Settings) -> list[Path]:
    """The files of the lists that are to be fetched, those that were."""
    paths = [settings.fetched_lists / source.issuer for source in settings.revocation.crl]
    return [path for path in paths if path.exists()]


def _authority_files(settings: Settings) -> list[Path]:
    own = settings.keys / "authority.pem"
    # An installation whose test authority was taken away believes only what lies in trust/.
    test = [own] if settings.environment is Environment.TEST and own.exists() else []
    return [*sorted(_pem(settings.trust)), *test]


def _pem(folder: Path) -> list[Path]:
    """The `*.pem` of a folder. Asked at every message: `Path.glob` takes ten times as long."""
    try:
        with os.scandir(folder) as found:
            return [folder / entry.name for entry in found if entry.name.endswith(".pem")]
    except FileNotFoundError:
        return []


def _mark(file: Path) -> _Mark | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return str(file), found.st_ino, found.st_size, found.st_mtime_ns
