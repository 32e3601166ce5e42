"""Passwords by argon2: one verification for each attempt, whether the name is known or not, and few at a time.

One takes 64 MiB and tens of milliseconds: without a bound, whoever asks often enough takes the memory of all.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from errors import Busy

_AT_ONCE = 2
_PATIENCE = 5.0
# Without the letters that are mistaken for each other.
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 20


class Hasher(Protocol):
    """What is asked of argon2, so that a test can count it."""

    def hash(self, password: str) -> str: ...

    def verify(self, hash: str, password: str) -> bool: ...

    def check_needs_rehash(self, hash: str) -> bool: ...


class Passwords:
    """Hashes and verifies, `at_once` at a time in this process."""

    def __init__(self, hasher: Hasher | None = None, at_once: int = _AT_ONCE) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(at_once)
        # Nobody's: what an unknown name is verified against, so that it takes as long as a known one.
        self._decoy = self._hasher.hash(secrets.token_urlsafe(32))

    def hashed(self, password: str) -> str:
        """What is kept of a password. Raises: Busy."""
        with self._place():
            return self._hasher.hash(password)

    def right(self, kept: str | None, password: str) -> bool:
        """Whether it is the password that was hashed; None, for nobody's, is as much work. Raises: Busy."""
        with self._place():
            try:
                return self._hasher.verify(kept or self._decoy, password) and bool(kept)
            except (VerificationError, InvalidHashError):
                return False

    def outgrown(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_PATIENCE):
            raise Busy("too many sign in at once", retry_after=5)
        try:
            yield
        finally:
            self._places.release()


def random_password() -> str:
    """A password that nobody guesses: 116 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
