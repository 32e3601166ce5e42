"""`gateway audit hold`: keep exchanges beyond their retention, for a court, a complaint, an investigation."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import click
from sqlalchemy import Connection, Engine

import config
import registers
from audit import Archive, holds, open_log, search
from audit.leaf import normalised
from commands import AS_JSON, print_json
from commands.opening import Day, Name, admin_entry, existing_database, give_place, open_database
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest
from exchange import RIGA, Json, instant_text
from security.keys import load_secret
from storage import open_engine, reading

_WHY = click.option("--why", required=True, help="By whose decision; it is recorded.")
# More than that is not one case any more.
_MOST = 100_000
# So many are named in the record itself.
_NAMED = 100


@click.group()
def hold() -> None:
    """Legal holds: exchanges that no erasure touches until the hold is released."""


@hold.command()
@click.argument("name", type=Name())
@click.option("--exchange", "exchanges", type=click.UUID, multiple=True, help="An exchange; may be repeated.")
@click.option("--subject", is_flag=True, help="All about a person, whose code is read from standard input.")
@click.option("--system", help="With --from and --to: what this system was asked.")
@click.option("--from", "since", type=Day(), help="From this day on.")
@click.option("--to", "until", type=Day(), help="To this day, included.")
@_WHY
@AS_JSON
def add(
    name: str,
    exchanges: tuple[uuid.UUID, ...],
    subject: bool,
    system: str | None,
    since: date | None,
    until: date | None,
    why: str,
    as_json: bool,
) -> None:
    """Put exchanges under the hold NAME: those that are there now, and have values left.

    Their exact bytes are sealed anew under a key of the hold, so that they outlive the key of their month. The same
    name again adds to the hold. It needs the role of the eraser ([database] eraser_url).

    \b
    Examples: gateway audit hold add court-2026-41 --exchange 01a205a3-6758-78d4-86d6-bd5e4180ecc7 --why "order 41"
              gateway audit hold add complaint-7 --subject --why "complaint 2026/7" < code.txt
              gateway audit hold add incident-3 --system sais --from 2026-03-01 --to 2026-03-05 --why "incident 3"
    """
    settings = config.load()
    existing_database(settings).dispose()
    if sum((bool(exchanges), subject, since is not None)) != 1 or (since is None) != (until is None):
        raise click.UsageError("give one of --exchange, --subject, or --from and --to (with --system)")
    engine = open_database(settings)
    code = normalised(sys.stdin.readline()) if subject else None
    wanted = [str(one) for one in exchanges] or _found(settings, engine, code, system, since, until)
    if not wanted:
        raise InvalidRequest("nothing in the log is meant by that")
    # Before anything is put under it: should this be interrupted, more is kept than asked, never less.
    facts: dict[str, Json] = {"exchanges": len(wanted)}
    if len(wanted) <= _NAMED:
        facts["of"] = list[Json](wanted)
    _record(settings, engine, "audit hold add", name, facts, why, code)
    archive, added = Archive(settings), 0
    erasing = open_engine(settings.eraser_url, patience=None)
    with erasing.begin() as connection:
        holds.begin(connection, name)
        added = holds.put_under(connection, archive, name, wanted)
    if as_json:
        print_json({"hold": name, "exchanges": len(wanted), "added": added})
    else:
        click.echo(f"{name}: {added} exchanges more are held, {len(wanted) - added} were already.")


@hold.command()
@click.argument("name", type=Name())
@_WHY
@AS_JSON
def release(name: str, why: str, as_json: bool) -> None:
    """Release the hold NAME: what is past its retention goes with the next erasure.

    \b
    Example:  gateway audit hold release court-2026-41 --why "judgment in force"
    """
    settings = config.load()
    existing_database(settings).dispose()
    engine = open_database(settings)
    _record(settings, engine, "audit hold release", name, {}, why, None)
    with open_engine(settings.eraser_url, patience=None).begin() as connection:
        freed = holds.release(connection, name)
    if as_json:
        print_json({"hold": name, "exchanges": freed})
    else:
        click.echo(f"{name}: released, {freed} exchanges are held by it no more.")


@hold.command(name="list")
@AS_JSON
def list_(as_json: bool) -> None:
    """Show every hold, the newest first.

    \b
    Example:  gateway audit hold list --json
    """
    with reading(existing_database(config.load())).begin() as connection:
        found = holds.every(connection)
    if as_json:
        print_json(
            [
                {
                    "hold": one.name,
                    "made_at": instant_text(one.made_at),
                    "released_at": None if one.released_at is None else instant_text(one.released_at),
                    "exchanges": one.exchanges,
                }
                for one in found
            ]
        )
        return
    print_rows(
        ("hold", "made at", "released at", "exchanges"),
        [
            (
                one.name,
                instant_text(one.made_at),
                "-" if one.released_at is None else instant_text(one.released_at),
                str(one.exchanges),
            )
            for one in found
        ],
    )


def _found(
    settings: Settings,
    engine: Engine,
    code: str | None,
    system: str | None,
    since: date | None,
    until: date | None,
) -> list[str]:
    if code is not None:
        key = load_secret(settings.keys / "subject.key")
        with reading(engine).begin() as connection:
            codes = _codes(connection, code)
        found = search.subject(engine, key, codes, _MOST + 1)
    else:
        assert since is not None and until is not None  # noqa: S101, PT018 — asked before
        found = search.search(
            engine,
            system=system,
            since=_midnight(since),
            until=_midnight(until) + timedelta(days=1),
            limit=_MOST + 1,
        )
    if len(found) > _MOST:
        raise InvalidRequest(f"more than {_MOST} records are meant by that: name a shorter time")
    return list(dict.fromkeys(str(one.leaf["exchange"]) for one in found))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=RIGA)


def _codes(connection: Connection, code: str) -> list[str]:
    person = registers.person_by_code(connection, code)
    known = registers.codes_of(connection, person) if person is not None else ()
    return list(dict.fromkeys((code, *map(normalised, known))))


def _record(
    settings: Settings,
    engine: Engine,
    act: str,
    name: str,
    facts: Mapping[str, Json],
    why: str,
    code: str | None,
) -> None:
    personal: dict[str, Json] = {"reason": why}
    if code is not None:
        personal["subject"] = code
    entry = admin_entry(settings, {"act": act, "name": name, "recipient": "", **facts}, personal)
    open_log(settings, engine).write(entry)
    give_place(settings, engine)
