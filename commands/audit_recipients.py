"""`gateway audit recipients`: who was given a field of a person, and when."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

import config
from audit.leaf import normalised
from commands import AS_JSON, print_json
from commands.audit_acts import Moment, opened, record
from commands.rendering import print_rows
from exchange import RIGA
from questions.acting import about
from questions.corrections import recipients_of
from questions.report import codes_of
from questions.words import Language, institution
from security.keys import load_secret


@click.command()
@click.option("--field", required=True, help="A register column, as `gateway mappings table` names it.")
@click.option("--purpose", required=True, help="Why you ask; it is recorded.")
@click.option("--from", "since", type=Moment(end=False), help="Given from this day on.")
@click.option("--to", "until", type=Moment(end=True), help="Given to this day, included.")
@AS_JSON
def recipients(
    field: str, purpose: str, since: datetime | None, until: datetime | None, as_json: bool
) -> None:
    """Find who was given a field of a person. The personal code is read from standard input. It is recorded.

    \b
    Example:  echo 320101-12345 | gateway audit recipients --field pmlp_address.text --purpose "correction 2026/9"
    """
    settings = config.load()
    engine = opened(settings)
    codes = codes_of(engine, normalised(sys.stdin.readline()))
    key = load_secret(settings.keys / "subject.key")
    found = recipients_of(engine, key, codes, field, since or datetime(1970, 1, 1, tzinfo=UTC), until)
    named = about([normalised(code) for code in codes])
    record(settings, engine, "audit recipients", purpose, {"field": field, "recipients": len(found)}, named)
    if as_json:
        print_json(
            [
                {
                    "recipient": one.recipient,
                    "institution": institution("", one.recipient).of(Language.LATVIAN),
                    "exchanges": [
                        {
                            "exchange_id": each.exchange_id,
                            "instant": each.instant.isoformat(),
                            "operation": each.name,
                        }
                        for each in one.accesses
                    ],
                }
                for one in found
            ]
        )
        return
    rows = [
        (one.recipient, f"{each.instant.astimezone(RIGA):%Y-%m-%d %H:%M:%S}", each.name, each.exchange_id)
        for one in found
        for each in one.accesses
    ]
    print_rows(("recipient", "instant", "operation", "exchange"), rows)
