"""The register of invalid documents over a real socket: what it says, and what it does not know."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from errors import SchemaViolation
from exchange import today_in_riga
from mappings.codes import code_list
from simulators.iemic import STATUSES, status_of
from simulators.population import Population
from simulators.service import NO_SUCH_CODE
from tests.simulators.calls import Client, Values, code, fault_code, texts
from tests.simulators.conftest import PERSONS, SEED, Journal

POPULATION = Population(PERSONS, SEED)
Start = Callable[[str], Client]


def document(number: str, country: str = "LVA", kind: str = "PASSPORT") -> Values:
    return {"Veids": code(kind), "Numurs": number, "Valsts": country}


def test_a_document_is_invalid_valid_or_undetermined(start: Start) -> None:
    iemic, said = start("iemic"), set()
    for number in range(40):
        for country in ("LVA", "UKR"):
            name = f"AB{number:07d}"
            answer = iemic.call("CheckDocument", document(name, country))
            iemic.contract.validate(answer)
            assert (texts(answer, "Numurs"), texts(answer, "Valsts")) == ([name], [country])
            assert texts(answer, "ParbaudesDatums") == [today_in_riga().isoformat()]
            (status,) = texts(answer, "Statuss/Kods")
            assert status == status_of(POPULATION, "PASSPORT", name, country)
            said.add((country, status))
    assert said == {("LVA", "INVALID"), ("LVA", "VALID"), ("UKR", "INVALID"), ("UKR", "UNDETERMINED")}


def test_a_kind_that_it_does_not_know_and_a_number_that_is_none_are_refused(start: Start) -> None:
    iemic = start("iemic")
    for wrong in (
        document("AB1234567", kind="LIBRARY_CARD"),
        document("ab 12"),
        document("AB1234567", "Latvia"),
    ):
        assert fault_code(iemic.call("CheckDocument", wrong)) == "NEPAREIZS_PIEPRASIJUMS"


def test_it_lies_as_it_is_told(start: Start, journal: Journal) -> None:
    iemic = start("iemic")
    iemic.misbehave(mode="unknown_code", count=1)
    answer = iemic.call("CheckDocument", document("AB1234567"))
    assert texts(answer, "Statuss/Kods") == [NO_SUCH_CODE]
    iemic.misbehave(mode="other_answer", count=1)
    other = iemic.verify(iemic.post(iemic.sign(iemic.envelope("CheckDocument", document("AB1234567")))))
    assert texts(other.body[0], "Numurs") == ["AB1234560"]
    iemic.misbehave(mode="invalid", count=1)
    with pytest.raises(SchemaViolation):
        iemic.contract.validate(iemic.call("CheckDocument", document("AB1234567")))
    assert {line["effect"] for line in journal.lines()} == {"read:CheckDocument"}


def test_its_codes_are_in_the_list_of_the_gateway_with_the_same_text() -> None:
    known = code_list("document_status")
    assert {one.code: one.text_lv for one in known} == dict(STATUSES)
