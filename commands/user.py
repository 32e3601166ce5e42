"""`gateway user`: the local accounts of the console, who is signed in, and who of the state login is kept out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import click
from sqlalchemy import Connection

import config
from commands import AS_JSON, print_json, tell
from commands.opening import Name, administer, open_database
from commands.rendering import print_rows
from endpoints.console import accounts, barring, sessions
from endpoints.console.names import known_name, person_name, plain_name
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from errors import InvalidRequest
from exchange import Json, instant_text, utc_now
from storage import reading

T = TypeVar("T")

_ROLE = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What the account may do. Who does two kinds of work has two accounts.",
)
_WHY = click.option("--why", required=True, help="The reason, for the exchange log; erasable.")


@click.group()
def command() -> None:
    """Who may sign in at the console, and who is signed in."""


@command.command()
@click.argument("name", type=Name())
@_ROLE
@AS_JSON
def add(name: str, role: str, as_json: bool) -> None:
    """Make an account and show its first password, this once.

    Hand it over in person. It lets in for seven days, to one page: there its owner sets up the authenticator and
    chooses a password that nobody else knows. The name is kept in small letters. On record.

    \b
    Examples: gateway user add ilze.berzina --role auditor
              gateway user add ilze.berzina --role auditor --json
    """
    name, given = plain_name(name), accounts.given_password(Passwords())
    _act(
        "add",
        name,
        lambda connection: accounts.add(connection, name, Role(role), given, utc_now()),
        role=role,
    )
    _show(name, role, given, as_json=as_json)


@command.command(name="list")
@AS_JSON
def list_(as_json: bool) -> None:
    """List every account, and every person of the state login who is barred; passwords and secrets cannot be shown.

    \b
    Example:  gateway user list
    """
    with reading(open_database(config.load())).begin() as connection:
        found, barred = accounts.listed(connection), barring.listed(connection)
    now = utc_now()
    rows: list[tuple[str, str | None, str, datetime]] = [
        *((one.name, one.role.value, _state(one, now), one.created_at) for one in found),
        *((one.name, None, "barred", one.since) for one in barred),
    ]
    if as_json:
        told: list[Json] = [
            {"name": name, "role": role, "state": state, "created_at": instant_text(since)}
            for name, role, state, since in rows
        ]
        print_json(told)
    else:
        print_rows(
            ("name", "role", "state", "since"),
            [(name, role or "-", state, f"{since:%Y-%m-%d}") for name, role, state, since in rows],
        )


@command.command()
@click.argument("name", type=Name())
@AS_JSON
def disable(name: str, as_json: bool) -> None:
    """End an account for good, and all of its sessions at once. On record.

    \b
    Example:  gateway user disable ilze.berzina
    """
    name = plain_name(name)
    _act("disable", name, lambda connection: accounts.disable(connection, name, utc_now()))
    tell({"name": name, "disabled": True}, f"{name}: disabled, its sessions have ended", as_json=as_json)


@command.command()
@click.argument("name", type=Name())
@_ROLE
@AS_JSON
def role(name: str, role: str, as_json: bool) -> None:
    """Give an account another role; all of its sessions end at once. On record.

    \b
    Example:  gateway user role ilze.berzina --role dpo
    """
    name = plain_name(name)
    _act("role", name, lambda connection: accounts.set_role(connection, name, Role(role)), role=role)
    tell({"name": name, "role": role}, f"{name}: {role}, its sessions have ended", as_json=as_json)


@command.command()
@click.argument("name", type=Name())
@AS_JSON
def reset(name: str, as_json: bool) -> None:
    """Give an account a new password, shown this once, forget its authenticator, unlock it and end its sessions.

    For a password that is forgotten or a telephone that is lost: as at the first sign-in, its owner sets up an
    authenticator and chooses a password. On record.

    \b
    Example:  gateway user reset ilze.berzina
    """
    name, given = plain_name(name), accounts.given_password(Passwords())
    role = _act("reset", name, lambda connection: accounts.reset(connection, name, given, utc_now()))
    _show(name, role.value, given, as_json=as_json)


@command.command(name="sessions")
@AS_JSON
def sessions_(as_json: bool) -> None:
    """List who is signed in, by an account or by the state login, since when and from where. On record.

    \b
    Example:  gateway user sessions
    """
    held = _act("sessions", "", lambda connection: sessions.lasting(connection, utc_now()))
    if as_json:
        told: list[Json] = [
            {
                "name": one.name,
                "role": one.role.value,
                "since": instant_text(one.since),
                "last_used": instant_text(one.seen),
                "address": one.address,
            }
            for one in held
        ]
        print_json(told)
    else:
        print_rows(
            ("name", "role", "since", "last used", "address"),
            [
                (one.name, one.role.value, instant_text(one.since), instant_text(one.seen), one.address)
                for one in held
            ],
        )


@command.command(name="sign-out")
@click.argument("name", type=Name())
@_WHY
@AS_JSON
def sign_out(name: str, why: str, as_json: bool) -> None:
    """End all sessions of an account, or of a person of the state login, who may sign in again. On record.

    \b
    Example:  gateway user sign-out PNOLV-329999-10014 --why "left the screen unlocked"
    """
    name = known_name(name)
    ended = _act("sign-out", name, lambda connection: sessions.end_all_of(connection, name), why)
    tell({"name": name, "ended": ended}, f"{name}: {ended} sessions have ended", as_json=as_json)


@command.command()
@click.argument("name", type=Name())
@_WHY
@AS_JSON
def bar(name: str, why: str, as_json: bool) -> None:
    """Keep a person of the state login out until allowed again; the sessions end at once. On record.

    \b
    Example:  gateway user bar PNOLV-329999-10014 --why "inspection 3"
    """
    name = _person(name)

    def work(connection: Connection) -> int:
        barring.bar(connection, name, utc_now())
        return sessions.end_all_of(connection, name)

    ended = _act("bar", name, work, why)
    tell({"name": name, "ended": ended}, f"{name}: barred, {ended} sessions have ended", as_json=as_json)


@command.command()
@click.argument("name", type=Name())
@_WHY
@AS_JSON
def allow(name: str, why: str, as_json: bool) -> None:
    """Let a person who was barred sign in again. On record.

    \b
    Example:  gateway user allow PNOLV-329999-10014 --why "inspection 3 has ended"
    """
    name = _person(name)
    _act("allow", name, lambda connection: barring.allow(connection, name), why)
    tell({"name": name, "allowed": True}, f"{name}: may sign in again", as_json=as_json)


def _act(act: str, name: str, work: Callable[[Connection], T], why: str = "", **facts: str) -> T:
    """Carry out an act on an account or a person; the name can be erased from its record."""
    settings = config.load()
    typed: dict[str, Json] = {"account": name} if name else {}
    return administer(
        settings,
        open_database(settings),
        f"user {act}",
        "",
        "",
        work,
        facts=dict(facts),
        typed=typed | ({"reason": why} if why else {}),
    )


def _person(name: str) -> str:
    found = person_name(name.upper())
    if found is None:
        raise InvalidRequest(
            "a person of the state login is written PNOLV-000000-00000; an account is disabled"
        )
    return found


def _state(one: accounts.Listed, now: datetime) -> str:
    if one.disabled_at is not None:
        return "disabled"
    if one.locked_until is not None and one.locked_until > now:
        return "locked"
    return "active" if one.password_given_at is None else "not begun"


def _show(name: str, role: str, given: accounts.Given, *, as_json: bool) -> None:
    tell(
        {"name": name, "role": role, "password": given.password},
        f"name      {name}\nrole      {role}\npassword  {given.password}",
        as_json=as_json,
    )
    if not as_json:
        click.echo("It is not shown again, and is changed at the first sign-in.", err=True)
