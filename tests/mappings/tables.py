"""Every mapping table there is, found by looking, and a hypothesis strategy for the records of any of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from lxml import etree

import mappings
import wsdl
from mappings import kinds, services
from mappings.codes import SERVICE_PROVIDER
from mappings.coverage import Part, declared
from mappings.fields import Field, Flag
from mappings.mapping import Mapping
from mappings.municipal_support import APPLICATION_KIND

PROVIDERS = "urn:spolis:gateway:providers:v1-0"
XS = "{http://www.w3.org/2001/XMLSchema}"


@cache
def tables() -> dict[str, Mapping[Any]]:
    """Every table of every module by `module.NAME`, those of messages and those nested in them."""
    found: dict[str, Mapping[Any]] = {}
    for module in pkgutil.walk_packages(mappings.__path__, "mappings."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Mapping) and value not in found.values():
                found[f"{module.name.removeprefix('mappings.')}.{name}"] = value
    for service in services.discover().values():
        for operation in service.operations:
            for name, table in (("REQUEST", operation.request), ("ANSWER", operation.answer)):
                if table not in found.values():
                    found[f"services.{service.name}.{operation.name}_{name}"] = table
    return found


def contract_of(table: Mapping[Any]) -> wsdl.Contract | None:
    """The contract in whose namespace a table is."""
    return next((found for found in wsdl.contracts() if found.namespace == table.namespace), None)


def message_tables() -> dict[str, tuple[Mapping[Any], wsdl.Contract]]:
    """The tables of whole messages, with their contracts."""
    found = {}
    for name, table in tables().items():
        contract = contract_of(table)
        if contract is not None and declared(contract.xsd, table.element) is not None:
            found[name] = (table, contract)
    return found


def records(table: Mapping[Any], contract: wsdl.Contract) -> st.SearchStrategy[Any]:
    """Records whose messages the contract takes: facets come from the schema, the rest from the table."""
    return _messages(table, contract.xsd)


@cache
def _messages(table: Mapping[Any], xsd: Path) -> st.SearchStrategy[Any]:
    # Made once: every example asks for it, and making it costs more than drawing from it.
    published = declared(xsd, table.element)
    assert published is not None
    return _records(table, published, xsd).filter(lambda record: _whole(table, record))


def _whole(table: Mapping[Any], record: Any) -> bool:
    """Whether what looks at the whole record finds nothing wrong with it."""
    return table.check is None or not table.check(record)


def _records(table: Mapping[Any], published: Part, xsd: Path) -> st.SearchStrategy[Any]:
    elements = [field for field in table.fields if isinstance(field, Field)]
    values = {field.name: _field(field, _below(published, field.path), xsd) for field in elements}

    def made(drawn: dict[str, Any]) -> Any:
        for flag in (field for field in table.fields if isinstance(field, Flag)):
            coded = next(field.kind for field in elements if field.name == flag.of)
            assert isinstance(coded, kinds.Coded)
            drawn[flag.name] = coded.codes.flags[flag.flag][drawn[flag.of].code]
        return table.record_type(**drawn)

    several = st.fixed_dictionaries(values)
    if table.namespace == PROVIDERS:
        return several.map(_one_of_a_choice).map(_likely).map(made)
    return several.map(_one_of_a_choice if table.check is None else _what_belongs_together).map(made)


def _one_of_a_choice(drawn: dict[str, Any]) -> dict[str, Any]:
    """The schema's only choice: decisions are asked by the child or by a day."""
    if {"person_code", "since"} <= drawn.keys():
        if drawn["person_code"] is None and drawn["since"] is None:
            drawn["person_code"] = "320000-00000"
        elif drawn["person_code"] is not None:
            drawn["since"] = None
    return drawn


_IN_ORDER = (
    ("granted_on", "started_on"),
    ("started_on", "ended_on"),
    ("starts_on", "ends_on"),
    ("valid_from", "valid_to"),
    ("period_from", "period_to"),
)


