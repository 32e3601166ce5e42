"""`gateway alert test` and `gateway incidents`."""

from __future__ import annotations

from datetime import timedelta

from commands.opening import open_database
from routing import incidents
from routing.incidents import Channel, Finding
from tests.commands.conftest import Home
from tests.told import Told, listening


def configure(home: Home, told: Told) -> None:
    settings = told.settings
    lines = [
        "[state]",
        'directory = "state"',
        "[alerts]",
        f'webhook_url = "{settings.webhook_url}"',
        f'mail_to = "{settings.mail_to}"',
        f'mail_from = "{settings.mail_from}"',
        f'smtp_host = "{settings.smtp_host}"',
        f"smtp_port = {settings.smtp_port}",
    ]
    (home.folder / "gateway.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_test_alert_reaches_every_channel(home: Home) -> None:
    with listening() as told:
        configure(home, told)
        sent = home.json("alert", "test")
        assert told.events == [("test", "test")]
        assert told.posts[0]["id"] == sent["id"]
        assert told.subjects == ["[SPOLIS test] Izmēģinājums: Izmēģinājuma trauksme / Test: A test alert"]
        told.status = 500
        result = home.run("alert", "test")
        assert result.exit_code == 1
        assert result.stdout == "webhook: HTTP 500\nmail: sent\n"


def test_without_a_channel_that_is_said(home: Home) -> None:
    result = home.run("alert", "test")
    assert result.exit_code == 78
    assert "no channel is set up" in result.stderr


def test_incidents_are_listed(home: Home) -> None:
    assert home.json("incidents") == []
    engine = open_database(home.settings)
    with engine.begin() as connection:
        incidents.see(connection, Finding("breaker", "pmlp", "failures=5"))
        incidents.close_unseen(connection, timedelta(seconds=-1))
        incidents.see(connection, Finding("disk", "host"), told={Channel.MAIL: 1})
    (one,) = home.json("incidents")
    assert (one["kind"], one["subject"], one["count"], one["closed_at"]) == ("disk", "host", 1, None)
    assert one["told"] == {"webhook": "none", "mail": "opened"}
    assert [each["kind"] for each in home.json("incidents", "--all")] == ["disk", "breaker"]
    text = home.run("incidents", "--all").stdout
    assert "An external system does not answer" in text
    assert "failures=5" in text
