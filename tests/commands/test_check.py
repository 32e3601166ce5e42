"""`gateway check`: this house is in order, and each kind of disorder is found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import adapters
import config
from commands.check import (
    access_findings,
    entitlement_findings,
    register_findings,
    service_findings,
    via_findings,
)
from mappings import services
from mappings.entitlements import State, entitlements
from mappings.services import Reading
from routing.access import Access, Right
from tests.commands.conftest import Home

FOUND = adapters.discover()
RIGHT = Right("spolis-core", ("pmlp.GetPerson",), ("social-service",), ("p8",), ("pmlp",), 1, 1)


def test_the_house_is_in_order(home: Home) -> None:
    answers = home.json("check")
    assert [answer["adapter"] for answer in answers] == sorted(FOUND)
    for answer in answers:
        assert answer["findings"] == []
        assert "contract" in answer["done"]
        assert set(answer) == {"adapter", "done", "todo", "exempt", "findings"}
        assert all(answer["exempt"].values())


def test_the_services_and_registers_are_in_order() -> None:
    assert [*service_findings(), *register_findings()] == []


def test_what_a_service_reads_is_kept_where_it_says() -> None:
    reading = next(
        operation.via
        for service in services.discover().values()
        for operation in service.operations
        if isinstance(operation.via, Reading)
    )
    assert list(via_findings(reading)) == []
    elsewhere = list(via_findings(replace(reading, register="addresses")))
    assert len(elsewhere) == len(reading.table.fields)
    assert elsewhere[0].endswith("is not kept in the register addresses")
    (unknown,) = via_findings(replace(reading, register="shoes"))
    assert unknown == "reads the unknown register shoes"


def test_what_is_said_of_the_law_is_held_against_the_rights() -> None:
    shipped = Access.load(config.DEFAULTS / "access.d")
    assert list(entitlement_findings(shipped)) == []
    without = Access(tuple(right for right in shipped.rights if right.recipient != "vid"))
    (lost,) = [what for _, what in entitlement_findings(without)]
    assert lost == "entitlements.tsv: vid has not a right by p18.8, which is done"
    new = replace(RIGHT, recipient="csdd", basis="p17.9")
    (more,) = [what for _, what in entitlement_findings(Access((*shipped.rights, new)))]
    assert more == "entitlements.tsv: nothing is said of csdd by p17.9"
    for line in entitlements():
        if line.state is State.NOT_YET:
            new = replace(RIGHT, recipient=line.recipient, basis=line.point)
            (more,) = [what for _, what in entitlement_findings(Access((*shipped.rights, new)))]
            assert more.endswith(f"{line.recipient} has a right by {line.point}, which is not yet")
    nowhere = Access((*shipped.rights, replace(RIGHT, basis="")))
    (unfounded,) = [what for _, what in entitlement_findings(nowhere)]
    assert "names no basis" in unfounded


@pytest.mark.parametrize(
    ("right", "finding"),
    [
        (RIGHT, ""),
        (replace(RIGHT, operations=("persons.GetPerson", "registers.WriteCareStays")), ""),
        (replace(RIGHT, operations=("registers.ReadPersons", "registers.SearchCareStays")), ""),
        (replace(RIGHT, operations=("pmlp.GetPersn",)), "unknown operation pmlp.GetPersn"),
        (replace(RIGHT, rules=("p8", "p8.99")), "unknown rule p8.99"),
        (replace(RIGHT, sources=("pmpl",)), "unknown source pmpl"),
    ],
)
def test_a_right_to_what_is_not_there_is_found(right: Right, finding: str) -> None:
    found = [what for _, what in access_findings(Access((right,)), FOUND)]
    assert found == ([f"access.d: spolis-core is granted the {finding}"] if finding else [])


def test_what_says_something_of_a_person_is_not_granted_to_everyone(home: Home) -> None:
    (home.folder / "access.d").mkdir()
    (home.folder / "access.d" / "x.toml").write_text(
        '[[grant]]\nrecipient = "*"\noperations = ["ping.Ping", "persons.GetPerson"]\npurposes = ["y"]\n'
        'rules = ["p8"]\nsources = ["pmlp"]\nrequests_day = 1\npersons_day = 1\n',
        encoding="utf-8",
    )
    result = home.run("check")
    assert result.exit_code == 78
    assert "x.toml: grant 1: persons.GetPerson may not be granted to everyone" in result.stderr


def test_a_finding_ends_with_exit_code_1(home: Home) -> None:
    (home.folder / "access.d").mkdir()
    (home.folder / "access.d" / "x.toml").write_text(
        '[[grant]]\nrecipient = "x"\noperations = ["pmlp.Nothing"]\npurposes = ["y"]\nrules = ["p8"]\n'
        'sources = ["pmlp"]\nrequests_day = 1\npersons_day = 1\n',
        encoding="utf-8",
    )
    result = home.run("check", "--json")
    assert result.exit_code == 1
    assert "unknown operation pmlp.Nothing" in result.stderr
    assert [answer["adapter"] for answer in json.loads(result.stdout)] == sorted(FOUND)
