"""`gateway contracts`: what changed between two versions of a contract, whom it breaks, and who is told by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

import config
import wsdl
from commands import AS_JSON, print_json
from commands.contract_impact import Impact, Verdict, impacts, is_ours, services_behind, verdict
from commands.contract_texts import LANGUAGES, say, sentence
from commands.opening import Day, open_database
from commands.partner_notice import Concerned, concerned
from errors import InvalidRequest
from exchange import Json, today_in_riga
from routing.access import Access
from routing.agreements import NOTICE_DAYS
from routing.working_days import ORDERS_KNOWN_TO, first_day_after_notice
from storage import reading
from wsdl.changes import changes
from wsdl.description import Description, describe, wsdl_in

# Codes of their own: 1, 2, 4, 5 and 78 are those of errors.
EXITS = {Verdict.NONE: 0, Verdict.COMPATIBLE: 10, Verdict.BREAKING: 11}


@click.group()
def command() -> None:
    """The contracts in wsdl/ and those that are to come."""


@dataclass(frozen=True, slots=True)
class Told:
    """A partner that is to be told, and the service of ours by which it notices."""

    service: str
    partner: Concerned


@command.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--system", default="", help="Whose mapping tables are looked at; without it, that of the folder OLD."
)
@click.option("--announced-on", type=Day(), help="The day of the announcement; without it, today.")
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="The language of the words."
)
@AS_JSON
@click.pass_context
def diff(
    ctx: click.Context, old: str, new: str, system: str, announced_on: date | None, lang: str, as_json: bool
) -> None:
    """Say what changed from OLD to NEW, whom it breaks, whether our mapping tables survive, who is told by when.

    OLD and NEW are a folder or name below wsdl/ (`pmlp/v1-0`), a folder anywhere, or a WSDL file with its schemas
    beside it. A change is `wider` where a new message need not be one by the old contract, `narrower` where an old
    message need not be one by the new. A narrower request and a wider answer break who keeps to the old contract;
    callers of ours are asked to read past an optional element, we ourselves refuse what is not mapped.

    Exit code: 0 nothing changed, 10 compatible, 11 breaking.

    \b
    Example:  gateway contracts diff sais/v1-0 sais/v1-1
              gateway contracts diff pmlp/v1-0 ~/received/pmlp-v1-1 --lang lv
    """
    before, after = read(old), read(new)
    name = system or _system(before.path)
    found = impacts(changes(before, after), name)
    day = announced_on or today_in_riga()
    told = _told(services_behind(name, found), day) if found else ()
    if as_json:
        print_json(_json(before, after, name, found, told, day, lang))
    else:
        for line in _lines(name, found, told, day, lang):
            click.echo(line)
    ctx.exit(EXITS[verdict(found)])


def read(place: str) -> Description:
    """A contract by a name below wsdl/, a folder or a file.

    Raises: InvalidRequest when there is none, or it is none that can be read.
    """
    for path in (Path(place), wsdl.ROOT / place):
        if path.is_dir():
            return describe(wsdl_in(path.resolve()), _root(path))
        if path.is_file():
            return describe(path.resolve(), _root(path))
    raise InvalidRequest(f"{place} is neither a file nor a folder, nor one below wsdl/")


def _root(path: Path) -> Path | None:
    """Contracts of ours may refer to each other; any other keeps to its own folder."""
    return wsdl.ROOT if path.resolve().is_relative_to(wsdl.ROOT) else None


def _system(path: Path) -> str:
    """The name of a contract below wsdl/ without its version, "" for any other."""
    if not path.is_relative_to(wsdl.ROOT):
        return ""
    return path.parent.parent.relative_to(wsdl.ROOT).as_posix()


def _told(services: tuple[str, ...], day: date) -> tuple[Told, ...]:
    """The active partners that use the services, each with its own notice period."""
    if not services:
        return ()
    settings = config.load()
    access = Access.load(settings.access)
    with reading(open_database(settings)).begin() as connection:
        return tuple(
            Told(service, one) for service in services for one in concerned(connection, access, service, day)
        )


def _who(system: str) -> str:
    return "callers" if is_ours(system) else "us"


def _json(
    before: Description,
    after: Description,
    system: str,
    found: tuple[Impact, ...],
    told: tuple[Told, ...],
    day: date,
    language: str,
) -> dict[str, Json]:
    return {
        "old": before.namespace,
        "new": after.namespace,
        "system": system,
        "verdict": verdict(found).value,
        "for": _who(system),
        "changes": [_change(one, language) for one in found],
        "announced_on": day.isoformat(),
        "notice_days": NOTICE_DAYS,
        "earliest": first_day_after_notice(day, NOTICE_DAYS).isoformat(),
        "partners": [
            {
                "service": one.service,
                "name": one.partner.name,
                "contact": one.partner.contact,
                "notice_days": one.partner.notice_days,
                "earliest": one.partner.earliest.isoformat(),
            }
            for one in told
        ],
    }


def _change(one: Impact, language: str) -> dict[str, Json]:
    change = one.change
    return {
        "kind": change.kind.value,
        "operation": change.operation,
        "side": change.side.value,
        "path": change.path,
        "before": change.before,
        "after": change.after,
        "wider": change.widens,
        "narrower": change.narrows,
        "breaking": one.breaking,
        "text": sentence(change, language),
        "survives": one.survives,
        "fields": list[Json](one.fields),
    }


def _lines(
    system: str, found: tuple[Impact, ...], told: tuple[Told, ...], day: date, language: str
) -> list[str]:
    summed = verdict(found)
    who = say(_who(system), language)
    lines = [*(_line(one, language) for one in found), say(summed.value, language, who=who)]
    if summed is Verdict.NONE:
        return lines
    earliest = first_day_after_notice(day, NOTICE_DAYS)
    lines.append(
        say(
            "announce",
            language,
            announced_on=day.isoformat(),
            earliest=earliest.isoformat(),
            notice_days=str(NOTICE_DAYS),
        )
    )
    lines += [
        say(
            "tell",
            language,
            name=one.partner.name,
            contact=one.partner.contact or say("no-contact", language),
            service=one.service,
            earliest=one.partner.earliest.isoformat(),
        )
        for one in told
    ] or [say("nobody" if system else "nameless", language)]
    last = max((earliest, *(one.partner.earliest for one in told)))
    if last.year > ORDERS_KNOWN_TO:
        lines.append(say("years", language, year=str(ORDERS_KNOWN_TO)))
    return lines


def _line(one: Impact, language: str) -> str:
    mark = say("breaks" if one.breaking else "fits", language)
    survival = {None: "unmapped", True: "survives", False: "changes"}[one.survives]
    fields = f" ({', '.join(one.fields)})" if one.fields else ""
    return f"{mark}  {sentence(one.change, language)} — {say(survival, language)}{fields}"
