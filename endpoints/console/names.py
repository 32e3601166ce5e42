"""Names of those who sign in: of accounts of the gateway, and of persons as the state login names them."""

from __future__ import annotations

import re

from errors import InvalidRequest

# How the state login writes a person's serial number (ETSI EN 319 412-1, 5.1.3).
_PERSON = re.compile(r"PNOLV-([0-9]{6})-?([0-9]{5})")
_OF_STATE_LOGIN = "PNOLV"


def plain_name(name: str) -> str:
    """A name as accounts have it: in small letters, so that no two differ by that alone.

    Raises: InvalidRequest for one that looks like a person of the state login.
    """
    if is_of_state_login(name.upper()):
        raise InvalidRequest(f"names that begin with {_OF_STATE_LOGIN} are those of the state login")
    return name.lower()


def person_name(text: str) -> str | None:
    """A person of the state login in the one form that sessions and records have; None for what is none."""
    found = _PERSON.fullmatch(text)
    return None if found is None else f"{_OF_STATE_LOGIN}-{found[1]}-{found[2]}"


def known_name(name: str) -> str:
    """A name as its sessions have it, of an account or of a person of the state login.

    Raises: InvalidRequest for one that looks like such a person and is none.
    """
    return person_name(name.upper()) or plain_name(name)


def is_of_state_login(name: str) -> bool:
    """Whether it is no account of the gateway."""
    return name.startswith(_OF_STATE_LOGIN)
