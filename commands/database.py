"""`gateway database`: the rights of those who connect to it."""

from __future__ import annotations

import click

import config
import registers
from audit import roles
from commands import AS_JSON, print_json
from commands.opening import Name, administer, open_database
from commands.rendering import print_rows
from endpoints.console import accounts, flows, sessions
from exchange import Json
from routing import recovery

# Imported so that every table is declared, and its schema looked into.
_ROOMS = (recovery, registers, accounts, flows, sessions)


@click.group()
def command() -> None:
    """The database beneath the gateway."""


@command.command(name="roles")
@click.option("--application", type=Name(), default="spolis_gateway", show_default=True)
@click.option("--eraser", type=Name(), default="spolis_eraser", show_default=True)
@AS_JSON
def roles_(application: str, eraser: str, as_json: bool) -> None:
    """Make the application's role and the eraser's on PostgreSQL, and give each its rights.

    Run it as the owner of the tables, after each new version too: migrations, restore and recover are the owner's.
    The application's role adds to the log and can change or remove nothing there; the eraser's removes what is past
    its retention. The roles have no password: give them one (\\password in psql), or let pg_hba.conf know them. Then
    serve and work connect as the first ([database] url), audit erase, audit hold and keys rotate-master as the
    second ([database] eraser_url). On record. SQLite has no roles; triggers guard its log, which is weaker.

    \b
    Example:  GATEWAY_DATABASE_URL=postgresql+psycopg://owner@db/spolis gateway database roles
    """
    settings = config.load()
    administer(
        settings,
        open_database(settings),
        "database roles",
        f"{application}, {eraser}",
        "",
        lambda connection: roles.make(connection, application, eraser),
    )
    names = {"application": application, "eraser": eraser}
    if as_json:
        print_json(
            {**names, "rights": {role: dict[str, Json](given) for role, given in roles.rights().items()}}
        )
        return
    print_rows(
        ("role", "table", "rights"),
        [
            (names[role], table, given)
            for role, each in roles.rights().items()
            for table, given in each.items()
        ],
    )
