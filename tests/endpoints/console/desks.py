"""The sign-in pages with a hasher that counts, and what is on record of them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyotp
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import update
from werkzeug.test import Client, TestResponse

from audit import search
from endpoints.console import accounts, pages, sign_in
from endpoints.console.look import Look
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from exchange import Json, utc_now
from gateway import Gateway
from questions.words import Language
from security.masters import MasterKeys


@dataclass
class Counted:
    """argon2 with little work, and how often it was asked for which."""

    cost: int = 8
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=1, memory_cost=self.cost, parallelism=1)

    def hash(self, password: str) -> str:
        self.asked.append("hash")
        return self._hasher.hash(password)

    def verify(self, hash: str, password: str) -> bool:
        self.asked.append("verify")
        return self._hasher.verify(hash, password)

    def check_needs_rehash(self, hash: str) -> bool:
        return self._hasher.check_needs_rehash(hash)


@dataclass(frozen=True)
class Account:
    """An account that is there, with what its owner knows."""

    name: str
    password: str
    secret: str

    def code(self, ago: float = 0) -> str:
        """The code of the present, or of so many seconds before; "" while there is no secret."""
        return self.secret and pyotp.TOTP(self.secret).at(utc_now() - timedelta(seconds=ago))

    def typed(self, **other: str) -> dict[str, str]:
        """The right fields, and something changed."""
        return {"name": self.name, "password": self.password, "code": self.code()} | other


@dataclass(frozen=True)
class Desk:
    """A browser before the sign-in pages of a gateway."""

    gateway: Gateway
    hasher: Counted
    client: Client
    base: str = "http://localhost"

    def page(self, query: str = "") -> TestResponse:
        return self.client.get(f"/console/sign-in{query}", base_url=self.base)

    def send(self, fields: Mapping[str, str], to: str = "") -> TestResponse:
        """Fill in the form of the page and send it."""
        form = {"token": token_of(self.page().text), "to": to} | dict(fields)
        return self.client.post("/console/sign-in", data=form, base_url=self.base)

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(name, path="/")
        return found.value if found else ""


def desk(
    gateway: Gateway, hasher: Counted | None = None, a_minute: int = 10_000, base: str = "http://localhost"
) -> Desk:
    """The sign-in pages alone, in English."""
    hasher = hasher or Counted()
    app = Flask("desk")
    look = Look(gateway.settings.environment, pages.discover())
    passwords = Passwords(hasher)
    known = passwords if gateway.settings.console.local else None
    sign_in.add(app, gateway, look, "/console", lambda: Language.ENGLISH, known, a_minute=a_minute)
    return Desk(gateway, hasher, Client(app.wsgi_app), base)


def begun(gateway: Gateway, role: Role = Role.AUDITOR, hasher: Counted | None = None) -> Account:
    """A new account with a name of its own, as an administrator makes it; its secret is not there yet."""
    name = f"a{secrets.token_hex(6)}"
    given = accounts.given_password(Passwords(hasher or Counted()))
    with gateway.engine.begin() as connection:
        accounts.add(connection, name, role, given, utc_now())
    return Account(name, given.password, "")


def account(gateway: Gateway, role: Role = Role.AUDITOR, hasher: Counted | None = None) -> Account:
    """A new account whose owner has an authenticator and a password of his own; no code of it is used up."""
    keys, passwords, known = (
        MasterKeys(gateway.settings.keys),
        Passwords(hasher or Counted()),
        begun(gateway, role),
    )

    def seen(typed: Account, code: str) -> accounts.Seen:
        typed_in = accounts.Typed(typed.name, typed.password, code)
        return accounts.see(gateway.engine, keys, passwords, typed_in, utc_now())

    own = f"own-{secrets.token_hex(10)}"
    with gateway.engine.begin() as connection:
        accounts.judge(connection, keys, seen(known, ""), utc_now())
    with gateway.engine.begin() as connection:
        shown = accounts.secret(connection, keys, known.name, "test")
    assert shown is not None
    made = Account(known.name, known.password, shown.text)
    found = seen(made, made.code())
    with gateway.engine.begin() as connection:
        verdict = accounts.change_password(connection, found, passwords.hashed(own), utc_now())
        assert verdict.refusal is None
        of_it = accounts.accounts.c.name == known.name
        connection.execute(update(accounts.accounts).where(of_it).values(totp_step=None))
    return Account(known.name, own, shown.text)


def token_of(text: str) -> str:
    """The hidden field of the sign-in form."""
    found = re.search(r'name="token" value="([^"]+)"', text)
    assert found, text
    return found[1]


def records(
    gateway: Gateway, since: datetime, act: str = ""
) -> list[tuple[Mapping[str, Any], Mapping[str, Json]]]:
    """What is on record of administration since an instant, newest first: leaf and personal values."""
    found = search.search(
        gateway.engine, kind="admin", since=since, limit=100, **({"act": act} if act else {})
    )
    leaves = [one.leaf for one in found]
    return list(zip(leaves, search.with_values(gateway.engine, found), strict=True))
