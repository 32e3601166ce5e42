"""The report to a person: every access in words, under all codes, and what law withholds not even hinted at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Engine

import registers
from audit import Entry, Kind
from exchange import Json, Provenance, new_id, utc_now
from mappings.pmlp import Person
from questions.report import Report, subject_report
from questions.withholding import AskedBy
from questions.words import Language
from tests.audit.logs import SUBJECT_KEY, open_log, opened, sequence

CODE = "320101-12345"
FACTS: Mapping[str, Json] = {
    "system": "persons",
    "operation": "GetPerson",
    "institution": "",
    "role": "social worker",
    "caller": "riga",
    "recipient": "riga-social-service",
    "purpose": "social-service",
    "rule": "p8",
}


def write(engine: Engine, code: str = CODE, outcome: str = "ok", **more: Json) -> None:
    exchange_id = new_id()
    facts = {**FACTS, **more}
    personal: dict[str, Json] = {"subject": code, "official": "MT-1042"}
    chosen: dict[str, Json] = {"selection": {"person_code": code, "data_sets": ["DOCUMENTS"]}}
    open_log(engine).write(
        opened(exchange_id),
        Entry(Kind.ATTEMPT, exchange_id, utc_now(), {**facts, "attempt": 1}, personal),
        Entry(Kind.OUTCOME, exchange_id, utc_now(), {**facts, "outcome": outcome}, personal | chosen),
    )


def report(
    engine: Engine, code: str = CODE, asked_by: AskedBy = AskedBy.SELF, language: Language = Language.ENGLISH
) -> Report:
    return subject_report(engine, SUBJECT_KEY, code, asked_by=asked_by, now=utc_now(), language=language)


def test_an_access_in_words(engine: Engine) -> None:
    write(
        engine,
        given=["given_names", "documents[].number"],
        withheld=["documents[].authority"],
        source="pmlp",
    )
    write(engine, code="320101-99999")
    sequence(engine)
    (told,) = report(engine).entries
    assert told.institution == "Riga Social Service"
    assert (told.role, told.purpose) == ("social worker", "granting a social service")
    assert told.rule.startswith("Cabinet Regulation 587, point 8: ")
    assert told.asked == "personal data (Identity documents)"
    assert (told.given, told.withheld) == (("documents – number",), ("documents – authority",))
    assert told.source.startswith("Register of Natural Persons")
    assert told.outcome == "data were given, or the act was done"
    assert told.indexes == (2, 3)
    text = "\n".join(report(engine, language=Language.LATVIAN).text())
    for words in ("Rīgas Sociālais dienests", "sociālā pakalpojuma piešķiršana", "dokumenta numurs"):
        assert words in text


def test_an_official_is_told_to_an_auditor_only(engine: Engine) -> None:
    write(engine)
    assert "MT-1042" not in "\n".join(report(engine).text())
    assert report(engine, asked_by=AskedBy.AUDITOR).entries[0].official == "MT-1042"


def test_all_codes_of_the_person_and_refusals_and_acts(engine: Engine) -> None:
    with engine.begin() as connection:
        origin = Provenance(new_id(), "pmlp", "v1-0", "m1", utc_now())
        person = Person(given_names=("Anna",), family_name="Bērziņa", person_code="320101-12346")
        registers.feed(connection, person, origin, asked=CODE)
    write(engine, code=CODE)
    write(engine, code="320101-12346", outcome="denied")
    act = Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "audit export"}, {"subject": [CODE, "320101-55555"]})
    open_log(engine).write(act)
    for code in (CODE, "32010112346"):
        entries = report(engine, code).entries
        assert [one.outcome for one in entries] == [
            "data were given, or the act was done",
            "refused, no data were given",
            "",
        ]
        assert entries[2].asked == "evidence exported from the exchange log"


def test_what_is_withheld_leaves_no_trace_in_the_answer(engine: Engine) -> None:
    police: dict[str, Json] = {"recipient": "iem-ic", "purpose": "public-security", "system": "care-stays"}
    write(engine)
    without = report(engine)
    write(engine, CODE, "ok", **police)
    told = report(engine)
    assert told.json() == without.json()
    assert list(told.text()) == list(without.text())
    assert told.facts()["withheld_entries"] == {"police": 1}
    assert len(report(engine, asked_by=AskedBy.AUDITOR).entries) == 2


def test_between_two_days(engine: Engine) -> None:
    write(engine)
    now = utc_now()
    old = dataclasses.replace(
        Entry(Kind.OUTCOME, new_id(), now, dict(FACTS), {"subject": CODE}), instant=now - timedelta(days=40)
    )
    open_log(engine).write(old)
    found = subject_report(
        engine, SUBJECT_KEY, CODE, asked_by=AskedBy.SELF, now=now, since=now - timedelta(days=1)
    )
    assert len(found.entries) == 1
    assert len(report(engine).entries) == 2
