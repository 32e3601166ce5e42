"""Accounts of the console: name, password and a code that changes every half minute (TOTP, RFC 6238).

For installations without the state login. An account is locked for a quarter of an hour after five failures, in all
processes, because its row counts them, at the sign-in and where a password is changed. The secret of the codes lies
wrapped under the master key.

What an administrator gives is a password for one use: with it its owner sees the secret of his codes, which no
administrator has seen, and chooses a password of his own. Until then the account opens nothing else.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

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
# In these days a password that was given is changed.
GIVEN_FOR = timedelta(days=7)
# Codes of one step before and after the present one count too: clocks differ.
_STEPS = (-1, 0, 1)
# 160 bits, as authenticators expect them (RFC 4226, 4).
_SECRET_BYTES = 20

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
    # When an administrator gave the password; nothing once its owner has chosen one.
    Column("password_given_at", Instant),
    schema="console",
)


@dataclass(frozen=True, slots=True)
class Given:
    """The password that an administrator gives, shown once: only its hash is kept."""

    password: str = field(repr=False)
    hash: str = field(repr=False)


def given_password(passwords: Passwords) -> Given:
    """A random one."""
    password = random_password()
    return Given(password, passwords.hashed(password))


@dataclass(frozen=True, slots=True)
class Secret:
    """What an authenticator makes the codes of: to be typed, and as the address that it reads."""

    text: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """An account as it is listed."""

    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    password_given_at: datetime | None


def add(connection: Connection, name: str, role: Role, given: Given, now: datetime) -> None:
    """Make an account.

    Raises: InvalidRequest when the name is taken, also by an account that is disabled: records name it.
    """
    if connection.execute(select(accounts.c.name).where(accounts.c.name == name)).first():
        raise InvalidRequest("an account of that name exists or existed; choose another name")
    connection.execute(
        insert(accounts).values(
            name=name,
            role=role.value,
            hash=given.hash,
            totp=b"",
            failures=0,
            created_at=now,
            password_given_at=now,
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
            accounts.c.password_given_at,
        ).order_by(accounts.c.name)
    )
    return [Listed(row.name, Role(row.role), *row[2:]) for row in rows]


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


def reset(connection: Connection, name: str, given: Given, now: datetime) -> Role:
    """Give an account another password, forget its secret and unlock it; its sessions end now. The role that it has.

    Raises: NotFound.
    """
    fresh = {"hash": given.hash, "totp": b"", "totp_step": None, "failures": 0, "locked_until": None}
    _change(connection, name, fresh | {"password_given_at": now})
    return Role(connection.execute(select(accounts.c.role).where(accounts.c.name == name)).scalar_one())


def secret(connection: Connection, keys: MasterKeys, name: str, issuer: str) -> Secret | None:
    """The secret of an account whose owner has yet to choose a password; of no other is it ever shown."""
    totp = connection.execute(
        select(accounts.c.totp).where(
            accounts.c.name == name,
            accounts.c.password_given_at.is_not(None),
            accounts.c.disabled_at.is_(None),
        )
    ).scalar()
    key = _key(keys, name, totp) if totp else None
    if key is None:
        return None
    made = _totp(key)
    return Secret(made.secret, made.provisioning_uri(name=name, issuer_name=issuer))


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
    OVER = "password was given too long ago"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed at the sign-in page, or where a password is changed."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found right before the transaction that decides: the work of argon2 must not hold a lock."""

    name: str
    hash: str
    totp: bytes
    given: bool
    right: bool
    step: int | None
    rehashed: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """In which role somebody is let in, or why not, and whether this failure locked the account.

    Who is `confined` may open the page of the own account alone.
    """

    role: Role | None
    refusal: Refusal | None = None
    locks: bool = False
    confined: bool = False


def see(engine: Engine, keys: MasterKeys, passwords: Passwords, typed: Typed, now: datetime) -> Seen:
    """Verify what was typed, with one verification of argon2 whatever the name. Raises: Busy."""
    query = select(accounts)
    with reading(engine).begin() as connection:
        row = connection.execute(query.where(accounts.c.name == typed.name.lower())).first()
    right = passwords.right(row.hash if row else None, typed.password)
    step = _step(_key(keys, row.name, row.totp) if row else None, typed.code, now)
    fresh = None
    if row and right and step is not None and passwords.outgrown(row.hash):
        fresh = passwords.hashed(typed.password)
    return Seen(
        name=typed.name.lower(),
        hash=row.hash if row else "",
        totp=row.totp if row else b"",
        given=row is not None and row.password_given_at is not None,
        right=right,
        step=step,
        rehashed=fresh,
    )


