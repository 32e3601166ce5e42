"""What holds for every record that a service of ours takes, whichever service it belongs to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import registers
from mappings import regulation, services
from mappings.clients import client_subject
from mappings.mapping import plain
from mappings.services import Service, ServiceOperation, Submission
from security.xml import parse, serialise
from tests.mappings.tables import records
from wsdl import contract

SUBMISSIONS = {
    f"{service.name}.{operation.name}": (service, operation)
    for service in services.discover().values()
    for operation in service.operations
    if isinstance(operation.via, Submission)
}
quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def submission(operation: ServiceOperation) -> Submission:
    assert isinstance(operation.via, Submission)
    return operation.via


def requests(service: Service, operation: ServiceOperation) -> st.SearchStrategy[Any]:
    """Requests that the contract takes, with a record that holds by itself."""
    return records(operation.request, contract(f"spolis/{service.name}", service.version))


@pytest.mark.parametrize("name", SUBMISSIONS)
@quick
@given(data=st.data())
def test_a_record_comes_back_from_its_message_and_from_its_arguments(name: str, data: st.DataObject) -> None:
    service, operation = SUBMISSIONS[name]
    via = submission(operation)
    request = data.draw(requests(service, operation))
    record = getattr(request, via.argument)
    assert via.table.read(parse(serialise(via.table.write(record)))) == record
    arguments = operation.request.arguments(request)[via.argument]
    assert isinstance(arguments, dict)
    assert via.table.from_json(arguments) == record
    assert via.table.from_json(plain(arguments)) == record


@pytest.mark.parametrize("name", SUBMISSIONS)
@quick
@given(data=st.data())
def test_the_first_person_that_a_record_names_is_the_one_it_is_about(name: str, data: st.DataObject) -> None:
    service, operation = SUBMISSIONS[name]
    via = submission(operation)
    record = getattr(data.draw(requests(service, operation)), via.argument)
    about = via.subject(record)
    of_record = {line.field for line in via.table.lineage("") if line.column == "spolis_person_code.code"}
    assert len(of_record) <= 1
    for field in of_record:
        value: Any = record
        for part in field.split("."):
            value = getattr(value, part.removesuffix("[]"))
            value = value[0] if part.endswith("[]") else value
        client = getattr(record, via.client) if via.client else None
        assert about == (value if client is None else client_subject(record.supplier, client))


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_record_is_kept_by_rule_and_only_its_numbers_need_no_right(name: str) -> None:
    _, operation = SUBMISSIONS[name]
    via = submission(operation)
    assert via.table.record_type in registers.FEEDS
    lines = {line.field: line for line in via.table.lineage(via.source)}
    assert all(line.rule in regulation.rules() for line in lines.values())
    free = lines.keys() - set(via.table.withheld(lambda _rule: False))
    assert {lines[field].rule for field in free} <= {"p20"}
    if via.supplier:
        record = via.table.record_type
        assert isinstance(record, type)
        assert dataclasses.is_dataclass(record)
        assert via.supplier in {one.name for one in dataclasses.fields(record)}
        assert via.supplier not in lines, "no message says who hands it in"
