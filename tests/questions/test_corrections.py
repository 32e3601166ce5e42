"""Corrections reach those who received the wrong value, each once, and nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

import config
import registers
from audit import Entry, Kind, search
from errors import InvalidRequest
from exchange import Environment, Json, new_id
from mappings.institution_care import CARE_LEVEL
from questions import notices
from questions.acting import Acting
from questions.corrections import Made, corrected_columns, make_notices, recipients_of
from registers import settlement, value_notices
from registers.care_stays import delete_care_stay, feed_care_stay
from registers.value_notices import NOTICE, NoticeState
from routing.access import Access
from storage import metadata
from tests.audit.logs import SUBJECT_KEY, open_log, opened
from tests.registers.invented import NOON, day, person_code, provenance
from tests.registers.test_care_stays import stay
from tests.registers.test_differences import compare, of_person, renamed
from tests.registers.test_long_term_care import care, deletion
from tests.registers.test_persons import full

ACTING = Acting(Environment.TEST, "A. Ozola", "test")
RIGHTS = Access.load(config.DEFAULTS / "access.d")
LATER = NOON + timedelta(days=1)


def gave(
    engine: Engine, of: str, recipient: str, operation: str, given: list[str], minutes: int, **more: Json
) -> None:
    """An exchange that gave a recipient something, so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    exchange_id = new_id(at)
    system, _, name = operation.partition(".")
    selection: Json = {"person_code": of, **more}
    facts: dict[str, Json] = {
        "system": system,
        "operation": name,
        "recipient": recipient,
        "outcome": "ok",
        "given": list(given),
    }
    open_log(engine).write(
        replace(opened(exchange_id), instant=at),
        Entry(Kind.OUTCOME, exchange_id, at, facts, {"subject": of, "selection": selection}),
    )


def made(engine: Engine, now: datetime = LATER) -> Made:
    return make_notices(engine, open_log(engine), SUBJECT_KEY, RIGHTS, ACTING, now)


def told(engine: Engine) -> dict[str, dict[str, Any]]:
    with engine.connect() as connection:
        return {row.recipient: row.document for row in connection.execute(select(NOTICE))}


