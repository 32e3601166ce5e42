"""`gateway route`: operations whose deliveries are switched off for a while, and on again with open eyes."""

from __future__ import annotations

import sys

import click
from sqlalchemy import Connection, Engine

import adapters
import config
from audit import open_log
from commands import AS_JSON, print_json
from commands.opening import admin_entry, give_place, open_database
from commands.outbox import decision
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest, NotFound
from exchange import Json
from routing import interventions, outbox, switches
from routing.outbox import State
from storage import reading

_WHY = click.option("--why", required=True, help="The reason, for the exchange log.")


@click.group()
def command() -> None:
    """Deliveries of one operation, switched off and on."""


@command.command(name="list")
@AS_JSON
def list_(as_json: bool) -> None:
    """List the operations that deliver through the outbox, with what waits for each.

    \b
    Example:  gateway route list
    """
    engine = open_database(config.load())
    rows: list[dict[str, Json]] = []
    with reading(engine).begin() as connection:
        off = switches.switched_off(connection)
        for system, operation in _known():
            counts = {
                state.value: len(
                    outbox.listed(connection, states=(state,), system=system, operation=operation, limit=None)
                )
                for state in (State.WAITING, State.DEAD, State.UNKNOWN, State.PARKED)
            }
            rows.append(
                {
                    "system": system,
                    "operation": operation,
                    "enabled": (system, operation) not in off,
                    "reason": off.get((system, operation)),
                    **counts,
                }
            )
    if as_json:
        print_json(list[Json](rows))
    else:
        heads = ("system", "operation", "enabled", "waiting", "dead", "unknown", "parked", "reason")
        print_rows(heads, [tuple(_shown(row[head]) for head in heads) for row in rows])


@command.command()
@click.argument("system")
@click.argument("operation")
@_WHY
def disable(system: str, operation: str, why: str) -> None:
    """Deliver nothing of an operation from now on: what is queued waits.

    \b
    Example:  gateway route disable sais NotifyCareStay --why "VSAA moves its service"
    """
    settings = config.load()
    engine = open_database(settings)
    _check(system, operation)
    log = open_log(settings, engine)
    entry = admin_entry(
        settings, {"act": "route disable", "system": system, "operation": operation}, {"reason": why}
    )

    def work(connection: Connection) -> None:
        switches.switch_off(connection, system, operation, why)
        log.append(connection, entry)

    log.commit(work)
    give_place(settings, engine)
    click.echo(f"{system}.{operation} is switched off; what is queued waits.", err=True)


@command.command()
@click.argument("system")
@click.argument("operation")
@click.option("--deliver", "choice", flag_value="deliver", help="Deliver what waits.")
@click.option("--park", "choice", flag_value="park", help="Set aside what waits, is dead or unknown.")
@_WHY
def enable(system: str, operation: str, choice: str | None, why: str) -> None:
    """Deliver an operation again. With messages waiting you are asked, with their count, what is to become of them.

    Dead letters are never sent by this: `gateway outbox replay --state dead` does that.

    \b
    Example:  gateway route enable sais NotifyCareStay --deliver --why "VSAA is back"
    """
    settings = config.load()
    engine = open_database(settings)
    _check(system, operation)
    with reading(engine).begin() as connection:
        if (system, operation) not in switches.switched_off(connection):
            raise NotFound("the route is not switched off")
        waiting = outbox.listed(
            connection, states=(State.WAITING,), system=system, operation=operation, limit=None
        )
    if waiting:
        oldest = min(row.queued_at for row in waiting)
        click.echo(f"{len(waiting)} messages wait, the oldest since {oldest:%Y-%m-%d %H:%M} UTC.", err=True)
    asked = choice is None and bool(waiting)
    choice = choice or _asked(len(waiting))
    _switch_on(settings, engine, (system, operation), choice, why, len(waiting) if asked else None)
    click.echo(f"{system}.{operation} is switched on.", err=True)


def _asked(count: int) -> str:
    if not count:
        return "deliver"
    if not sys.stdin.isatty():
        raise InvalidRequest(f"{count} messages wait: say --deliver or --park")
    choices = click.Choice(["deliver", "park"])
    return str(click.prompt("Deliver them all, or park them?", type=choices, err=True))


def _switch_on(
    settings: Settings, engine: Engine, route: tuple[str, str], choice: str, why: str, agreed: int | None
) -> None:
    """Switch on and park in one transaction; `agreed` is the count that was answered for, None where none was."""
    log = open_log(settings, engine)
    system, operation = route
    entry = admin_entry(
        settings,
        {"act": "route enable", "system": system, "operation": operation, "waiting": choice},
        {"reason": why},
    )

    def work(connection: Connection) -> None:
        if not switches.switch_on(connection, system, operation):
            raise NotFound("the route is not switched off")
        left = (State.WAITING, State.DEAD, State.UNKNOWN)
        rows = outbox.listed(connection, states=left, system=system, operation=operation, limit=None)
        count = sum(row.state is State.WAITING for row in rows)
        if agreed is not None and count != agreed:
            raise InvalidRequest(f"{count} messages wait by now, not {agreed}: decide again")
        for row in rows if choice == "park" else ():
            interventions.park(connection, row.id)
            log.append(connection, decision(settings, "outbox park", row, why))
        outbox.ring(connection)
        log.append(connection, entry)

    log.commit(work)
    give_place(settings, engine)


def _known() -> list[tuple[str, str]]:
    return [
        (adapter.name, operation.name)
        for adapter in adapters.discover().values()
        for operation in adapter.operations
        if operation.notice is not None
    ]


def _check(system: str, operation: str) -> None:
    if (system, operation) not in _known():
        known = ", ".join(f"{name} {operation}" for name, operation in _known())
        raise InvalidRequest(f"no such route; there are: {known}")


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