def judge(connection: Connection, keys: MasterKeys, seen: Seen, now: datetime) -> Verdict:
    """Let in or refuse, count a failure, and use up the code. Of several at once, each sees what the others did.

    A password that was given lets in without a code, and each time with a new secret to be shown: what somebody has
    seen of the one before is worth nothing, and sessions that showed it end.
    """
    key = os.urandom(payloads.KEY_BYTES)
    # Before the row, in the order in which all take these locks; for a right password that needs no code, so that how
    # long it takes tells nothing.
    fresh = _wrapped(connection, keys, seen.name, key) if seen.given and seen.right else b""
    row = _held(connection, seen.name)
    if row is None:
        return Verdict(None, Refusal.UNKNOWN)
    confined = row.password_given_at is not None
    refusal = _refusal(row, seen, now, by_code=not confined)
    if refusal is not None:
        return _refused(connection, row, refusal, now)
    values: dict[str, object] = {"totp_step": seen.step, "hash": seen.rehashed or row.hash}
    if confined:
        values = {"totp": fresh, "totp_step": None}
        sessions.end_all_of(connection, row.name)
    _let_in(connection, row.name, values)
    return Verdict(Role(row.role), confined=confined)


def change_password(connection: Connection, seen: Seen, hash: str, now: datetime) -> Verdict:
    """Give an account the password that its owner has chosen, or refuse as a sign-in is refused, and count it.

    Always by a code, which also confirms a secret that was not in use before. Its sessions end now; so they do when
    the account is locked here, since whoever guesses here has one that is not his.
    """
    row = _held(connection, seen.name)
    if row is None:
        return Verdict(None, Refusal.UNKNOWN)
    refusal = _refusal(row, seen, now, by_code=True)
    if refusal is None and row.totp != seen.totp:
        refusal = Refusal.CODE  # of a secret that is not the account's any more
    if refusal is not None:
        verdict = _refused(connection, row, refusal, now)
        if verdict.locks:
            sessions.end_all_of(connection, row.name)
        return verdict
    _let_in(connection, row.name, {"totp_step": seen.step, "hash": hash, "password_given_at": None})
    sessions.end_all_of(connection, row.name)
    return Verdict(Role(row.role))


def _held(connection: Connection, name: str) -> Any:
    return connection.execute(select(accounts).where(accounts.c.name == name).with_for_update()).first()


def _refusal(row: Any, seen: Seen, now: datetime, *, by_code: bool) -> Refusal | None:
    if row.disabled_at is not None:
        return Refusal.DISABLED
    if row.locked_until is not None and row.locked_until > now:
        return Refusal.LOCKED
    if not seen.right or row.hash != seen.hash:
        return Refusal.PASSWORD
    if row.password_given_at is not None and row.password_given_at + GIVEN_FOR <= now:
        return Refusal.OVER
    if by_code and seen.step is None:
        return Refusal.CODE
    if by_code and row.totp_step is not None and seen.step <= row.totp_step:
        return Refusal.REPEATED
    return None


def _refused(connection: Connection, row: Any, refusal: Refusal, now: datetime) -> Verdict:
    if refusal in (Refusal.DISABLED, Refusal.LOCKED):
        return Verdict(Role(row.role), refusal)
    locks = row.failures + 1 >= MOST_FAILURES
    values = {"failures": 0, "locked_until": now + LOCKED} if locks else {"failures": row.failures + 1}
    connection.execute(update(accounts).where(accounts.c.name == row.name).values(**values))
    return Verdict(Role(row.role), refusal, locks)


def _let_in(connection: Connection, name: str, values: Mapping[str, object]) -> None:
    forgotten = {"failures": 0, "locked_until": None}
    connection.execute(update(accounts).where(accounts.c.name == name).values(**forgotten, **values))


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
