"""What a person owns, as the Land register and CSDD tell it: what he sold is superseded, and stays in the history."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from sqlalchemy import Engine

import config
import registers
from adapters import discover
from errors import PurposeNotAllowed
from exchange import Context, Environment, Official
from mappings.csdd import VEHICLE_STATUS, Vehicle, Vehicles
from mappings.landreg import Properties, Property
from registers import Fed
from routing.access import Access
from tests.registers.invented import person_code, provenance

HOUSE = Property(cadastre_no="42010050123", folio_no="10567", share="1/2")
FLAT = Property(cadastre_no="01000320456", folio_no="100034812-17", share="1/1")
CAR = Vehicle(plate="AB1234", make="VOLVO", model="V70", year=2008, status=VEHICLE_STATUS["REGISTERED"])


def feed(engine: Engine, record: object, minutes: int, source: str) -> Fed:
    with engine.begin() as connection:
        return registers.feed(connection, record, provenance(minutes, source=source))


def test_real_estate_that_was_sold_is_superseded(engine: Engine) -> None:
    of = person_code()
    both = Properties(person_code=of, properties=(HOUSE, FLAT))
    assert feed(engine, both, 0, "landreg") == Fed(written=2)
    assert feed(engine, both, 1, "landreg") == Fed(confirmed=2)
    whole = replace(HOUSE, share="1/1")
    feed(engine, Properties(person_code=of, properties=(whole,)), 2, "landreg")
    with engine.begin() as connection:
        (row,) = registers.search(connection, "properties", {"person_code": of})
        versions = registers.read(connection, "properties", row.id, history=True)
    assert [one.values["share"] for one in versions] == ["1/1", "1/2"]
    assert row.provenance.source == "landreg"


def test_vehicles_are_the_persons_own(engine: Engine) -> None:
    of, other = person_code(), person_code()
    feed(engine, Vehicles(person_code=of, vehicles=(CAR,)), 0, "csdd")
    feed(engine, Vehicles(person_code=other, vehicles=()), 0, "csdd")
    with engine.begin() as connection:
        (row,) = registers.search(connection, "vehicles", {"person_code": of})
        assert registers.search(connection, "vehicles", {"person_code": other}) == ()
    assert (row.values["plate"], row.values["year"], row.values["status"]) == ("AB1234", 2008, "REGISTERED")


@pytest.mark.parametrize(
    ("system", "operation", "answer", "field"),
    [
        ("landreg", "GetProperties", Properties(person_code="x", properties=(HOUSE, FLAT)), ""),
        (
            "landreg",
            "GetProperties",
            Properties(person_code="x", properties=(HOUSE, HOUSE)),
            "properties[].cadastre_no",
        ),
        (
            "landreg",
            "GetProperties",
            Properties(person_code="x", properties=(replace(HOUSE, share="3/2"),)),
            "properties[].share",
        ),
        ("csdd", "GetVehicles", Vehicles(person_code="x", vehicles=(CAR,)), ""),
        ("csdd", "GetVehicles", Vehicles(person_code="x", vehicles=(CAR, CAR)), "vehicles[].plate"),
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(
    system: str, operation: str, answer: object, field: str
) -> None:
    found = discover()[system].operation(operation)
    assert found is not None
    assert found.answered is not None
    assert found.answered(None, answer) == field


@pytest.mark.parametrize(
    ("operation", "rule"),
    [("landreg.GetProperties", "p9.2.5.6"), ("csdd.GetVehicles", "p9.2.5.7")],
)
def test_what_somebody_owns_is_asked_only_while_a_declaration_is_judged(operation: str, rule: str) -> None:
    shipped = Access.load(config.load({}).access)

    def asked(purpose: str, under: str) -> Context:
        official = Official("PK:390000-00001", "90000022632", "social worker")
        return Context(purpose, under, official, "", uuid.UUID(int=0), Environment.TEST)

    assert shipped.decide("spolis-core", operation, asked("means-assessment", rule))
    for purpose, under in (
        ("social-service", rule),
        ("social-assistance", rule),
        ("means-assessment", "p10.8"),
    ):
        with pytest.raises(PurposeNotAllowed):
            shipped.decide("spolis-core", operation, asked(purpose, under))
    assert {right.recipient for right in shipped.rights if operation in right.operations} == {"spolis-core"}
