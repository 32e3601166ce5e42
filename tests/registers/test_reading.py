"""Reading registers: declared criteria only, versions, and never a field that is not permitted."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
from sqlalchemy import Engine

import registers
from errors import InvalidPersonCode, InvalidRequest, NotFound, UnknownOperation
from exchange import Json
from mappings.codes import DOCUMENT_KIND
from mappings.sais import Payments
from registers import disclose
from tests.registers.invented import day, person_code, provenance
from tests.registers.test_feeds import PENSION
from tests.registers.test_persons import full


def everything(_rule: str, _source: str) -> bool:
    return True


def feed_payments(engine: Engine, of: str, source: str = "sais") -> None:
    months = [replace(PENSION, month=day(f"2026-0{m}-01"), paid_on=None) for m in (1, 2, 3)]
    answer = Payments(
        person_code=of, from_month=day("2026-01-01"), to_month=day("2026-03-01"), payments=tuple(months)
    )
    with engine.begin() as connection:
        registers.feed(connection, answer, provenance(source=source))


def test_dates_are_searched_by_day_and_by_range(engine: Engine) -> None:
    of = person_code()
    feed_payments(engine, of)

    def months(wanted: Json, limit: int = 50, offset: int = 0) -> list[int]:
        criteria: dict[str, Json] = {"person_code": of, "month": wanted}
        with engine.begin() as connection:
            rows = registers.search(connection, "payments", criteria, limit, offset)
            return [day(str(row.values["month"])).month for row in rows]

    assert months("2026-02") == [2]
    assert months({"from": "2026-02"}) == [2, 3]
    assert months({"to": "2026-02"}) == [1, 2]
    assert months({"from": "2026-02", "to": "2026-02"}) == [2]
    assert months({"from": "2025-01"}, limit=1, offset=1) == [2]


@pytest.mark.parametrize(
    ("name", "criteria"),
    [
        ("payments", {"amount": "412.30"}),
        ("payments", {"month": "2026-13"}),
        ("payments", {"month": "2026-01-01"}),
        ("payments", {"paid_on": "2026-W01-1"}),
        ("payments", {"paid_on": "20260101"}),
        ("payments", {"month": {"after": "2026-01"}}),
        ("payments", {"month": {}}),
        ("payments", {"kind": 7}),
        ("payments", {"kind": "a\x00b"}),
        ("payments", {"kind": "\ud800"}),
        ("payments", {"counts_for_share": "yes"}),
        ("payments", {}),
        ("payments", {"person_code": 7}),
        ("addresses", {"person_code": "320000-00001"}),
    ],
)
def test_what_cannot_be_searched_is_refused(engine: Engine, name: str, criteria: dict[str, Json]) -> None:
    with engine.begin() as connection, pytest.raises(InvalidRequest):
        registers.search(connection, name, criteria)


def test_an_unknown_criterion_names_the_known_ones(engine: Engine) -> None:
    with engine.begin() as connection:
        with pytest.raises(InvalidRequest, match="birth_date, family_name, person_code"):
            registers.search(connection, "persons", {"shoe_size": "43"})
        with pytest.raises(InvalidRequest) as refused:
            registers.search(connection, "persons", {"320000-00001": "x"})
    assert "320000" not in str(refused.value)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (201, 0), (1, -1), (1, 2**40)])
def test_pages_have_limits(engine: Engine, limit: int, offset: int) -> None:
    with engine.begin() as connection, pytest.raises(InvalidRequest):
        registers.search(connection, "persons", {"person_code": "320000-00001"}, limit, offset)


def test_a_person_code_is_read_in_both_spellings_and_checked(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        for spelling in (of, of.replace("-", "")):
            assert len(registers.search(connection, "persons", {"person_code": spelling})) == 1
        with pytest.raises(InvalidPersonCode):
            registers.search(connection, "persons", {"person_code": "12-34"})


def test_persons_are_found_by_name_and_birth(engine: Engine) -> None:
    of, name = person_code(), f"Neparastā-{uuid.uuid4()}"
    with engine.begin() as connection:
        registers.feed(connection, replace(full(of), family_name=name), provenance())
        by: dict[str, Json] = {"family_name": name, "birth_date": {"from": "1950-01-01", "to": "1950-12-31"}}
        (row,) = registers.search(connection, "persons", by)
        assert registers.search(connection, "persons", {**by, "birth_date": "1951-01-01"}) == ()
        assert registers.read(connection, "persons", row.id) == (row,)
    needed = registers.register("persons").rules_of({**by, "person_code": of})
    assert needed == {("p8.2", "pmlp"), ("p8.4", "pmlp")}


def test_what_is_not_there_is_not_found(engine: Engine) -> None:
    with engine.begin() as connection:
        with pytest.raises(NotFound):
            registers.read(connection, "persons", uuid.uuid4())
        with pytest.raises(NotFound):
            registers.read(connection, "payments", uuid.uuid4(), history=True)
        with pytest.raises(UnknownOperation):
            registers.read(connection, "dogs", uuid.uuid4())
        assert registers.search(connection, "payments", {"person_code": person_code()}) == ()


def test_a_person_is_disclosed_with_codes_and_their_texts(engine: Engine) -> None:
    of, origin = person_code(), provenance()
    with engine.begin() as connection:
        registers.feed(connection, full(of), origin)
        (row,) = registers.search(connection, "persons", {"person_code": of})
    given, withheld = disclose(row, everything)
    assert withheld == ()
    json.dumps(given)
    assert given["id"] == given["person_id"] == str(row.id)
    codes, identity, documents = given["codes"], given["identity"], given["documents"]
    assert isinstance(codes, list)
    assert isinstance(identity, dict)
    assert isinstance(documents, list)
    (alias,), (passport,) = codes, documents
    assert isinstance(alias, dict)
    assert isinstance(passport, dict)
    assert (alias["code"], alias["valid_from"], alias["valid_to"]) == (of, None, None)
    assert identity["given_names"] == ["Anna", "Marija"]
    assert identity["provenance"] == {
        "exchange_id": str(origin.exchange_id),
        "source": "pmlp",
        "contract_version": "v1-0",
        "mapping_version": "m1",
    }
    kind = DOCUMENT_KIND["PASSPORT"]
    assert passport["kind"] == {"code": "PASSPORT", "text_lv": kind.text_lv, "text_en": kind.text_en}
    assert (passport["valid_from"], passport["valid_to"]) == ("2020-02-03", "2030-02-02")


def test_what_is_not_permitted_is_withheld_by_name(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        (row,) = registers.search(connection, "persons", {"person_code": of})
        (history,) = registers.read(connection, "persons", row.id, history=True)
    allowed = {"p8.1", "p8.2", "p8.11.1", "p8.11.4"}

    def permits(rule: str, source: str) -> bool:
        return source == "pmlp" and rule in allowed

    for each in (row, history):
        given, withheld = disclose(each, permits)
        text = json.dumps(given, ensure_ascii=False)
        assert "Bērziņa" in text
        for secret in ("LV1234567", "2020-02-03", "1950-06-07", "Ozolu", "320000-00002", of):
            assert secret not in text
        assert set(given) == {
            "id",
            "person_id",
            "identity",
            "documents",
            "recorded_at",
            "superseded_at",
            "provenance",
        }
        assert {"documents[].number", "documents[].issued_on", "particulars.birth_date"} <= set(withheld)
        assert {"codes[].code", "family[].person_code", "addresses[].text"} <= set(withheld)
        assert not {"identity.family_name", "documents[].kind", "documents[].valid_to"} & set(withheld)


def test_a_right_to_another_source_is_no_right(engine: Engine) -> None:
    of = person_code()
    feed_payments(engine, of)
    with engine.begin() as connection:
        row = registers.search(connection, "payments", {"person_code": of})[0]
    given, withheld = disclose(row, lambda _rule, source: source != "sais")
    assert given == {}
    assert set(withheld) == set(registers.register("payments").fields)
    given, withheld = disclose(row, everything)
    assert (given["amount"], given["month"], withheld) == ("412.30", "2026-01", ())


def test_a_value_is_judged_by_the_source_that_it_came_from(engine: Engine) -> None:
    of = person_code()
    feed_payments(engine, of, source="sopa")
    with engine.begin() as connection:
        row = registers.search(connection, "payments", {"person_code": of})[0]
    assert disclose(row, lambda _rule, source: source == "sais")[0] == {}
    assert disclose(row, lambda _rule, source: source == "sopa")[1] == ()


def test_every_field_of_every_register_has_its_rule() -> None:
    for each in registers.REGISTERS.values():
        for part in (each, *(part.register for part in each.parts.values())):
            assert set(part.fields) == set(registers.history.business_columns(part.table))
            assert all(rule.startswith("p") for rule in part.fields.values())
