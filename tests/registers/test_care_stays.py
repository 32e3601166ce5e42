"""Care stays: one place at a time, repeats without effect, and the door to the payments of SAIS."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

import registers
from errors import Busy, InvalidRequest
from exchange import Json, new_id
from mappings.care_stays import CARE_STAY, CareStay
from mappings.codes import Code
from registers import Fed
from registers.care_stays import feed_care_stay, find_care_stay, open_stay, overlap, write_care_stay
from registers.history import Change
from tests.registers.invented import code, day, person_code, provenance


def stay(of: str, entered_on: str = "2026-01-10", institution: str = "VSAC “Ozoli”") -> CareStay:
    return CareStay(
        person_code=of,
        institution=institution,
        institution_address="Ozolu iela 1, Valmiera",
        institution_kind=code("STATE_CARE_CENTRE"),
        region="Vidzeme",
        entered_on=day(entered_on),
        funding_source=code("STATE"),
    )


def test_the_id_of_a_stay_does_not_change(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        feed_care_stay(connection, stay(of), provenance())
        first = find_care_stay(connection, stay(of))
        for changed in (stay(of), replace(stay(of), region="Kurzeme")):
            with pytest.raises(Busy), connection.begin_nested():
                write_care_stay(connection, changed, provenance(1), stay_id=new_id())
        (row,) = registers.search(connection, "care-stays", {"person_code": of})
        assert (row.id, row.values["region"]) == (first, "Vidzeme")


def test_a_repeat_changes_nothing_and_an_end_is_a_new_version(engine: Engine) -> None:
    of = person_code()
    ended = replace(stay(of), ended_on=day("2026-03-01"), end_reason=code("DEATH"))
    with engine.begin() as connection:
        fed = feed_care_stay(connection, stay(of), provenance(source="spolis"))
        first = find_care_stay(connection, stay(of))
        assert fed == Fed(1, 0, (Change(None, stay(of)),))
        assert first is not None
        assert feed_care_stay(connection, stay(of), provenance(1, "spolis")) == Fed(0, 1)
        now = feed_care_stay(connection, ended, provenance(2, "spolis"))
        (change,) = now.changes
        assert now == Fed(1, 0, (change,))
        assert isinstance(change.before, CareStay)
        assert (change.before.entered_on, change.before.ended_on) == (stay(of).entered_on, None)
        assert change.after == ended
        assert find_care_stay(connection, ended) == first
        new, old = registers.read(connection, "care-stays", first, history=True)
        assert (old.valid_to, new.valid_to) == (None, day("2026-03-01"))
        assert registers.feed(connection, ended, provenance(3, "spolis")) == Fed(0, 1)


def test_other_stays_of_the_person_stay(engine: Engine) -> None:
    of = person_code()
    before = replace(stay(of, "2024-01-01"), ended_on=day("2024-06-01"))
    with engine.begin() as connection:
        feed_care_stay(connection, before, provenance())
        feed_care_stay(connection, stay(of), provenance(1))
        rows = registers.search(connection, "care-stays", {"person_code": of})
        assert [row.valid_from for row in rows] == [day("2024-01-01"), day("2026-01-10")]


@pytest.mark.parametrize(
    ("ended_on", "end_reason"), [(day("2026-01-09"), None), (None, code("DEATH"))], ids=["dates", "reason"]
)
def test_dates_and_reason_must_agree(engine: Engine, ended_on: date | None, end_reason: Code | None) -> None:
    of = person_code()
    wrong = replace(stay(of), ended_on=ended_on, end_reason=end_reason)
    with engine.begin() as connection, pytest.raises(InvalidRequest):
        feed_care_stay(connection, wrong, provenance())
    with engine.begin() as connection:
        assert registers.search(connection, "care-stays", {"person_code": of}) == ()


def test_a_person_is_in_one_place(engine: Engine) -> None:
    of = person_code()
    elsewhere = stay(of, "2026-02-01", "VSAC “Liepas”")
    with engine.begin() as connection:
        feed_care_stay(connection, stay(of), provenance())
        with pytest.raises(InvalidRequest, match="another stay"):
            feed_care_stay(connection, elsewhere, provenance(1))
        feed_care_stay(connection, replace(stay(of), ended_on=day("2026-02-01")), provenance(2))
        feed_care_stay(connection, elsewhere, provenance(3))
        with pytest.raises(InvalidRequest, match="another stay"):
            feed_care_stay(connection, stay(of), provenance(4))
        with pytest.raises(InvalidRequest, match="another stay"):
            feed_care_stay(connection, replace(elsewhere, institution="VSAC “Bērzi”"), provenance(4))


def test_a_stay_is_open_from_its_first_day_to_its_last(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        assert not open_stay(connection, of, day("2026-01-10"))
        feed_care_stay(connection, stay(of), provenance())
        days = [day("2026-01-09"), day("2026-01-10"), day("2030-01-01")]
        assert [open_stay(connection, of, d) for d in days] == [False, True, True]
        feed_care_stay(connection, replace(stay(of), ended_on=day("2026-03-01")), provenance(1))
        days = [day("2026-03-01"), day("2026-03-02")]
        assert [open_stay(connection, of, d) for d in days] == [True, False]


spans = st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 5)))


@given(one=spans, other=spans)
def test_stays_overlap_when_they_share_more_than_the_day_of_moving(
    one: tuple[int, int | None], other: tuple[int, int | None]
) -> None:
    start = day("2026-01-01")

    def dates(span: tuple[int, int | None]) -> tuple[date, date | None]:
        first = start + timedelta(days=span[0])
        return first, None if span[1] is None else first + timedelta(days=span[1])

    def days(span: tuple[int, int | None]) -> set[int]:
        return set(range(span[0], 30 if span[1] is None else span[0] + span[1] + 1))

    shared = days(one) & days(other)
    moving = max(days(one)) == min(days(other)) or max(days(other)) == min(days(one))
    assert overlap(dates(one), dates(other)) == (bool(shared) and not moving)
    assert overlap(dates(one), dates(other)) == overlap(dates(other), dates(one))


arguments: dict[str, Json] = {
    "person_code": "32000000001",
    "institution": "VSAC “Ozoli”",
    "institution_address": "Ozolu iela 1, Valmiera",
    "institution_kind": "STATE_CARE_CENTRE",
    "entered_on": "2026-01-10",
    "funding_source": "STATE",
}


def test_the_mapping_table_reads_arguments_and_messages() -> None:
    stay = CARE_STAY.from_json(arguments)
    assert stay.person_code == "320000-00001"
    assert (stay.region, stay.ended_on, stay.end_reason) == (None, None, None)
    ended = CARE_STAY.from_json({**arguments, "ended_on": "2026-03-01", "end_reason": "DEATH"})
    for each in (stay, ended):
        assert CARE_STAY.read(CARE_STAY.write(each)) == each


@pytest.mark.parametrize(
    "wrong",
    [
        {"ended_on": "2026-01-09"},
        {"end_reason": "DEATH"},
        {"funding_source": "LOTTERY"},
        {"entered_on": "yesterday"},
        {"institution": ""},
        {"shoe_size": 43},
    ],
)
def test_arguments_that_make_no_stay_are_refused(wrong: dict[str, Json]) -> None:
    with pytest.raises(InvalidRequest):
        CARE_STAY.from_json({**arguments, **wrong})
