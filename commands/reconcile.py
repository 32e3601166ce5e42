"""`gateway reconcile`: registers compared with their sources, and what a person decides about what differs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click
from sqlalchemy import Connection, Engine, Row

import config
import gateway
from audit import Entry, open_log
from audit.account import operating_user
from commands import AS_JSON, progress
from commands.opening import Name, admin_entry, administer, ensure_keys, give_place, open_database
from commands.reconcile_rendering import print_counts, print_handed, print_list, print_one
from commands.reconcile_run import Asking, ask_all, finish, read_codes
from config import Settings
from errors import InvalidRequest
from exchange import Json, today_in_riga, utc_now
from questions.differences import PURPOSE, facts, plain, subjects, told
from registers import corrections, differences, settlement
from registers.corrections import Answer
from registers.differences import State
from routing import comparisons, reconciliation
from routing.corrections import folder_of
from routing.corrections import hand_over as handed_over
from storage import reading

T = TypeVar("T")

_SYSTEMS = tuple(sorted(comparisons.discover()))
_ACTOR = click.option("--actor", required=True, help="Who decides; it is recorded.")
_LOOKS = click.option("--actor", default="", help="Who looks. Default: the account of the operating system.")
_REASON = click.option("--reason", required=True, help="Why; it is recorded.")
_DIFFERENCES = click.argument("ids", metavar="ID...", nargs=-1, required=True, type=click.UUID)
_FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where correction requests are written. Default: `corrections` in the state directory.",
)


@click.group()
def command() -> None:
    """Registers compared with the systems that supply them: differences are listed, decided, returned to the source."""


@command.command()
@click.option("--system", required=True, type=click.Choice(_SYSTEMS), help="The system to compare with.")
@click.option(
    "--persons", type=click.File(encoding="utf-8"), help="A file of personal codes, one a line; - reads them."
)
@click.option("--open-stays", is_flag=True, help="Everybody who is in a care institution today.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Put so many questions at most; the next call goes on."
)
@click.option(
    "--anew", is_flag=True, help="Begin anew, though an interrupted run of the same set could go on."
)
@click.option("--actor", default="", help="Who wants it. Default: the account of the operating system.")
@click.option("--reason", default="regular comparison", show_default=True, help="Why; it is recorded.")
@click.option(
    "--recipient", type=Name(), default="spolis-core", show_default=True, help="Whose rights to use."
)
@AS_JSON
def run(
    system: str,
    persons: TextIO | None,
    open_stays: bool,
    limit: int | None,
    anew: bool,
    actor: str,
    reason: str,
    recipient: str,
    as_json: bool,
) -> None:
    """Compare what the registers hold of a set of persons with a system, and list what differs.

    No register changes. A run that was interrupted goes on where it stopped when the same command is given again.
    Exit codes: 0 every question was put, 4 not allowed or the quota is used up, 5 the system failed.

    \b
    Example:  gateway reconcile run --system pmlp --open-stays
              gateway reconcile run --system vdeavk --persons codes.txt --limit 500 --json
    """
    if (persons is None) == (not open_stays):
        raise InvalidRequest("give either --persons FILE or --open-stays")
    settings = config.load()
    ensure_keys(settings)
    open_database(settings).dispose()
    wired = gateway.wire(settings)
    comparison, official = comparisons.discover()[system], actor or operating_user()
    with reconciliation.alone(wired.engine, f"reconcile {system}"):
        with reading(wired.engine).begin() as connection:
            selected = (
                reconciliation.in_open_stays(connection, today_in_riga())
                if persons is None
                else reconciliation.by_codes(connection, read_codes(persons), wired.subject_key)
            )
            earlier = reconciliation.under_way(connection, system, selected.name)
            goes_on = earlier is not None and not anew
            asked = [] if goes_on else reconciliation.questions(connection, comparison, selected)

        def begin(connection: Connection) -> uuid.UUID:
            if earlier is not None and goes_on:
                reconciliation.again(connection, earlier)
                return earlier
            if earlier is not None:
                reconciliation.leave(connection, earlier, utc_now())
            return reconciliation.begin(
                connection, comparison, selected, asked, (official, reason), utc_now()
            )

        begun = _administer(
            settings, wired.engine, "run", system, (official, reason), begin,
            facts={"persons": len(selected.persons), "resumed": goes_on},
        )  # fmt: skip
        with progress.shown(f"comparing with {system}", quiet=as_json) as heard:
            ended_by = ask_all(
                wired,
                comparison,
                begun,
                Asking(recipient, official, settings.institution),
                limit,
                heard,
                lambda: give_place(settings, wired.engine),
            )
        counted = finish(wired, begun)
    print_counts(counted, as_json=as_json)
    if ended_by is not None:
        raise ended_by


@command.command(name="list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State]),
    help="Only these; several may be named. Default: all that are not settled.",
)
@click.option("--system", default="", help="Only those found by comparing with this system.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--values", is_flag=True, help="Show persons and both values too; needs --reason.")
@_LOOKS
@click.option("--reason", default="", help="Why you look at the values; it is recorded.")
@AS_JSON
def list_(
    states: tuple[str, ...], system: str, limit: int, values: bool, actor: str, reason: str, as_json: bool
) -> None:
    """List differences, oldest first, with both sources and dates; persons and values with --values. It is recorded.

    \b
    Example:  gateway reconcile list
              gateway reconcile list --state open --system vzd --values --reason "weekly review" --json
    """
    if values and not reason.strip():
        raise InvalidRequest("--values needs --reason")
    settings = config.load()
    engine = open_database(settings)
    wanted = [State(state) for state in states]

    def look(connection: Connection) -> list[dict[str, Json]]:
        found = differences.listed(connection, wanted, system, limit)
        return [told(connection, row, values=values) for row in found]

    with reading(engine).begin() as connection:
        found = differences.listed(connection, wanted, system, limit)
        persons = subjects(connection, found) if values else []
    listed = _administer(
        settings, engine, "list", system, (actor or operating_user(), reason), look,
        facts={"differences": len(found), "values": values}, codes=persons,
    )  # fmt: skip
    print_list(listed, values=values, as_json=as_json)


@command.command()
@click.argument("difference_id", metavar="ID", type=click.UUID)
@_LOOKS
@_REASON
@AS_JSON
def show(difference_id: uuid.UUID, actor: str, reason: str, as_json: bool) -> None:
    """Show a difference: the person, both values with source, exchange and date, and all that happened. It is recorded.

    \b
    Example:  gateway reconcile show 019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e --reason "case 2026/114"
    """
    settings = config.load()
    engine = open_database(settings)

    def look(connection: Connection) -> dict[str, Json]:
        row = differences.one(connection, difference_id)
        seen = told(connection, row, values=True)
        seen["events"] = [plain(event) for event in differences.events(connection, difference_id)]
        seen["requests"] = [plain(request) for request in corrections.requests_of(connection, difference_id)]
        return seen

    shown = _about(settings, engine, "show", [difference_id], (actor or operating_user(), reason), look)
    print_one(shown, as_json=as_json)


@command.command()
@_DIFFERENCES
@click.option("--keep", "keeps", is_flag=True, help="Keep what the register holds.")
@click.option("--take", "takes", is_flag=True, help="Take what the source says into the register.")
@_ACTOR
@_REASON
def decide(ids: tuple[uuid.UUID, ...], keeps: bool, takes: bool, actor: str, reason: str) -> None:
    """Decide differences: all of those named, or none. What belongs together (death and its day) is named together.

    \b
    Example:  gateway reconcile decide 019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e --take --actor "A. Ozola" \\
                  --reason "the passport was seen"
    """
    if keeps == takes:
        raise InvalidRequest("give either --keep or --take")
    settings = config.load()
    engine = open_database(settings)
    decision = settlement.keep if keeps else settlement.take

    def work(connection: Connection) -> None:
        for difference_id in ids:
            decision(connection, difference_id, actor, reason, utc_now())

    _about(settings, engine, "keep" if keeps else "take", ids, (actor, reason), work)
    click.echo(f"{'kept' if keeps else 'taken'}: {len(ids)}")


@command.command(name="return")
@_DIFFERENCES
@_ACTOR
@_REASON
@_FOLDER
@AS_JSON
def return_(ids: tuple[uuid.UUID, ...], actor: str, reason: str, folder: Path | None, as_json: bool) -> None:
    """Return differences to the source that holds the data, as a correction request each: a file in JSON and a text.

    \b
    Example:  gateway reconcile return 019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e --actor "A. Ozola" \\
                  --reason "the passport says otherwise" --folder /srv/spolis/corrections
    """
    settings = config.load()
    engine = open_database(settings)

    def work(connection: Connection) -> list[uuid.UUID]:
        return [
            settlement.give_back(connection, one, settings.institution, actor, reason, utc_now())
            for one in ids
        ]

    made = _about(settings, engine, "return", ids, (actor, reason), work)
    handed = _hand_over(settings, engine, made, folder)
    print_handed(handed, as_json=as_json)


@command.command(name="hand-over")
@_FOLDER
@AS_JSON
def hand_over(folder: Path | None, as_json: bool) -> None:
    """Hand over the correction requests that are on record and were not handed over, because something failed.

    \b
    Example:  gateway reconcile hand-over
    """
    settings = config.load()
    engine = open_database(settings)
    with reading(engine).begin() as connection:
        waiting = [row.id for row in corrections.prepared(connection)]
    print_handed(_hand_over(settings, engine, waiting, folder), as_json=as_json)


@command.command()
@click.argument("request_id", metavar="REQUEST", type=click.UUID)
@click.option("--corrected", is_flag=True, help="The source corrected its data.")
@click.option("--refused", is_flag=True, help="The source says that its data are right.")
@_ACTOR
@_REASON
def answered(request_id: uuid.UUID, corrected: bool, refused: bool, actor: str, reason: str) -> None:
    """Keep how the source answered a correction request. Refused: the difference is open again. Corrected: the next
    comparison settles it.

    \b
    Example:  gateway reconcile answered 019a2f40-1111-7d52-9b1f-3f0a6b0c1d2e --refused --actor "A. Ozola" \\
                  --reason "letter 5-1/77"
    """
    if corrected == refused:
        raise InvalidRequest("give either --corrected or --refused")
    settings = config.load()
    engine = open_database(settings)
    answer = Answer.CORRECTED if corrected else Answer.REFUSED
    with reading(engine).begin() as connection:
        difference_id = corrections.one(connection, request_id).difference_id

    def work(connection: Connection) -> None:
        settlement.answered(connection, request_id, answer, reason, actor, utc_now())

    _about(settings, engine, f"answered {answer.value}", [difference_id], (actor, reason), work)
    click.echo(answer.value)


@command.command()
@_DIFFERENCES
@_ACTOR
@_REASON
def undo(ids: tuple[uuid.UUID, ...], actor: str, reason: str) -> None:
    """Take decisions and returns back: the differences are open again, the register is as it was before.

    \b
    Example:  gateway reconcile undo 019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e --actor "A. Ozola" --reason "wrong person"
    """
    settings = config.load()
    engine = open_database(settings)

    def work(connection: Connection) -> None:
        for difference_id in ids:
            settlement.undo(connection, difference_id, actor, reason, utc_now())

    _about(settings, engine, "undo", ids, (actor, reason), work)
    click.echo(f"open again: {len(ids)}")


def _about(
    settings: Settings,
    engine: Engine,
    act: str,
    ids: Sequence[uuid.UUID],
    who_and_why: tuple[str, str],
    work: Callable[[Connection], T],
) -> T:
    """Act on differences, with the persons whom they are about on record."""
    with reading(engine).begin() as connection:
        rows = [differences.one(connection, one) for one in ids]
        codes = subjects(connection, rows)
    return _administer(settings, engine, act, str(ids[0]), who_and_why, work, facts=facts(rows), codes=codes)


def _administer(
    settings: Settings,
    engine: Engine,
    act: str,
    name: str,
    who_and_why: tuple[str, str],
    work: Callable[[Connection], T],
    *,
    facts: Mapping[str, Json],
    codes: Sequence[str] = (),
) -> T:
    actor, reason = who_and_why
    typed: dict[str, Json] = {"official": actor, "account": operating_user(), "reason": reason}
    if codes:
        typed["subject"] = list(codes) if len(codes) > 1 else codes[0]
    return administer(
        settings, engine, f"reconcile {act}", name, "", work, facts={"purpose": PURPOSE, **facts}, typed=typed
    )


def _hand_over(
    settings: Settings, engine: Engine, requests: Sequence[uuid.UUID], folder: Path | None
) -> Sequence[Mapping[str, Json]]:
    def record(request: Row[Any], way: str) -> Entry:
        facts: dict[str, Json] = {"act": "reconcile sent", "name": str(request.id), "recipient": ""}
        facts |= {"purpose": PURPOSE, "to": request.recipient, "way": way}
        return admin_entry(settings, facts, {"account": operating_user(), "reason": ""})

    ensure_keys(settings)
    handed = handed_over(engine, open_log(settings, engine), requests, folder or folder_of(settings), record)
    give_place(settings, engine)
    if handed.failed is not None:
        click.echo("what could not be handed over waits: gateway reconcile hand-over", err=True)
        raise handed.failed
    return handed.requests
