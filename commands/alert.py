"""`gateway alert`: whether an alert would reach anybody."""

from __future__ import annotations

import click

import config
from commands import AS_JSON, print_json
from commands.opening import administer, open_database
from endpoints import alerts
from errors import ConfigurationError
from exchange import Json, new_id, utc_now


@click.group()
def command() -> None:
    """The webhook and the mail by which operators are told of incidents."""


@command.command()
@AS_JSON
@click.pass_context
def test(ctx: click.Context, as_json: bool) -> None:
    """Send a test alert by every channel of [alerts]. It is recorded first.

    Exit codes: 0 each channel took it, 1 one did not, 78 none is set up.

    \b
    Example:  gateway alert test
    """
    settings = config.load()
    channels = alerts.channels(settings.alerts)
    if not channels:
        raise ConfigurationError("no channel is set up: [alerts] webhook_url, or mail_to with smtp_host")
    message = alerts.Message(new_id(), "test", "test", "", "", settings.environment, utc_now())
    names = ", ".join(channel.value for channel in channels)
    administer(
        settings,
        open_database(settings),
        "alert test",
        names,
        "",
        lambda _connection: None,
        facts={"message": str(message.id)},
    )
    failures: dict[str, str | None] = {}
    for channel in channels:
        failures[channel.value] = None
        try:
            alerts.SENDERS[channel](settings.alerts, message)
        except alerts.NotTold as error:
            failures[channel.value] = str(error)
    if as_json:
        told: dict[str, Json] = {
            name: {"told": failure is None, "error": failure} for name, failure in failures.items()
        }
        print_json({"id": str(message.id), "channels": told})
    else:
        for name, failure in failures.items():
            click.echo(f"{name}: {failure or 'sent'}")
    ctx.exit(1 if any(failures.values()) else 0)
