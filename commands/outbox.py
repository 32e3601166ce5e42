"""`gateway outbox`: what is to be delivered to other systems, and what a person decides about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import click
from sqlalchemy import Connection, Engine

import config
from audit import Entry, Kind, open_log
from audit.tables import log_records
from commands import AS_JSON, print_json
from commands.opening import admin_entry, give_place, open_database
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest
from exchange import Json, instant_text
from routing import interventions, outbox
from routing.outbox import Row, State
from storage import reading

_WHY = click.option("--why", required=True, help="The reason, for the exchange log.")
_STATE = click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in State]),
    multiple=True,
    help="Only rows in this state; several may be named.",
)
_SYSTEM = click.option("--system", default="", help="Only rows for this system.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def command() -> None:
    """Deliveries to other systems: what waits, what was given up, and what a person decides about it."""


@command.command(name="list")
@_STATE
@_SYSTEM
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows at most."
)
@AS_JSON
def list_(states: tuple[str, ...], system: str, limit: int, as_json: bool) -> None:
    """List rows, oldest first; without a state, all that are not delivered.

    \b
    Example:  gateway outbox list --state dead --state unknown
    """
    wanted = [State(state) for state in states] or [state for state in State if state is not State.DELIVERED]
    with reading(open_database(config.load())).begin() as connection:
        rows = outbox.listed(connection, states=wanted, system=system, limit=limit)
        counts = outbox.counts(connection)
    if as_json:
        print_json([_json(row) for row in rows])
        return
    print_rows(
        ("id", "system", "operation", "state", "due", "attempts", "last error"),
        [
            (
                str(row.id),
                row.system,
                row.operation,
                row.state.value,
                f"{row.due:%Y-%m-%d %H:%M:%S}",
                str(row.attempts),
                row.last_error or "",
            )
            for row in rows
        ],
    )
    click.echo(
        ", ".join(f"{count} {state.value}" for state, count in counts.items() if count) or "empty", err=True
    )


@command.command()
@click.argument("exchange_id", type=click.UUID)
@AS_JSON
def show(exchange_id: uuid.UUID, as_json: bool) -> None:
    """Show one row with the records of its exchange.

    \b
    Example:  gateway outbox show 0190f3a2-…
    """
    with reading(open_database(config.load())).begin() as connection:
        row = outbox.find(connection, exchange_id)
        records = connection.execute(
            log_records.select()
            .where(log_records.c.exchange_id == str(exchange_id))
            .order_by(log_records.c.instant, log_records.c.id)
        ).all()
    shown: dict[str, Json] = {
        **_json(row),
        "cause": None if row.cause is None else str(row.cause),
        "queued_at": instant_text(row.queued_at),
        "settled_at": None if row.settled_at is None else instant_text(row.settled_at),
        "unclear": row.unclear,
        "message_id": f"urn:uuid:{row.id}",
        "records": [
            {"kind": record.kind, "instant": record.instant, "outcome": record.outcome} for record in records
        ],
    }
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if name != "records":
            click.echo(f"{name:14} {'' if value is None else value}")
    print_rows(
        ("record", "instant", "outcome"),
        [(record.kind, record.instant, record.outcome or "") for record in records],
    )


@command.command()
@click.argument("exchange_ids", type=click.UUID, nargs=-1)
@_STATE
@_SYSTEM
@_WHY
@_YES
@click.option("--even-twice", is_flag=True, help="Also where a second effect is possible.")
@click.option("--out-of-order", is_flag=True, help="Also after a later message about the same person.")
@AS_JSON
def replay(
    exchange_ids: tuple[uuid.UUID, ...],
    states: tuple[str, ...],
    system: str,
    why: str,
    yes: bool,
    even_twice: bool,
    out_of_order: bool,
    as_json: bool,
) -> None:
    """Deliver again: a new attempt of the same exchange, with the same MessageID.

    Name rows by their ids, or all of a state (dead, parked, unknown). Where a system could not know the message again,
    you are asked whether a second effect is ruled out; `--yes` does not answer that, `--even-twice` does. A message
    that a later one about the same person has overtaken goes with `--out-of-order` alone.

    \b
    Examples: gateway outbox replay 0190f3a2-… --why "address corrected at VSAA"
              gateway outbox replay --state dead --system sais --why "outage is over"
    """
    settings = config.load()
    engine = open_database(settings)
    rows = _chosen(engine, exchange_ids, states, system, interventions.REPLAYED)
    risky = [row for row in rows if interventions.may_act_twice(settings, row)]
    _ask(yes, f"Deliver {_rows(len(rows))} again?")
    if risky:
        _ask(even_twice, f"{_rows(len(risky))} may have taken effect already and would take it twice. Go on?")
    give_up_after = timedelta(hours=settings.outbox.give_up_hours)

    def work(connection: Connection, row: Row) -> Row:
        return interventions.replay(
            connection,
            row.id,
            give_up_after=give_up_after,
            decided=row in risky,
            out_of_order=out_of_order,
        )

    _decide(settings, engine, "outbox replay", rows, why, work, as_json)


@command.command()
@click.argument("exchange_ids", type=click.UUID, nargs=-1)
@_STATE
@_SYSTEM
@_WHY
@_YES
@AS_JSON
def park(
    exchange_ids: tuple[uuid.UUID, ...],
    states: tuple[str, ...],
    system: str,
    why: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Set aside: not delivered by itself any more, and the later messages about the same person go on.

    `gateway outbox replay` takes it up again.

    \b
    Example:  gateway outbox park 0190f3a2-… --why "the stay was entered by mistake"
    """
    settings = config.load()
    engine = open_database(settings)
    rows = _chosen(engine, exchange_ids, states, system, interventions.PARKED)
    if not exchange_ids:
        _ask(yes, f"Park {_rows(len(rows))}?")
    _decide(
        settings,
        engine,
        "outbox park",
        rows,
        why,
        lambda connection, row: interventions.park(connection, row.id),
        as_json,
    )


