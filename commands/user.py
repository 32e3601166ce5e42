"""`gateway user`: the local accounts of the console."""

from __future__ import annotations

import click
from sqlalchemy import Connection

import config
from commands import print_json
from commands.opening import Name, administer, ensure_keys, open_database
from commands.rendering import print_rows
from config import Settings
from endpoints.console import accounts
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from exchange import Environment, Json, instant_text, utc_now
from security.masters import MasterKeys
from storage import reading

_ROLE = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What the account may do. Who does two kinds of work has two accounts.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")


@click.group()
def command() -> None:
    """Local accounts of the console."""


@command.command()
@click.argument("name", type=Name())
@_ROLE
@_JSON
def add(name: str, role: str, as_json: bool) -> None:
    """Make an account and show its password and the secret of its codes, this once.

    Both are needed to sign in, with the code that an authenticator makes of the secret. Hand them over in person, or
    apart from each other. The name is kept in small letters. On record.

    \b
    Examples: gateway user add ilze.berzina --role auditor
              gateway user add ilze.berzina --role auditor --json
    """
    settings = config.load()
    name = accounts.plain_name(name)
    ensure_keys(settings)
    keys, made = MasterKeys(settings.keys), accounts.new_credentials(Passwords())

    def work(connection: Connection) -> None:
        accounts.add(connection, keys, name, Role(role), made, utc_now())

    administer(
        settings,
        open_database(settings),
        "user add",
        "",
        "",
        work,
        facts={"role": role},
        typed={"account": name},
    )
    _show(settings, name, role, made, as_json=as_json)


@command.command(name="list")
@_JSON
def list_(as_json: bool) -> None:
    """List every account; passwords and secrets cannot be shown.

    \b
    Example:  gateway user list
    """
    now = utc_now()
    with reading(open_database(config.load())).begin() as connection:
        found = accounts.listed(connection)

    def state(one: accounts.Listed) -> str:
        if one.disabled_at is not None:
            return "disabled"
        return "locked" if one.locked_until is not None and one.locked_until > now else "active"

    if as_json:
        rows: list[Json] = [
            {
                "name": one.name,
                "role": one.role.value,
                "state": state(one),
                "created_at": instant_text(one.created_at),
            }
            for one in found
        ]
        print_json(rows)
    else:
        print_rows(
            ("name", "role", "state", "since"),
            [(one.name, one.role.value, state(one), f"{one.created_at:%Y-%m-%d}") for one in found],
        )


@command.command()
@click.argument("name", type=Name())
@_JSON
def disable(name: str, as_json: bool) -> None:
    """End an account for good, and all of its sessions at once. On record.

    \b
    Example:  gateway user disable ilze.berzina
    """
    settings, name = config.load(), accounts.plain_name(name)
    administer(
        settings,
        open_database(settings),
        "user disable",
        "",
        "",
        lambda connection: accounts.disable(connection, name, utc_now()),
        typed={"account": name},
    )
    if as_json:
        print_json({"name": name, "disabled": True})
    else:
        click.echo(f"{name}: disabled, its sessions have ended")


@command.command()
@click.argument("name", type=Name())
@_ROLE
@_JSON
def role(name: str, role: str, as_json: bool) -> None:
    """Give an account another role; all of its sessions end at once. On record.

    \b
    Example:  gateway user role ilze.berzina --role dpo
    """
    settings, name = config.load(), accounts.plain_name(name)
    administer(
        settings,
        open_database(settings),
        "user role",
        "",
        "",
        lambda connection: accounts.set_role(connection, name, Role(role)),
        facts={"role": role},
        typed={"account": name},
    )
    if as_json:
        print_json({"name": name, "role": role})
    else:
        click.echo(f"{name}: {role}, its sessions have ended")


@command.command()
@click.argument("name", type=Name())
@_JSON
def reset(name: str, as_json: bool) -> None:
    """Give an account a new password and secret, shown this once, and unlock it; its sessions end at once. On record.

    \b
    Example:  gateway user reset ilze.berzina
    """
    settings, name = config.load(), accounts.plain_name(name)
    ensure_keys(settings)
    keys, made = MasterKeys(settings.keys), accounts.new_credentials(Passwords())
    role = administer(
        settings,
        open_database(settings),
        "user reset",
        "",
        "",
        lambda connection: accounts.reset(connection, keys, name, made),
        typed={"account": name},
    )
    _show(settings, name, role.value, made, as_json=as_json)


def _show(settings: Settings, name: str, role: str, made: accounts.Credentials, *, as_json: bool) -> None:
    issuer = "SPOLIS" if settings.environment is Environment.PRODUCTION else "SPOLIS test"
    uri = made.uri(name, issuer)
    if as_json:
        print_json({"name": name, "role": role, "password": made.password, "totp_uri": uri})
        return
    click.echo(
        f"name      {name}\nrole      {role}\npassword  {made.password}\nsecret    {made.secret}\n{uri}"
    )
    click.echo("They are not shown again: the password, and the secret for an authenticator.", err=True)
