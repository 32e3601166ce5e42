"""The frozen values that pass between the eight steps of an exchange.

Nothing here does anything: a reader who follows a parameter through `gateway.py` finds its shape here.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

RIGA = ZoneInfo("Europe/Riga")

# What a leaf of a canonical record can be, and what an argument of an operation: also a record in it, or several.
Scalar = str | bool | int | Decimal | date | None
Argument = Scalar | tuple["Argument", ...] | Mapping[str, "Argument"]
Arguments = Mapping[str, Argument]

# A canonical record or a list of them, turned into JSON's own types.
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


class Environment(StrEnum):
    """The two complete sets that never mix."""

    PRODUCTION = "production"
    TEST = "test"


class Outcome(StrEnum):
    """How an exchange ended; the word that stands in its `outcome` record."""

    OK = "ok"
    DENIED = "denied"
    INVALID = "invalid"
    FAILED = "failed"
    UNKNOWN = "unknown"
    QUEUED = "queued"


class Way(StrEnum):
    """The way in by which an exchange arrived."""

    API = "api"
    SOAP = "soap"
    COMMAND = "command"
    OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class Official:
    """Who asks: the person at a desk, not the system (Darbinieks).

    Source: p19.2 (a record of every action with personal data).
    """

    id: str
    institution: str
    role: str


@dataclass(frozen=True, slots=True)
class Context:
    """Why, for whom and under which rule a request is made (Konteksts); it is signed with the request."""

    purpose: str
    rule: str
    official: Official
    case: str
    request_id: uuid.UUID
    environment: Environment


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: network address and, with mutual TLS, its certificate (DER)."""

    address: str
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of the outbox in hand: the exchange that it continues, who holds it, and how it went until now.

    `system` is where it goes. `attempts` were made before; in `lapses` leases in a row the holder died. `unclear`: an
    earlier attempt may have taken effect. `late`: its time is over, this attempt is the last.
    """

    exchange_id: uuid.UUID
    system: str
    holder: str
    attempts: int
    lapses: int
    unclear: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a way in hands over before anything is parsed.

    `headers` are the few that the way in needs, by lower-case name. `deadline` is a `time.monotonic()` instant. With
    a `lease`, the exchange was opened when it was queued, and goes on.
    """

    way: Way
    peer: Peer
    target: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    deadline: float = field(default_factory=lambda: time.monotonic() + 30.0)
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """An arrival with its identity: exchange id (UUIDv7), instant (UTC) and SHA-256 of the exact bytes."""

    arrival: Arrival
    exchange_id: uuid.UUID
    instant: datetime
    digest: bytes


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: its registered name and the recipient whose rights it uses."""

    name: str
    recipient: str


class Addressing(StrEnum):
    """Whether the WS-Addressing headers of a message are signed."""

    NONE = "none"
    SIGNED = "signed"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is known of the signature of a message that was verified: how it was made, by which certificate and when.

    `fingerprint` is the SHA-256 of the certificate, hexadecimal; `created` stands in the message, `verified_at` is our
    clock.
    """

    fingerprint: str
    valid_until: datetime
    algorithm: str | None
    addressing: Addressing
    soap_version: str
    created: datetime
    verified_at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """An authenticated request in canonical form.

    `system` and `operation` name what is asked (`pmlp`, `GetPerson`). `message_id` is the signed MessageID or,
    without one, the RequestId of the context; `content` is the digest that tells a repeat from a reuse. With
    `effect_once`, a repeat of the message gets the stored answer and has no second effect. `sealed` is there where
    the message itself is signed.
    """

    caller: Caller
    context: Context
    system: str
    operation: str
    arguments: Arguments
    message_id: str
    content: bytes
    effect_once: bool = False
    sealed: Sealed | None = None

    @property
    def name(self) -> str:
        """The operation as access.d names it: `pmlp.GetPerson`."""
        return f"{self.system}.{self.operation}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What leaves by a way in: status, headers and the exact bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What of a record may be given: its JSON without what is withheld, and the names of both."""

    record: Json
    given: tuple[str, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a field of a canonical record comes from: the rule that allows it and the element that carries it.

    `field` is the canonical path (`documents[].number`), `element` the path in the source's message,
    `column` the register column that keeps it ("" where none does).
    """

    field: str
    rule: str
    source: str
    element: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a recipient was allowed for one request: (rule id, source) pairs, as granted in access.d.

    A rule covers its sub-points: `p8.13` covers `p8.13.2`, and does not cover `p8.1`. With `pseudonyms_of` a recipient,
    nothing that identifies a person leaves, and persons stand under the pseudonyms of that recipient.
    """

    rules: frozenset[tuple[str, str]]
    pseudonyms_of: str | None = None

    def permits(self, rule: str, source: str) -> bool:
        """Whether a value of this rule from this source may be given."""
        return _permits(self.rules, rule, source)


@lru_cache(maxsize=16_384)
def _permits(rules: frozenset[tuple[str, str]], rule: str, source: str) -> bool:
    """Asked of every field of every answer; the rights and the fields are few."""
    parts = rule.split(".")
    return any((".".join(parts[:n]), source) in rules for n in range(1, len(parts) + 1))


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a register row comes from."""

    exchange_id: uuid.UUID
    source: str
    contract_version: str
    mapping_version: str
    recorded_at: datetime


def new_id(now: datetime | None = None) -> uuid.UUID:
    """A UUIDv7: 48 bits of Unix milliseconds, then random bits, so that ids sort by time (RFC 9562)."""
    milliseconds = int((now or utc_now()).timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=value)


def utc_now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)


def today_in_riga() -> date:
    """The calendar day in Europe/Riga, where days of law and quota begin and end."""
    return datetime.now(RIGA).date()


def instant_text(instant: datetime) -> str:
    """An instant as it stands in the log and in messages: `2026-01-31T08:00:00.000000Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
