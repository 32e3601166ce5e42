"""`gateway audit unusual` and `dismiss`: what officials do that their peers do not, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, timedelta

import click
from sqlalchemy import Connection

import config
from audit import flags, search
from audit.account import operating_user
from audit.flags import Kept
from commands import AS_JSON, print_json
from commands.audit_acts import opened, record
from commands.opening import Day, administer
from commands.rendering import print_rows
from exchange import Json, today_in_riga, utc_now
from questions import unusual as questions
from questions.acting import about
from questions.purposes import LOOKED_THROUGH
from questions.words import Language, institution
from security.keys import load_secret
from storage import reading

_DAYS = 30


@click.command()
@click.option(
    "--from", "since", type=Day(), default=None, help="From this day on. Default: the last 30 days."
)
@click.option("--to", "until", type=Day(), default=None, help="To this day, included. Default: today.")
@click.option("--all", "all_", is_flag=True, help="Flags that were dismissed, too.")
@click.option("--purpose", default="", help="Show the officials and persons too; why is recorded.")
@click.option(
    "--lang",
    type=click.Choice([one.value for one in Language]),
    default=Language.LATVIAN.value,
    show_default=True,
)
@AS_JSON
def unusual(
    since: date | None, until: date | None, all_: bool, purpose: str, lang: str, as_json: bool
) -> None:
    """Flag look-ups that are unusual, with the figures and the reason. It is recorded.

    Far more persons than the official's peers, out of working hours (questions/office_hours.tsv), the official's own
    data or those of the family, one person looked up by many officials in a day, no case where peers name one. A job
    does the same each morning for the days before.

    \\b
    Example:  gateway audit unusual --from 2026-11-01 --to 2026-11-30
              gateway audit unusual --purpose "inspection 2026/3" --lang en --json
    """
    settings = config.load()
    engine = opened(settings)
    last = (until or today_in_riga()) + timedelta(days=1)
    first = since or last - timedelta(days=_DAYS)
    found = questions.unusual(engine, load_secret(settings.keys / "subject.key"), first, last)
    with engine.begin() as connection:
        flags.keep(connection, found, utc_now())
        kept = flags.listed(connection, first, last, dismissed=all_)
    language = Language(lang)
    rows = [_told(one, language) for one in kept]
    persons: list[str] = []
    if purpose:
        for row, one in zip(rows, kept, strict=True):
            with reading(engine).begin() as connection:
                involved = search.involved(connection, one.exchanges)
            row |= {"officials": [*involved.officials], "persons": [*involved.persons]}
            persons += involved.persons
    facts: dict[str, Json] = {"from": first.isoformat(), "to": last.isoformat(), "flags": len(rows)}
    record(
        settings,
        engine,
        "audit unusual",
        purpose or LOOKED_THROUGH,
        facts,
        about(list(dict.fromkeys(persons))),
    )
    if as_json:
        print_json([dict(row) for row in rows])
        return
    names = ("id", "day", "institution", "reason", *(("officials",) if purpose else ()), "dismissed")
    print_rows(names, [tuple(_cell(row[name]) for name in names) for row in rows])


@click.command()
@click.argument("ids", metavar="FLAG...", nargs=-1, required=True, type=click.UUID)
@click.option("--reason", required=True, help="What was found out; it is recorded.")
@click.option("--actor", default="", help="Who decides. Default: the account of the operating system.")
def dismiss(ids: Sequence[uuid.UUID], reason: str, actor: str) -> None:
    """Note that flags were looked into: all that are named, or none. It is recorded.

    \\b
    Example:  gateway audit dismiss 019a2f31-7c1e-7d52-9b1f-3f0a6b0c1d2e --reason "on duty that night, rota of 3 March"
    """
    settings = config.load()
    engine = opened(settings)
    by = actor or operating_user()

    def work(connection: Connection) -> None:
        flags.dismiss(connection, ids, by, reason, utc_now())

    administer(
        settings,
        engine,
        "audit unusual dismiss",
        "",
        "",
        work,
        facts={"flags": [str(one) for one in ids]},
        typed={"reason": reason, "decided_by": by},
    )
    click.echo(f"dismissed: {len(set(ids))}")


def _told(flag: Kept, language: Language) -> dict[str, Json]:
    return {
        "id": str(flag.id),
        "day": flag.day.isoformat(),
        "kind": flag.kind,
        "recipient": flag.recipient,
        "institution": institution("", flag.recipient).of(language),
        "reason": questions.reason(flag, language),
        "figures": dict(flag.figures),
        "exchanges": list(flag.exchanges),
        "dismissed": None if flag.dismissed_at is None else f"{flag.dismissed_by}: {flag.reason}",
    }


def _cell(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "-" if value is None else str(value)
