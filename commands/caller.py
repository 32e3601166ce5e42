"""`gateway caller`: the systems that call /api/v1, by their keys."""

from __future__ import annotations

import click

import config
from commands import AS_JSON, print_json, tell
from commands.opening import Name, administer, open_database
from commands.partner import warn_of_recipient
from commands.rendering import print_rows
from errors import NotFound
from exchange import Json, utc_now
from routing.parties import add_caller, disable_caller, list_callers
from storage import reading


@click.group()
def command() -> None:
    """Callers of /api/v1 and their keys."""


@command.command()
@click.argument("name", type=Name())
@click.option("--recipient", type=Name(), required=True, help="Whose rights in access.d it uses.")
@AS_JSON
def add(name: str, recipient: str, as_json: bool) -> None:
    """Register a caller and show its key, this once: only a digest is kept.

    \b
    Example:  gateway caller add spolis --recipient spolis-core --json
    """
    settings = config.load()
    warn_of_recipient(settings, recipient)
    engine = open_database(settings)
    key = administer(
        settings,
        engine,
        "caller add",
        name,
        recipient,
        lambda connection: add_caller(connection, name, recipient, utc_now()),
    )
    if as_json:
        print_json({"key": key})
    else:
        click.echo(f"{key}\n", nl=False)
        click.echo("Send it as `Authorization: Bearer …`; it is not shown again.", err=True)


@command.command(name="list")
@AS_JSON
def list_(as_json: bool) -> None:
    """List every caller; keys cannot be shown.

    \b
    Example:  gateway caller list
    """
    with reading(open_database(config.load())).begin() as connection:
        found = list_callers(connection)
    if as_json:
        rows: list[Json] = [
            {"name": name, "recipient": recipient, "disabled": disabled}
            for name, recipient, disabled in found
        ]
        print_json(rows)
    else:
        print_rows(
            ("name", "recipient", "state"),
            [(name, recipient, "disabled" if disabled else "active") for name, recipient, disabled in found],
        )


@command.command()
@click.argument("name", type=Name())
@AS_JSON
def disable(name: str, as_json: bool) -> None:
    """Refuse a caller's key from now on, in all processes.

    \b
    Example:  gateway caller disable spolis
    """
    settings = config.load()
    engine = open_database(settings)
    with reading(engine).begin() as connection:
        recipient = next((row[1] for row in list_callers(connection) if row[0] == name), None)
    if recipient is None:
        raise NotFound("no caller of that name")
    administer(
        settings,
        engine,
        "caller disable",
        name,
        recipient,
        lambda connection: disable_caller(connection, name, utc_now()),
    )
    tell({"name": name, "disabled": 1}, f"{name}: disabled", as_json=as_json)
