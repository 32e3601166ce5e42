"""Records under their supplier's numbers: one row to a number whoever is at it, and a person may get another code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

import registers
from errors import InvalidRequest, NotFound
from mappings.care_contracts import CareTermination
from mappings.institution_care import CARE_LEVEL, IMPAIRMENT, CareSet, StayRecord
from mappings.long_term_care import DELETION_REASON, VSAC_RECORD, CareRecordDeletion
from registers import Fed, disclose
from registers.persons import one_person
from tests.registers.invented import day, minimal, person_code, provenance
from tests.registers.test_care_stays import stay
from tests.registers.test_concurrency import THREADS, at_once


def care(of: str, number: str = "1", supplier: str = "centre") -> CareSet:
    return CareSet(
        case_no=f"L-{of}",
        record_no=f"{of}-{number}",
        person_code=of,
        care_level=CARE_LEVEL["2"],
        impairments=(IMPAIRMENT["VISION"], IMPAIRMENT["MENTAL"]),
        mental_health=None,
        half_way_house=None,
        supplier=supplier,
    )


def deletion(of: str, kind: str = "CARE", supplier: str = "centre") -> CareRecordDeletion:
    return CareRecordDeletion(
        case_no=f"L-{of}",
        record_no=f"{of}-1",
        person_code=of,
        kind=VSAC_RECORD[kind],
        reason=DELETION_REASON["SENT_TWICE"],
        supplier=supplier,
    )


def test_a_record_handed_in_eight_times_at_once_is_one_row(engine: Engine) -> None:
    of = person_code()

    def work(number: int) -> Fed:
        with engine.begin() as connection:
            return registers.feed(connection, care(of), provenance(number, "vsac"))

    assert sum(at_once(work), Fed()) == Fed(1, THREADS - 1)


def test_a_number_handed_in_for_eight_persons_at_once_is_of_one(engine: Engine) -> None:
    of = [person_code() for _ in range(THREADS)]

    def work(number: int) -> Fed:
        record = replace(care(of[number]), case_no=f"L-{of[0]}", record_no=f"{of[0]}-1")
        try:
            with engine.begin() as connection:
                return registers.feed(connection, record, provenance(number, "vsac"))
        except InvalidRequest:
            return Fed(0, 0, ())

    assert sum(at_once(work), Fed()) == Fed(1, 0)
    with engine.begin() as connection:
        rows = [row for code in of for row in registers.search(connection, "care-set", {"person_code": code})]
        assert len(rows) == 1


def test_a_stay_handed_in_at_once_under_one_number_is_told_once(engine: Engine) -> None:
    of = person_code()
    record = StayRecord(case_no=f"L-{of}", record_no=f"{of}-1", stay=stay(of), supplier="centre")

    def work(number: int) -> Fed:
        with engine.begin() as connection:
            return registers.feed(connection, record, provenance(number, "vsac"))

    fed = sum(at_once(work), Fed())
    assert [change.after for change in fed.changes] == [stay(of)]


def test_a_number_may_move_to_another_case_of_the_same_person(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(source="vsac"))
        registers.feed(connection, replace(care(of), case_no=f"M-{of}"), provenance(1, "vsac"))
        (row,) = registers.search(connection, "care-set", {"person_code": of})
        assert row.values["case_no"] == f"M-{of}"
        with pytest.raises(NotFound):
            registers.feed(connection, deletion(of), provenance(2, "vsac"))


def test_a_deletion_reaches_only_what_the_same_supplier_handed_in_of_that_person(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(source="vsac"))
        for wrong in (
            deletion(of, supplier="organisation"),
            deletion(of, "STAY"),
            replace(deletion(of), person_code=person_code()),
            replace(deletion(of), record_no=f"{of}-2"),
        ):
            with pytest.raises(NotFound):
                registers.feed(connection, wrong, provenance(1, "vsac"))
        assert len(registers.search(connection, "care-set", {"person_code": of})) == 1
        registers.feed(connection, deletion(of), provenance(2, "vsac"))
        assert registers.search(connection, "care-set", {"person_code": of}) == ()


def test_a_person_who_gets_another_code_keeps_the_records(engine: Engine) -> None:
    old, new = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(old), provenance(source="vsac"))
        registers.feed(connection, minimal(new), provenance(1))
        one_person(connection, old, new, provenance(2))
        again = replace(care(new), case_no=f"L-{old}", record_no=f"{old}-1")
        assert registers.feed(connection, again, provenance(3, "vsac")) == Fed(0, 1)
        (row,) = registers.search(connection, "care-set", {"person_code": new})
        assert row.values["record_no"] == f"{old}-1"


def test_a_termination_after_a_death_takes_effect_before_it_is_decided(engine: Engine) -> None:
    of = person_code()
    record = CareTermination(
        case_no=f"L-{of}",
        record_no=f"{of}-7",
        person_code=of,
        decided_on=day("2026-06-20"),
        number="12-3/9",
        effective_on=day("2026-06-15"),
        supplier="siva",
    )
    with engine.begin() as connection:
        assert registers.feed(connection, record, provenance(source="siva")) == Fed(1, 0)


def test_several_codes_leave_with_their_texts(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, care(of), provenance(source="vsac"))
        (row,) = registers.search(connection, "care-set", {"person_code": of})
    given, withheld = disclose(row, lambda rule, source: (rule, source) == ("p12.8.11", "vsac"))
    assert given["impairments"] == [
        {"code": "VISION", "text_lv": "Redzes traucējumi", "text_en": "Impaired vision"},
        {"code": "MENTAL", "text_lv": "Psihiskās darbības traucējumi", "text_en": "Mental impairment"},
    ]
    assert "care_level" in withheld
    assert "care_level" not in given
