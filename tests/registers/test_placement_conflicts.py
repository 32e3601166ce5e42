"""Two suppliers of 10.11: both are kept, where they differ is listed, and which one counts is data."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

import registers
from errors import ConfigurationError, InvalidRequest
from exchange import Json
from mappings.codes import STOP_REASON
from mappings.municipal_placements import MUNICIPAL_PLACEMENT, MunicipalPlacement
from mappings.npais import Placement, Placements
from registers.placement_conflicts import FIELDS, Placed, differing, same_stays
from registers.precedence import lines, sources_of
from tests.registers.invented import day, person_code, provenance

HOME = "Bērnu centrs “Zīle”"


def ours(of: str, **values: Json) -> MunicipalPlacement:
    known: dict[str, Json] = {
        "person_code": of,
        "municipality": "0040000",
        "case_number": of,
        "institution": HOME,
        "entered_on": "2025-03-01",
    }
    return MUNICIPAL_PLACEMENT.from_json({**known, **values})


def theirs(of: str, *spans: tuple[str, str | None], institution: str = HOME) -> Placements:
    return Placements(
        person_code=of,
        placements=tuple(
            Placement(
                institution=institution,
                entered_on=day(begin),
                stopped_on=day(end) if end else None,
                stop_reason=STOP_REASON["ADOPTION"] if end else None,
            )
            for begin, end in spans
        ),
    )


def listed(connection: Connection, of: str) -> list[tuple[object, ...]]:
    rows = registers.search(connection, "placement-conflicts", {"person_code": of})
    names = ("field", "preferred_source", "preferred_value", "other_source", "other_value")
    return [tuple(row.values[name] for name in names) for row in rows]


@pytest.mark.parametrize("npais_first", [True, False])
def test_a_difference_is_listed_whoever_tells_it_last_and_both_stay(
    engine: Engine, npais_first: bool
) -> None:
    of = person_code()
    told: list[object] = [theirs(of, ("2025-03-01", "2026-02-01")), ours(of, entered_on="2025-03-04")]
    with engine.begin() as connection:
        for minutes, record in enumerate(told if npais_first else reversed(told)):
            registers.feed(connection, record, provenance(minutes, "npais"))
        assert sorted(listed(connection, of), key=str) == [
            ("entered_on", "npais", "2025-03-01", "spolis", "2025-03-04"),
            ("stop_reason", "npais", "ADOPTION", "spolis", None),
            ("stopped_on", "npais", "2026-02-01", "spolis", None),
        ]
        (kept,) = registers.search(connection, "municipal-placements", {"person_code": of})
        assert (kept.values["entered_on"], kept.values["stopped_on"]) == (day("2025-03-04"), None)
        (given_by_npais,) = registers.search(connection, "placements", {"person_code": of})
        assert given_by_npais.values["entered_on"] == day("2025-03-01")


def test_a_conflict_ends_when_they_agree_and_its_versions_stay(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, theirs(of, ("2025-03-01", None)), provenance(0, "npais"))
        registers.feed(connection, ours(of, entered_on="2025-03-04"), provenance(1, "spolis"))
        (row,) = registers.search(connection, "placement-conflicts", {"person_code": of})
        assert (row.values["rule"], row.values["preferred_on"]) == ("p10.11.1", day("2026-05-04"))
        registers.feed(connection, ours(of), provenance(2, "spolis"))
        assert listed(connection, of) == []
        assert len(registers.read(connection, "placement-conflicts", row.id, history=True)) == 1


def test_before_npais_had_to_supply_it_the_municipality_counts(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, theirs(of, ("2016-03-01", None)), provenance(0, "npais"))
        registers.feed(connection, ours(of, entered_on="2016-03-04"), provenance(1, "spolis"))
        assert listed(connection, of) == [("entered_on", "spolis", "2016-03-04", "npais", "2016-03-01")]


def test_what_one_alone_tells_is_no_conflict(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, theirs(of, ("2022-01-01", "2023-01-01")), provenance(0, "npais"))
        registers.feed(connection, ours(of), provenance(1, "spolis"))
        assert listed(connection, of) == []


def test_quotation_marks_and_spaces_are_no_difference(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        registers.feed(connection, theirs(of, ("2025-03-01", None)), provenance(0, "npais"))
        registers.feed(connection, ours(of, institution='bērnu  centrs "ZĪLE"'), provenance(1, "spolis"))
        assert listed(connection, of) == []
        registers.feed(connection, ours(of, institution="Bērnu centrs “Pūce”"), provenance(2, "spolis"))
        assert [row[0] for row in listed(connection, of)] == ["institution"]


def test_a_placement_is_one_of_its_municipality_and_case(engine: Engine) -> None:
    of, other = person_code(), person_code()
    with engine.begin() as connection:
        registers.feed(connection, ours(of), provenance())
        assert registers.feed(connection, ours(of), provenance(1)).written == 0
        with pytest.raises(InvalidRequest, match="another child"), connection.begin_nested():
            registers.feed(connection, ours(other, case_number=of), provenance(2))
        for wrong in ({"stopped_on": "2025-02-01"}, {"stop_reason": "ADOPTION"}):
            with pytest.raises(InvalidRequest, match="stop"):
                ours(of, **wrong)


days = st.dates(date(2020, 1, 1), date(2020, 2, 15))
spans = st.tuples(days, st.one_of(st.none(), days)).filter(lambda span: span[1] is None or span[0] <= span[1])


def placed(source: str, span: tuple[date, date | None], institution: str) -> Placed:
    return Placed(
        source=source,
        institution=institution,
        entered_on=span[0],
        stopped_on=span[1],
        stop_reason=None,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


tellings = st.lists(st.tuples(spans, st.sampled_from(["A", "B"])), max_size=4)


@given(tellings, tellings)
def test_each_stay_is_in_one_pair_and_pairs_share_days(
    one: list[tuple[tuple[date, date | None], str]], other: list[tuple[tuple[date, date | None], str]]
) -> None:
    told = {
        "npais": [placed("npais", *span) for span in one],
        "spolis": [placed("spolis", *span) for span in other],
    }
    pairs = list(same_stays(told))
    for source, place in (("npais", 0), ("spolis", 1)):
        mine = [pair[place] for pair in pairs]
        assert all(mine.count(each) <= told[source].count(each) for each in mine)
    for first, second in pairs:
        assert first.entered_on <= (second.stopped_on or date.max)
        assert second.entered_on <= (first.stopped_on or date.max)
        rows = list(differing(first, second))
        assert rows == list(differing(second, first)), "who is asked first does not matter"
        assert {row["field"] for row in rows} == {
            name for name in FIELDS if getattr(first, name) != getattr(second, name)
        }
    assert list(same_stays({"npais": told["npais"], "spolis": []})) == []


def test_the_same_telling_pairs_every_stay_with_itself() -> None:
    told = [placed("npais", (date(2020, 1, n), date(2020, 1, n + 2)), "A") for n in (1, 5, 9)]
    mirror = [placed("spolis", (each.entered_on, each.stopped_on), "A") for each in told]
    pairs = list(same_stays({"npais": told, "spolis": mirror}))
    assert [list(differing(*pair)) for pair in pairs] == [[], [], []]


def test_the_precedence_of_each_field_is_stated() -> None:
    for rule in FIELDS.values():
        assert sources_of(rule, date(2017, 12, 31)) == ("spolis", "npais")
        assert sources_of(rule, date(2018, 1, 1)) == ("npais", "spolis")
    assert sources_of("p8.1", date(2026, 1, 1)) == ()


HEADS = "rule\tfrom_day\tsources\twhy\n"


@pytest.mark.parametrize(
    "content",
    [
        "rule\n",
        HEADS + "p99\t\ta,b\tx\n",
        HEADS + "p8.1\t\ta\tx\n",
        HEADS + "p8.1\t\ta,a\tx\n",
        HEADS + "p8.1\t\ta,b\t\n",
        HEADS + "p8.1\tyesterday\ta,b\tx\n",
        HEADS + "p8.1\t\ta,b\tx\np8.1\t\tb,a\tx\n",
    ],
)
def test_a_file_that_is_not_right_is_named_with_its_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "precedence.tsv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"precedence\.tsv"):
        lines(path)
