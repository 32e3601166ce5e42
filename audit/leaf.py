"""What one record of the exchange log holds: a canonical JSON leaf, and beside it the erasable values.

The leaf is what the Merkle tree hashes. Personal values stand in it as salted commitments only; the values and their
salts lie in `log_values`, where they can be erased without breaking the tree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import rfc8785

from audit import retention
from errors import InvalidPersonCode, InvalidRequest
from exchange import Json, instant_text

VERSION = 1
SALT_BYTES = 16
_SAFE = 2**53 - 1
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
# Only beyond these letters is the order by code points not that by UTF-16 code units.
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
# Most values are such texts, whose canonical form is seen at once.
_PLAIN_TEXT = re.compile(r'"[^"\\\x00-\x1f]*"')
_VALUE_TAG = b"spolis-gateway log value v1\0"

# Facts that are columns too, for search; the leaf has the last word.
COLUMNS = ("system", "operation", "institution", "outcome")
_RESERVED = frozenset({"v", "id", "exchange", "kind", "instant", "commitments", retention.FACT})

SUBJECT = "subject"
SUBJECT_INDEX = "subject_index"


class Kind(StrEnum):
    """What a record of the log tells."""

    ORIGIN = "origin"  # the first leaf: which log, which environment, which key
    OPENED = "opened"
    ATTEMPT = "attempt"
    OUTCOME = "outcome"
    ADMIN = "admin"  # what an auditor or an operator did
    REFUSALS = "refusals"  # how many arrivals the limits turned away, summed up
    ERASURE = "erasure"  # which values may be missing from now on


# They hold no personal value, or are of the class in which their exchange ends.
_UNCLASSED = frozenset({Kind.ORIGIN, Kind.ERASURE, Kind.OPENED, Kind.ATTEMPT})


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to append.

    `facts` stand in the leaf for good: no personal data, no floats (amounts are text). `personal` values are committed
    by name and kept erasable; a `subject` among them (a personal code or a list of them) is indexed for search.
    """

    kind: Kind
    exchange_id: uuid.UUID
    instant: datetime
    facts: Mapping[str, Json] = field(default_factory=dict)
    personal: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Value:
    """An erasable value as it lies in `log_values`: canonical JSON text under its name and salt."""

    name: str
    salt: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record ready to be inserted: its id, the leaf's text, the columns derived from it, the erasable values."""

    id: str
    leaf: str
    columns: Mapping[str, str | None]
    values: tuple[Value, ...]


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Json) -> str:
    """The canonical JSON text of a value (RFC 8785).

    Raises: InvalidRequest for what has none: text that is not Unicode, integers beyond 2^53, floats without a number.
    """
    try:
        # Where there are no floats and no unusual names, `json` writes the same text at a tenth of the cost.
        text = _encode(value) if _is_plain(value) else rfc8785.dumps(value).decode()
        text.encode()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise InvalidRequest("a value has no canonical JSON form") from error
    return text


def _is_plain(value: Json) -> bool:
    # Written out: every record of the log comes this way, and most parts of it are texts.
    if isinstance(value, dict):
        for name, part in value.items():
            if not name.isascii() or (type(part) is not str and not _is_plain(part)):
                return False
        return True
    if isinstance(value, list):
        for part in value:  # noqa: SIM110 — as above
            if type(part) is not str and not _is_plain(part):
                return False
        return True
    if type(value) is int:
        return -_SAFE <= value <= _SAFE
    return value is None or type(value) is str or type(value) is bool


def commitment(salt: bytes, text: str) -> str:
    """The commitment to a value, hexadecimal; the salt's fixed length keeps salt and value apart."""
    return hashlib.sha256(_VALUE_TAG + salt + text.encode()).hexdigest()


def commits(expected: object, salt: object, text: object) -> bool:
    """Whether a commitment is that of a value as it lies in the database, of whatever types its cells are."""
    # Without its length the border between salt and value could be shifted.
    if type(salt) is not bytes or len(salt) != SALT_BYTES or type(text) is not str:
        return False
    return expected == commitment(salt, text)


def normalised(code: str) -> str:
    """A personal code in the one form that is indexed: 11 digits, no dash.

    Raises: InvalidPersonCode.
    """
    if len(code) == 11 and code.isascii() and code.isdigit():
        return code
    match = re.fullmatch(r"([0-9]{6})-?([0-9]{5})", code.strip())
    if match is None:
        raise InvalidPersonCode
    return match[1] + match[2]


def subject_text(text: str) -> str:
    """Whom somebody asks about, in the one form that is indexed: a personal code, or `supplier/client code`.

    Raises: InvalidPersonCode for anything else, so that a code that was mistyped finds not nobody but an error.
    """
    supplier, slash, client = text.strip().partition("/")
    return text.strip() if supplier and slash and client else normalised(text)


def subject_index(key: bytes, code: str) -> str:
    """What a subject is found by: HMAC-SHA-256 of the normalised personal code, hexadecimal.

    A subject without a personal code (`supplier/client code`) is indexed by the text as it is.
    """
    try:
        text = normalised(code)
    except InvalidPersonCode:
        text = code
    return hmac.digest(key, text.encode(), "sha256").hex()


