"""Rows for a recipient who may not know a person: nothing that identifies, and a pseudonym in place of each id.

A pseudonym is the same for one recipient at any time and differs between recipients, so that what two of them hold
cannot be joined. Without the key nobody can tell a person by it. Source: p18.2, p18.6.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Date, Integer
from sqlalchemy.types import TypeEngine

from errors import ConfigurationError
from exchange import Json
from mappings.identifying import identifies
from registers.disclosure import disclose
from registers.history import Exact
from registers.reading import Register, Row

# Values of these kinds, and codes of a list, are never free text.
_FORMED = (Boolean, Date, Integer, Exact)
_GENERAL = ("valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The pseudonyms of one recipient."""

    key: bytes

    @classmethod
    def of(cls, secret: bytes, recipient: str) -> Pseudonyms:
        """Those of a recipient, by a key of its own.

        Raises: ConfigurationError without a secret.
        """
        if not secret:
            raise ConfigurationError("pseudonyms need a key")
        return cls(hmac.digest(secret, b"pseudonyms of " + recipient.encode(), hashlib.sha256))

    def __call__(self, name: uuid.UUID) -> str:
        """The pseudonym of an id, in the form of a UUID of version 8 (RFC 9562)."""
        value = int.from_bytes(hmac.digest(self.key, name.bytes, hashlib.sha256)[:16], "big")
        value = value & ~(0xF << 76) | (0x8 << 76)
        return str(uuid.UUID(int=value & ~(0x3 << 62) | (0x2 << 62)))


def identifying(register: Register, name: str) -> bool:
    """Whether a column of a register identifies a person, or could."""
    column = register.table.c[name]
    return identifies(column.info["rule"], name, free=_free(column))


def names_a_person(register: Register, criterion: str) -> bool:
    """Whether a search by a criterion would tell who is meant: by the personal code, or by what identifies."""
    if criterion == "person_code":
        return True
    column = register.criteria[criterion]
    return identifies(column.info["rule"], column.name, free=_free(column))


def disclose_nameless(
    row: Row, permits: Callable[[str, str], bool], pseudonym: Pseudonyms
) -> tuple[dict[str, Json], tuple[str, ...]]:
    """As `disclose`, without what identifies a person and with pseudonyms; what is left out is named as withheld.

    Provenance and recorded time are left out too: they would join a row with what others were given. A row of which
    nothing else may be given is an empty object.
    """
    record, withheld = disclose(row, permits)
    kept_back = dict.fromkeys(withheld)
    given = _nameless(row.register, record, pseudonym, "", kept_back)
    for name, part in row.register.parts.items():
        held = record.get(name)
        several = isinstance(held, list)
        prefix = f"{name}." if part.single else f"{name}[]."
        found: list[Json] = [
            nameless
            for each in (held if isinstance(held, list) else [held])
            if isinstance(each, dict)
            and (nameless := _nameless(part.register, each, pseudonym, prefix, kept_back))
        ]
        if found:
            given[name] = found if several else found[0]
    if given and row.person_id is not None:
        given = {"person_id": pseudonym(row.person_id), **given}
    return given, tuple(kept_back)


def _nameless(
    register: Register,
    record: Mapping[str, Json],
    pseudonym: Pseudonyms,
    prefix: str,
    withheld: dict[str, None],
) -> dict[str, Json]:
    given: dict[str, Json] = {}
    for name in register.fields:
        if identifying(register, name):
            withheld[f"{prefix}{name}"] = None
        elif name in record:
            given[name] = record[name]
    if not given:
        return {}
    for general, column in zip(_GENERAL, register.valid or (), strict=False):
        if column in given and general in record:
            given[general] = record[general]
    return {"id": pseudonym(uuid.UUID(str(record["id"]))), **given}


def _free(column: Column[object]) -> bool:
    kind: TypeEngine[object] = column.type
    return column.info.get("codes") is None and not isinstance(kind, _FORMED)
