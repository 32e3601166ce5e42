"""Passwords by argon2: one verification for each attempt, whether the name is known or not, and few at a time.

One takes 64 MiB and tens of milliseconds: without a bound, whoever asks often enough takes the memory of all. And what
a password that somebody chooses must be: long, without his name, and none of the commonest (`common_passwords.txt`).
"""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from errors import Busy

_AT_ONCE = 2
_PATIENCE = 5.0
# Without the letters that are mistaken for each other.
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 20
# Characters of a password that somebody chooses.
SHORTEST, LONGEST = 12, 128
# Fewer different ones than that are no more than a pattern.
_LEAST_DIFFERENT = 6
# So short a part of a name stands in other words too.
_SHORT_PART = 3
_COMMON = Path(__file__).parent / "common_passwords.txt"


class Weakness(StrEnum):
    """Why a password is not taken."""

    SHORT = "The password needs 12 characters at least."
    LONG = "The password may have 128 characters at most."
    NAME = "The password must not hold your user name."
    COMMON = "That password is among those that are guessed first."


def weakness(password: str, name: str) -> Weakness | None:
    """What is wrong with a password that somebody of that name wants; None where nothing is."""
    small = _normal(password).casefold()
    if len(small) < SHORTEST:
        return Weakness.SHORT
    if len(small) > LONGEST:
        return Weakness.LONG
    parts = re.split(r"[._-]+", name.casefold())
    if any(part in small for part in parts if len(part) > _SHORT_PART):
        return Weakness.NAME
    # With digits and signs around it a common word is as common.
    word = "".join(letter for letter in small if letter.isalpha())
    if len(set(small)) < _LEAST_DIFFERENT or not {small, word}.isdisjoint(_common()):
        return Weakness.COMMON
    return None


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    once = {line for line in lines if line and not line.startswith("#")}
    return frozenset(once | {line * 2 for line in once})


def _normal(password: str) -> str:
    """One form of what keyboards may send in several (a letter with its mark, or a letter and a mark)."""
    return unicodedata.normalize("NFKC", password)


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
            return self._hasher.hash(_normal(password))

    def right(self, kept: str | None, password: str) -> bool:
        """Whether it is the password that was hashed; None, for nobody's, is as much work. Raises: Busy."""
        with self._place():
            try:
                return self._hasher.verify(kept or self._decoy, _normal(password)) and bool(kept)
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
