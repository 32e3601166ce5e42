"""NPAIS over a real socket: it takes a report once, whatever the number of messages that are the same."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.effects import Effects, had_effect
from simulators.households import Slot
from simulators.npais import EFFECT
from simulators.population import Population
from tests.simulators.calls import Client, Values, code, fault_code, texts
from tests.simulators.conftest import PERSONS, SEED, Journal

CHILD = Population(PERSONS, SEED).person(Slot.CHILD_IN_CARE).code
Start = Callable[[str], Client]


def report(**values: str | Values) -> Values:
    known: dict[str, str | Values] = {
        "PersonasKods": CHILD,
        "Iestade": "Bērnu centrs “Zīle”",
        "PeriodsNo": "2026-01-01",
        "PeriodsLidz": "2026-06-30",
        "SagatavotsDatums": "2026-07-02",
        "Autors": "A. Paraudziņa",
        "Kontakti": {"Kontakts": contact("MOTHER")},
        "SadarbibaArIestadi": "Laba",
        "FiziskaAttistiba": "Atbilst vecumam",
        "PsihosocialaAttistiba": "Laba",
    }
    return {"Zinojums": {**known, **values}}


def contact(who: str, day: str = "2026-02-14") -> Values:
    return {"ArKo": code(who), "Veids": code("MEETING"), "Datums": day}


def test_the_same_message_takes_effect_once(start: Start, journal: Journal) -> None:
    npais = start("npais")
    message = f"urn:uuid:{uuid.uuid4()}"
    for _ in range(2):
        answer = npais.call("ReportChildContact", report(), message_id=message)
        npais.contract.validate(answer)
        assert (texts(answer, "ZinojumaId"), texts(answer, "Apstradats")) == ([message], ["true"])
    npais.call("ReportChildContact", report(Autors="B. Paraudziņš"))
    assert [line["effect"] for line in journal.lines()] == [EFFECT, "none", EFFECT]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"PersonasKods": "01019010008"}, "NAV_ATRASTS"),
        ({"PeriodsLidz": "2025-12-31"}, "NEPAREIZS_PIEPRASIJUMS"),
        ({"SagatavotsDatums": "2026-06-01"}, "NEPAREIZS_PIEPRASIJUMS"),
        ({"Kontakti": {"Kontakts": contact("NAV_SARAKSTA")}}, "NEPAREIZS_PIEPRASIJUMS"),
        ({"Kontakti": {"Kontakts": contact("MOTHER", "2026-07-01")}}, "NEPAREIZS_PIEPRASIJUMS"),
    ],
)
def test_what_cannot_be_taken_has_no_effect(
    start: Start, journal: Journal, values: dict[str, str | Values], fault: str
) -> None:
    assert fault_code(start("npais").call("ReportChildContact", report(**values))) == fault
    assert EFFECT not in [line["effect"] for line in journal.lines()]


def test_who_was_started_anew_knows_what_took_effect(tmp_path: Path) -> None:
    lines = [
        {"message_id": "a", "effect": EFFECT},
        {"message_id": "b", "effect": "none"},
        {"message_id": "c", "effect": "read:GetDecisions"},
    ]
    journal = tmp_path / "journal.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    known = Effects(took_effect=had_effect(journal, EFFECT))
    assert [known.once(name, lambda: None) for name in ("a", "b", "b")] == [False, True, False]
    assert had_effect(None, EFFECT) == had_effect(tmp_path / "none", EFFECT) == set()
    forgetful = Effects(forgetful=True, took_effect={"a"})
    assert forgetful.once("a", lambda: None)
