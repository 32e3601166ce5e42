"""Every register column that a mapping table names is there, under the same rule."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import mappings
import registers
from exchange import Lineage
from mappings.care_stays import CARE_STAY
from mappings.mapping import Mapping
from registers.history import business_columns


def lineage() -> list[Lineage]:
    """The lineage of every mapping table that there is."""
    modules = [import_module(f"mappings.{info.name}") for info in pkgutil.iter_modules(mappings.__path__)]
    tables = [table for module in modules for table in vars(module).values() if isinstance(table, Mapping)]
    return [line for table in tables for line in table.lineage("any") if line.column]


def test_mapping_tables_and_registers_agree() -> None:
    every = [
        r for each in registers.REGISTERS.values() for r in (each, *(p.register for p in each.parts.values()))
    ]
    rules = {f"{r.table.name}.{column}": rule for r in every for column, rule in r.fields.items()}
    # A code says in every system which person is meant, under that system's own rule.
    named = {(line.column, line.rule) for line in lineage() if line.column != "spolis_person_code.code"}
    # Records in a record may have rules of their own; their column has the one above them all.
    assert {(c, rule) for c, rule in named if rule != rules.get(c)} == {
        (f"providers_{column}", rule)
        for column, point, parts in (
            ("inspection.requirements", "p14.2", (1, 2, 3)),
            ("inspection.recommendations", "p14.3", (1, 2, 3, 4)),
            ("palliative.bereavement", "p13^1.8", (1, 2)),
        )
        for part in parts
        if (rule := f"{point}.{part}") and rules[f"providers_{column}"] == point
    }
    kept = {column for column, _ in named}
    # Who hands a record in is known by the signature; which stay a number names, by the stay.
    signed = {column for column in rules if column.endswith(".supplier")}
    assert {rules[column] for column in signed} == {"p17"}
    # What is made by comparing two suppliers, or by the calendar, comes in no message.
    made_here = {column for column in rules if column.startswith(("childcare_conflict.", "childcare_alert."))}
    assert rules.keys() - kept - signed - made_here == {
        "spolis_person_code.code",
        "spolis_person_code.valid_from",
        "spolis_person_code.valid_to",
        "vsac_stay.institution",
        "vsac_stay.entered_on",
        # Which service or stay an object is, says the case of that; whose declaration a person is in, the declaration.
        "municipal_service_record.municipality",
        "municipal_service_record.case_number",
        "municipal_placement_record.municipality",
        "municipal_placement_record.case_number",
        "municipal_declared_person.object_no",
    }


def test_a_care_stay_has_a_column_for_each_field() -> None:
    named = {line.column for line in CARE_STAY.lineage("spolis")}
    table = registers.REGISTERS["care-stays"].table
    assert {f"{table.name}.{column}" for column in business_columns(table)} <= named
