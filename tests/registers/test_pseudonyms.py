"""Nothing that identifies a person leaves for who may not know one, whatever is stored and whatever is granted."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Date, Integer

import registers
from errors import ConfigurationError
from exchange import Json
from mappings import identifying, regulation
from registers import Pseudonyms, Register, Row
from registers.history import Exact, Texts, Value
from tests.registers.invented import NOON, provenance

SECRET = b"0" * 32
LABIS = Pseudonyms.of(SECRET, "labis")

# By hand, not from the file that is judged: the only texts that may leave as they are, and dates that name a person.
TEXTS = {"municipality", "institution", "institution_address", "region", "court"}
# Of providers, which are in a public register, and of records in a record that are days, codes, counts and amounts.
COLUMNS = {
    "providers_provider": {
        "registration_number",
        "company_number",
        "name",
        "legal_address",
        "decision_number",
        "services",
    },
    "providers_inspection": {"provider", "registration_number", "place_address", "requirement_groups"},
    "providers_places": {"name", "address", "client_group"},
    "providers_service_report": {
        "violence_municipalities",
        "palliative_results",
        "oncology_results",
        "group_home_results",
    },
    "providers_statistics": {
        f"{form}_{column}"
        for form in ("municipal", "long_term", "children")
        for column in ("municipality", "figures")
    },
    "providers_violence": {"granted", "provided", "costs"},
    "providers_palliative": {"decisions"},
    "providers_oncology": {"requests", "courses"},
    "providers_group_home": {"provider", "registration_number", "changes", "prices", "cofinancing"},
    "municipal_victim_service": {"granted", "given", "costs"},
    "municipal_victim_report": {"results"},
    "municipal_assistant_report": {"results"},
}
DATES = {
    ("pmlp_particulars", "birth_date"),
    ("pmlp_particulars", "death_date"),
    ("pmlp_document", "issued_on"),
}

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=12, max_size=20)


def value_of(column: Column[Any]) -> st.SearchStrategy[Value]:
    codes = column.info.get("codes")
    # A text says which column it is of, so that equal values of two columns are told apart.
    words = WORDS.map(lambda word: f"{column} {word}")
    if codes is not None:
        found: st.SearchStrategy[Value] = st.sampled_from([one.code for one in codes])
    elif isinstance(column.type, Boolean):
        found = st.booleans()
    elif isinstance(column.type, Date):
        found = st.dates(date(1900, 1, 1), date(2100, 1, 1))
    elif isinstance(column.type, Integer):
        found = st.integers(0, 100)
    elif isinstance(column.type, Exact):
        found = st.decimals(0, 1000, places=2).map(Decimal)
    elif isinstance(column.type, Texts):
        found = st.lists(words, min_size=1, max_size=2).map(tuple)
    elif isinstance(column.type, JSON):
        found = words.map(lambda word: [{"name": word}])
    else:
        found = words
    return found


@st.composite
def rows(draw: st.DrawFn, register: Register, person: uuid.UUID | None = None) -> Row:
    """A row with a value in every column, and with rows of every part."""
    values = {name: draw(value_of(register.table.c[name])) for name in register.fields}
    of_persons = bool(register.parts) or "person_id" in register.table.columns
    owner = person or (draw(st.uuids()) if of_persons else None)
    parts: dict[str, Any] = {}
    for name, part in register.parts.items():
        held = draw(rows(part.register, owner))
        parts[name] = held if part.single else (held,)
    begin, end = register.valid or (None, None)
    return Row(
        register=register,
        id=owner if register.parts and owner else draw(st.uuids()),
        person_id=owner,
        values=values,
        valid_from=values.get(begin) if begin else None,  # type: ignore[arg-type] # a column of valid time is a date
        valid_to=values.get(end) if end else None,  # type: ignore[arg-type] # a column of valid time is a date
        recorded_at=NOON,
        superseded_at=None,
        provenance=provenance(source=register.source),
        parts=parts,
    )


def every(row: Row) -> Iterator[Row]:
    yield row
    for part in row.parts.values():
        yield from part if isinstance(part, tuple) else (part,) if part else ()


def texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, date) and not isinstance(value, datetime):
        yield value.isoformat()
    elif isinstance(value, tuple):
        yield from value
    elif isinstance(value, list):
        yield from (str(one["name"]) for one in value if isinstance(one, dict))


def forbidden(row: Row) -> Iterator[str]:
    """Every text of a row that names a person, and every id that would join it with what others were given."""
    for one in every(row):
        yield from (str(one.id), str(one.provenance.exchange_id))
        if one.person_id is not None:
            yield str(one.person_id)
        table = one.register.table
        for name, value in one.values.items():
            column = table.c[name]
            coded = column.info.get("codes") is not None
            formed = coded or isinstance(column.type, Boolean | Date | Integer | Exact)
            open_text = name in TEXTS or name in COLUMNS.get(table.name, ())
            if (not formed and not open_text) or (table.name, name) in DATES:
                yield from texts(value)


def leaves(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    else:
        yield str(value)


@pytest.mark.parametrize("name", sorted(registers.REGISTERS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_identifying_value_leaves_whatever_is_stored(name: str, data: st.DataObject) -> None:
    row = data.draw(rows(registers.register(name)))
    record, withheld = registers.disclose_nameless(row, lambda _rule, _source: True, LABIS)
    told, secret = set(leaves(record)), set(forbidden(row))
    dates = {one for one in secret if len(one) == 10 and one[4] == "-"}
    assert not told & (secret - dates)
    for one in every(row):
        for table, column in DATES:
            if one.register.table.name == table:
                assert any(entry.endswith(column) for entry in withheld)
    assert not {"recorded_at", "provenance"} & record.keys()
    if record and row.person_id is not None:
        assert record["person_id"] == LABIS(row.person_id)


@pytest.mark.parametrize("name", sorted(registers.REGISTERS))
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_what_is_not_granted_is_not_given_either(name: str, data: st.DataObject) -> None:
    row = data.draw(rows(registers.register(name)))
    assert registers.disclose_nameless(row, lambda _rule, _source: False, LABIS)[0] == {}


def test_something_is_left_to_count_by() -> None:
    service = registers.register("services")
    told = [name for name in service.fields if not registers.identifying(service, name)]
    assert {"municipality", "status", "service", "applied_on", "started_on"} <= set(told)
    assert not {"case_number", "provider", "refusal_reason"} & set(told)


@given(st.uuids(), st.uuids())
def test_a_pseudonym_is_stable_for_one_recipient_and_differs_between_two(
    one: uuid.UUID, other: uuid.UUID
) -> None:
    assert LABIS(one) == Pseudonyms.of(SECRET, "labis")(one)
    assert LABIS(one) != Pseudonyms.of(SECRET, "researcher")(one)
    assert LABIS(one) != Pseudonyms.of(b"1" * 32, "labis")(one)
    assert (LABIS(one) == LABIS(other)) == (one == other)
    assert uuid.UUID(LABIS(one)).version == 8


def test_there_are_no_pseudonyms_without_a_key() -> None:
    with pytest.raises(ConfigurationError):
        Pseudonyms.of(b"", "labis")


def test_every_line_is_of_a_rule() -> None:
    assert {one.rule for one in identifying.lines()} <= regulation.rules().keys()
