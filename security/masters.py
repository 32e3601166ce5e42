"""The master key, and the ones before and after it while it is being changed.

master.key            wraps data keys
master-next.key       made, and not in force yet
master-previous.key   was in force before: what a backup from before holds opens with it alone

Whichever of them opens a data key, it is opened: a change that is interrupted leaves nothing that cannot be read, and
a process that runs on finds the new file when its own key does not fit.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from errors import ConfigurationError, InvalidRequest
from security import payloads
from security.keys import SECRET_BYTES, load_secret, locked, write_file

CURRENT = "master.key"
NEXT = "master-next.key"
PREVIOUS = "master-previous.key"


class MasterKeys:
    """The master keys of a directory, read again whenever none of those in memory opens a data key."""

    def __init__(self, directory: Path) -> None:
        """Raises: ConfigurationError without `master.key`."""
        self._directory = directory
        self._known = self._read()

    def current(self) -> bytes:
        """The key that wraps, as it lies in its file now. Raises: ConfigurationError."""
        return load_secret(self._directory / CURRENT)

    def unwrap(self, wrapped: bytes, *, associated: bytes) -> bytes:
        """A data key. Raises: ConfigurationError when no master key opens it."""
        try:
            return self._unwrap(wrapped, associated)
        except ConfigurationError:
            self._known = self._read()
            return self._unwrap(wrapped, associated)

    def _unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        for number, key in enumerate(self._known, start=1):
            try:
                return payloads.unwrap(wrapped, key, associated=associated)
            except ConfigurationError:
                if number == len(self._known):
                    raise
        raise ConfigurationError("there is no master key")

    def _read(self) -> tuple[bytes, ...]:
        paths = [self._directory / name for name in (CURRENT, NEXT, PREVIOUS)]
        return tuple(load_secret(path) for path in paths if path.name == CURRENT or path.exists())


def fingerprint(key: bytes) -> str:
    """What tells a master key on record from another one; nothing of the key can be learned from it."""
    return hashlib.sha256(b"spolis-gateway master key v1\0" + key).hexdigest()[:16]


def prepare(directory: Path) -> bytes:
    """The next master key: the one that lies there from an earlier try, or a new one.

    Raises: InvalidRequest while the one before the current is still kept.
    """
    with locked(directory):
        if (directory / NEXT).exists():
            return load_secret(directory / NEXT)
        if (directory / PREVIOUS).exists():
            raise InvalidRequest(
                f"{directory / PREVIOUS} is still kept; after the next backup: gateway keys discard-master"
            )
        key = os.urandom(SECRET_BYTES)
        write_file(directory / NEXT, key)
        return key


def put_in_force(directory: Path) -> None:
    """Make the next key the current one; the one before stays as the previous. Killed between, all three are there."""
    with locked(directory):
        write_file(directory / PREVIOUS, load_secret(directory / CURRENT))
        (directory / NEXT).replace(directory / CURRENT)


def discard_previous(directory: Path) -> None:
    """Overwrite and remove the previous key: what was sealed under it alone can be read by nobody any more.

    Raises: InvalidRequest where there is none.
    """
    with locked(directory):
        path = directory / PREVIOUS
        if not path.exists():
            raise InvalidRequest(f"there is no {path}")
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, os.urandom(SECRET_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
