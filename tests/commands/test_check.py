"""`gateway check`: this house is in order, and each kind of disorder is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import adapters
import config
from adapters import Adapter
from commands.check import (
    Quality,
    access_findings,
    adapter_findings,
    case_findings,
    contract_findings,
    entitlement_findings,
    register_findings,
    service_findings,
    via_findings,
)
from mappings import services
from mappings.mapping import Mapping as Table
from mappings.services import Reading
from routing.access import Access, Right
from tests.commands.conftest import Home

FOUND = adapters.discover()
RIGHT = Right("spolis-core", ("pmlp.GetPerson",), ("social-service",), ("p8",), ("pmlp",), 1, 1)


def findings_of(adapter: Adapter, found: Mapping[str, Adapter] = FOUND) -> list[str]:
    return [what for _, what in adapter_findings(adapter, {**found, adapter.name: adapter})]


def test_the_house_is_in_order(home: Home) -> None:
    answers = home.json("check")
    assert [answer["adapter"] for answer in answers] == sorted(FOUND)
    for answer in answers:
        assert answer["findings"] == []
        assert "contract" in answer["done"]
        assert set(answer) == {"adapter", "done", "todo", "exempt", "findings"}
        assert all(answer["exempt"].values())
    assert "nothing wrong" in home.run("check").output


def test_the_contracts_services_and_registers_are_in_order() -> None:
    assert [*contract_findings(FOUND), *service_findings(), *register_findings()] == []


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


def test_every_rule_of_the_scale_is_answered() -> None:
    quality = dict(FOUND["pmlp"].quality)
    assert quality.pop("contract") == "done"
    assert findings_of(replace(FOUND["pmlp"], quality=quality)) == [
        "quality rule contract is answered neither done, todo nor exempt: reason"
    ]


@pytest.mark.parametrize("answer", ["", "yes", "Done", "exempt", "exempt:", "exempt: "])
def test_an_answer_is_done_todo_or_exempt_with_a_reason(answer: str) -> None:
    adapter = replace(FOUND["pmlp"], quality={**FOUND["pmlp"].quality, "lineage": answer})
    assert any("lineage" in finding for finding in findings_of(adapter))


def test_an_exemption_keeps_its_reason() -> None:
    adapter = replace(FOUND["pmlp"], quality={"a": "done", "b": "todo", "c": "exempt: no feed: none"})
    assert Quality.of(adapter) == Quality(["a"], ["b"], {"c": "no feed: none"})


def test_an_operation_that_is_not_mapped_is_found() -> None:
    kept, *_ = FOUND["sais"].operations
    lost = replace(FOUND["sais"], operations=())
    assert "operation GetPayments is in the contract only" in findings_of(lost)
    invented = replace(FOUND["sais"], operations=(kept, replace(kept, name="GetRiches")))
    assert "operation GetRiches is in the adapter only" in findings_of(invented)


def test_a_contract_that_is_not_there_is_found() -> None:
    assert "no contract" in findings_of(replace(FOUND["sais"], version="v9-9"))[-1]


def test_a_field_whose_rule_is_not_in_the_regulation_is_found() -> None:
    operation, *rest = FOUND["sais"].operations
    assert findings_of(FOUND["sais"]) == []
    first, *others = operation.answer.fields
    fields = [replace(first, rule="p99.1"), *others]
    answer = Table(operation.answer.record_type, operation.answer.namespace, operation.answer.element, fields)
    found = findings_of(replace(FOUND["sais"], operations=(replace(operation, answer=answer), *rest)))
    assert any("'p99.1', which is no rule" in finding for finding in found)


def test_an_element_that_the_contract_does_not_know_is_found() -> None:
    operation, *rest = FOUND["sais"].operations
    first, *others = operation.answer.fields
    answer = Table(operation.answer.record_type, operation.answer.namespace, operation.answer.element, others)
    found = findings_of(replace(FOUND["sais"], operations=(replace(operation, answer=answer), *rest)))
    assert found
    assert first.name not in {field.name for field in others}


def case(folder: Path, operation: str, *files: str) -> None:
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(
        json.dumps({"operation": operation, "arguments": {}}), encoding="utf-8"
    )
    for name in files:
        (folder / name).write_text("{}", encoding="utf-8")


def test_missing_golden_cases_are_found(tmp_path: Path) -> None:
    operation, *_ = FOUND["sais"].operations
    sais = replace(FOUND["sais"], operations=(operation,))
    assert list(case_findings(sais, tmp_path / "not-installed")) == []
    assert [what for _, what in case_findings(sais, tmp_path)] == [
        "GetPayments has no golden case of success",
        "GetPayments has no golden case of a fault",
    ]
    case(tmp_path / "sais" / "good", "GetPayments", "record.json")
    assert [what for _, what in case_findings(sais, tmp_path)] == [
        "GetPayments has no golden case of a fault"
    ]
    case(tmp_path / "sais" / "fault", "GetPayments", "error.json")
    assert list(case_findings(sais, tmp_path)) == []
    case(tmp_path / "sais" / "odd", "GetRiches", "record.json")
    (tmp_path / "sais" / "broken").mkdir()
    (tmp_path / "sais" / "broken" / "request.json").write_text("[]", encoding="utf-8")
    found = [what for _, what in case_findings(sais, tmp_path)]
    assert found == [
        "golden case broken: request.json names no operation",
        "golden case odd: unknown operation GetRiches",
    ]


def test_what_is_said_of_the_law_is_held_against_the_rights() -> None:
    shipped = Access.load(config.DEFAULTS / "access.d")
    assert list(entitlement_findings(shipped)) == []
    without = Access(tuple(right for right in shipped.rights if right.recipient != "vid"))
    (lost,) = [what for _, what in entitlement_findings(without)]
    assert lost == "entitlements.tsv: vid has not a right by p18.8, which is done"
    new = replace(RIGHT, recipient="csdd", basis="p17.9")
    (more,) = [what for _, what in entitlement_findings(Access((*shipped.rights, new)))]
    assert more == "entitlements.tsv: csdd has a right by p17.9, which is not yet"
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
