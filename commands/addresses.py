"""`gateway addresses`: the State Address Register at national size, from its open-data editions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import Connection

import config
from audit import open_log
from commands import AS_JSON, print_json
from commands.opening import Day, ensure_keys, give_place, open_database
from commands.progress import shown
from commands.rendering import print_rows
from exchange import Json
from mappings.codes import Code
from mappings.vzd import RegisteredAddress
from registers import varis
from routing.editions import LoadRecord
from storage import reading

T = TypeVar("T")


@click.group()
def command() -> None:
    """Addresses of the whole country: load an edition of the State Address Register, and look into it."""


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--accept-removals", is_flag=True, help="Even where a large part of what is held is not listed."
)
@click.option("--accept-older", is_flag=True, help="Even where the edition in use is newer.")
@AS_JSON
def load(paths: tuple[Path, ...], accept_removals: bool, accept_older: bool, as_json: bool) -> None:
    """Load an open-data edition: a directory with its CSV files, or the files.

    Only what differs is written, and readers see the edition in use until all is there. A broken row is told with file
    and line, and nothing is loaded. The load is on record in the exchange log, also one that comes to nothing.

    \b
    Example:  gateway addresses load /srv/varis/2026-11-28
              gateway addresses load aw_eka.csv aw_dziv.csv --json
    """
    settings = config.load()
    ensure_keys(settings)
    engine = open_database(settings)
    record = LoadRecord(settings, open_log(settings, engine), "addresses load", [path.name for path in paths])
    record.add("begun", {})
    try:
        with shown("addresses", quiet=as_json) as progress:
            summary = varis.load(
                engine,
                paths,
                settle=record.settle,
                progress=progress,
                exchange_id=record.exchange_id,
                accept_removals=accept_removals,
                accept_older=accept_older,
            )
    except Exception as error:  # whatever it was, it is on record that nothing was loaded
        record.refused(error)
        raise
    finally:
        give_place(settings, engine)
    told = {**summary.json(), "exchange_id": str(record.exchange_id)}
    if as_json:
        print_json(told)
        return
    heads = ("file", "added", "changed", "ended", "unchanged")
    print_rows(
        heads,
        [
            (name, str(c.added), str(c.changed), str(c.ended), str(c.unchanged))
            for name, c in summary.counts.items()
        ],
    )
    click.echo(f"edition {summary.edition} is in use; its newest row is of {summary.newest_on}", err=True)
    if summary.differs:
        click.echo(
            f"{summary.differs} full addresses are not what their chain gives, "
            "as where a parent is missing; they are kept as given",
            err=True,
        )
    for name in summary.ignored:
        click.echo(f"{name} holds no places and was left out", err=True)


@command.command()
@click.argument("code")
@click.option("--on", type=Day(), help="As it was on this day; without it, as it is.")
@AS_JSON
def resolve(code: str, on: date | None, as_json: bool) -> None:
    """Resolve a code to its full address, now or on a day.

    \b
    Example:  gateway addresses resolve 101000034 --on 2020-05-01
    """
    found = _reading(lambda connection: varis.resolve(connection, code, on))
    if as_json:
        print_json(
            {
                **_address(found.address),
                "on": on.isoformat() if on else None,
                "existed": found.existed,
                "certain": found.certain,
                "listed": found.listed,
                "edition": found.edition,
            }
        )
        return
    click.echo(found.address.text)
    if not found.existed:
        click.echo("It did not exist then." if on else found.address.status.text_en, err=True)
    elif not found.certain:
        click.echo("Put together from what is known; what it stood under then is not told.", err=True)


@command.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="At most so many.")
@AS_JSON
def search(text: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Search as you would write an address: diacritics, case and the kind of street may be left out.

    \b
    Example:  gateway addresses search "Brivibas 12-3"
              gateway addresses search Rīga, Brīvības g. 12 dz. 3 --limit 3
    """
    found = _reading(lambda connection: varis.search(connection, " ".join(text), limit))
    if as_json:
        print_json(
            [{**_address(m.address), "former": m.former, "unmatched": list[Json](m.unmatched)} for m in found]
        )
        return
    print_rows(
        ("code", "status", "address", "remark"),
        [(m.address.varis_code, m.address.status.code, m.address.text, _remark(m)) for m in found],
    )


@command.command()
@click.argument("code")
@AS_JSON
def history(code: str, as_json: bool) -> None:
    """Show what a code stood for over time, and what came after it.

    \b
    Example:  gateway addresses history 100015122
    """
    found = _reading(lambda connection: varis.history(connection, code))
    if as_json:
        print_json(
            {
                "address": _address(found.address),
                "spans": [
                    {
                        "since": _day(span.since),
                        "until": _day(span.until),
                        "text": span.text,
                        "certain": span.certain,
                        "sources": list[Json](span.sources),
                    }
                    for span in found.spans
                ],
                "successors": [
                    {"code": s.code, "text": s.text, "reason": s.reason, "moved": s.moved}
                    for s in found.successors
                ],
            }
        )
        return
    print_rows(
        ("since", "until", "certain", "address"),
        [
            (_day(s.since) or "", _day(s.until) or "", "yes" if s.certain else "no", s.text)
            for s in found.spans
        ],
    )
    for after in found.successors:
        click.echo(f"after it: {after.code} {after.text} ({after.reason}, {after.moved} moved)")


@command.command()
@click.argument("code")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@click.option("--ended", is_flag=True, help="Also what is deleted or wrong.")
@AS_JSON
def children(code: str, limit: int, offset: int, ended: bool, as_json: bool) -> None:
    """List what stands directly under a place; 100000000 is the state.

    \b
    Example:  gateway addresses children 100003003 --limit 20
    """
    found = _reading(
        lambda connection: varis.children(connection, code, limit=limit, offset=offset, ended=ended)
    )
    if as_json:
        print_json([_address(address) for address in found])
        return
    print_rows(
        ("code", "kind", "status", "address"),
        [(a.varis_code, a.kind.text_lv, a.status.code, a.text) for a in found],
    )


def _reading(work: Callable[[Connection], T]) -> T:
    with reading(open_database(config.load())).begin() as connection:
        return work(connection)


def _address(address: RegisteredAddress) -> dict[str, Json]:
    return {
        "varis_code": address.varis_code,
        "kind": _code(address.kind),
        "status": _code(address.status),
        "text": address.text,
        "postcode": address.postcode,
        "atvk": address.atvk,
        "valid_from": _day(address.valid_from),
        "valid_to": _day(address.valid_to),
        "north": str(address.north) if address.north is not None else None,
        "east": str(address.east) if address.east is not None else None,
        "chain": [
            {"varis_code": part.varis_code, "kind": _code(part.kind), "name": part.name}
            for part in address.chain
        ],
    }


def _code(code: Code) -> dict[str, Json]:
    return {"code": code.code, "text_lv": code.text_lv, "text_en": code.text_en}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _remark(match: varis.Match) -> str:
    told = [f"formerly {match.former}"] if match.former else []
    told += [f"no {number}" for number in match.unmatched]
    return ", ".join(told)
