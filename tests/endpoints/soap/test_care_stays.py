"""The service care-stays over real sockets: what each may hand in, correct, delete and read, and what SAIS is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from exchange import today_in_riga
from registers.care_stays import open_stay
from security.xml import parse
from tests.endpoints.soap.care import SUBMISSIONS, Care, Case, Refused, caring, told
from tests.endpoints.soap.test_soap_zeep import Signature, client, konteksts
from wsdl import contract

REGISTERS = {
    "SubmitApplication": ("care-applications", "APPLICATION", "1"),
    "SubmitDecision": ("care-decisions", "DECISION", "2"),
    "SubmitPlacement": ("care-placements", "PLACEMENT", "3"),
    "SubmitContract": ("care-contracts", "CONTRACT", "4"),
    "SubmitAbsence": ("care-absences", "ABSENCE", "5"),
    "SubmitChange": ("care-changes", "CHANGE", "6"),
    "SubmitTermination": ("care-terminations", "TERMINATION", "7"),
    "SubmitStay": ("care-stays", "STAY", "8"),
    "SubmitCare": ("care-set", "CARE", "9"),
}


@pytest.fixture(scope="session")
def care(tmp_path_factory: pytest.TempPathFactory, session_database: str) -> Iterator[Care]:
    """One gateway for all tests here, on each database: each test speaks of a person of its own."""
    with caring(tmp_path_factory.mktemp("care"), session_database) as made:
        yield made


@pytest.fixture
def case(care: Care) -> Case:
    return care.case()


def handed_in(care: Care, case: Case, *operations: str) -> None:
    """Hand in right records of a case, in the order of a life."""
    for operation, (partner, record) in case.every().items():
        if not operations or operation in operations:
            answer = care.post(partner, operation, record)
            assert not isinstance(answer, Refused), (operation, answer)


def test_a_whole_life_of_a_case_is_kept_with_its_sources(care: Care, case: Case) -> None:
    handed_in(care, case)
    kept = {}
    for operation, (register, _, _) in REGISTERS.items():
        (row,) = care.rows(register, case.person)
        assert row.provenance.source == ("vsac" if operation in ("SubmitStay", "SubmitCare") else "siva")
        assert row.provenance.contract_version == "v1-0"
        kept[register] = row.values
    application = kept["care-applications"]
    assert application["given_names"] == ("Anna", "Marija")
    assert application["representative_code"] == "321234-56789"
    assert application["municipality"] == "Talsu novads"
    assert application["documents"] == ("Ārsta atzinums", "Sociālā darbinieka novērtējums")
    assert application["document_requests"] == [
        {"requested_on": "2026-01-06", "document": "Izraksts", "received_on": None}
    ]
    assert (kept["care-decisions"]["granted_on"], kept["care-decisions"]["queued_on"]) == (
        date(2026, 1, 12),
        None,
    )
    assert kept["care-placements"]["entered_on"] == date(2026, 2, 1)
    assert kept["care-contracts"]["party_family_name"] == "Paraudziņa"
    assert kept["care-stays"]["entered_on"] == date(2026, 2, 1)
    assert kept["care-set"]["impairments"] == ("VISION", "MENTAL")
    assert {row["case_no"] for name, row in kept.items() if name != "care-stays"} == {case.number}


@pytest.mark.parametrize("operation", SUBMISSIONS)
def test_a_record_sent_again_is_confirmed_and_one_that_differs_corrects(
    care: Care, case: Case, operation: str
) -> None:
    handed_in(care, case)
    partner, record = case.every()[operation]
    register, _, _ = REGISTERS[operation]
    (first,) = care.rows(register, case.person)
    again = care.send(care.message(partner, operation, record))
    assert again.status_code == 200
    assert care.outcome(again)["written"] == 0
    corrected = {
        "SubmitApplication": case.application(service="OTHER"),
        "SubmitDecision": case.decision("2026-01-13"),
        "SubmitPlacement": case.placement(entered=""),
        "SubmitContract": case.contract("2026-01-29"),
        "SubmitAbsence": case.absence(ends="2026-03-09"),
        "SubmitChange": case.change("2026-04-02"),
        "SubmitTermination": case.termination("2026-06-02"),
        "SubmitStay": case.stay(ends="2026-06-15"),
        "SubmitCare": case.care("4"),
    }[operation]
    assert not isinstance(care.post(partner, operation, corrected), Refused)
    (now,) = care.rows(register, case.person)
    assert now.id == first.id
    assert now.values != first.values
    newest, oldest = care.history(register, first.id)
    assert (newest.values, oldest.values) == (now.values, first.values)
    assert oldest.superseded_at == newest.recorded_at


@pytest.mark.parametrize("operation", SUBMISSIONS)
def test_a_record_that_is_deleted_is_no_more_and_its_history_says_why(
    care: Care, case: Case, operation: str
) -> None:
    handed_in(care, case)
    partner, record = case.every()[operation]
    register, kind, number = REGISTERS[operation]
    delete = "DeleteCareRecord" if partner == "centre" else "DeleteServiceRecord"
    deletions = "care-set-deletions" if partner == "centre" else "care-deletions"
    (row,) = care.rows(register, case.person)
    foreign = care.post("organisation", "DeleteCareRecord", case.deletion(number, "CARE"))
    assert isinstance(foreign, Refused)
    assert foreign.code == "not_found"
    assert not isinstance(care.post(partner, delete, case.deletion(number, kind)), Refused)
    assert care.rows(register, case.person) == ()
    (last,) = care.history(register, row.id)
    assert last.superseded_at is not None
    (why,) = care.rows(deletions, case.person)
    assert (why.values["kind"], why.values["reason"]) == (kind, "WRONG_PERSON")
    gone = care.post(partner, delete, case.deletion(number, kind))
    assert isinstance(gone, Refused)
    assert gone.code == "not_found"
    assert not isinstance(care.post(partner, operation, record), Refused), "it may be handed in again"
    (back,) = care.rows(register, case.person)
    assert back.id == row.id


def test_a_repeated_message_has_one_effect(care: Care, case: Case) -> None:
    message = care.message("siva", "SubmitApplication", case.application())
    first, second = (care.send(message) for _ in range(2))
    assert [response.status_code for response in (first, second)] == [200, 200]
    assert care.outcome(second)["repeats"] == first.headers["X-Exchange-Id"]
    assert care.outcome(second)["written"] == 0
    (row,) = care.rows("care-applications", case.person)
    assert str(row.provenance.exchange_id) == first.headers["X-Exchange-Id"]


@pytest.mark.parametrize("operation", SUBMISSIONS)
def test_nobody_hands_in_what_others_supply(care: Care, case: Case, operation: str) -> None:
    owner, record = case.every()[operation]
    other = "centre" if owner == "siva" else "siva"
    refused = care.post(other, operation, record)
    assert isinstance(refused, Refused)
    assert refused.code == "access_denied"
    assert f"care-stays.{operation}" in refused.reason
    assert care.rows(REGISTERS[operation][0], case.person) == ()


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ("SubmitApplication", "given_names"),
        ("SubmitDecision", "grant.decided_on"),
        ("SubmitPlacement", "issued_on"),
        ("SubmitContract", "concluded_on"),
        ("SubmitAbsence", "kind"),
        ("SubmitChange", "provider.requested_on"),
        ("SubmitTermination", "decided_on"),
        ("SubmitStay", "stay.institution"),
        ("SubmitCare", "care_level"),
    ],
)
def test_where_an_operation_is_open_the_rule_of_a_field_refuses_it(
    care: Care, case: Case, operation: str, field: str
) -> None:
    owner, record = case.every()[operation]
    other = "centre-everywhere" if owner == "siva" else "siva-everywhere"
    refused = care.post(other, operation, record)
    assert isinstance(refused, Refused)
    assert refused.code == "access_denied"
    assert refused.reason.endswith(f"(record.{field})")
    assert care.rows(REGISTERS[operation][0], case.person) == ()


def test_to_delete_is_a_right_of_its_own(care: Care, case: Case) -> None:
    assert not isinstance(care.post("centre-everywhere", "SubmitCare", case.care()), Refused)
    refused = care.post("centre-everywhere", "DeleteCareRecord", case.deletion("9", "CARE"))
    assert isinstance(refused, Refused)
    assert refused.code == "access_denied"


@pytest.mark.parametrize(
    ("operation", "wrong", "detail"),
    [
        (
            "SubmitApplication",
            (
                "<Dokuments>Izraksts</Dokuments>",
                "<Dokuments>Izraksts</Dokuments><SanemsanasDatums>2026-01-05</SanemsanasDatums>",
            ),
            "document_requests[].received_on is before",
        ),
        ("SubmitPlacement", ("<NoraditaisDatums>2026-02-01", "<NoraditaisDatums>2026-01-01"), "planned_on"),
        ("SubmitPlacement", ("<IestasanasDatums>2026-02-01", "<IestasanasDatums>2026-01-19"), "entered_on"),
        (
            "SubmitAbsence",
            ("<BeiguDatums>2026-03-05", "<BeiguDatums>2026-02-28"),
            "ended_on is before began_on",
        ),
        (
            "SubmitStay",
            ("<IestasanasDatums>2026-02-01", "<IestasanasDatums>2026-07-01"),
            "ended_on is before",
        ),
        ("SubmitCare", ("<BeiguDatums>2026-05-01", "<BeiguDatums>2026-01-01"), "half_way_house.ended_on"),
        ("SubmitCare", ("<SakumaDatums>2026-02-01</SakumaDatums>", ""), "half_way_house.began_on is missing"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(
    care: Care, case: Case, operation: str, wrong: tuple[str, str], detail: str
) -> None:
    partner, record = case.every()[operation]
    if operation == "SubmitStay":
        record = case.stay(ends="2026-06-15")
    if operation == "SubmitAbsence":
        handed_in(care, case, "SubmitStay")
    assert wrong[0] in record
    refused = care.post(partner, operation, record.replace(*wrong))
    assert isinstance(refused, Refused)
    assert refused.code == "invalid_request"
    assert detail in refused.reason
    assert case.person not in refused.reason
    assert care.rows(REGISTERS[operation][0], case.person) == ()


def test_records_of_a_case_are_in_the_order_of_a_life(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitApplication")
    refused = care.post("siva", "SubmitDecision", case.decision("2026-01-04"))
    assert isinstance(refused, Refused)
    assert "decision.granted_on is before application.submitted_on" in refused.reason
    assert care.rows("care-decisions", case.person) == ()
    handed_in(care, case, "SubmitDecision")
    for operation, record in (
        ("SubmitPlacement", case.placement("2026-01-11")),
        ("SubmitContract", case.contract("2026-01-11")),
        ("SubmitTermination", case.termination("2026-01-11")),
        ("SubmitChange", case.change("2026-01-04")),
        ("SubmitApplication", case.application("2026-01-13")),
    ):
        refused = care.post("siva", operation, record)
        assert isinstance(refused, Refused), operation
        assert (refused.code, " is before " in refused.reason) == ("invalid_request", True)


def test_a_decision_grants_or_queues_and_not_both(care: Care, case: Case) -> None:
    assert not isinstance(care.post("siva", "SubmitDecision", case.decision(kind="Rinda")), Refused)
    (row,) = care.rows("care-decisions", case.person)
    assert (row.values["queued_from"], row.values["granted_on"]) == (date(2026, 2, 1), None)
    record = case.decision()
    queue = case.decision(kind="Rinda").partition("<Rinda>")[2].partition("</Rinda>")[0]
    both = record.replace("</Pieskirsana>", f"</Pieskirsana><Rinda>{queue}</Rinda>")
    refused = care.post("siva", "SubmitDecision", both)
    assert isinstance(refused, Refused)
    assert refused.code == "schema_violation"


def test_an_absence_is_within_a_stay(care: Care, case: Case) -> None:
    refused = care.post("siva", "SubmitAbsence", case.absence())
    assert isinstance(refused, Refused)
    assert "the person has no stay on these days" in refused.reason
    handed_in(care, case, "SubmitPlacement", "SubmitAbsence")
    assert not isinstance(care.post("centre", "SubmitStay", case.stay(ends="2026-03-04")), Refused)
    refused = care.post("siva", "SubmitAbsence", case.absence("2026-03-02"))
    assert isinstance(refused, Refused), "what the institution says counts"
    assert not isinstance(
        care.post("siva", "SubmitAbsence", case.absence("2026-03-02", "2026-03-04")), Refused
    )


def test_a_code_that_is_in_no_list_is_an_error_with_its_path(care: Care, case: Case) -> None:
    for partner, operation, record, path in (
        ("siva", "SubmitApplication", case.application(service="LOTTERY"), "Iesniegums/PakalpojumaVeids"),
        ("centre", "SubmitCare", case.care("9"), "Aprupe/AprupesLimenis"),
        ("siva", "SubmitAbsence", case.absence(kind="HOLIDAYS"), "Prombutne/Veids"),
    ):
        refused = care.post(partner, operation, record)
        assert isinstance(refused, Refused)
        assert refused.code == "schema_violation"
        assert f"/{operation}/{path}" in refused.reason


def test_a_number_and_a_case_are_of_one_person(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitApplication", "SubmitDecision")
    stranger = Case(care.case().person)
    same_number = stranger.application().replace(f"{stranger.number}-1", f"{case.number}-1")
    same_case = Case(stranger.person, case.number).decision().replace(f"{case.number}-2", stranger.number)
    for operation, record, what in (
        ("SubmitApplication", same_number, "record_no"),
        ("SubmitDecision", same_case, "case_no"),
    ):
        refused = care.post("siva", operation, record)
        assert isinstance(refused, Refused)
        assert f"{what} is of another person" in refused.reason
    assert care.rows("care-applications", stranger.person) == ()


def test_the_numbers_of_one_institution_say_nothing_to_another(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitCare")
    other = Case(care.case().person, case.number)
    assert not isinstance(care.post("organisation", "SubmitCare", other.care("1")), Refused)
    assert [row.values["care_level"] for row in care.rows("care-set", case.person)] == ["3"]
    assert [row.values["care_level"] for row in care.rows("care-set", other.person)] == ["1"]


def test_a_stay_handed_in_has_one_effect_at_sais(care: Care, case: Case) -> None:
    care.deliver()
    before = len(care.effects())
    message = care.message("centre", "SubmitStay", case.stay())
    for _ in range(2):
        assert care.send(message).status_code == 200
    assert not isinstance(care.post("centre", "SubmitStay", case.stay()), Refused)
    care.deliver()
    assert care.effects()[before:] == ["write:NotifyCareStay"]


def test_a_stay_that_is_corrected_or_deleted_is_told_to_sais(care: Care, case: Case) -> None:
    care.deliver()
    before = len(care.effects())
    handed_in(care, case, "SubmitStay")
    assert not isinstance(care.post("centre", "SubmitStay", case.stay("2026-02-03")), Refused)
    (row,) = care.rows("care-stays", case.person)
    assert row.values["entered_on"] == date(2026, 2, 3)
    assert len(care.rows("care-stay-records", case.person)) == 1
    care.deliver()
    assert len(care.effects()) - before == 3, "entered; the wrong day left, the right one entered"
    assert not isinstance(care.post("centre", "DeleteCareRecord", case.deletion("8", "STAY")), Refused)
    care.deliver()
    assert care.effects()[before:] == ["write:NotifyCareStay"] * 4


def test_a_stay_has_one_number(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitStay")
    for partner in ("centre", "organisation"):
        refused = care.post(partner, "SubmitStay", case.stay(record="88"))
        assert isinstance(refused, Refused)
        assert "another number" in refused.reason
    refused = care.post(
        "organisation", "SubmitStay", case.stay("2026-03-01", institution="Cits", record="89")
    )
    assert isinstance(refused, Refused)
    assert "another stay" in refused.reason


def test_each_reader_is_told_what_its_rules_grant(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitPlacement")
    assert not isinstance(care.post("centre", "SubmitStay", case.stay(ends="2026-06-15")), Refused)
    institution = {
        f"stays[].{name}" for name in ("institution", "institution_address", "institution_kind", "region")
    }
    actual = {"stays[].stayed_from", "stays[].stayed_to"}
    ended = {"stays[].ended_on", "stays[].end_reason"}
    funded = {"stays[].entered_on", "stays[].funding_source"}
    (stay,), withheld = care.stays("nvd", case.person)
    assert stay == {"UzturasNo": "2026-02-01", "UzturasLidz": "2026-06-15"}
    assert withheld == institution | ended | funded
    (stay,), withheld = care.stays("iem-ic", case.person)
    assert stay == {
        "UzturasNo": "2026-02-01",
        "UzturasLidz": "2026-06-15",
        "IzbeigsanasDatums": "2026-06-15",
        "Kods": "OWN_REQUEST",
    }
    assert withheld == institution | funded
    (stay,), withheld = care.stays("vsaa", case.person)
    assert {"UzturasNo", "UzturasLidz"}.isdisjoint(stay)
    assert (stay["IestasanasDatums"], stay["IzbeigsanasDatums"]) == ("2026-02-01", "2026-06-15")
    assert (stay["Adrese"], stay["Regions"]) == ("Skolas iela 3, Talsi", "Kurzeme")
    assert withheld == actual
    asked = f"<PersonasKods>{case.person}</PersonasKods>"
    placements, withheld = told(care.post("vsaa", "GetPlacements", asked, Tiesibas="p12.8.2"), "Norikojums")
    assert placements == [{"Institucija": "VSAC Paraugs", "IestasanasDatums": "2026-02-01"}]
    assert withheld == {"placements[].issued_on", "placements[].number", "placements[].planned_on"}


def test_that_there_is_no_stay_looks_like_one_that_may_not_be_told(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitStay")
    _, withheld = care.stays("nvd", case.person)
    assert care.stays("nvd", care.case().person) == ([], withheld)


def test_readers_hand_in_nothing_and_suppliers_read_nothing(care: Care, case: Case) -> None:
    asked = f"<PersonasKods>{case.person}</PersonasKods>"
    for partner, operation, record in (
        ("nvd", "SubmitStay", case.stay()),
        ("vsaa", "DeleteCareRecord", case.deletion("8", "STAY")),
        ("centre", "GetStays", asked),
        ("siva", "GetStays", asked),
        ("nvd", "GetPlacements", asked),
        ("iem-ic", "GetPlacements", asked),
    ):
        refused = care.post(partner, operation, record)
        assert isinstance(refused, Refused)
        assert refused.code == "access_denied", (partner, operation)


def test_whose_data_it_was_is_on_record(care: Care, case: Case) -> None:
    response = care.send(care.message("siva", "SubmitApplication", case.application()))
    leaf = care.outcome(response)
    assert (leaf["system"], leaf["operation"], leaf["source"]) == ("care-stays", "SubmitApplication", "siva")
    assert leaf["written"] == 1
    assert case.person not in str(leaf)


def test_an_open_stay_opens_the_door_to_payments(care: Care, case: Case) -> None:
    handed_in(care, case, "SubmitStay")
    with care.gateway.engine.connect() as connection:
        assert open_stay(connection, case.person, today_in_riga())
        assert not open_stay(connection, care.case().person, today_in_riga())


@pytest.mark.parametrize("port", ["CareStaysSoap11", "CareStaysSoap12"])
def test_zeep_hands_in_a_decision(care: Care, case: Case, port: str) -> None:
    signature = Signature(care.gateway.settings.keys, "siva")
    service = client(care.address, signature).bind("CareStaysService", port)
    granted = {"Datums": "2026-01-12", "Numurs": "12-3/44", "Sniedzejs": "VSAC", "PieskirtsNo": "2026-02-01"}
    decision = {
        "LietasNumurs": case.number,
        "IerakstaNumurs": f"{case.number}-2",
        "PersonasKods": case.person,
        "Pieskirsana": granted,
    }
    context = konteksts(Merkis="care-placement", Tiesibas="p17.4")
    kept = service.SubmitDecision(Konteksts=context, Lemums=decision)
    (row,) = care.rows("care-decisions", case.person)
    assert str(row.provenance.exchange_id) == kept
    assert row.values["granted_from"] == date(2026, 2, 1)


def test_the_examples_for_partners_are_of_the_contract() -> None:
    page = (Path(__file__).parents[3] / "docs" / "partners" / "care-stays.md").read_text(encoding="utf-8")
    whole = [block for block in re.findall(r"```xml\n(.*?)```", page, re.DOTALL) if "…" not in block]
    assert len(whole) == 3
    for block in whole:
        contract("spolis/care-stays").validate(parse(block.encode()))