def seal(entry: Entry, record_id: uuid.UUID, subject_key: bytes) -> Record:
    """The record of an entry, with fresh salts.

    Raises: InvalidRequest where a value has no canonical JSON form.
    """
    if reserved := _RESERVED & entry.facts.keys():
        raise ValueError(f"facts may not be named {sorted(reserved)}")
    if not _is_plain(dict(entry.facts)):
        _refuse_floats(dict(entry.facts), "")
    personal = dict(entry.personal)
    if not _is_plain(personal):
        try:
            _refuse_floats(personal, "")
        except ValueError as error:
            raise InvalidRequest("a value holds a number with a fraction; write it as text") from error
    personal |= subject_indexes(subject_key, entry.personal.get(SUBJECT))
    salts = os.urandom(SALT_BYTES * len(personal))
    values = tuple(
        Value(name, salts[n * SALT_BYTES : (n + 1) * SALT_BYTES], canonical(value))
        for n, (name, value) in enumerate(sorted(personal.items()))
    )
    columns: dict[str, str | None] = {
        "exchange_id": str(entry.exchange_id),
        "kind": Kind(entry.kind).value,
        "instant": instant_text(entry.instant),
    }
    for name in COLUMNS:
        fact = entry.facts.get(name)
        if fact is not None and not isinstance(fact, str):
            raise ValueError(f"the fact {name} is text")
        if fact is not None and "\0" in fact:
            raise InvalidRequest(f"{name} holds a NUL")
        columns[name] = fact
    stated = {} if entry.kind in _UNCLASSED else {retention.FACT: retention.of(entry.kind, entry.facts)}
    leaf: dict[str, Json] = {
        **entry.facts,
        **stated,
        "v": VERSION,
        "id": str(record_id),
        "exchange": columns["exchange_id"],
        "kind": columns["kind"],
        "instant": columns["instant"],
        "commitments": {value.name: commitment(value.salt, value.text) for value in values},
    }
    return Record(id=str(record_id), leaf=canonical(leaf), columns=columns, values=values)


def subject_indexes(key: bytes, subject: Json) -> dict[str, str]:
    """By name, the indexes that go with a subject: one code, a list of them, or none."""
    if subject is None:
        return {}
    if isinstance(subject, str):
        return {SUBJECT_INDEX: subject_index(key, subject)}
    if isinstance(subject, list):
        codes = (code for code in subject if isinstance(code, str))
        return {f"{SUBJECT_INDEX}.{n}": subject_index(key, code) for n, code in enumerate(codes)}
    raise ValueError("a subject is a personal code or a list of them")


def _refuse_floats(value: Json, path: str) -> None:
    if isinstance(value, float):
        raise ValueError(f"the fact {path} is a float; write it as text")
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_floats(part, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for part in value:
            _refuse_floats(part, path)


def _refuse_number(text: str) -> Json:
    raise ValueError(f"a leaf holds no such number: {text}")


def _whole(text: str) -> Json:
    return number if abs(number := int(text)) <= _SAFE else _refuse_number(text)


_decode = json.JSONDecoder(
    parse_int=_whole, parse_float=_refuse_number, parse_constant=_refuse_number
).raw_decode


def _exact(text: str) -> Json:
    """What a text says that is in canonical form. Raises: ValueError."""
    try:
        found: Json = _decode(text)[0]
        # The numbers are whole and small, so nothing but the order of names could be another.
        spelled = rfc8785.dumps(found).decode() if _ASTRAL.search(text) else _encode(found)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise ValueError("not in canonical form") from error
    if spelled != text:
        raise ValueError("not in canonical form")
    return found


def is_canonical(text: str) -> bool:
    """Whether a value's text is in canonical form, without fractions and integers beyond 2^53 - 1."""
    if _PLAIN_TEXT.fullmatch(text):
        return True
    try:
        _exact(text)
    except ValueError:
        return False
    return True


def parse(text: str) -> dict[str, Json]:
    """A leaf's text back into its members.

    Raises: ValueError when the text is not the canonical form of an object of a known version.
    """
    leaf = _exact(text)
    if type(leaf) is not dict or type(leaf.get("v")) is not int or leaf["v"] != VERSION:
        raise ValueError("the leaf is of an unknown version")
    return leaf


def check(leaf: Mapping[str, Json]) -> None:
    """See that what a verifier goes by is there and of its form.

    Raises: ValueError saying which member is not.
    """
    for name in ("id", "exchange"):
        if not _is(_ID, leaf.get(name)):
            raise ValueError(f"{name} is no id")
    for name in ("kind", retention.FACT):
        if type(leaf.get(name, "")) is not str:
            raise ValueError(f"{name} is no text")
    if "kind" not in leaf:
        raise ValueError("kind is missing")
    _check_instant(leaf, "instant")
    commitments = leaf.get("commitments")
    if type(commitments) is not dict or not all(_is(_COMMITMENT, one) for one in commitments.values()):
        raise ValueError("commitments are not by name hexadecimal of 32 bytes each")
    if leaf["kind"] == Kind.ERASURE:
        _check_instant(leaf, "before")
        names = leaf.get("names")
        if type(leaf.get("class")) is not str or type(names) is not list:
            raise ValueError("the erasure has no class or no names")
        if any(type(name) is not str for name in names):
            raise ValueError("the erasure has a name that is no text")


def _is(form: re.Pattern[str], member: Json) -> bool:
    return isinstance(member, str) and form.fullmatch(member) is not None


def _check_instant(leaf: Mapping[str, Json], name: str) -> None:
    member = leaf.get(name)
    try:
        told = datetime.fromisoformat(member if isinstance(member, str) else "")
    except ValueError as error:
        raise ValueError(f"{name} is no instant") from error
    if told.isoformat(timespec="microseconds").replace("+00:00", "Z") != member:
        raise ValueError(f"{name} is no instant")


def value(text: str) -> Json:
    """A value's text, as committed, back into the value.

    Raises: ValueError.
    """
    if text.startswith('"') and "\\" not in text:
        return text[1:-1]
    read: Json = json.loads(text)
    return read
