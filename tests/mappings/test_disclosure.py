"""Only what is permitted leaves, what is withheld is named, and arguments take their defaults by the day in Riga."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from errors import ConfigurationError, InvalidRequest, UnknownCode
from exchange import Context, Disclosed, Environment, Grant, Official
from mappings import codes, regulation, services
from mappings.care_stays import CARE_STAY
from mappings.mapping import plain
from mappings.npais import GET_DECISIONS_REQUEST
from mappings.pmlp import DATA_SETS, GET_PERSON_ANSWER, GET_PERSON_REQUEST, Document, Person
from mappings.sais import GET_PAYMENTS_ANSWER, GET_PAYMENTS_REQUEST, PAYMENT, Payment, Payments
from mappings.services.persons import GET_PERSON_ANSWER as OUR_ANSWER
from mappings.services.persons import SERVICE
from mappings.vdeavk import GET_DISABILITY_ANSWER, GET_DISABILITY_REQUEST, DisabilityStatus
from mappings.vzd import RESOLVE_CODE_REQUEST, SEARCH_ADDRESS_REQUEST
from simulators import code_lists as outside
from wsdl import contract

CODE = "321234-12345"
EXCHANGE = uuid.UUID(int=7)
CONTEXT = Context(
    purpose="social-service",
    rule="p8.1",
    official=Official("u1", "90000000000", "adviser"),
    case="",
    request_id=uuid.UUID(int=1),
    environment=Environment.TEST,
)
PERSON = Person(
    given_names=("Ilze",),
    family_name="Paraudziņa",
    person_code=CODE,
    birth_date=date(1990, 2, 3),
    sex=codes.SEX["F"],
    documents=(
        Document(
            kind=codes.DOCUMENT_KIND["EID"],
            number="PA0000001",
            issued_on=date(2020, 1, 1),
            valid_to=None,
            country="LVA",
            authority="PMLP",
        ),
    ),
    data_sets=("IDENTITY", "DOCUMENTS"),
)


def permits(*rules: str) -> Callable[[str], bool]:
    grant = Grant(frozenset((rule, "pmlp") for rule in rules))
    return lambda rule: grant.permits(rule, "pmlp")


def test_a_field_without_its_rule_is_absent_everywhere_and_named() -> None:
    some = permits("p8.1", "p8.11.1", "p8.11.2")
    assert GET_PERSON_ANSWER.json(PERSON, some) == {
        "data_sets": ["IDENTITY", "DOCUMENTS"],
        "given_names": ["Ilze"],
        "documents": [
            {
                "kind": {"code": "EID", "text_lv": "Personas apliecība", "text_en": "Identity card"},
                "number": "PA0000001",
            }
        ],
    }
    names = [element.tag.rpartition("}")[2] for element in GET_PERSON_ANSWER.write(PERSON, some).iter()]
    assert "Numurs" in names
    assert not {"Uzvards", "PersonasKods", "DzimsanasDatums", "IzdevejaValsts"} & set(names)
    withheld = GET_PERSON_ANSWER.withheld(some)
    assert {"family_name", "documents[].country", "documents[].valid_to", "family[].given_names"} <= set(
        withheld
    )
    assert not {"given_names", "documents[].number", "data_sets"} & set(withheld)


def test_a_list_of_which_nothing_may_be_given_does_not_even_tell_its_length() -> None:
    assert "documents" not in GET_PERSON_ANSWER.json(PERSON, permits("p8.1"))
    assert "Dokumenti" not in str(list(GET_PERSON_ANSWER.write(PERSON, permits("p8.1")).iter()))


def test_every_field_is_either_given_or_withheld() -> None:
    some = permits("p8.1", "p8.12")
    fields = [line.field for line in GET_PERSON_ANSWER.lineage("pmlp")]
    given = [
        line.field
        for line in GET_PERSON_ANSWER.lineage("pmlp")
        if line.field not in GET_PERSON_ANSWER.withheld(some)
    ]
    assert len(fields) == len(set(fields))
    assert given == [
        "data_sets",
        "given_names",
        "addresses[].kind",
        "addresses[].varis_code",
        "addresses[].text",
    ]


def test_none_is_null_in_json_and_the_asked_person_is_repeated_without_any_right() -> None:
    status = DisabilityStatus(person_code=CODE, on_date=date(2026, 1, 31), disability=None)
    assert GET_DISABILITY_ANSWER.json(status) == {
        "person_code": CODE,
        "on_date": "2026-01-31",
        "disability": None,
    }
    assert GET_DISABILITY_ANSWER.json(status, lambda _rule: False) == {
        "person_code": CODE,
        "on_date": "2026-01-31",
    }


def test_amounts_months_and_the_share_in_json() -> None:
    payment = Payment(
        kind=codes.PAYMENT_KIND["FAMILY_BENEFIT"],
        counts_for_share=False,
        amount=Decimal("12.30"),
        month=date(2026, 1, 1),
        paid_on=date(2026, 1, 15),
        status=codes.PAYMENT_STATUS["PAID"],
    )
    payments = Payments(
        person_code=CODE, from_month=date(2026, 1, 1), to_month=date(2026, 1, 1), payments=(payment,)
    )
    given = GET_PAYMENTS_ANSWER.json(payments)["payments"]
    assert isinstance(given, list)
    assert isinstance(given[0], dict)
    assert (given[0]["amount"], given[0]["month"], given[0]["counts_for_share"]) == (
        "12.30",
        "2026-01",
        False,
    )
    assert PAYMENT.json(payment, lambda _rule: False) == {}
    assert GET_PAYMENTS_ANSWER.read(GET_PAYMENTS_ANSWER.write(payments)) == payments
    lines = {line.field: line for line in GET_PAYMENTS_ANSWER.lineage("sais")}
    assert lines["payments[].counts_for_share"].element == "/GetPaymentsResponse/Maksajumi/Maksajums/Veids"
    assert lines["payments[].amount"].column == "sais_payment.amount"


def test_each_data_set_names_the_rules_of_its_fields() -> None:
    rules = {rule for named in DATA_SETS.values() for rule in named}
    fields = {line.rule for line in GET_PERSON_ANSWER.lineage("pmlp") if line.field != "data_sets"}
    assert rules == fields
    assert set(DATA_SETS) == {code.code for code in codes.DATA_SET}


def test_defaults_of_arguments_by_the_day() -> None:
    today = date(2026, 3, 31)
    payments = GET_PAYMENTS_REQUEST.from_json({"person_code": "32123412345"}, CONTEXT, today=today)
    assert (payments.person_code, payments.from_month, payments.to_month) == (
        CODE,
        date(2025, 4, 1),
        date(2026, 3, 1),
    )
    earlier = GET_PAYMENTS_REQUEST.from_json(
        {"person_code": CODE, "to_month": "2025-12"}, CONTEXT, today=today
    )
    assert (earlier.from_month, earlier.to_month) == (date(2025, 1, 1), date(2025, 12, 1))
    assert GET_DISABILITY_REQUEST.from_json({"person_code": CODE}, CONTEXT, today=today).on_date == today
    assert SEARCH_ADDRESS_REQUEST.from_json({"text": "Ozolu iela"}, CONTEXT).limit == 10
    assert SEARCH_ADDRESS_REQUEST.from_json({"text": "Ozolu iela", "limit": "5"}, CONTEXT).limit == 5
    two = GET_PERSON_REQUEST.from_json({"person_code": CODE, "data_sets": "IDENTITY,FAMILY"}, CONTEXT)
    assert two.data_sets == ("IDENTITY", "FAMILY")


def test_arguments_that_contradict_each_other_or_the_contract() -> None:
    for table, arguments, detail in (
        (
            GET_PAYMENTS_REQUEST,
            {"person_code": CODE, "from_month": "2026-02", "to_month": "2026-01"},
            "from_month",
        ),
        (GET_PAYMENTS_REQUEST, {"person_code": CODE, "from_month": "2026-13"}, "from_month: a month"),
        (GET_DECISIONS_REQUEST, {}, "either person_code or since"),
        (GET_DECISIONS_REQUEST, {"person_code": CODE, "since": "2026-01-01"}, "either person_code or since"),
        (GET_DISABILITY_REQUEST, {"person_code": CODE, "on_date": "2026-02-30"}, "on_date: no day"),
        (RESOLVE_CODE_REQUEST, {"varis_code": "12"}, "varis_code: the form"),
        (SEARCH_ADDRESS_REQUEST, {"text": "a"}, "text: 2 to 200"),
        (SEARCH_ADDRESS_REQUEST, {"text": "Rīga\x00"}, "text: a control character"),
        (SEARCH_ADDRESS_REQUEST, {"text": "Rīga", "limit": 101}, "limit: a number from 1 to 100"),
        (SEARCH_ADDRESS_REQUEST, {"text": "Rīga", "limit": True}, "limit"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            table.from_json(arguments, CONTEXT)
        assert detail in caught.value.detail
    with pytest.raises(InvalidRequest, match="context is missing"):
        RESOLVE_CODE_REQUEST.from_json({"varis_code": "100003003"})


def test_what_is_sent_fits_the_contract_with_and_without_a_case() -> None:
    for case in ("", "L-1"):
        context = Context(
            "p", "p13^1.5.2", CONTEXT.official, case, CONTEXT.request_id, Environment.PRODUCTION
        )
        request = GET_DECISIONS_REQUEST.from_json({"since": date(2026, 1, 1)}, context)
        element = GET_DECISIONS_REQUEST.write(request)
        contract("npais").validate(element)
        assert GET_DECISIONS_REQUEST.read(element) == request
        assert (element[0].find("{*}Lieta") is not None) == bool(case)


def test_plain_arguments() -> None:
    assert plain({"a": date(2026, 1, 2), "b": Decimal("1.50"), "c": ("x", "y"), "d": None, "e": True}) == {
        "a": "2026-01-02",
        "b": "1.50",
        "c": ["x", "y"],
        "d": None,
        "e": True,
    }


def test_a_care_stay_comes_in_as_json() -> None:
    stay = CARE_STAY.from_json(
        {
            "person_code": "32123412345",
            "institution": "VSAC Zeme",
            "institution_address": "Ozolu iela 1",
            "institution_kind": "STATE_CARE_CENTRE",
            "entered_on": "2026-01-02",
            "funding_source": "STATE",
        }
    )
    assert (stay.person_code, stay.ended_on, stay.institution_kind.text_en) == (
        CODE,
        None,
        "State social care centre",
    )
    given = CARE_STAY.json(stay, lambda rule: rule == "p12.8.13")
    assert given == {"entered_on": "2026-01-02", "ended_on": None}


def test_our_service_gives_name_and_code_only_and_names_what_it_withholds() -> None:
    operation = SERVICE.operation("GetPerson")
    assert operation is not None
    assert operation.via == ("pmlp", "GetPerson")
    assert operation.arguments == {"data_sets": ("NAME_AND_CODE",)}
    for rules, names, withheld in (
        (("p8.1", "p8.2", "p8.3"), ["Vards", "Uzvards", "PersonasKods"], ()),
        (("p8.1", "p8.3", "p8.4"), ["Vards", "PersonasKods"], ("family_name",)),
        ((), [], ("given_names", "family_name", "person_code")),
    ):
        some = permits(*rules)
        disclosed = Disclosed(GET_PERSON_ANSWER.json(PERSON, some), (), GET_PERSON_ANSWER.withheld(some))
        element = operation.write(EXCHANGE, disclosed)
        contract("spolis/persons").validate(element)
        answer = OUR_ANSWER.read(element)
        assert (answer.exchange_id, answer.withheld) == (EXCHANGE, withheld)
        assert [child.tag.rpartition("}")[2] for child in element.iterfind("{*}Persona/*")] == names


def test_services_are_discovered_and_a_second_of_one_name_is_refused() -> None:
    assert services.discover()["persons"] == SERVICE
    with pytest.raises(ConfigurationError, match="a second time"):
        services.collect({"persons": SERVICE, "again": SERVICE})
    with pytest.raises(ConfigurationError, match="declares no SERVICE"):
        services.collect({"empty": None})


def test_code_lists_have_texts_and_an_unknown_code_is_an_error() -> None:
    assert {found.name for found in codes.code_lists()} >= {"sex", "payment_kind", "data_set"}
    for found in codes.code_lists():
        assert all(code.text_lv and code.text_en for code in found)
    with pytest.raises(UnknownCode, match="code list sex"):
        codes.SEX["X"]
    with pytest.raises(ConfigurationError, match="no code list stars"):
        codes.code_list("stars")


def test_every_code_of_the_systems_is_known_with_the_same_latvian_text() -> None:
    for ours, theirs in (
        (codes.DATA_SET, outside.DATA_SETS),
        (codes.SEX, outside.SEXES),
        (codes.NATIONALITY_KIND, outside.NATIONALITY_KINDS),
        (codes.REGISTRY_STATUS, outside.REGISTRY_STATUSES),
        (codes.REPRESENTATIVE_KIND, outside.REPRESENTATIVE_KINDS),
        (codes.DOCUMENT_KIND, outside.DOCUMENT_KINDS),
        (codes.ADDRESS_KIND, outside.ADDRESS_KINDS),
        (codes.FAMILY_RELATION, outside.RELATIONS),
        (codes.DISABILITY_GROUP, outside.DISABILITY_GROUPS),
        (codes.DISABILITY_CAUSE, outside.DISABILITY_CAUSES),
        (codes.PAYMENT_KIND, outside.PAYMENT_KINDS),
        (codes.PAYMENT_STATUS, outside.PAYMENT_STATUSES),
        (codes.DECISION_KIND, outside.DECISION_KINDS),
        (codes.STOP_REASON, outside.STOP_REASONS),
        (codes.ADDRESS_TYPE, outside.PLACE_KINDS),
        (codes.ADDRESS_STATUS, outside.PLACE_STATUSES),
    ):
        assert {code: ours[code].text_lv for code in theirs} == dict(theirs), ours.name


def test_the_regulation_as_data() -> None:
    assert len(regulation.rules()) > 300
    assert regulation.text("p8.3") == "personas kods"
    assert [rule.id for rule in regulation.chain("p8.11.5")] == ["p8", "p8.11", "p8.11.5"]
    assert regulation.effective_from("p10.11.2") == date(2018, 1, 1)
    assert regulation.effective_from("p13.5.1") == date(2016, 1, 1)
    assert regulation.effective_from("p13^1.5.2") is None
    with pytest.raises(ConfigurationError, match=r"p99\.1"):
        regulation.text("p99.1")
