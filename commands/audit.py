"""`gateway audit`: verify the exchange log, look into it, find who asked what about whom."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import config
from audit import Archive, Kind, asking, receipts, search
from audit import catalogue as catalogues
from audit import verify as verification
from audit.continuity import extent
from audit.leaf import subject_text
from audit.origin import load_public_key
from commands import AS_JSON, audit_erase, audit_hold, print_json, progress
from commands.audit_acts import Moment, opened, record
from commands.audit_evidence import evidence_
from commands.audit_export import export_
from commands.audit_prove import prove
from commands.audit_recipients import recipients
from commands.audit_rendering import print_found, print_report
from commands.audit_unusual import dismiss, unusual
from commands.opening import existing_database
from commands.rendering import Form, print_rows
from errors import InvalidRequest, NotFound
from exchange import Json, Outcome, utc_now
from questions.acting import about
from questions.purposes import SUPERVISION
from questions.report import subject_report
from questions.searching import searched
from questions.sheets import told
from questions.withholding import AskedBy
from questions.words import Language
from security.keys import load_secret
from storage import reading


@click.group()
def command() -> None:
    """The exchange log: what was exchanged, by whom, why, and whether the record of it still holds."""


command.add_command(evidence_)
command.add_command(export_)
command.add_command(prove)
command.add_command(unusual)
command.add_command(dismiss)
command.add_command(recipients)


@command.command()
@click.option(
    "--offline", is_flag=True, help="Do not ask the witness; what it has signed counts all the same."
)
@click.option(
    "--checkpoint",
    "note",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A checkpoint kept elsewhere, or given out by a witness: the log must go on from it.",
)
@AS_JSON
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


@command.command()
@click.argument("index", type=click.IntRange(min=0, max=2**53))
@click.option(
    "--purpose", default="", help="Show the personal values too; that you did, and why, is recorded."
)
@AS_JSON
def show(index: int, purpose: str, as_json: bool) -> None:
    """Show the record at an index: the leaf, its hash and the first checkpoint over it.

    \b
    Example:  gateway audit show 17
              gateway audit show 17 --purpose "complaint 2026/41"
    """
    settings = config.load()
    engine = opened(settings)
    shown = search.show(engine, index)
    if purpose:
        persons = about(search.codes_in([shown.values.get("subject")]))
        record(settings, engine, "audit show", purpose, {"index": index}, persons)
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
    rows += [(name, told(value)) for name, value in shown.leaf.items() if name != "commitments"]
    if purpose:
        rows += [(f"({name})", told(value)) for name, value in shown.values.items()]
    print_rows(("record", ""), rows)
    click.echo(f"\n{shown.checkpoint}", nl=False)


_PERSONAL = "Show personal values too, or search by a person; why is recorded."


@command.command(name="search")
@click.option("--system", help="The system that was asked, such as pmlp.")
@click.option("--operation", help="The operation, such as GetPerson.")
@click.option("--institution", help="The registration number of the official's institution.")
@click.option("--official", help="The id of the official who asked.")
@click.option("--person", is_flag=True, help="Read a personal code from standard input; needs --purpose.")
@click.option("--rule", help="The rule that was named, such as p8.13.")
@click.option("--caller", help="The registered name of who called.")
@click.option("--recipient", help="The recipient whose rights were used.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]), help="How it ended.")
@click.option("--kind", type=click.Choice([one.value for one in Kind]), help="The kind of record.")
@click.option("--act", help="The act of administration, such as `audit subject`.")
@click.option("--exchange", type=click.UUID, help="All records of one exchange.")
@click.option("--from", "since", type=Moment(end=False), help="From this day on.")
@click.option("--to", "until", type=Moment(end=True), help="To this day, included.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--after", default="", metavar="INSTANT/INDEX", help="Go on after the last record of a page.")
@click.option("--purpose", default="", help=_PERSONAL)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@AS_JSON
def search_(
    person: bool,
    limit: int,
    after: str,
    purpose: str,
    as_csv: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Find records, newest first. Times are those of Europe/Riga. The search itself is recorded.

    \b
    Example:  gateway audit search --system pmlp --outcome denied --from 2026-01-01
              gateway audit search --official MT-1042 --purpose "complaint 2026/41" --csv
              echo 320101-12345 | gateway audit search --person --rule p8.13 --purpose "complaint 2026/41"
    """
    if person and not purpose.strip():
        raise InvalidRequest("--person needs --purpose")
    settings = config.load()
    engine = opened(settings)
    answer = searched(
        engine,
        load_secret(settings.keys / "subject.key"),
        search.Filters(**filters),
        person=subject_text(sys.stdin.readline()) if person else "",
        with_values=bool(purpose),
        limit=limit,
        after=after,
    )
    personal = answer.sought() | about(answer.persons)
    record(settings, engine, "audit search", purpose or SUPERVISION, answer.facts(), personal)
    print_found(answer.found, answer.values, Form.JSON if as_json else Form.CSV if as_csv else Form.TEXT)
    if answer.more:
        click.echo(f"more: --after {answer.more}", err=True)


