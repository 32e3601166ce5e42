"""Reports on children: a report is one for child, institution and first day, and each change of it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

import registers
from adapters.npais import reports
from errors import Busy, InvalidRequest
from exchange import Json, new_id
from mappings.contact_reports import CONTACT_REPORT, ContactReport, problem
from mappings.npais import REPORT_CHILD_CONTACT_REQUEST
from registers import Fed
from registers.contact_reports import find_report, write_report
from registers.history import Change
from tests.exchanges.test_golden import CONTEXT
from tests.registers.invented import day, person_code, provenance

ARGUMENTS: dict[str, Json] = {
    "institution": "Bērnu centrs “Zīle”",
    "period_from": "2026-01-01",
    "period_to": "2026-06-30",
    "made_on": "2026-07-02",
    "author": "A. Paraudziņa",
    "contacts": [
        {"with_whom": "MOTHER", "kind": "MEETING", "held_on": "2026-02-14"},
        {"with_whom": "SIBLING", "kind": "CALL", "held_on": "2026-03-01", "remark": "ieplānots"},
    ],
    "cooperation": "Māte ierodas pēc vienošanās.",
    "physical_development": "Atbilst vecumam.",
    "psychosocial_development": "Draudzīgs.",
}


def report(of: str, **values: Json) -> ContactReport:
    return CONTACT_REPORT.from_json({**ARGUMENTS, "person_code": of, **values})


def test_what_is_written_is_read_back_whole(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        assert registers.feed(connection, report(of), provenance()).changes == (Change(None, report(of)),)
        (row,) = registers.search(connection, "contact-reports", {"person_code": of})
        assert (row.valid_from, row.valid_to) == (day("2026-01-01"), day("2026-06-30"))
        assert (row.values["made_on"], row.values["author"]) == (day("2026-07-02"), "A. Paraudziņa")
        contacts = row.values["contacts"]
        assert contacts == CONTACT_REPORT.json(report(of))["contacts"]


def test_a_report_written_again_corrects_it_and_is_told_whole(engine: Engine) -> None:
    of = person_code()
    corrected = report(of, contacts=[], author="B. Paraudziņš")
    with engine.begin() as connection:
        registers.feed(connection, report(of), provenance())
        first = find_report(connection, report(of))
        assert first is not None
        assert registers.feed(connection, report(of), provenance(1)) == Fed(0, 1), "the same again is no news"
        fed = registers.feed(connection, corrected, provenance(2))
        assert fed == Fed(1, 0, (Change(report(of), corrected),))
        assert find_report(connection, corrected) == first
        assert len(registers.read(connection, "contact-reports", first, history=True)) == 2
        (told,) = reports(fed.changes[0])
        sent = REPORT_CHILD_CONTACT_REQUEST.from_json(told, context=CONTEXT)
        assert (sent.author, sent.contacts) == ("B. Paraudziņš", ())


def test_another_period_or_institution_is_another_report(engine: Engine) -> None:
    of = person_code()
    others = [
        report(of, period_from="2026-01-02"),
        report(of, institution="Bērnu centrs “Pūce”"),
        report(person_code()),
    ]
    with engine.begin() as connection:
        for one in (report(of), *others):
            assert registers.feed(connection, one, provenance()).written == 1
        assert len(registers.search(connection, "contact-reports", {"person_code": of})) == 3


def test_the_id_of_a_report_does_not_change(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, report(of), provenance())
        with pytest.raises(Busy), connection.begin_nested():
            write_report(connection, report(of, author="C"), provenance(1), report_id=new_id())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"period_to": "2025-12-31"}, "period_to is before"),
        ({"made_on": "2026-06-29"}, "made_on is before"),
        ({"contacts": [{"with_whom": "MOTHER", "kind": "CALL", "held_on": "2025-12-31"}]}, "outside"),
        ({"contacts": [{"with_whom": "ROBOT", "kind": "CALL", "held_on": "2026-02-01"}]}, "contact_person"),
        ({"contacts": [{"with_whom": "MOTHER", "kind": "CALL"}]}, "held_on is missing"),
        ({"cooperation": ""}, "cooperation"),
        ({"author": None}, "author is missing"),
    ],
)
def test_what_is_no_report_is_refused(wrong: dict[str, Json], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        report("320000-00001", **wrong)


def test_a_report_that_contradicts_itself_is_not_kept(engine: Engine) -> None:
    of = person_code()
    backwards = replace(report(of), period_to=day("2025-01-01"))
    with engine.begin() as connection, pytest.raises(InvalidRequest, match="period_to"):
        write_report(connection, backwards, provenance(), report_id=new_id())


def test_nothing_is_told_of_what_is_as_it_was_or_is_no_report() -> None:
    one = report("320000-00001")
    assert reports(Change(one, one)) == ()
    assert reports(Change(one, None)) == ()


days = st.dates(day("2026-01-01"), day("2026-01-12"))


@given(days, days, days, st.lists(days, max_size=3))
def test_a_report_is_whole_when_its_days_are_in_order(
    first: date, last: date, made: date, held: list[date]
) -> None:
    one = replace(
        report("320000-00001"),
        period_from=first,
        period_to=last,
        made_on=made,
        contacts=tuple(replace(report("320000-00001").contacts[0], held_on=on) for on in held),
    )
    in_order = first <= last <= made and all(first <= on <= last for on in held)
    assert (problem(one) == "") == in_order