def _chosen(
    engine: Engine,
    exchange_ids: tuple[uuid.UUID, ...],
    states: tuple[str, ...],
    system: str,
    allowed: tuple[State, ...],
) -> list[Row]:
    if bool(exchange_ids) == bool(states):
        raise click.UsageError("name rows by their ids, or all of a --state")
    if wrong := [state for state in states if State(state) not in allowed]:
        raise click.UsageError(f"rows that are {wrong[0]} stay as they are")
    with reading(engine).begin() as connection:
        if exchange_ids:
            return [outbox.find(connection, exchange_id) for exchange_id in exchange_ids]
        rows = outbox.listed(connection, states=[State(state) for state in states], system=system, limit=None)
    if not rows:
        raise InvalidRequest("no such rows in the outbox")
    return rows


def _decide(
    settings: Settings,
    engine: Engine,
    act: str,
    rows: list[Row],
    why: str,
    work: Callable[[Connection, Row], Row],
    as_json: bool,
) -> None:
    decided = interventions.decide(
        open_log(settings, engine), rows, lambda row: decision(settings, act, row, why), work
    )
    give_place(settings, engine)
    if as_json:
        print_json([_json(row) for row in decided.changed])
    elif decided.changed:
        click.echo("\n".join(f"{row.id}  {row.state.value}" for row in decided.changed))
    for exchange_id, detail in decided.refused.items():
        click.echo(f"{exchange_id}  unchanged: {detail}", err=True)
    if decided.refused:
        raise InvalidRequest(f"{_rows(len(decided.refused))} of {len(rows)} stay as they were")


def decision(settings: Settings, act: str, row: Row, why: str) -> Entry:
    """The record of who decided what about a row and why, under its exchange; it belongs in the same transaction."""
    recorded = admin_entry(
        settings,
        {"act": act, "system": row.system, "operation": row.operation, "from": row.state.value},
        {"reason": why},
    )
    return Entry(Kind.ADMIN, row.id, recorded.instant, recorded.facts, recorded.personal)


def _ask(yes: bool, question: str) -> None:
    if not yes:
        click.confirm(question, abort=True, err=True)


def _rows(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _json(row: Row) -> dict[str, Json]:
    return {
        "id": str(row.id),
        "system": row.system,
        "operation": row.operation,
        "state": row.state.value,
        "due": instant_text(row.due),
        "attempts": row.attempts,
        "last_error": row.last_error,
        "subject_order": row.subject_order,
    }