def test_a_supplier_corrects_what_it_handed_in(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
    gave(engine, of, "spolis-core", "registers.SearchCareSet", ["id", "care_level"], 5)
    gave(engine, of, "nvd", "care-stays.GetStays", ["stays[].entered_on"], 6)
    with engine.begin() as connection:
        registers.feed(connection, replace(care(of), care_level=CARE_LEVEL["3"]), provenance(10, "vsac"))
    gave(engine, of, "ministry", "registers.SearchCareSet", ["id", "care_level"], 15)
    assert made(engine) == Made(1, 1)
    ((recipient, document),) = told(engine).items()
    assert recipient == "spolis-core", "another field, and another time, are not told"
    (field,) = document["fields"]
    assert (field["field"], field["deleted"]) == ("vsac_care.care_level", False)
    assert field["value"]["code"] == "3"
    assert [one["operation"] for one in document["received_in"]] == ["registers.SearchCareSet"]
    assert made(engine) == Made(0, 0), "each once"
    found = search.subject(engine, SUBJECT_KEY, [of])
    assert [one.leaf["to"] for one in found if one.leaf.get("act") == "corrections notice"] == [
        ["spolis-core"]
    ]


def test_what_a_recipient_may_not_know_now_is_not_in_its_notice(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
    gave(engine, of, "nvd", "registers.SearchCareSet", ["care_level"], 5)
    with engine.begin() as connection:
        registers.feed(connection, replace(care(of), care_level=CARE_LEVEL["3"]), provenance(10, "vsac"))
    made(engine)
    (field,) = told(engine)["nvd"]["fields"]
    assert "value" not in field


def test_what_a_supplier_deletes_was_wrong(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
    gave(engine, of, "spolis-core", "registers.SearchCareSet", ["care_level"], 5)
    with engine.begin() as connection:
        registers.feed(connection, deletion(of), provenance(10, "vsac"))
    assert made(engine) == Made(1, 1)
    fields = told(engine)["spolis-core"]["fields"]
    assert all(field["deleted"] and "value" not in field for field in fields)


def test_a_decision_on_a_difference_reaches_who_had_our_value_and_had_chosen_it(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
    names: list[str] = ["given_names", "family_name", "addresses[].text"]
    gave(engine, of, "riga-social-service", "persons.GetPerson", names, 5, data_sets=["NAME_AND_CODE"])
    gave(engine, of, "talsi-social-service", "persons.GetPerson", names, 6, data_sets=["ADDRESSES"])
    gave(engine, of, "spolis-registers", "pmlp.GetPerson", names, 7)
    with engine.begin() as connection:
        compare(connection, renamed(of), of)
        (found,) = of_person(connection, of)
        settlement.take(connection, found.id, "A. Ozola", "pase uzrādīta", NOON + timedelta(hours=5))
    assert made(engine) == Made(1, 1)
    (field,) = told(engine)["riga-social-service"]["fields"]
    assert (field["field"], field["value"]) == ("pmlp_identity.family_name", "Cita")


def test_what_changed_in_life_was_not_wrong(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        feed_care_stay(connection, stay(of), provenance(1))
    gave(engine, of, "riga-social-service", "persons.GetPerson", ["family_name"], 5)
    gave(engine, of, "nvd", "care-stays.GetStays", ["stays[].entered_on", "stays[].ended_on"], 5)
    with engine.begin() as connection:
        registers.feed(connection, renamed(of), provenance(10))
        feed_care_stay(connection, replace(stay(of), ended_on=day("2026-02-01")), provenance(11))
    assert made(engine) == Made(0, 0)


def test_every_table_that_is_corrected_is_there_with_its_columns() -> None:
    tables = {table.name: table for table in metadata.tables.values()}
    for name, columns in corrected_columns().items():
        assert {"person_id", "superseded_at"} <= set(tables[name].columns.keys())
        assert columns <= {"*", "-"} or columns <= set(tables[name].columns.keys())


def test_who_hears_of_every_change_by_an_operation_is_told_by_that(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        feed_care_stay(connection, stay(of), provenance())
    gave(engine, of, "vsaa", "sais.NotifyCareStay", ["person_code", "entered_on", "institution"], 5)
    with engine.begin() as connection:
        one = stay(of)
        delete_care_stay(connection, of, one.institution, one.entered_on, provenance(10))
    assert made(engine) == Made(1, 1)
    with engine.connect() as connection:
        (row,) = value_notices.listed(connection)
    assert (row.recipient, row.state, row.way) == ("vsaa", NoticeState.TOLD, "sais.NotifyCareStay")


def test_what_is_under_way_is_waited_for(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
        registers.feed(connection, deletion(of), provenance(10, "vsac"))
    assert made(engine, NOON + timedelta(minutes=14)) == Made(0, 0)
    assert made(engine, NOON + timedelta(minutes=16)) == Made(1, 0)


def test_wrong_since_the_first_version_that_said_so(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
    gave(engine, of, "spolis-core", "registers.SearchCareSet", ["care_level"], 5)
    with engine.begin() as connection:
        changed = replace(care(of), impairments=care(of).impairments[:1])
        registers.feed(connection, changed, provenance(10, "vsac"))
        registers.feed(connection, replace(changed, care_level=CARE_LEVEL["3"]), provenance(20, "vsac"))
    made(engine)
    with engine.connect() as connection:
        rows = value_notices.listed(connection)
    levels = [row for row in rows if row.fields == ["care_level"]]
    assert [row.recipient for row in levels] == ["spolis-core"]


def test_notices_are_handed_over_once_and_acknowledged(engine: Engine, tmp_path: Path) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(0, "vsac"))
    gave(engine, of, "spolis-core", "registers.SearchCareSet", ["care_level"], 5)
    with engine.begin() as connection:
        registers.feed(connection, deletion(of), provenance(10, "vsac"))
    made(engine)
    log = open_log(engine)
    (handed,) = notices.hand_over(engine, log, ACTING, tmp_path)
    assert (
        json.loads((tmp_path / str(handed["reference"])).read_text(encoding="utf-8"))["to"] == "spolis-core"
    )
    text = (tmp_path / str(handed["reference"])).with_suffix(".txt").read_text(encoding="utf-8")
    for words in ("PAZIŅOJUMS PAR LABOTIEM DATIEM", "vsac_care.care_level", "deleted", "dzēsts", of):
        assert words in text
    assert notices.hand_over(engine, log, ACTING, tmp_path) == []
    with engine.connect() as connection:
        (row,) = value_notices.listed(connection, state=NoticeState.HANDED_OVER)
    notices.received(log, ACTING, row.id)
    with engine.connect() as connection:
        assert value_notices.one(connection, row.id).state == NoticeState.ACKNOWLEDGED
    with pytest.raises(InvalidRequest):
        notices.received(log, ACTING, row.id)
    acts = [one.leaf.get("act") for one in search.subject(engine, SUBJECT_KEY, [of])]
    assert acts[:3] == ["corrections received", "corrections hand-over", "corrections notice"]


def test_who_received_a_field(engine: Engine) -> None:
    of = person_code()
    gave(engine, of, "riga-social-service", "persons.GetPerson", ["addresses[].text"], 5)
    gave(engine, of, "nvd", "persons.GetPerson", ["family_name"], 6)
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    found = recipients_of(engine, SUBJECT_KEY, (of,), "pmlp_address.text", begin, None)
    assert [(one.recipient, len(one.accesses)) for one in found] == [("riga-social-service", 1)]
    for unknown in ("pmlp_address", "pmlp_address.person_id", "log_records.leaf", "nothing.at_all"):
        with pytest.raises(InvalidRequest):
            recipients_of(engine, SUBJECT_KEY, (of,), unknown, begin, None)
