"""Rules on what is kept: the column of every field, and tables in a schema of the system's own."""

from __future__ import annotations

from collections.abc import Iterator

import registers
from adapters import Adapter
from commands.quality.house import House
from exchange import Lineage
from storage import metadata

# Persons are one over all systems: the column of their codes is nobody's own.
_PERSONS = "spolis_person_code"


def lineage(adapter: Adapter, _house: House) -> Iterator[str]:
    """Fields of answers that no register keeps; what only repeats the question need not be kept."""
    for operation in adapter.operations:
        judged = set(operation.answer.withheld(lambda _rule: False))
        for line in operation.answer.lineage(adapter.name):
            if not line.column and line.field in judged and _fed(operation.answer.record_type):
                yield f"{operation.name}: {line.field} is kept in no register"


def columns(adapter: Adapter) -> Iterator[str]:
    """Fields of answers that name a column that is not there, or one that allows another rule."""
    known = {table.name: table for table in metadata.tables.values()}
    for operation in adapter.operations:
        for line in operation.answer.lineage(adapter.name):
            table, _, column = line.column.partition(".")
            if line.column and (table not in known or column not in known[table].columns):
                yield f"{operation.name}: {line.field} is kept in {line.column}, which there is not"
            elif table not in ("", _PERSONS) and known[table].columns[column].info.get("rule") != line.rule:
                yield f"{operation.name}: {line.field} is kept in {line.column} under another rule than {line.rule}"


def _fed(record_type: object) -> bool:
    """Whether a register takes the record; what is told of a message of ours is kept with that message."""
    return record_type in registers.FEEDS


def own_schema(adapter: Adapter, house: House) -> Iterator[str]:
    """Tables of answers that are elsewhere, or no table or migration at all."""
    known = {table.name: table for table in metadata.tables.values()}
    names = {name for line in _lines(adapter) if (name := line.column.partition(".")[0]) and name != _PERSONS}
    if not names:
        yield "its answers are kept in no table; answer exempt: reason"
        return
    for name in sorted(names & known.keys()):
        if known[name].schema != adapter.name or not name.startswith(f"{adapter.name}_"):
            yield f"{name} is not in the schema {adapter.name}"
    if not any((house.root / "registers" / "migrations" / adapter.name).glob(f"{adapter.name}_*.py")):
        yield f"registers/migrations/{adapter.name} holds no migration"


def _lines(adapter: Adapter) -> Iterator[Lineage]:
    for operation in adapter.operations:
        yield from operation.answer.lineage(adapter.name)
