"""`gateway children`: children in institutions, the reports due on them, alerts, and what social services are given."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import click
from sqlalchemy import Connection, Engine

import config
from audit import open_log
from audit.account import operating_user
from commands import AS_JSON, print_json, progress
from commands.children_rendering import alert_told, listed_stays, periods_told, print_listed
from commands.opening import Day, administer, ensure_keys, give_place, open_database
from config import Settings
from errors import InvalidRequest, NotFound
from exchange import Json, today_in_riga
from mappings.person_code import normalise
from registers import child_alerts, codes_of, person_by_code
from registers.child_rules import AlertKind, Recipient
from registers.child_stays import stays_of
from routing import child_reports, child_watch
from routing.child_watch import PURPOSE, Acting
from storage import reading

_LOOKS = click.option("--actor", default="", help="Who looks. Default: the account of the operating system.")
_ACTOR = click.option("--actor", required=True, help="Who decides; it is recorded.")
_REASON = click.option("--reason", required=True, help="Why; it is recorded.")
_WHY_LOOK = click.option("--reason", default="", help="Why you look at persons; it is recorded.")
_MUNICIPALITY = click.option(
    "--municipality", default="", help="Only this one: an ATVK code of seven digits."
)


@click.group()
def command() -> None:
    """Children in institutions: reports that are due, alerts, and reports handed over to social services."""


@command.command()
@click.option("--child", default="", metavar="CODE", help="One child, all its periods; - reads the code.")
@click.option("--due-before", type=Day(), default=None, help="Only what is due before this day.")
@_LOOKS
@_WHY_LOOK
@AS_JSON
def calendar(child: str, due_before: date | None, actor: str, reason: str, as_json: bool) -> None:
    """Show which reports are waited for, the first due first: of all children under internal ids, or of one child.

    The states are later, warned (due soon) and overdue; of one child also done and ended (it left before the day).
    It is recorded.

    \b
    Example:  gateway children calendar --due-before 2026-12-01
              gateway children calendar --child 320000-00001 --reason "case 2026/114" --json
    """
    if child and not reason.strip():
        raise InvalidRequest("--child needs --reason")
    settings, today = config.load(), today_in_riga()
    engine = open_database(settings)
    who = (actor or operating_user(), reason)
    if not child:
        with reading(engine).begin() as connection:
            stays = [stay for stay in stays_of(connection, today) if stay.is_open(today)]
        rows = listed_stays(stays, due_before)
        _looked(settings, engine, "calendar", who, {"reports": len(rows)}, [])
    else:
        code = normalise(sys.stdin.readline().strip() if child == "-" else child)
        with reading(engine).begin() as connection:
            person_id = person_by_code(connection, code)
            own = [] if person_id is None else stays_of(connection, today, [person_id])
        _looked(settings, engine, "calendar", who, {"stays": len(own)}, [code])
        if not own:
            raise NotFound("stay of a child in an institution")
        rows = periods_told(own, due_before)
    print_listed(rows, as_json=as_json, nothing="no report is waited for")


@command.command()
@_LOOKS
@click.option("--reason", default="by hand", show_default=True, help="Why; it is recorded.")
@AS_JSON
def watch(actor: str, reason: str, as_json: bool) -> None:
    """Make the alerts that are wanted today, and settle those whose reason is gone, as the scheduled job does.

    Nothing is made twice, however often it runs. Each child of whom something is made is on record.

    \b
    Example:  gateway children watch
    """
    settings, engine, acting = _acting(actor, reason)
    with progress.shown("watching children", quiet=as_json) as heard:
        watched = child_watch.watch(engine, open_log(settings, engine), acting, today_in_riga(), heard)
    give_place(settings, engine)
    counted = asdict(watched) | {"made": {kind.value: watched.made.get(kind.value, 0) for kind in AlertKind}}
    if as_json:
        print_json(counted)
    else:
        print_listed([counted], as_json=False, nothing="")


@command.command()
@click.option(
    "--recipient", type=click.Choice([one.value for one in Recipient]), help="Only those for this one."
)
@_MUNICIPALITY
@click.option("--all", "all_", is_flag=True, help="Those that are settled or acknowledged too.")
@click.option("--persons", is_flag=True, help="Show personal codes too; needs --reason.")
@_LOOKS
@_WHY_LOOK
@AS_JSON
def alerts(
    recipient: str | None,
    municipality: str,
    all_: bool,
    persons: bool,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """List alerts that nobody took up and whose reason stands, the oldest first. It is recorded.

    \b
    Example:  gateway children alerts --recipient ORPHAN_COURT
              gateway children alerts --municipality 0040000 --persons --reason "weekly review" --json
    """
    if persons and not reason.strip():
        raise InvalidRequest("--persons needs --reason")
    settings = config.load()
    engine = open_database(settings)
    with reading(engine).begin() as connection:
        found = [
            row
            for row in child_alerts.kept(connection)
            if (all_ or (row.settled_on is None and row.acknowledged_on is None))
            and recipient in (None, row.recipient)
            and municipality in ("", row.municipality)
        ]
        codes = {row.person_id: codes_of(connection, row.person_id)[0] for row in found} if persons else {}
    _looked(
        settings,
        engine,
        "alerts",
        (actor or operating_user(), reason),
        {"alerts": len(found)},
        [*codes.values()],
    )
    print_listed([alert_told(row, codes) for row in found], as_json=as_json, nothing="no alert")


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, type=click.UUID)
@_ACTOR
@_REASON
def acknowledge(ids: Sequence[uuid.UUID], actor: str, reason: str) -> None:
    """Note that somebody took alerts up: all that are named, or none.

    \b
    Example:  gateway children acknowledge 019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e --actor "A. Ozola" \\
                  --reason "letter 5-1/77 to the orphan court"
    """
    settings, engine, acting = _acting(actor, reason)
    child_watch.acknowledge(open_log(settings, engine), acting, ids, today_in_riga())
    give_place(settings, engine)
    click.echo(f"acknowledged: {len(set(ids))}")


@command.command()
@_MUNICIPALITY
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where reports are written. Default: `child-reports` in the state directory.",
)
@_LOOKS
@click.option("--reason", default="by hand", show_default=True, help="Why; it is recorded.")
@AS_JSON
def reports(municipality: str, folder: Path | None, actor: str, reason: str, as_json: bool) -> None:
    """Hand reports over to the municipal social services: those that are new or corrected, each once, in their order.

    Two files for each in a folder of the municipality: JSON for programs, a text in Latvian for officials. What
    another call wrote is not written again. Reports on children of whom no municipality has told wait.

    \b
    Example:  gateway children reports --municipality 0040000 --folder /srv/handover
    """
    settings, engine, acting = _acting(actor, reason)
    log = open_log(settings, engine)
    place = folder or child_reports.folder_of(settings)
    try:
        with progress.shown("reports", quiet=as_json) as heard:
            prepared = child_reports.prepare(engine, log, acting, today_in_riga(), heard)
            handed = child_reports.hand_over(engine, log, acting, place, municipality, heard)
    finally:
        give_place(settings, engine)
    print_listed(handed, as_json=as_json, nothing="nothing to hand over")
    if prepared.without_municipality:
        click.echo(f"no municipality has told of the child: {prepared.without_municipality} wait", err=True)


@command.command()
@click.argument("report", metavar="REPORT", type=click.UUID)
@_ACTOR
@_REASON
def received(report: uuid.UUID, actor: str, reason: str) -> None:
    """Note that the social service has a report that was handed over.

    \b
    Example:  gateway children received 019a2f40-1111-7d52-9b1f-3f0a6b0c1d2e --actor "A. Ozola" --reason "e-mail"
    """
    settings, engine, acting = _acting(actor, reason)
    child_reports.received(open_log(settings, engine), acting, report)
    give_place(settings, engine)
    click.echo("acknowledged")


def _acting(actor: str, reason: str) -> tuple[Settings, Engine, Acting]:
    settings = config.load()
    ensure_keys(settings)
    official = actor or operating_user()
    return settings, open_database(settings), Acting(settings.environment, official, reason)


def _looked(
    settings: Settings,
    engine: Engine,
    what: str,
    who_and_why: tuple[str, str],
    facts: dict[str, Json],
    codes: Sequence[str],
) -> None:
    """Put a look on record before anything is shown."""
    official, reason = who_and_why
    typed: dict[str, Json] = {"official": official, "account": operating_user(), "reason": reason}
    if codes:
        typed["subject"] = list(codes) if len(codes) > 1 else codes[0]

    def nothing_more(_connection: Connection) -> None:
        return None

    administer(
        settings,
        engine,
        f"children {what}",
        "",
        "",
        nothing_more,
        facts={"purpose": PURPOSE, **facts},
        typed=typed,
    )
