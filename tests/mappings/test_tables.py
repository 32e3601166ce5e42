"""What holds for every mapping table, whichever system it belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import registers
from mappings import regulation
from mappings.mapping import Mapping, plain
from security.xml import parse, serialise
from storage import metadata
from tests.mappings.tables import message_tables, records, tables
from wsdl import contracts

MESSAGES = message_tables()
quick = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", MESSAGES)
@quick
@given(data=st.data())
def test_what_is_written_is_read_again_and_fits_the_contract(name: str, data: st.DataObject) -> None:
    table, contract = MESSAGES[name]
    record = data.draw(records(table, contract))
    written = table.write(record)
    arrived = parse(serialise(written))
    contract.validate(arrived)
    assert table.read(arrived) == record
    assert etree.tostring(table.write(table.read(arrived))) == etree.tostring(written)


@pytest.mark.parametrize("name", MESSAGES)
@quick
@given(data=st.data())
def test_json_with_every_right_withholds_nothing_and_is_json(name: str, data: st.DataObject) -> None:
    table, contract = MESSAGES[name]
    record = data.draw(records(table, contract))
    everything = table.json(record)
    assert table.json(record, lambda _rule: True) == everything
    assert plain(everything) == everything
    assert table.withheld(lambda _rule: True) == ()


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.endswith("_REQUEST")])
@quick
@given(data=st.data())
def test_a_request_comes_back_from_its_own_arguments(name: str, data: st.DataObject) -> None:
    table, contract = MESSAGES[name]
    record = data.draw(records(table, contract))
    if "since" not in dir(record) and "from_month" not in dir(record):
        arguments = table.arguments(record)
        assert "context" not in arguments
        assert table.from_json(arguments, record.context) == record
        assert table.from_json(plain(arguments), record.context) == record


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.endswith("_ANSWER")])
@quick
@given(data=st.data())
def test_without_rights_nothing_about_a_person_leaves(name: str, data: st.DataObject) -> None:
    table, contract = MESSAGES[name]
    record = data.draw(records(table, contract))
    always = {line.field for line in table.lineage("x")} - set(table.withheld(lambda _rule: False))
    outermost = {name.partition(".")[0].removesuffix("[]") for name in always}
    assert set(table.json(record, lambda _rule: False)) == outermost
    written = table.write(record, lambda _rule: False)
    carried = {element.text for element in written.iter() if not len(element) and element.text}
    allowed = {
        element.text
        for line in table.lineage("x")
        if line.field in always
        for element in table.write(record).iter(
            "{*}" + line.element.rpartition("/")[2], "{*}Kods", "{*}Nosaukums"
        )
    }
    assert carried <= allowed


@pytest.mark.parametrize("name", MESSAGES)
def test_a_table_and_its_contract_agree(name: str) -> None:
    table, contract = MESSAGES[name]
    assert table.problems(contract) == []


def test_every_operation_of_the_newest_contracts_has_its_two_tables() -> None:
    mapped = {(contract.namespace, table.element) for table, contract in MESSAGES.values()}
    newest = {contract.system: contract for contract in sorted(contracts(), key=lambda one: one.version)}
    assert newest["sais"].version == "v1-1"
    for contract in newest.values():
        for operation in contract.operations:
            assert {(contract.namespace, operation), (contract.namespace, f"{operation}Response")} <= mapped


@pytest.mark.parametrize("name", tables())
def test_every_field_has_a_rule_of_the_regulation(name: str) -> None:
    for line in tables()[name].lineage("x"):
        assert line.rule in regulation.rules(), line.field


@pytest.mark.parametrize("name", tables())
def test_every_register_column_exists_and_allows_the_same_rule(name: str) -> None:
    assert registers.REGISTERS  # importing the registers declares their tables
    known = {table.name: table for table in metadata.tables.values()}
    for line in tables()[name].lineage("x"):
        if line.column:
            table, column = line.column.split(".")
            assert column in known[table].columns, line
            assert known[table].columns[column].info["rule"], line


@pytest.mark.parametrize("name", tables())
def test_a_version_names_the_declaration(name: str) -> None:
    table = tables()[name]
    again: Mapping[Any] = Mapping(table.record_type, table.namespace, table.element, table.fields)
    other: Mapping[Any] = Mapping(table.record_type, table.namespace, f"{table.element}X", table.fields)
    assert again.version == table.version != other.version


@pytest.mark.parametrize("name", MESSAGES)
@quick
@given(data=st.data())
def test_an_element_that_is_not_mapped_is_refused_wherever_it_stands(name: str, data: st.DataObject) -> None:
    table, contract = MESSAGES[name]
    written = table.write(data.draw(records(table, contract)))
    holders = [element for element in written.iter() if len(element) or element is written]
    holder = data.draw(st.sampled_from(holders))
    holder.insert(data.draw(st.integers(0, len(holder))), etree.Element(f"{{{contract.namespace}}}Horoskops"))
    with pytest.raises(Exception, match=r"/Horoskops\)$"):
        table.read(written)
