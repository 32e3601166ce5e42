"""Comparisons: what agrees is not found, each change is found as exactly itself, and nothing is written by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select

import registers
import wsdl
from exchange import Lineage, new_id
from mappings import kinds
from mappings.fields import Field
from mappings.mapping import Mapping
from mappings.pmlp import DATA_SETS, GET_PERSON_ANSWER, Address
from mappings.vdeavk import GET_DISABILITY_ANSWER, DisabilityStatus
from mappings.vzd import RegisteredAddress
from registers import compared_addresses, compared_disability, compared_persons
from registers.comparing import Agreement, Asked, Comparison, Question
from registers.differences import Finding, told
from registers.persons import ADDRESS, PERSON_CODE, codes_of, person_by_code
from storage import metadata
from tests.mappings.tables import records
from tests.registers.invented import code, day, minimal, person_code, provenance
from tests.registers.test_feeds import SECOND_GROUP
from tests.registers.test_persons import HOME, PASSPORT, full

PMLP = compared_persons.COMPARISONS[0]
VDEAVK = compared_disability.COMPARISONS[0]
VZD = compared_addresses.COMPARISONS[0]
TABLES: dict[str, Mapping[Any]] = {"pmlp": GET_PERSON_ANSWER, "vdeavk": GET_DISABILITY_ANSWER}
MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def compared(connection: Connection, comparison: Comparison, record: Any, of: str, **more: Any) -> Agreement:
    """The record, as the answer about a person, held against the registers."""
    person_id = person_by_code(connection, of)
    assert person_id is not None
    asked = Asked(person_id, codes_of(connection, person_id)[0], Question(**({"arguments": {}} | more)))
    table = TABLES.get(comparison.system)
    lineage: Sequence[Lineage] = () if table is None else table.lineage(comparison.system)
    return comparison.compare(connection, asked, record, lineage, provenance(60, source=comparison.system))


def rows(connection: Connection) -> int:
    """How many versions all registers hold."""
    tables = [table for table in metadata.sorted_tables if "superseded_at" in table.columns]
    return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def places(
    table: Mapping[Any], record: Any, prefix: str = ""
) -> list[tuple[tuple[str | int, ...], str, Field]]:
    """Every value of a record that a register keeps: the way to it, its canonical path and its field."""
    found: list[tuple[tuple[str | int, ...], str, Field]] = []
    for field in table.fields:
        if not isinstance(field, Field):
            continue
        value = getattr(record, field.name)
        if isinstance(field.kind, Mapping):
            parts: Sequence[tuple[tuple[str | int, ...], Any]] = (
                [((field.name, n), one) for n, one in enumerate(value)]
                if field.many
                else [((field.name,), value)] * (value is not None)
            )
            name = f"{prefix}{field.name}{'[]' if field.many else ''}."
            for way, part in parts:
                found += [((*way, *rest), path, leaf) for rest, path, leaf in places(field.kind, part, name)]
        elif field.column and field.column != "spolis_person_code.code":
            found.append(((field.name,), f"{prefix}{field.name}", field))
    return found


def put(record: Any, way: Sequence[str | int], value: Any) -> Any:
    """The record with another value at one place."""
    name, *rest = way
    if not rest:
        return replace(record, **{str(name): value})
    held = getattr(record, str(name))
    if isinstance(rest[0], int):
        number, *below = rest
        assert isinstance(number, int)
        return replace(
            record, **{str(name): (*held[:number], put(held[number], below, value), *held[number + 1 :])}
        )
    return replace(record, **{str(name): put(held, rest, value)})


def at(record: Any, way: Sequence[str | int]) -> Any:
    """The value at one place."""
    for step in way:
        record = record[step] if isinstance(step, int) else getattr(record, step)
    return record


def another(field: Field, value: Any) -> Any:
    """Another value of the same kind."""
    if field.many:
        return (*value, "Cits")
    match field.kind:
        case kinds.Coded(codes=codes):
            return next(one for one in codes if value is None or one.code != value.code)
        case kinds.Boolean():
            return not value
        case kinds.Day():
            return (
                day("2001-02-03") if value is None else value + timedelta(days=1 if value < date.max else -1)
            )
        case kinds.PersonCode():
            return "329999-99999" if value != "329999-99999" else "329999-99998"
    return f"{value or ''}X"


@MANY
@given(data=st.data())
def test_a_person_agrees_with_himself_and_each_change_is_found_alone(
    engine: Engine, data: st.DataObject
) -> None:
    of = person_code()
    drawn = data.draw(records(GET_PERSON_ANSWER, wsdl.contract("pmlp")))
    person = replace(drawn, person_code=of, data_sets=tuple(DATA_SETS))
    way, path, field = data.draw(st.sampled_from(places(GET_PERSON_ANSWER, person)))
    _exactly_one(engine, PMLP, person, of, (way, path, field))


@MANY
@given(data=st.data())
def test_a_disability_agrees_with_itself_and_each_change_is_found_alone(
    engine: Engine, data: st.DataObject
) -> None:
    of = person_code()
    drawn = data.draw(
        records(GET_DISABILITY_ANSWER, wsdl.contract("vdeavk")).filter(lambda one: one.disability is not None)
    )
    disability = replace(
        drawn.disability,
        valid_until=None
        if drawn.disability.valid_until is None
        else max(drawn.disability.valid_until, drawn.disability.determined_on),
    )
    status = DisabilityStatus(person_code=of, on_date=disability.determined_on, disability=disability)
    way, path, field = data.draw(st.sampled_from(places(GET_DISABILITY_ANSWER, status)))
    _exactly_one(engine, VDEAVK, status, of, (way, path, field))


def _exactly_one(
    engine: Engine,
    comparison: Comparison,
    record: Any,
    of: str,
    place: tuple[Sequence[str | int], str, Field],
) -> None:
    way, path, field = place
    before = at(record, way)
    after = another(field, before)
    with engine.begin() as connection:
        registers.feed(connection, record, provenance(source=comparison.system))
        held = rows(connection)
        same = compared(connection, comparison, record, of)
        assert same.findings == []
        assert same.ours == same.theirs > 0
        (finding,) = compared(connection, comparison, put(record, way, after), of).findings
        assert rows(connection) == held
    plain = [
        value.code if isinstance(field.kind, kinds.Coded) and value is not None else value
        for value in (before, after)
    ]
    assert (finding.field, finding.rule, finding.ours, finding.theirs) == (
        path,
        field.rule,
        *map(told, plain),
    )
    assert finding.kept is not None


def test_a_row_that_one_side_has_alone_is_one_difference(engine: Engine) -> None:
    of = person_code()
    other = replace(PASSPORT, kind=code("EID"), number="PA1", issued_on=day("2024-01-02"), valid_to=None)
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        (added,) = compared(connection, PMLP, replace(full(of), documents=(PASSPORT, other)), of).findings
        (gone,) = compared(connection, PMLP, replace(full(of), documents=()), of).findings
    assert (added.field, added.rule, added.column, added.ours) == ("documents[]", "p8.11", None, None)
    assert isinstance(added.theirs, dict)
    assert added.theirs["number"] == "PA1"
    assert (gone.field, gone.theirs) == ("documents[]", None)
    assert isinstance(gone.ours, dict)
    assert gone.ours["number"] == PASSPORT.number


def test_what_was_not_asked_is_not_missing(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        assert compared(connection, PMLP, minimal(of), of).findings == []


def test_another_code_is_what_differs_and_nothing_else_is_compared(engine: Engine) -> None:
    of, other = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        answer = replace(full(of), person_code=other, family_name="Cita", documents=())
        (finding,) = compared(connection, PMLP, answer, of).findings
        assert person_by_code(connection, other) is None
    assert (finding.field, finding.ours, finding.theirs) == ("person_code", of, other)


def test_a_code_that_is_known_for_the_person_is_no_difference(engine: Engine) -> None:
    old, new = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(new), provenance(), old)
        assert compared(connection, PMLP, full(old), old).findings == []


def test_a_disability_that_the_commission_does_not_know_is_a_difference(engine: Engine) -> None:
    of = person_code()
    status = DisabilityStatus(person_code=of, on_date=day("2024-05-06"), disability=SECOND_GROUP)
    with engine.begin() as connection:
        registers.feed(connection, status, provenance(source="vdeavk"))
        (finding,) = compared(connection, VDEAVK, replace(status, disability=None), of).findings
        assert (finding.field, finding.theirs) == ("disability", None)
        later = replace(status, disability=None, on_date=day("2027-01-01"))
        assert compared(connection, VDEAVK, later, of).findings == []


def test_who_is_not_known_there_is_a_difference_of_the_code(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        person_id = person_by_code(connection, of)
        assert person_id is not None
        (finding,) = PMLP.missing(connection, Asked(person_id, of, Question({}))).findings
    assert (finding.field, finding.ours, finding.theirs, finding.table) == (
        "person_code",
        of,
        None,
        PERSON_CODE.name,
    )


def test_of_whom_name_and_code_alone_is_kept_no_more_is_asked(engine: Engine) -> None:
    whole, named, unknown = person_code(), person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(whole), provenance())
        registers.feed(connection, minimal(named), provenance())
        status = DisabilityStatus(person_code=unknown, on_date=day("2024-05-06"), disability=None)
        registers.feed(connection, status, provenance(source="vdeavk"))
        asked = [
            [question.arguments for question in PMLP.questions(connection, person_id)]
            for person_id in (person_by_code(connection, of) for of in (whole, named, unknown))
            if person_id is not None
        ]
    assert asked == [[{}], [{"data_sets": ["NAME_AND_CODE"]}], []]


def registered(text: str, status: str = "EKS", varis_code: str = "101003948") -> RegisteredAddress:
    return RegisteredAddress(
        varis_code=varis_code,
        kind=code("108"),
        status=code(status),
        text=text,
        postcode=None,
        atvk=None,
        valid_from=day("2000-01-01"),
        valid_to=None if status == "EKS" else day("2021-06-30"),
        north=None,
        east=None,
        chain=(),
    )


@pytest.mark.parametrize(
    ("answer", "field", "theirs"),
    [
        (registered(HOME.text), None, None),
        (registered(HOME.text.replace(", ", ",  ") + " "), None, None),
        (registered("Ozolu iela 18, Valmiera"), "addresses[].text", "Ozolu iela 18, Valmiera"),
        (
            registered(HOME.text, "DEL"),
            "addresses[].varis_code",
            {
                "status": {"code": "DEL", "text_lv": "DEL latviski", "text_en": "DEL in English"},
                "valid_to": "2021-06-30",
                "text": HOME.text,
                "successor": None,
            },
        ),
    ],
)
def test_an_address_agrees_by_text_and_status(
    engine: Engine, answer: RegisteredAddress, field: str | None, theirs: object
) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        question = next(iter(_questions(connection, of)))
        found = compared(connection, VZD, answer, of, **question).findings
    assert [(one.field, one.rule, one.theirs) for one in found] == (
        [] if field is None else [(field, "p8.12", theirs)]
    )


def test_the_address_that_is_called_so_today_is_the_successor(engine: Engine) -> None:
    of, text = person_code(), f"{new_id()}"
    with engine.begin() as connection:
        registers.feed(connection, registered(text, varis_code=str(new_id())[:9]), provenance(source="vzd"))
        successor = registers.search(connection, "addresses", {"text": text})[0].values["varis_code"]
        registers.feed(connection, replace(full(of), addresses=(replace(HOME, text=text),)), provenance())
        (finding,) = compared(
            connection, VZD, registered(text, "DEL"), of, **next(iter(_questions(connection, of)))
        ).findings
    assert isinstance(finding.theirs, dict)
    assert finding.theirs["successor"] == successor


def test_each_address_with_a_code_is_asked_about_and_a_code_unknown_is_a_difference(engine: Engine) -> None:
    of = person_code()
    abroad = Address(kind=code("INDICATED"), varis_code=None, text="Tallina")
    with engine.begin() as connection:
        registers.feed(connection, replace(full(of), addresses=(HOME, abroad)), provenance())
        (question,) = _questions(connection, of)
        person_id = person_by_code(connection, of)
        assert person_id is not None
        (finding,) = VZD.missing(connection, Asked(person_id, of, Question(**question))).findings
        assert (finding.field, finding.ours, finding.theirs) == (
            "addresses[].varis_code",
            HOME.varis_code,
            None,
        )
        # It moved meanwhile: what was asked is of no address that is kept.
        moved = replace(full(of), addresses=(replace(HOME, varis_code="101003949"),))
        registers.feed(connection, moved, provenance(1))
        assert compared(connection, VZD, registered("Cita iela 1"), of, **question).findings == []


def _questions(connection: Connection, of: str) -> list[dict[str, Any]]:
    person_id = person_by_code(connection, of)
    assert person_id is not None
    return [
        {"arguments": one.arguments, "thing_id": one.thing_id} for one in VZD.questions(connection, person_id)
    ]


def test_a_finding_names_the_thing_in_the_register(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, full(of), provenance())
        changed = replace(full(of), addresses=(replace(HOME, text="Cita iela 1"),))
        (finding,) = compared(connection, PMLP, changed, of).findings
        kept = connection.execute(
            select(ADDRESS).where(ADDRESS.c.person_id == person_by_code(connection, of))
        ).one()
    assert isinstance(finding, Finding)
    assert finding.thing == str(kept.id)
    assert finding.row_key == {"kind": "DECLARED"}
