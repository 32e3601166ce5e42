"""`gateway audit erase` and `audit classes`: what has been kept for its time goes, and the log proves it still."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click
from sqlalchemy import Engine

import config
from audit import Entry, Kind, eraser, flags, open_log, retention
from audit.account import operating_user
from audit.eraser import Erased, Scope
from audit.retention import RetentionClass
from audit.tables import archive_keys, archive_payloads, log_values
from commands import AS_JSON, print_json
from commands.opening import Day, admin_entry, existing_database, open_database, sequence
from commands.progress import shown
from commands.rendering import print_rows
from config import Settings
from errors import Busy, InvalidRequest
from exchange import RIGA, Json, instant_text, new_id, utc_now
from routing import quota
from storage.compaction import compact, open_erasing

# Seconds for the erasure's record to get its place in the tree, where another process gives it.
_PLACE_SECONDS = 30.0


@click.command()
@click.option("--before", type=Day(), required=True, help="Erase what is older than this day (Europe/Riga).")
@click.option("--class", "name", required=True, help="The retention class: see gateway audit classes.")
@click.option("--why", required=True, help="By whose decision; it is recorded.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@AS_JSON
def erase(before: date, name: str, why: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Erase for good what a retention class has been kept for: values, salts, subject index, exact bytes, data keys.

    The records stay and every proof still verifies. The erasure is a record of its own, with its place in the log
    before the first value goes. What is younger than its retention is refused, what a legal hold keeps is left and
    counted. Interrupted at any moment, the same command goes on. At the end deleted rows are taken out of the files.
    The connection is that of [database] eraser_url.

    \b
    Examples: gateway audit erase --before 2021-01-01 --class exchange --why "plan of erasure 2026" --dry-run
              gateway audit erase --before 2021-01-01 --class exchange --why "plan of erasure 2026" --yes
    """
    settings = config.load()
    existing_database(settings).dispose()
    kept, instant = retention.named(name), datetime(before.year, before.month, before.day, tzinfo=RIGA)
    _see_that_over(kept, instant)
    engine = open_erasing(settings.eraser_url)
    with shown("looking", quiet=as_json) as progress:
        scope = eraser.look(engine, kept, instant.astimezone(UTC), progress)
    if dry_run:
        _tell(scope, None, as_json)
        return
    if scope.exchanges and not yes:
        click.confirm(
            f"Erase {scope.values} values and {scope.payloads} payloads of {scope.exchanges} exchanges for good?",
            abort=True,
            err=True,
        )
    erased = _carry_out(settings, engine, scope, why, quiet=as_json)
    _tell(scope, erased, as_json)


@click.command()
@AS_JSON
def classes(as_json: bool) -> None:
    """Show the retention classes: for how long each is kept, by which basis, and before when it may be erased today.

    \b
    Example:  gateway audit classes --json
    """
    now = utc_now()
    rows: list[dict[str, Json]] = []
    for one in retention.classes().values():
        over = one.over_before(now)
        rows.append(
            {
                "class": one.name,
                "months": one.months,
                "before": None if over is None else over.astimezone(RIGA).date().isoformat(),
                "what": one.what,
                "basis": one.basis,
            }
        )
    if as_json:
        print_json(list[Json](rows))
        return
    print_rows(
        tuple(rows[0]),
        [tuple("-" if value is None else str(value) for value in row.values()) for row in rows],
    )


def _see_that_over(kept: RetentionClass, before: datetime) -> None:
    over = kept.over_before(utc_now())
    if over is None:
        raise InvalidRequest(f"the class {kept.name} is kept for good")
    if before > over:
        raise InvalidRequest(
            f"the class {kept.name} is kept for {kept.months} months ({kept.basis}): today nothing from after "
            f"{over.astimezone(RIGA).date()} may be erased"
        )


def _carry_out(settings: Settings, engine: Engine, scope: Scope, why: str, *, quiet: bool) -> Erased:
    # By the application's own role: the eraser may not write into the log.
    writing = open_database(settings)
    log = open_log(settings, writing)
    if scope.exchanges and not eraser.on_record(engine, scope):
        log.write(Entry(Kind.ERASURE, new_id(), utc_now(), scope.facts()))
        if not sequence(settings, writing, _PLACE_SECONDS):
            raise Busy("the record of the erasure has no place in the log yet, so nothing is erased")
    with shown("erasing", quiet=quiet) as progress:
        erased = eraser.erase(engine, scope, progress)
    with writing.begin() as connection:
        day = scope.before.astimezone(RIGA).date()
        quota.forget(connection, day)
        flags.forget(connection, day)
    with shown("taking it out of the files", quiet=quiet):
        left = compact(engine, (log_values, archive_payloads, archive_keys))
    facts: dict[str, Json] = {
        "act": "audit erase",
        "name": scope.retention.name,
        "recipient": "",
        "before": instant_text(scope.before),
        "values": erased.values,
        "payloads": erased.payloads,
        "keys": erased.keys,
        "not_vacuumed": list[Json](left),
    }
    log.write(admin_entry(settings, facts, {"official": operating_user(), "reason": why}))
    sequence(settings, writing, _PLACE_SECONDS)
    for name in left:
        click.echo(f"the owner of the tables is to run: VACUUM {name}", err=True)
    return erased


def _tell(scope: Scope, erased: Erased | None, as_json: bool) -> None:
    told = scope.facts() | {"running": scope.running, "dry_run": erased is None}
    if erased is not None:
        told["erased"] = {"values": erased.values, "payloads": erased.payloads, "keys": erased.keys}
    if as_json:
        print_json(told)
        return
    rows = [
        (name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in told.items()
        if name != "erased"
    ]
    if erased is not None:
        rows.append(
            ("erased", f"{erased.values} values, {erased.payloads} payloads, {erased.keys} data keys")
        )
    print_rows(("erasure", ""), rows)