@command.command()
@click.option("--purpose", required=True, help="Why you ask; it is recorded.")
@click.option(
    "--asked-by",
    type=click.Choice([one.value for one in AskedBy]),
    default=AskedBy.SELF.value,
    show_default=True,
    help="Who asks: it decides what the law withholds.",
)
@click.option(
    "--lang",
    type=click.Choice([one.value for one in Language]),
    default=Language.LATVIAN.value,
    show_default=True,
)
@click.option("--from", "since", type=Moment(end=False), help="From this day on.")
@click.option("--to", "until", type=Moment(end=True), help="To this day, included.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@AS_JSON
def subject(
    purpose: str,
    asked_by: str,
    lang: str,
    since: datetime | None,
    until: datetime | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Report who accessed the data of a person, in words. The personal code is read from standard input.

    All codes that the registers know for the person are asked for. Entries that the law withholds from who asks are
    left out (questions/withholding.tsv); an auditor sees all. The question is recorded, with what was withheld. A
    person whom a provider knows by its own code alone is named by both: the provider's registered name, a slash, the
    client code.

    \b
    Example:  echo 320101-12345 | gateway audit subject --purpose "request of the person 2026/7"
              echo rehabilitation/K-17 | gateway audit subject --purpose "request of the mother 2026/8"
              echo 320101-12345 | gateway audit subject --asked-by auditor --lang en --purpose supervision --json
    """
    settings = config.load()
    engine = opened(settings)
    report = subject_report(
        engine,
        load_secret(settings.keys / "subject.key"),
        subject_text(sys.stdin.readline()),
        asked_by=AskedBy(asked_by),
        now=utc_now(),
        language=Language(lang),
        since=since,
        until=until,
    )
    personal = about([subject_text(code) for code in report.codes])
    record(settings, engine, "audit subject", purpose, report.facts(), personal)
    print_report(report, Form.JSON if as_json else Form.CSV if as_csv else Form.TEXT)


@command.command()
@click.option("--anew", is_flag=True, help="Forget it and make it from the log.")
@AS_JSON
@click.pass_context
def catalogue(ctx: click.Context, anew: bool, as_json: bool) -> None:
    """Compare the catalogue, by which records are found, with the log; or make it anew, which is recorded.

    Compared are also its counts of exchanges by hour. Exit code 0: it says what the log says. 1: it does not, at the
    indexes and hours that are named.

    \b
    Example:  gateway audit catalogue
              gateway audit catalogue --anew
    """
    settings = config.load()
    engine = opened(settings)
    if anew:
        record(settings, engine, "audit catalogue", SUPERVISION, {"anew": True}, {})
    records = catalogues.make_anew(engine) if anew else catalogues.catch_up(engine)
    with progress.shown("comparing", quiet=as_json) as heard:
        wrong = catalogues.differing(engine, heard)
        wrong_hours = catalogues.differing_hours(engine)
    if as_json:
        print_json({"taken": records, "differing": list(wrong), "differing_hours": list[Json](wrong_hours)})
    else:
        click.echo(f"records taken in: {records}; differing: {', '.join(map(str, wrong)) or 'none'}")
        if wrong_hours:
            click.echo(f"hours counted otherwise: {', '.join(wrong_hours)}")
    ctx.exit(1 if wrong or wrong_hours else 0)


@command.command()
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


@command.command(name="receipt")
@click.argument("header", default="-")
@AS_JSON
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
        print_rows(("receipt", ""), [(name, told(value)) for name, value in found.items()])
    ctx.exit({receipts.Standing.HELD: 0, receipts.Standing.PENDING: 3}.get(standing, 1))


@command.command()
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
    engine = opened(settings)
    persons = about(search.persons_of(engine, exchange))
    record(settings, engine, "audit payload", purpose, {"of": str(exchange), "payload": name}, persons)
    archive = Archive(settings)
    with reading(engine).begin() as connection:
        if name:
            click.echo(archive.get(connection, exchange, name), nl=False)
            return
        for kept in archive.names(connection, exchange):
            click.echo(kept)


command.add_command(audit_erase.erase)
command.add_command(audit_erase.classes)
command.add_command(audit_hold.hold)


def _told(report: verification.Report) -> Iterator[tuple[str, str]]:
    for name, value in report.json().items():
        if isinstance(value, dict):
            yield from ((f"{name} {part.replace('_', ' ')}", told(one)) for part, one in value.items())
        else:
            yield name.replace("_", " "), _said(value)


def _said(value: Json) -> str:
    """A value of a report; of erasures and warnings each on its own."""
    if not isinstance(value, list):
        return told(value)
    each = [
        f"{one['class']} before {one['before']} (at {one['index']})" if isinstance(one, dict) else str(one)
        for one in value
    ]
    return "; ".join(each) or "-"
