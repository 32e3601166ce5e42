"""`gateway audit`: verify the exchange log, look into it, find who asked what about whom."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine

import config
import registers
from audit import Archive, asking, open_log, receipts, search
from audit import verify as verification
from audit.continuity import extent
from audit.leaf import normalised
from audit.origin import load_public_key
from commands import audit_erase, audit_hold, print_json
from commands.audit_export import export_
from commands.audit_prove import prove
from commands.opening import admin_entry, existing_database, give_place, open_database
from commands.rendering import print_rows
from config import Settings
from errors import InvalidRequest, NotFound
from exchange import RIGA, Json, utc_now
from security.keys import load_secret
from storage import reading


class _Bound(click.ParamType[datetime]):
    """A day, or a day and time of day, in Europe/Riga; at the end of a range a day is included."""

    name = "date"

    def __init__(self, *, end: bool) -> None:
        self._end = end

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail("write 2026-01-31 or 2026-01-31T08:00:00", param, ctx)
        if len(value) == len("2026-01-31") and self._end:
            moment += timedelta(days=1)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=RIGA)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
_PURPOSE = "supervision of the exchange log"


@click.group()
def audit_group() -> None:
    """The exchange log: what was exchanged, by whom, why, and whether the record of it still holds."""


command = audit_group
audit_group.add_command(export_)
audit_group.add_command(prove)


@audit_group.command()
@click.option(
    "--offline", is_flag=True, help="Do not ask the witness; what it has signed counts all the same."
)
@click.option(
    "--checkpoint",
    "note",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A checkpoint kept elsewhere, or given out by a witness: the log must go on from it.",
)
@_JSON
@click.pass_context
def verify(ctx: click.Context, offline: bool, note: Path | None, as_json: bool) -> None:
    """Recompute the whole log from its rows and name the first that does not hold.

    The witness is asked what it has seen: a log that was rewritten, cut off or put back to an earlier state is bad
    though its own signatures hold. Exit code 0: it holds and a witness vouches for it. 3: it holds, no witness does
    yet. 1: it was changed.

    \b
    Example:  gateway audit verify
              gateway audit verify --offline --json
              gateway audit verify --checkpoint /mnt/elsewhere/gateway.checkpoint
    """
    settings = config.load()
    public_key = load_public_key(settings.keys / "log.pub")
    secret = settings.keys / "subject.key"
    subject_key = load_secret(secret) if secret.exists() else None
    engine = existing_database(settings)
    # Asked first: what the log gains meanwhile is no contradiction.
    outside = asking.ask(settings, engine, public_key, offline=offline)
    if note is not None:
        outside = replace(outside, held=(*outside.held, asking.kept(note, public_key)))
    with Progress(
        TextColumn("verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=as_json or not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("verifying", total=None)
        report = verification.verify(
            engine,
            public_key,
            subject_key,
            lambda done, total: bar.update(task, completed=done, total=total),
            outside,
        )
    if as_json:
        print_json(report.json())
    else:
        print_rows(("exchange log", ""), list(_told(report)))
    ctx.exit(report.exit_code)


@audit_group.command()
@click.argument("index", type=click.IntRange(min=0, max=2**53))
@click.option(
    "--purpose", default="", help="Show the personal values too; that you did, and why, is recorded."
)
@_JSON
def show(index: int, purpose: str, as_json: bool) -> None:
    """Show the record at an index: the leaf, its hash and the first checkpoint over it.

    \b
    Example:  gateway audit show 17
              gateway audit show 17 --purpose "complaint 2026/41"
    """
    settings = config.load()
    engine = _open(settings)
    if purpose:
        _record(settings, engine, "audit show", purpose, {"index": index}, {})
    shown = search.show(engine, index)
    content: dict[str, Json] = {
        "index": shown.index,
        "leaf": dict(shown.leaf),
        "leaf_hash": shown.leaf_hash.hex(),
        "checkpoint": shown.checkpoint,
    }
    if purpose:
        content["values"] = dict(shown.values)
    if as_json:
        print_json(content)
        return
    rows = [("index", str(shown.index)), ("leaf hash", shown.leaf_hash.hex())]
    rows += [(name, _text(value)) for name, value in shown.leaf.items() if name != "commitments"]
    if purpose:
        rows += [(f"({name})", _text(value)) for name, value in shown.values.items()]
    print_rows(("record", ""), rows)
    click.echo(f"\n{shown.checkpoint}", nl=False)


@audit_group.command(name="search")
@click.option("--system", help="The system that was asked, such as pmlp.")
@click.option("--operation", help="The operation, such as GetPerson.")
@click.option("--institution", help="The registration number of the official's institution.")
@click.option("--official", help="The id of the official who asked.")
@click.option("--outcome", help="ok, denied, invalid, failed, unknown or queued.")
@click.option("--from", "since", type=_Bound(end=False), help="From this day on.")
@click.option("--to", "until", type=_Bound(end=True), help="To this day, included.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--purpose", default=_PURPOSE, show_default=True, help="Why you search; it is recorded.")
@_JSON
def search_(
    system: str | None,
    operation: str | None,
    institution: str | None,
    official: str | None,
    outcome: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    purpose: str,
    as_json: bool,
) -> None:
    """Find records, newest first. Times are those of Europe/Riga. The search itself is recorded.

    \b
    Example:  gateway audit search --system pmlp --outcome denied --from 2026-01-01
              gateway audit search --official MT-1042 --json
    """
    settings = config.load()
    engine = _open(settings)
    facts: dict[str, Json] = {
        "filters": {
            name: text
            for name, text in (
                ("system", system),
                ("operation", operation),
                ("institution", institution),
                ("outcome", outcome),
                ("from", None if since is None else since.isoformat()),
                ("to", None if until is None else until.isoformat()),
            )
            if text is not None
        }
    }
    _record(
        settings, engine, "audit search", purpose, facts, {"sought_official": official} if official else {}
    )
    found = search.search(
        engine,
        system=system,
        operation=operation,
        institution=institution,
        official=official,
        outcome=outcome,
        since=since,
        until=until,
        limit=limit,
    )
    _print_found(found, as_json)


@audit_group.command()
@click.option("--purpose", required=True, help="Why you ask; it is recorded.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@_JSON
def subject(purpose: str, limit: int, as_json: bool) -> None:
    """Find the records about one person, newest first. The personal code is read from standard input.

    Records under other codes that the registers know for the same person are found too.

    \b
    Example:  echo 320101-12345 | gateway audit subject --purpose "request of the person 2026/7"
    """
    settings = config.load()
    engine = _open(settings)
    codes = _codes(engine, normalised(sys.stdin.readline()))
    _record(
        settings, engine, "audit subject", purpose, {}, {"subject": codes if len(codes) > 1 else codes[0]}
    )
    key = load_secret(settings.keys / "subject.key")
    _print_found(search.subject(engine, key, map(str, codes), limit), as_json)


@audit_group.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Replace this file, whole.")
def checkpoint(out: Path | None) -> None:
    """Print the newest signed checkpoint, to be kept elsewhere: it tells after a loss how much is missing.

    Have it copied off this machine every minute or so; `gateway recover --checkpoint` compares with it.

    \b
    Example:  gateway audit checkpoint --out /mnt/elsewhere/gateway.checkpoint
    """
    with reading(existing_database(config.load())).begin() as connection:
        note = extent(connection).note
    if note is None:
        raise NotFound("a checkpoint: the log has none yet")
    if out is None:
        click.echo(note, nl=False)
        return
    partial = out.with_name(f".{out.name}.partial")
    partial.write_text(note, encoding="utf-8")
    partial.replace(out)


@audit_group.command(name="receipt")
@click.argument("header", default="-")
@_JSON
@click.pass_context
def receipt_(ctx: click.Context, header: str, as_json: bool) -> None:
    """Say whether the log holds what it gave a receipt for. HEADER is the value of X-Receipt; - reads standard input.

    Exit code 0: it has an index. 3: it is committed and has none yet, for less than a minute. 1: the receipt is not of
    this log, or what it is for is late or lost.

    \b
    Example:  gateway audit receipt < receipt.txt
              gateway audit receipt 'log="spolis-gateway/test/…"; exchange="…"; leaf="…"; at="…"; sig="…"'
    """
    settings = config.load()
    given = receipts.read(sys.stdin.read(4096) if header == "-" else header)
    if not given.signed_by(load_public_key(settings.keys / "log.pub")):
        raise InvalidRequest("the receipt is not signed by log.pub: another log's, or changed")
    with reading(existing_database(settings)).begin() as connection:
        standing, index = receipts.standing(connection, given, utc_now())
    found: dict[str, Json] = {
        "standing": standing.value,
        "index": index,
        "exchange": given.exchange,
        "at": given.instant,
    }
    if as_json:
        print_json(found)
    else:
        print_rows(("receipt", ""), [(name, _text(value)) for name, value in found.items()])
    ctx.exit({receipts.Standing.HELD: 0, receipts.Standing.PENDING: 3}.get(standing, 1))


@audit_group.command()
@click.argument("exchange", type=click.UUID)
@click.argument("name", default="")
@click.option("--purpose", required=True, help="Why you look; it is recorded.")
def payload(exchange: uuid.UUID, name: str, purpose: str) -> None:
    """Write the exact bytes kept of an exchange to standard output; without NAME list what is kept.

    Kept are request, sent-1 …, received-1 … (also of an answer that was refused) and reply.

    \b
    Example:  gateway audit payload 01a205a3-6758-78d4-86d6-bd5e4180ecc7 --purpose "complaint 2026/41"
              gateway audit payload 01a205a3-6758-78d4-86d6-bd5e4180ecc7 received-1 --purpose … > answer.xml
    """
    settings = config.load()
    engine = _open(settings)
    _record(settings, engine, "audit payload", purpose, {"of": str(exchange), "payload": name}, {})
    archive = Archive(settings)
    with reading(engine).begin() as connection:
        if name:
            click.echo(archive.get(connection, exchange, name), nl=False)
            return
        for kept in archive.names(connection, exchange):
            click.echo(kept)


audit_group.add_command(audit_erase.erase)
audit_group.add_command(audit_erase.classes)
audit_group.add_command(audit_hold.hold)


def _told(report: verification.Report) -> Iterator[tuple[str, str]]:
    for name, value in report.json().items():
        if isinstance(value, dict):
            yield from ((f"{name} {part.replace('_', ' ')}", _text(one)) for part, one in value.items())
        else:
            yield name.replace("_", " "), _said(value)


def _open(settings: Settings) -> Engine:
    existing_database(settings).dispose()
    return open_database(settings)


def _codes(engine: Engine, code: str) -> list[Json]:
    """The code and the others that the registers know for its person."""
    with reading(engine).begin() as connection:
        person = registers.person_by_code(connection, code)
        known = registers.codes_of(connection, person) if person is not None else ()
    return list(dict.fromkeys((code, *map(normalised, known))))


def _record(
    settings: Settings,
    engine: Engine,
    act: str,
    purpose: str,
    facts: Mapping[str, Json],
    personal: Mapping[str, Json],
) -> None:
    """Put on record who looks at what and why, before anything is shown."""
    entry = admin_entry(settings, {"act": act, "purpose": purpose, **facts}, personal)
    open_log(settings, engine).write(entry)
    give_place(settings, engine)


def _print_found(found: Sequence[search.Found], as_json: bool) -> None:
    if as_json:
        print_json([one.json() for one in found])
        return
    names = ("instant", "kind", "system", "operation", "institution", "outcome", "exchange")
    print_rows(
        ("index", *names),
        [
            ("-" if one.index is None else str(one.index), *(_text(one.leaf.get(name)) for name in names))
            for one in found
        ],
    )


def _said(value: Json) -> str:
    """A value of a report; of erasures and warnings each on its own."""
    if not isinstance(value, list):
        return _text(value)
    each = [
        f"{one['class']} before {one['before']} (at {one['index']})" if isinstance(one, dict) else str(one)
        for one in value
    ]
    return "; ".join(each) or "-"


def _text(value: Json) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
