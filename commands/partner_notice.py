"""`gateway partner notice`: a change is announced to the partners whom it concerns, in time.

Source: the ministry's agreements (a change of format is announced 30 working days ahead); docs/adr/0018.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import click
from sqlalchemy import Connection

import config
import mappings.services
from commands import AS_JSON, print_json
from commands.opening import Day, administer, open_database
from commands.rendering import print_rows
from errors import InvalidRequest, UnknownOperation
from exchange import Json, today_in_riga
from routing.access import Access
from routing.agreements import terms_of
from routing.parties import list_partners
from routing.working_days import ORDERS_KNOWN_TO, first_day_after_notice
from storage import reading


@dataclass(frozen=True, slots=True)
class Concerned:
    """A partner that uses the service: whom to write to, and the first day on which the change is lawful."""

    name: str
    contact: str | None
    notice_days: int
    earliest: date


@click.command()
@click.option("--service", required=True, help="The service that changes, e.g. persons.")
@click.option("--change", required=True, help="What changes, in a sentence.")
@click.option("--from", "begins_on", required=True, type=Day(), help="The first day of the change.")
@click.option("--urgent", is_flag=True, help="Announce it though it is too early for someone; needs --why.")
@click.option("--why", default="", help="Why it cannot wait, for the exchange log.")
@AS_JSON
def notice(service: str, change: str, begins_on: date, urgent: bool, why: str, as_json: bool) -> None:
    """Announce a change of a service: check the notice period of each partner that uses it, put it on record.

    Prints whom to write to; the letters are yours to send, today. A day that is too early for a partner is refused.
    Working days are those of Latvia: see `routing/working_days.py` for what is known of later years.

    \b
    Example:  gateway partner notice --service persons --change "Persona gets a new element DzimumaKods" \\
                --from 2027-03-01
              gateway partner notice --service persons --change "SHA-256 of the old kind is refused" \\
                --from 2026-12-03 --urgent --why "a weakness was published"
    """
    settings = config.load()
    known = mappings.services.discover()
    if service not in known:
        raise UnknownOperation(f"services: {', '.join(sorted(known))}")
    if urgent and not why.strip():
        raise InvalidRequest("--urgent needs --why")
    engine = open_database(settings)
    announced_on = today_in_riga()
    with reading(engine).begin() as connection:
        found = concerned(connection, Access.load(settings.access), service, announced_on)
    early = [one for one in found if begins_on < one.earliest]
    lawful = max((one.earliest for one in found), default=announced_on)
    if early and not urgent:
        names = ", ".join(f"{one.name} ({one.notice_days} working days)" for one in early)
        raise InvalidRequest(f"{begins_on} is too early for {names}; the earliest day for all is {lawful}")
    administer(
        settings,
        engine,
        "partner notice",
        service,
        "",
        lambda _connection: None,
        facts={
            "announced_on": announced_on.isoformat(),
            "begins_on": begins_on.isoformat(),
            "urgent": urgent,
            "partners": [
                {
                    "name": one.name,
                    "notice_days": one.notice_days,
                    "earliest": one.earliest.isoformat(),
                    "in_time": one not in early,
                }
                for one in found
            ],
        },
        typed={"change": change, **({"reason": why} if why else {})},
    )
    if max(lawful, begins_on).year > ORDERS_KNOWN_TO:
        click.echo(
            f"note: which working days the Cabinet moves is known to {ORDERS_KNOWN_TO}; leave a few days more",
            err=True,
        )
    _print(service, found, early, lawful, as_json)


def concerned(
    connection: Connection, access: Access, service: str, announced_on: date
) -> tuple[Concerned, ...]:
    """The active partners whose recipient may ask for anything of a service, by name."""
    names = {partner.name: partner.recipient for partner in list_partners(connection) if not partner.disabled}
    found: list[Concerned] = []
    for name, recipient in names.items():
        if any(
            operation.partition(".")[0] == service
            for right in access.rights_of(recipient)
            for operation in right.operations
        ):
            terms = terms_of(connection, name)
            earliest = first_day_after_notice(announced_on, terms.notice_days)
            found.append(Concerned(name, terms.contact, terms.notice_days, earliest))
    return tuple(found)


def _print(
    service: str, found: tuple[Concerned, ...], early: list[Concerned], lawful: date, as_json: bool
) -> None:
    if as_json:
        rows: list[Json] = [
            {
                "name": one.name,
                "contact": one.contact,
                "notice_days": one.notice_days,
                "earliest": one.earliest.isoformat(),
                "in_time": one not in early,
            }
            for one in found
        ]
        print_json({"service": service, "earliest": lawful.isoformat(), "partners": rows})
        return
    if not found:
        click.echo(f"no active partner uses {service}; it is on record all the same")
        return
    print_rows(
        ("write to", "partner", "working days", "earliest", "in time"),
        [
            (
                one.contact or "no contact known",
                one.name,
                str(one.notice_days),
                one.earliest.isoformat(),
                "no" if one in early else "yes",
            )
            for one in found
        ],
    )
    click.echo(f"earliest day for all: {lawful}")