def _what_belongs_together(drawn: dict[str, Any]) -> dict[str, Any]:
    """What would seldom be drawn right by chance, and would be thrown away each time it is not."""
    if "application_kind" in drawn:
        drawn["application_kind"] = APPLICATION_KIND["BENEFIT" if "means_tested" in drawn else "SERVICE"]
    if {"status", "applied_on", "decided_on", "refusal_reason"} <= drawn.keys():
        status, applied = drawn["status"].code, drawn["applied_on"]
        decided = status in ("GRANTED", "REFUSED")
        drawn["decided_on"] = max(drawn["decided_on"] or applied, applied) if decided else None
        drawn["refusal_reason"] = (drawn["refusal_reason"] or "-") if status == "REFUSED" else None
        if "provider_kind" in drawn and status == "GRANTED":
            drawn["provider"] = drawn["provider"] or "-"
            drawn["provider_kind"] = drawn["provider_kind"] or SERVICE_PROVIDER["NGO"]
        elif "provider_kind" in drawn:
            drawn["started_on"] = drawn["ended_on"] = None
    if "queued_urgently" in drawn:
        drawn["queued_urgently"] = min(drawn["queued"], drawn["queued_urgently"])
    for first, last in _IN_ORDER:
        if first in drawn and drawn.get(last) is not None:
            drawn[last] = None if drawn[first] is None else max(drawn[first], drawn[last])
    if "planned_services" in drawn:
        planned = drawn["planned_on"] if drawn["planned_services"] else None
        drawn["planned_services"] = drawn["planned_services"] if planned else ()
        drawn["planned_on"] = planned and max(planned, drawn["assessed_on"])
        until = drawn["planned_until"]
        drawn["planned_until"] = planned and until and max(until, drawn["planned_on"])
    return _one_of_a_choice(drawn)


# What records of the ministry and of providers demand of themselves. Drawn at random hardly one in a hundred holds.
_ONE_OF = (
    ("person_code", "client_code"),
    ("violence", "palliative", "oncology", "group_home"),
    ("municipal", "long_term", "children"),
)
_TOGETHER = (("ended_on", "end_reason"), ("began_on", "came_from"))
_BEGINS_FIRST = (
    ("granted_on", "began_on"),
    ("began_on", "ended_on"),
    ("period_from", "period_to"),
    ("valid_from", "valid_to"),
    ("registered_on", "excluded_on"),
)


def _likely(drawn: dict[str, Any]) -> dict[str, Any]:
    """The same values, fewer of which contradict each other; what still does is left out as ever."""
    for names in _ONE_OF:
        given = [name for name in names if drawn.get(name) is not None]
        if set(names) <= drawn.keys():
            drawn |= dict.fromkeys(given[1:])
    for one, other in _TOGETHER:
        if {one, other} <= drawn.keys() and (drawn[one] is None or drawn[other] is None):
            drawn[one] = drawn[other] = None
    for first, last in _BEGINS_FIRST:
        begin, end = drawn.get(first), drawn.get(last)
        if begin is not None and end is not None and end < begin:
            drawn[first], drawn[last] = end, begin
    services = drawn.get("services") or ()
    days = [drawn.get("registered_on"), *(one.registered_on for one in services)]
    if services and None not in days:
        drawn["registered_on"] = min(days)
    return drawn


def _field(field: Field, published: Part, xsd: Path) -> st.SearchStrategy[Any]:
    one = _value(field, published, xsd)
    if field.many:
        return st.lists(one, min_size=field.minimum, max_size=3).map(tuple)
    return st.one_of(st.just(field.absent), one) if field.optional else one


def _value(field: Field, published: Part, xsd: Path) -> st.SearchStrategy[Any]:
    kind = field.kind
    if isinstance(kind, Mapping):
        return _records(kind, published, xsd)
    if isinstance(kind, kinds.Coded):
        return st.sampled_from([kind.value(code.code) for code in kind.codes])
    facets = _facets(xsd, published.type)
    match kind:
        case kinds.Boolean():
            return st.booleans()
        case kinds.Day():
            return st.dates()
        case kinds.Month():
            return st.dates().map(lambda day: day.replace(day=1))
        case kinds.Number(places=places):
            low, high = facets.get("minInclusive"), facets.get("maxInclusive", "1000000")
            return st.decimals(low, high, places=places).map(lambda value: value + 0)
        case kinds.Integer():
            return st.integers(int(facets["minInclusive"]), int(facets["maxInclusive"]))
        case kinds.Identifier():
            return st.uuids()
        case kinds.Choice(words=words):
            return st.sampled_from(list(words))
        case kinds.PersonCode():
            return st.from_regex(r"3[2-9][0-9]{4}-[0-9]{5}", fullmatch=True)
    if "pattern" in facets:
        return st.from_regex(facets["pattern"], fullmatch=True, alphabet=st.characters(codec="ascii"))
    legal = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    longest = min(int(facets.get("maxLength", "30")), 30)
    return st.text(legal, min_size=int(facets.get("minLength", "1")), max_size=longest)


def _below(published: Part, path: tuple[str, ...]) -> Part:
    for name in path:
        published = next(part for part in published.parts if part.name == name)
    return published


@cache
def _facets(xsd: Path, type_name: str) -> dict[str, str]:
    root = etree.parse(str(xsd)).getroot()
    found = root.find(f"{XS}simpleType[@name='{type_name}']/{XS}restriction")
    children: Iterator[Any] = iter(found) if found is not None else iter(())
    return {etree.QName(child).localname: child.get("value") for child in children}
