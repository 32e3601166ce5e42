"""LabIS and researchers on /api/v1: what they are given, and what they cannot find out."""

from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import date
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

import registers
from endpoints import api
from exchange import Provenance, new_id, utc_now
from mappings import codes
from mappings.municipal_services import MunicipalService
from routing.access import Access
from routing.parties import add_caller
from tests.endpoints.conftest import Site, context
from tests.registers.invented import person_code

SEARCH = "/registers/services/search"


def seen_by(site: Site, recipient: str, persons_day: int | None = None) -> Site:
    """The same gateway for a caller with another recipient's rights, and with another quota where one is given."""
    gateway = site.gateway
    if persons_day is not None:
        rights = (dataclasses.replace(right, persons_day=persons_day) for right in gateway.access.rights)
        gateway = dataclasses.replace(gateway, access=Access(tuple(rights)))
    with gateway.engine.begin() as connection:
        key = add_caller(connection, f"{recipient}-{uuid.uuid4()}", recipient, utc_now())
    return Site(gateway, Client(api.application(gateway)), key)


def asked(site: Site, criteria: dict[str, Any], **changes: Any) -> TestResponse:
    right = {"purpose": "statistics", "rule": "p10.8"} | changes
    return site.post(SEARCH, {"context": context(**right), "arguments": criteria})


def kept(site: Site, municipality: str, count: int = 1) -> list[MunicipalService]:
    """Services of so many persons in a municipality of its own."""
    found = [
        MunicipalService(
            person_code=person_code(),
            municipality=municipality,
            case_number=f"LIETA-{number}-{municipality}",
            applied_on=date(2026, 5, 5),
            status=codes.SERVICE_STATUS["GRANTED"],
            decided_on=date(2026, 5, 9),
            service=codes.MUNICIPAL_SERVICE["HOME_CARE"],
            provider="Zane Slepenā",
            provider_kind=codes.SERVICE_PROVIDER["OWN_MUNICIPALITY"],
            started_on=date(2026, 6, 1),
        )
        for number in range(count)
    ]
    with site.gateway.engine.begin() as connection:
        for one in found:
            registers.feed(connection, one, Provenance(new_id(), "spolis", "v1-0", "test", utc_now()))
    return found


@pytest.mark.parametrize("recipient", ["labis", "researcher"])
def test_rows_leave_without_anything_that_names_a_person(site: Site, recipient: str) -> None:
    town = f"Novads {uuid.uuid4()}"
    (service,) = kept(site, town)
    response = asked(seen_by(site, recipient), {"municipality": town})
    assert response.status_code == 200, response.text
    assert response.json is not None
    (row,) = response.json["record"]["rows"]
    assert (row["municipality"], row["service"]["code"]) == (town, "HOME_CARE")
    assert set(response.json["withheld"]) == {"case_number", "provider", "refusal_reason"}
    with site.gateway.engine.begin() as connection:
        (own,) = registers.search(connection, "services", {"municipality": town})
    code = service.person_code
    for secret in (
        code, code.replace("-", ""), "LIETA", "Slepenā", str(own.id), str(own.person_id),
        str(own.provenance.exchange_id), "recorded_at", "provenance",
    ):  # fmt: skip
        assert secret not in response.text, secret


def test_a_person_has_one_pseudonym_for_each_recipient(site: Site) -> None:
    town = f"Novads {uuid.uuid4()}"
    (service,) = kept(site, town)
    second = dataclasses.replace(
        service, case_number=f"CITA-{town}", service=codes.MUNICIPAL_SERVICE["DAY_CENTRE"]
    )
    with site.gateway.engine.begin() as connection:
        registers.feed(connection, second, Provenance(new_id(), "spolis", "v1-0", "test", utc_now()))

    def persons(recipient: str) -> list[str]:
        answer = asked(seen_by(site, recipient), {"municipality": town}).json
        assert answer is not None
        return [row["person_id"] for row in answer["record"]["rows"]]

    first, again, other = persons("labis"), persons("labis"), persons("researcher")
    assert len(first) == 2
    assert len(set(first)) == 1
    assert first == again
    assert set(first).isdisjoint(other)


@pytest.mark.parametrize(
    "criteria", [{"person_code": "321987-60017"}, {"case_number": "LIETA-1"}], ids=["code", "case"]
)
def test_nobody_is_found_by_what_names_him(site: Site, criteria: dict[str, str]) -> None:
    response = asked(seen_by(site, "labis"), criteria)
    assert (response.status_code, (response.json or {})["code"]) == (403, "access_denied")


def test_a_register_is_not_copied(site: Site) -> None:
    assert asked(seen_by(site, "labis"), {}).status_code == 400


@pytest.mark.parametrize("path", ["/registers/services/{}", "/registers/list-services"])
def test_there_is_no_other_way(site: Site, path: str) -> None:
    labis = seen_by(site, "labis")
    if path.endswith("{}"):
        response = labis.get(path.format(uuid.uuid4()), X_Context=json.dumps(context(purpose="statistics")))
    else:
        right = context(purpose="statistics", rule="p10.8")
        response = labis.post(path, {"context": right, "arguments": {"person_code": "321987-60017"}})
    assert response.status_code == 403, response.text


def test_persons_who_are_seen_count_although_no_request_names_them(site: Site) -> None:
    town = f"Novads {uuid.uuid4()}"
    kept(site, town, count=3)
    with site.gateway.engine.begin() as connection:
        before = registers.search(connection, "services", {"municipality": town})
    assert len(before) == 3
    enough = seen_by(site, "ministry", persons_day=3)
    few = seen_by(site, "ministry", persons_day=2)
    right = {"purpose": "quality-control", "rule": "p10.8"}
    refused = asked(few, {"municipality": town}, **right)
    assert (refused.status_code, (refused.json or {})["code"]) == (429, "quota_exceeded")
    assert str(before[0].values["case_number"]) not in refused.text
    assert "again from" in (refused.json or {})["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    (_, _, outcome) = few.leaves(refused)
    assert (outcome["outcome"], outcome["code"]) == ("denied", "quota_exceeded")
    given = asked(enough, {"municipality": town}, **right)
    assert given.status_code == 200, given.text
    again = asked(enough, {"municipality": town}, **right)
    assert again.status_code == 200, "persons who were met today are no new ones"
