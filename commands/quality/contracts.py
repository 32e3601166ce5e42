"""Rules on the contract: pinned, mapped to the last element, and lawful field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import wsdl
from adapters import Adapter
from commands.quality.house import House
from commands.quality.keeping import columns
from errors import ConfigurationError
from mappings.fields import Field
from mappings.kinds import Coded
from mappings.mapping import Mapping as Table
from mappings.regulation import rules


def pinned(adapter: Adapter, house: House) -> Iterator[str]:
    """Files that are not as published, or no contract of the adapter's version."""
    for line in wsdl.changed_files(house.root / "wsdl"):
        if line.partition("/")[0] == adapter.name:
            yield f"wsdl/{line}"
    try:
        wsdl.contract(adapter.name, adapter.version)
    except ConfigurationError as error:
        yield error.detail


def mapped(adapter: Adapter, _house: House) -> Iterator[str]:
    """Operations of the contract or the adapter only, and what a table and the schema disagree on."""
    try:
        contract = wsdl.contract(adapter.name, adapter.version)
    except ConfigurationError:
        return  # that there is none, `pinned` says
    for name in sorted(set(contract.operations) ^ {operation.name for operation in adapter.operations}):
        where = "the contract only" if name in contract.operations else "the adapter only"
        yield f"operation {name} is in {where}"
    for operation in adapter.operations:
        for part in (operation.request, operation.answer):
            for problem in part.problems(contract):
                yield f"{operation.name}: {problem}"
            for name in _empty_lists(part):
                yield f"{operation.name}: the code list {name} has no codes"


def _empty_lists(table: Table[Any]) -> set[str]:
    """The code lists without codes among those of a table and of what is nested in it."""
    found: set[str] = set()
    for field in table.fields:
        if isinstance(field, Field) and isinstance(field.kind, Table):
            found |= _empty_lists(field.kind)
        elif isinstance(field, Field) and isinstance(field.kind, Coded) and not len(field.kind.codes):
            found.add(field.kind.codes.name)
    return found


def lawful(adapter: Adapter, _house: House) -> Iterator[str]:
    """Fields of requests and answers that name no rule of the regulation, and columns that are under another."""
    for operation in adapter.operations:
        for part in (operation.request, operation.answer):
            for line in part.lineage(adapter.name):
                if line.rule not in rules():
                    yield f"{operation.name}: {line.field} names {line.rule!r}, which is no rule"
    yield from columns(adapter)
