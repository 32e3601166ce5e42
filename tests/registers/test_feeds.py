"""What the answers of VDEAVK, SAIS, NPAIS and VZD do to their registers: each only what it was asked about."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import ModuleType

import pytest
from sqlalchemy import Connection, Engine

import registers
from errors import AnswerMismatch, ConfigurationError
from mappings.npais import Decision, Decisions, Placement, Placements
from mappings.sais import Payment, Payments
from mappings.vdeavk import CareOpinion, Disability, DisabilityStatus
from mappings.vzd import AddressMatches, AddressPart, RegisteredAddress
from registers import Fed, Row
from tests.registers.invented import code, day, person_code, provenance

SECOND_GROUP = Disability(
    determined_on=day("2020-03-01"),
    group=code("II"),
    valid_until=day("2026-02-28"),
    certificate_no="A-100",
    movement_impairment=True,
    vision_impairment=False,
    hearing_impairment=False,
    severe_mental_impairment=False,
    other_impairment=False,
    cause=code("ILLNESS"),
    special_care=True,
    opinion=CareOpinion(
        issued_on=day("2020-03-02"), number="K-7", valid_from=day("2020-03-02"), valid_to=None
    ),
)
PENSION = Payment(
    kind=code("DISABILITY_PENSION"),
    counts_for_share=True,
    amount=Decimal("412.30"),
    month=day("2026-01-01"),
    paid_on=day("2026-01-12"),
    status=code("PAID"),
)
STREET = RegisteredAddress(
    varis_code="101003948",
    kind=code("108"),
    status=code("EKS"),
    text="Ozolu iela 18, Valmiermuiža, Valmieras pag., Valmieras nov., LV-4219",
    postcode="LV-4219",
    atvk=None,
    valid_from=day("1999-03-19"),
    valid_to=None,
    north=Decimal("379560.175"),
    east=Decimal("584560.071"),
    chain=(AddressPart(varis_code="100408201", kind=code("107"), name="Ozolu iela"),),
)


def a_decision(of: str, number: str) -> Decision:
    return Decision(
        person_code=of,
        number=number,
        decided_on=day("2024-05-06"),
        court="Valmieras novada bāriņtiesa",
        kind=code("PLACE_INSTITUTION"),
        effective_from=day("2024-05-06"),
        effective_to=None,
    )


def held(connection: Connection, name: str, of: str) -> tuple[Row, ...]:
    return registers.search(connection, name, {"person_code": of})


def test_a_disability_is_kept_and_ends_only_for_the_day_asked(engine: Engine) -> None:
    of = person_code()
    third = replace(SECOND_GROUP, determined_on=day("2026-03-01"), valid_until=None, certificate_no="A-101")
    with engine.begin() as connection:

        def feed(on_date: str, disability: Disability | None) -> Fed:
            status = DisabilityStatus(person_code=of, on_date=day(on_date), disability=disability)
            return registers.feed(connection, status, provenance(source="vdeavk"))

        assert feed("2026-01-05", SECOND_GROUP) == Fed(1, 0)
        assert feed("2026-02-05", SECOND_GROUP) == Fed(0, 1)
        assert feed("2026-03-05", third) == Fed(1, 0)
        assert [row.values["certificate_no"] for row in held(connection, "disability", of)] == [
            "A-100",
            "A-101",
        ]
        assert feed("2019-01-01", None) == Fed(0, 0)
        assert feed("2026-03-06", None) == Fed(1, 0)
        (row,) = held(connection, "disability", of)
        assert (row.valid_from, row.valid_to) == (day("2020-03-01"), day("2026-02-28"))
        assert row.values["opinion_number"] == "K-7"
        longer = replace(SECOND_GROUP, valid_until=day("2027-02-28"), opinion=None)
        assert feed("2026-12-01", longer) == Fed(1, 0)
        (changed,) = held(connection, "disability", of)
        assert changed.id == row.id
        assert len(registers.read(connection, "disability", row.id, history=True)) == 2


def test_payments_of_months_not_asked_stay(engine: Engine) -> None:
    of = person_code()
    january, february = PENSION, replace(PENSION, month=day("2026-02-01"), paid_on=None, status=code("DUE"))
    supplement = replace(PENSION, amount=Decimal("20.00"))
    with engine.begin() as connection:

        def feed(first: str, last: str, *payments: Payment) -> Fed:
            answer = Payments(person_code=of, from_month=day(first), to_month=day(last), payments=payments)
            return registers.feed(connection, answer, provenance(source="sais"))

        assert feed("2026-01-01", "2026-02-01", january, supplement, february) == Fed(3, 0)
        assert feed("2026-01-01", "2026-02-01", february, january, supplement) == Fed(0, 3)
        paid = replace(february, paid_on=day("2026-02-12"), status=code("PAID"))
        assert feed("2026-02-01", "2026-02-01", paid) == Fed(1, 0)
        assert feed("2026-01-01", "2026-01-01", january) == Fed(1, 1)
        rows = held(connection, "payments", of)
        assert [(row.values["month"], row.values["amount"]) for row in rows] == [
            (day("2026-01-01"), Decimal("412.30")),
            (day("2026-02-01"), Decimal("412.30")),
        ]
        assert len(registers.read(connection, "payments", rows[1].id, history=True)) == 2


def test_decisions_and_placements_follow_the_answer(engine: Engine) -> None:
    of = person_code()
    decision = a_decision(of, "1-5/22")
    placement = Placement(
        institution="Bērnu nams “Saule”", entered_on=day("2024-05-07"), stopped_on=None, stop_reason=None
    )
    left = replace(placement, stopped_on=day("2025-08-31"), stop_reason=code("RETURNED_TO_FAMILY"))
    origin = provenance(source="npais")
    with engine.begin() as connection:
        for answer, fed in (
            (Decisions(person_code=of, decisions=(decision,)), Fed(1, 0)),
            (Decisions(person_code=of, decisions=(decision,)), Fed(0, 1)),
            (Decisions(person_code=of, decisions=()), Fed(1, 0)),
            (Placements(person_code=of, placements=(placement,)), Fed(1, 0)),
            (Placements(person_code=of, placements=(left,)), Fed(1, 0)),
            (Placements(person_code=of, placements=(left,)), Fed(0, 1)),
        ):
            assert registers.feed(connection, answer, origin) == fed
        assert held(connection, "decisions", of) == ()
        (row,) = held(connection, "placements", of)
        assert (row.valid_from, row.valid_to) == (day("2024-05-07"), day("2025-08-31"))
        assert row.values["stop_reason"] == "RETURNED_TO_FAMILY"


def test_decisions_of_a_period_are_kept_child_by_child_and_end_nothing(engine: Engine) -> None:
    one, other, origin = person_code(), person_code(), provenance(source="npais")
    first, second = a_decision(one, "1"), a_decision(other, "2")
    with engine.begin() as connection:
        of_one = Decisions(person_code=one, decisions=(first, a_decision(one, "0")))
        assert registers.feed(connection, of_one, origin) == Fed(2, 0)
        period = Decisions(person_code=None, since=day("2024-01-01"), decisions=(first, second))
        assert registers.feed(connection, period, origin) == Fed(1, 1)
        assert [row.values["number"] for row in held(connection, "decisions", one)] == ["0", "1"]
        assert [row.values["number"] for row in held(connection, "decisions", other)] == ["2"]


def test_a_decision_on_another_child_feeds_nobody(engine: Engine) -> None:
    one, other = person_code(), person_code()
    with engine.begin() as connection:
        answer = Decisions(person_code=one, decisions=(a_decision(other, "1"),))
        with pytest.raises(AnswerMismatch), connection.begin_nested():
            registers.feed(connection, answer, provenance(source="npais"))
        assert held(connection, "decisions", one) == held(connection, "decisions", other) == ()


def test_a_search_of_addresses_keeps_what_it_found_and_ends_nothing(engine: Engine) -> None:
    varis_code = person_code()
    street = replace(STREET, varis_code=varis_code)
    gone = replace(street, status=code("DEL"), valid_to=day("2026-05-01"))
    with engine.begin() as connection:
        for record, fed in (
            (AddressMatches(text="Ozolu", addresses=(street, street)), Fed(1, 0)),
            (street, Fed(0, 1)),
            (AddressMatches(text="Ozolu", addresses=()), Fed(0, 0)),
            (gone, Fed(1, 0)),
        ):
            assert registers.feed(connection, record, provenance(source="vzd")) == fed
        (row,) = registers.search(connection, "addresses", {"varis_code": varis_code})
        assert row.person_id is None
        assert row.values["north"] == Decimal("379560.175")
        assert row.valid_to == day("2026-05-01")
        assert len(registers.read(connection, "addresses", row.id, history=True)) == 2


def test_what_no_register_keeps_is_refused(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(ConfigurationError):
        registers.feed(connection, PENSION, provenance())


def test_two_modules_that_claim_the_same_stop_start_up() -> None:
    one, other = ModuleType("one"), ModuleType("other")
    one.__dict__["FEEDS"] = other.__dict__["FEEDS"] = {Payments: registers.FEEDS[Payments]}
    with pytest.raises(ConfigurationError, match="fed twice"):
        registers.discover([one, other])
    first = ModuleType("first")
    first.__dict__["REGISTERS"] = (registers.REGISTERS["payments"], registers.REGISTERS["payments"])
    with pytest.raises(ConfigurationError, match="declared twice"):
        registers.discover([first])


def test_the_registers_are_those_of_the_api() -> None:
    assert set(registers.REGISTERS) == {
        "persons",
        "care-stays",
        "social-enterprises",
        "disability",
        "payments",
        "decisions",
        "placements",
        "addresses",
        "services",
        "care-applications",
        "care-decisions",
        "care-placements",
        "care-contracts",
        "care-absences",
        "care-changes",
        "care-terminations",
        "care-deletions",
        "care-stay-records",
        "care-set",
        "care-set-deletions",
        "document-checks",
        "person-subscriptions",
        "person-changes",
        "disability-changes",
        "contact-reports",
        "child-alerts",
        "municipal-placements",
        "placement-conflicts",
        "providers",
        "inspections",
        "institution-places",
        "service-reports",
        "statistical-reports",
        "violence-rehabilitation",
        "palliative-rehabilitation",
        "oncology-rehabilitation",
        "group-homes",
        "group-home-cofinancing",
        "ministry-deletions",
        "provider-deletions",
        "vehicles",
        "support-assessments",
        "region-plans",
        "community-services",
        "region-deletions",
        "properties",
        "assistants",
        "assistant-deliveries",
        "assistant-reports",
        "municipal-deletions",
        "means-statuses",
        "means-declarations",
        "declared-persons",
        "home-surveys",
        "support-fund-statuses",
        "victim-services",
        "victim-reports",
        "service-records",
        "benefits",
        "support-payments",
        "placement-records",
    }
