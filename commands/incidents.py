"""`gateway incidents`: what is wrong now, and what was."""

from __future__ import annotations

import click

import config
from commands import AS_JSON, print_json
from commands.opening import open_database
from commands.rendering import print_rows
from endpoints.alert_texts import TEXTS
from exchange import Json, instant_text
from routing import incidents
from routing.incidents import CLOSED, Channel, Incident
from storage import reading


@click.command()
@click.option("--all", "closed", is_flag=True, help="Also those that are over.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The newest so many."
)
@AS_JSON
def command(closed: bool, limit: int, as_json: bool) -> None:
    """List the incidents that are open. What each kind means and asks for is in docs/monitoring.md.

    \b
    Examples: gateway incidents
              gateway incidents --all --json
    """
    engine = open_database(config.load())
    with reading(engine).begin() as connection:
        found = incidents.listed(connection, closed=closed, limit=limit)
    if as_json:
        print_json([_json(incident) for incident in found])
        return
    if not found:
        click.echo("No incident is open." if not closed else "There was no incident.", err=True)
        return
    print_rows(
        ("since", "until", "kind", "subject", "detail", "seen", "what is wrong"),
        [
            (
                instant_text(incident.opened_at)[:19],
                "" if incident.closed_at is None else instant_text(incident.closed_at)[:19],
                incident.kind,
                incident.subject,
                incident.detail,
                str(incident.seen),
                TEXTS[incident.kind].title.en if incident.kind in TEXTS else "",
            )
            for incident in found
        ],
    )


def _json(incident: Incident) -> dict[str, Json]:
    closed = incident.closed_at
    return {
        "id": str(incident.id),
        "kind": incident.kind,
        "subject": incident.subject,
        "detail": incident.detail,
        "opened_at": instant_text(incident.opened_at),
        "last_seen": instant_text(incident.seen_at),
        "count": incident.seen,
        "closed_at": None if closed is None else instant_text(closed),
        "told": {channel.value: _told(incident, channel) for channel in Channel},
    }


def _told(incident: Incident, channel: Channel) -> str:
    """Which message the channel took last: none, opened, closed."""
    stage = incident.told[channel]
    if stage == CLOSED:
        return "closed"
    return "opened" if stage else "none"
