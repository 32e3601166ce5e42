"""`gateway sync`: asks now what is otherwise asked on a schedule."""

from __future__ import annotations

import click

import adapters
import config
import gateway
from commands import print_json
from commands.opening import give_place, open_database
from errors import InvalidRequest
from exchange import utc_now


@click.command()
@click.argument("system")
@click.argument("operation")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(system: str, operation: str, as_json: bool) -> None:
    """Queue the scheduled question of an operation now; the workers carry it out.

    \b
    Example:  gateway sync npais GetDecisions
    """
    settings = config.load()
    open_database(settings).dispose()
    wired = gateway.wire(settings)
    adapter = adapters.discover().get(system)
    asked = adapter.operation(operation) if adapter is not None else None
    if adapter is None or asked is None or asked.sync is None:
        raise InvalidRequest("no such scheduled operation; there are: " + ", ".join(_known()))
    wired.archive.begin_month(wired.log, utc_now())
    queued = wired.log.commit(lambda connection: wired.queue.ask(connection, adapter, asked, utc_now()))
    give_place(settings, wired.engine)
    if as_json:
        print_json({"exchange_id": None if queued is None else str(queued)})
    else:
        click.echo(
            str(queued) if queued is not None else "the one before is still under way", err=queued is None
        )


def _known() -> list[str]:
    return [
        f"{adapter.name} {operation.name}"
        for adapter in adapters.discover().values()
        for operation in adapter.operations
        if operation.sync is not None
    ]
