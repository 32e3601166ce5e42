"""What is asked of the log on a schedule: made once, on record, and told to whom it concerns."""

from __future__ import annotations

import dataclasses
import json
import threading
from datetime import datetime, timedelta

import pytest

import registers
from audit import Entry, Kind, flags, search
from audit.catalogue import differing
from audit.sequencer import Sequencer
from config import AlertSettings
from endpoints import alerts
from endpoints.work import looks, questions
from errors import ConfigurationError
from exchange import RIGA, Json, new_id, utc_now
from gateway import Gateway
from security.keys import load_log_key
from tests.registers.invented import person_code, provenance
from tests.registers.test_long_term_care import care, deletion
from tests.steps.wired import count

NIGHT = datetime(2026, 11, 25, 2, 0, tzinfo=RIGA)


def look_up(gateway: Gateway, of: str, at: datetime, given: list[Json]) -> None:
    exchange_id = new_id(at)
    facts: dict[str, Json] = {
        "way": "api",
        "system": "registers",
        "operation": "SearchCareSet",
        "recipient": "spolis-core",
        "role": "clerk",
        "outcome": "ok",
        "given": given,
    }
    personal: dict[str, Json] = {"subject": of, "official": "MT-1", "case": "L-1"}
    gateway.log.write(
        Entry(Kind.OPENED, exchange_id, at, {"way": "api"}),
        Entry(Kind.OUTCOME, exchange_id, at, facts, personal),
    )
    settings = gateway.settings
    Sequencer(
        gateway.engine, load_log_key(settings.keys / "log.key"), environment=settings.environment
    ).run_once()


def test_the_catalogue_follows(gateway: Gateway) -> None:
    look_up(gateway, person_code(), NIGHT, [])
    assert questions.follow(gateway, threading.Event()) > 0
    assert count(gateway, "catalogue_records") == 3
    assert differing(gateway.engine) == []


def test_unusual_look_ups_are_flagged_once_and_told(gateway: Gateway) -> None:
    look_up(gateway, person_code(), NIGHT, [])
    for slot in (NIGHT + timedelta(days=1), NIGHT + timedelta(days=2)):
        questions.flag_unusual(gateway, slot)
    (act,) = search.search(gateway.engine, act="audit unusual")
    assert act.leaf["flags"] == 1
    with gateway.engine.begin() as connection:
        found = list(looks._unusual(connection, NIGHT.date() + timedelta(days=3)))
        assert [(one.kind, one.subject, one.detail) for one in found] == [
            ("unusual_lookups", "2026-11-25", "count=1")
        ]
        (flag,) = flags.listed(connection, NIGHT.date(), NIGHT.date() + timedelta(days=1))
        flags.dismiss(connection, [flag.id], "dpo", "on duty", utc_now())
        assert list(looks._unusual(connection, NIGHT.date() + timedelta(days=3))) == []


def test_corrections_are_told_and_handed_over(gateway: Gateway) -> None:
    of = person_code()
    with gateway.engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
    given_at = provenance(5).recorded_at
    look_up(gateway, of, given_at, ["care_level"])
    with gateway.engine.begin() as connection:
        registers.feed(connection, deletion(of), provenance(10, "vsac"))
    questions.tell_corrections(gateway, given_at + timedelta(hours=1))
    questions.tell_corrections(gateway, given_at + timedelta(hours=2))
    folder = gateway.settings.state / "correction-notices" / "spolis-core"
    written = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    assert [one["person_code"] for one in written].count(of) == 1


def test_the_data_protection_officer_is_told_of_what_is_his() -> None:
    settings = AlertSettings("", "duty@example.lv", "gateway@example.lv", "relay.example.lv", 25)
    with_officer = dataclasses.replace(settings, dpo_mail_to="dpo@example.lv")
    assert alerts.recipients_of(with_officer, "unusual_lookups") == "dpo@example.lv"
    assert alerts.recipients_of(with_officer, "log") == "duty@example.lv"
    assert alerts.recipients_of(settings, "unusual_lookups") == "duty@example.lv"
    with pytest.raises(ConfigurationError):
        alerts.channels(dataclasses.replace(with_officer, mail_to=""))
