"""What SAIS is told of a change of a stay."""

from __future__ import annotations

from dataclasses import replace

from adapters.sais import notices
from mappings.care_stays import CARE_STAY
from registers.history import Change

STAY = CARE_STAY.from_json(
    {
        "person_code": "320000-00001",
        "institution": "VSAC Paraugs",
        "institution_address": "Skolas iela 3, Talsi",
        "institution_kind": "STATE_CARE_CENTRE",
        "entered_on": "2026-02-01",
        "funding_source": "STATE",
        "ended_on": "2026-06-15",
        "end_reason": "OWN_REQUEST",
    }
)
OPEN = replace(STAY, ended_on=None, end_reason=None)


def test_a_stay_that_never_was_is_told_as_left_on_the_day_of_entering() -> None:
    for stay in (STAY, OPEN):
        (told,) = notices(Change(stay, None))
        assert (told["kind"], told["entered_on"], told["ended_on"]) == ("LEAVE", "2026-02-01", "2026-02-01")
        assert "end_reason" not in told


def test_entering_is_told_before_leaving_and_nothing_twice() -> None:
    assert [told["kind"] for told in notices(Change(None, STAY))] == ["ENTER", "LEAVE"]
    assert [told["kind"] for told in notices(Change(OPEN, STAY))] == ["LEAVE"]
    assert notices(Change(STAY, STAY)) == ()
