"""Accounts of the console: name, password and a code that changes every half minute (TOTP, RFC 6238).

For installations without the state login. An account is locked for a quarter of an hour after five failures, in all
processes, because its row counts them. The secret of the codes lies wrapped under the master key.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import pyotp
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from audit.archive import wrapping
from endpoints.console import sessions
from endpoints.console.passwords import Passwords, random_password
from endpoints.console.roles import Role
from errors import ConfigurationError, InvalidRequest, NotFound
from security import payloads
from security.masters import MasterKeys
from storage import Instant, metadata, reading

MOST_FAILURES = 5
LOCKED = timedelta(minutes=15)
# Codes of one step before and after the present one count too: clocks differ.
_STEPS = (-1, 0, 1)
# 160 bits, as authenticators expect them (RFC 4226, 4).
_SECRET_BYTES = 20
# What the state login calls persons; a local account must not look like one.
_OF_STATE_LOGIN = "pnolv"

accounts = Table(
    "console_accounts",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("hash", Text, nullable=False),
    Column("totp", LargeBinary, nullable=False),
    Column("totp_step", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    schema="console",
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an account is given, shown once: password and secret; only `hash` and the wrapped `key` are kept."""

    password: str = field(repr=False)
    hash: str = field(repr=False)
    key: bytes = field(repr=False)

    @property
    def secret(self) -> str:
        """What is typed into an authenticator that takes no address."""
        return str(_totp(self.key).secret)

    def uri(self, name: str, issuer: str) -> str:
        """What an authenticator reads, as text or as a picture."""
        return _totp(self.key).provisioning_uri(name=name, issuer_name=issuer)


def new_credentials(passwords: Passwords) -> Credentials:
    """A random password and a random secret."""
    password = random_password()
    return Credentials(password, passwords.hashed(password), os.urandom(payloads.KEY_BYTES))


@dataclass(frozen=True, slots=True)
class Listed:
    """An account as it is listed."""

    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None


def plain_name(name: str) -> str:
    """A name as accounts have it: in small letters, so that no two differ by that alone.

    Raises: InvalidRequest for one that looks like a person of the state login.
    """
    small = name.lower()
    if small.startswith(_OF_STATE_LOGIN):
        raise InvalidRequest("names that begin with PNOLV are those of the state login")
    return small


def add(
    connection: Connection, keys: MasterKeys, name: str, role: Role, made: Credentials, now: datetime
) -> None:
    """Make an account.

    Raises: InvalidRequest when the name is taken, also by an account that is disabled: records name it.
    """
    if connection.execute(select(accounts.c.name).where(accounts.c.name == name)).first():
        raise InvalidRequest("an account of that name exists or existed; choose another name")
    connection.execute(
        insert(accounts).values(
            name=name,
            role=role.value,
            hash=made.hash,
            totp=_wrapped(connection, keys, name, made.key),
            failures=0,
            created_at=now,
        )
    )


def listed(connection: Connection) -> list[Listed]:
    """Every account by name."""
    rows = connection.execute(
        select(
            accounts.c.name,
            accounts.c.role,
            accounts.c.created_at,
            accounts.c.disabled_at,
            accounts.c.locked_until,
        ).order_by(accounts.c.name)
    )
    return [
        Listed(row.name, Role(row.role), row.created_at, row.disabled_at, row.locked_until) for row in rows
    ]


def disable(connection: Connection, name: str, now: datetime) -> None:
    """Nobody signs in with it any more, its password and secret are forgotten, and its sessions end now.

    Raises: NotFound.
    """
    _change(connection, name, {"disabled_at": now, "hash": "", "totp": b""})


def set_role(connection: Connection, name: str, role: Role) -> None:
    """Give an account another role; its sessions, which have the one before, end now.

    Raises: NotFound.
    """
    _change(connection, name, {"role": role.value})


def reset(connection: Connection, keys: MasterKeys, name: str, made: Credentials) -> Role:
    """Give an account another password and secret and unlock it; its sessions end now. The role that it has.

    Raises: NotFound.
    """
    wrapped = _wrapped(connection, keys, name, made.key)
    fresh = {"hash": made.hash, "totp": wrapped, "totp_step": None, "failures": 0, "locked_until": None}
    _change(connection, name, fresh)
    return Role(connection.execute(select(accounts.c.role).where(accounts.c.name == name)).scalar_one())


def _change(connection: Connection, name: str, values: Mapping[str, object]) -> None:
    # The row first: a sign-in that is under way holds it, and its session is there to be ended when it lets go.
    changed = connection.execute(
        update(accounts).where(accounts.c.name == name, accounts.c.disabled_at.is_(None)).values(**values)
    )
    if not changed.rowcount:
        raise NotFound("no active account of that name")
    sessions.end_all_of(connection, name)


