"""Where the shapes of a chart stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.console.charts import Box, Column, Series, Span, columns, spans, steps_to

BOX = Box(120, 110, left=10, right=10, top=5, bottom=5)
GOOD, BAD = Series("answered", "s3"), Series("failed", "bad", "hatch")


def test_bars_stand_upon_each_other_from_the_floor() -> None:
    chart = columns([Column("12", "noon", (30, 10)), Column("", "one", (0, 20))], (GOOD, BAD), BOX)
    first, second = chart.stacks
    answered, failed = first.bars
    assert (answered.y + answered.height, failed.y + failed.height) == (105, answered.y)
    assert (answered.height, failed.height) == (75, 25)  # 40 is the top of 100
    assert [bar.style for bar in second.bars] == ["bad"]  # nothing is drawn of nothing
    assert failed.fill == "url(#texture-hatch)"
    assert answered.fill == ""
    assert (first.told, first.x, second.x, first.width) == ("noon", 10, 60, 50)


def test_one_failure_among_thousands_is_seen() -> None:
    chart = columns([Column("", "", (100_000, 1))], (GOOD, BAD), BOX)
    assert chart.stacks[0].bars[1].height >= 1.5


def test_labels_stand_beneath_their_columns_and_beside_the_grid() -> None:
    chart = columns(
        [Column("a", "", (4,)), Column("", "", (0,))],
        (GOOD,),
        BOX,
        ticks=2,
        written=lambda value: f"{value:.0f}!",
    )
    assert [(mark.text, mark.anchor) for mark in chart.marks] == [
        ("a", "middle"),
        ("0!", "end"),
        ("2!", "end"),
        ("4!", "end"),
    ]
    assert [line.y1 for line in chart.grid] == [105, 55, 5]


def test_nothing_at_all_is_a_chart_too() -> None:
    assert columns([], (GOOD,), BOX).stacks == ()
    assert columns([Column("", "", (0,))], (GOOD,), BOX).stacks[0].bars == ()
    assert spans([], BOX, written=str).rows == ()


@given(st.floats(0, 1e9), st.integers(1, 8))
def test_steps_reach_the_most_in_whole_round_numbers(most: float, ticks: int) -> None:
    steps = steps_to(most, ticks)
    assert steps[0] == 0
    assert most <= steps[-1]
    assert 2 <= len(steps) <= ticks + 2
    assert all(step == int(step) for step in steps)


@pytest.mark.parametrize(
    ("most", "steps"), [(0, [0, 1]), (1, [0, 1]), (9, [0, 3, 6, 9]), (41, [0, 20, 40, 60])]
)
def test_steps_are_few_and_round(most: float, steps: list[float]) -> None:
    assert steps_to(most, 4) == steps


def test_spans_lie_over_one_axis() -> None:
    chart = spans(
        [Span("pmlp", 20, 80, "p"), Span("sais", 0, 100, "s")], BOX, written=lambda value: f"{value:.0f}"
    )
    first, second = chart.rows
    assert (first.low, first.high) == (30, 90)
    assert (second.low, second.high) == (10, 110)
    assert first.y < second.y
    assert first.name.text == "pmlp"
    assert [mark.text for mark in chart.marks] == ["0", "20", "40", "60", "80", "100"]
