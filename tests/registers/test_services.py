"""Services of municipalities: one record for each case, no service from two providers at once, a record that holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection, Engine

import registers
from errors import Busy, InvalidRequest
from exchange import new_id
from mappings import codes
from mappings.codes import Code
from mappings.municipal_services import SERVICE, MunicipalService
from registers.services import feed_service, find_service, write_service
from tests.registers.invented import provenance

CODE, OTHER = "321234-56789", "321234-56797"
GRANTED = MunicipalService(
    person_code=CODE,
    municipality="Valmieras novads",
    case_number="V-1",
    applied_on=date(2026, 5, 5),
    status=codes.SERVICE_STATUS["GRANTED"],
    decided_on=date(2026, 5, 9),
    service=codes.MUNICIPAL_SERVICE["HOME_CARE"],
    provider="Sociālais dienests",
    provider_kind=codes.SERVICE_PROVIDER["OWN_MUNICIPALITY"],
    started_on=date(2026, 6, 1),
    ended_on=date(2026, 8, 31),
)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """What a test writes is taken back: the database is shared."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def changed(**values: object) -> MunicipalService:
    return dataclasses.replace(GRANTED, **values)  # type: ignore[arg-type] # the values are the test's


def status(code: str) -> Code:
    return codes.SERVICE_STATUS[code]


def test_a_case_is_one_service_and_is_corrected(connection: Connection) -> None:
    assert feed_service(connection, GRANTED, provenance(1)).written == 1
    first = find_service(connection, GRANTED)
    assert feed_service(connection, GRANTED, provenance(2)).written == 0
    corrected = changed(ended_on=date(2026, 9, 30))
    assert feed_service(connection, corrected, provenance(3)).written == 1
    assert find_service(connection, corrected) == first
    (row,) = registers.search(connection, "services", {"person_code": CODE})
    assert row.values["ended_on"] == date(2026, 9, 30)
    assert first is not None
    assert len(registers.read(connection, "services", first, history=True)) == 2


def test_a_case_is_one_person_s(connection: Connection) -> None:
    feed_service(connection, GRANTED, provenance(1))
    with pytest.raises(InvalidRequest, match="another person"):
        feed_service(connection, changed(person_code=OTHER), provenance(2))


def test_the_same_service_does_not_come_from_two_providers_at_once(connection: Connection) -> None:
    feed_service(connection, GRANTED, provenance(1))
    second = changed(municipality="Rīga", case_number="R-1", provider="Cits")
    with pytest.raises(InvalidRequest, match="another provider"):
        feed_service(connection, second, provenance(2))
    for allowed in (
        changed(case_number="V-2"),  # the same provider
        dataclasses.replace(second, case_number="R-2", service=codes.MUNICIPAL_SERVICE["DAY_CENTRE"]),
        dataclasses.replace(second, case_number="R-3", started_on=date(2026, 8, 31), ended_on=None),
        dataclasses.replace(second, case_number="R-4", person_code=OTHER),
    ):
        assert feed_service(connection, allowed, provenance(3)).written == 1


def test_the_same_service_kept_meanwhile_under_another_id_is_told(connection: Connection) -> None:
    feed_service(connection, GRANTED, provenance(1))
    with pytest.raises(Busy):
        write_service(connection, changed(ended_on=None), provenance(2), new_id())


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"decided_on": None}, "decided_on"),
        ({"status": status("POSTPONED"), "started_on": None, "ended_on": None}, "decided_on"),
        ({"decided_on": date(2026, 5, 4)}, "before applied_on"),
        ({"status": status("REFUSED"), "started_on": None, "ended_on": None}, "refusal_reason"),
        ({"refusal_reason": "Nav pamata"}, "refusal_reason"),
        ({"provider": None}, "provider"),
        (
            {"status": status("REFUSED"), "refusal_reason": "Nav pamata", "ended_on": None},
            "started_on belongs",
        ),
        ({"ended_on": date(2026, 5, 31)}, "ended_on"),
        ({"started_on": None}, "ended_on"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(
    connection: Connection, values: dict[str, object], what: str
) -> None:
    with pytest.raises(InvalidRequest, match=what):
        feed_service(connection, changed(**values), provenance(1))
    arguments = SERVICE.arguments(changed(**values))
    with pytest.raises(InvalidRequest, match=what):
        SERVICE.from_json(arguments)