class Refusal(StrEnum):
    """Why somebody was not let in; whoever tries is told the same in every case."""

    UNKNOWN = "unknown name"
    DISABLED = "disabled"
    LOCKED = "locked"
    PASSWORD = "password"  # noqa: S105 — a word of the log
    CODE = "code"
    REPEATED = "code was used before"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed at the sign-in page."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found right before the transaction that decides: the work of argon2 must not hold a lock."""

    name: str
    known: bool
    hash: str
    right: bool
    step: int | None
    rehashed: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """In which role somebody is let in, or why not, and whether this failure locked the account."""

    role: Role | None
    refusal: Refusal | None = None
    locks: bool = False


def see(engine: Engine, keys: MasterKeys, passwords: Passwords, typed: Typed, now: datetime) -> Seen:
    """Verify what was typed, with one verification of argon2 whatever the name. Raises: Busy."""
    query = select(accounts.c.name, accounts.c.hash, accounts.c.totp)
    with reading(engine).begin() as connection:
        row = connection.execute(query.where(accounts.c.name == typed.name.lower())).first()
    right = passwords.right(row.hash if row else None, typed.password)
    step = _step(_key(keys, row.name, row.totp) if row else None, typed.code, now)
    fresh = None
    if row and right and step is not None and passwords.outgrown(row.hash):
        fresh = passwords.hashed(typed.password)
    return Seen(typed.name.lower(), row is not None, row.hash if row else "", right, step, fresh)


def judge(connection: Connection, seen: Seen, now: datetime) -> Verdict:
    """Let in or refuse, count a failure, and use up the code. Of several at once, each sees what the others did."""
    row = connection.execute(select(accounts).where(accounts.c.name == seen.name).with_for_update()).first()
    if row is None:
        return Verdict(None, Refusal.UNKNOWN)
    role = Role(row.role)
    if row.disabled_at is not None:
        return Verdict(role, Refusal.DISABLED)
    if row.locked_until is not None and row.locked_until > now:
        return Verdict(role, Refusal.LOCKED)
    refusal = None
    if not seen.right or row.hash != seen.hash:
        refusal = Refusal.PASSWORD
    elif seen.step is None:
        refusal = Refusal.CODE
    elif row.totp_step is not None and seen.step <= row.totp_step:
        refusal = Refusal.REPEATED
    values: dict[str, object] = {"failures": 0, "locked_until": None, "totp_step": seen.step}
    values["hash"] = seen.rehashed or row.hash
    locks = False
    if refusal is not None:
        locks = row.failures + 1 >= MOST_FAILURES
        values = {"failures": row.failures + 1}
        if locks:
            values = {"failures": 0, "locked_until": now + LOCKED}
    connection.execute(update(accounts).where(accounts.c.name == seen.name).values(**values))
    return Verdict(role, refusal, locks)


def outdated(connection: Connection, current: bytes) -> int:
    """How many secrets another master key than the current one wraps."""
    return sum(not _is_under(row.totp, row.name, current) for row in _secrets(connection))


def rewrap(connection: Connection, keys: MasterKeys, new: bytes) -> int:
    """Wrap every secret under the new master key and say how many it were. The caller has taken `wrapping`.

    One that no master key opens stays as it is: its account needs `gateway user reset`.
    """
    done = 0
    for row in _secrets(connection):
        if _is_under(row.totp, row.name, new):
            continue
        try:
            opened = keys.unwrap(row.totp, associated=_place(row.name))
        except ConfigurationError:
            continue
        wrapped = payloads.wrap(opened, new, associated=_place(row.name))
        connection.execute(update(accounts).where(accounts.c.name == row.name).values(totp=wrapped))
        done += 1
    return done


@dataclass(frozen=True, slots=True)
class _Secret:
    name: str
    totp: bytes


def _secrets(connection: Connection) -> Sequence[_Secret]:
    rows = connection.execute(select(accounts.c.name, accounts.c.totp).order_by(accounts.c.name))
    return [_Secret(row.name, row.totp) for row in rows if row.totp]


def _is_under(totp: bytes, name: str, master: bytes) -> bool:
    try:
        payloads.unwrap(totp, master, associated=_place(name))
    except ConfigurationError:
        return False
    return True


def _wrapped(connection: Connection, keys: MasterKeys, name: str, key: bytes) -> bytes:
    wrapping(connection)
    return payloads.wrap(key, keys.current(), associated=_place(name))


def _key(keys: MasterKeys, name: str, totp: bytes) -> bytes | None:
    """None where no master key opens it: the account cannot be used until it is reset."""
    try:
        return keys.unwrap(totp, associated=_place(name))
    except ConfigurationError:
        return None


def _place(name: str) -> bytes:
    return f"console/{name}/totp".encode()


def _totp(key: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(key[:_SECRET_BYTES]).decode())


def _step(key: bytes | None, code: str, now: datetime) -> int | None:
    """The step whose code it is; every step is tried, and nobody's secret takes the place of none."""
    totp = _totp(key or os.urandom(_SECRET_BYTES))
    typed = "".join(code.split()).encode()
    present = int(now.timestamp()) // totp.interval
    found = None
    for step in (present + offset for offset in _STEPS):
        if hmac.compare_digest(totp.generate_otp(step).encode(), typed) and key is not None:
            found = step
    return found
