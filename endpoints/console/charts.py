"""Charts as plain shapes: where each bar, line and label stands, for `charts.html.jinja` to draw as SVG.

What a chart shows stands beside it as a table too. No meaning is by colour alone: each series has a texture of its own,
and each column says in words what it holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Where textures stand in the page: `charts.textures()` draws them once.
_TEXTURE = "url(#texture-{})"
_GAP_SHARE = 0.22
_LEAST_HEIGHT = 1.5


@dataclass(frozen=True, slots=True)
class Series:
    """What is stacked: its name in words, its colour as a class (`s1` to `s8`, `bad`, `idle`), its texture or ""."""

    name: str
    style: str
    texture: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a label beneath ("" for none), what it tells in words, and the value of each series."""

    label: str
    told: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Box:
    """The size of a picture and the room around what is drawn."""

    width: float
    height: float
    left: float = 0
    right: float = 0
    top: float = 0
    bottom: float = 0

    @property
    def inner_width(self) -> float:
        """What is left for the shapes."""
        return self.width - self.left - self.right

    @property
    def inner_height(self) -> float:
        """What is left for the shapes."""
        return self.height - self.top - self.bottom


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a series; `fill` is its texture, drawn over it."""

    x: float
    y: float
    width: float
    height: float
    style: str
    fill: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The bars of one column with what they tell; the column's whole height answers to a pointer."""

    x: float
    width: float
    told: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A text at a place; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Columns:
    """Stacked columns with their grid and labels."""

    box: Box
    stacks: tuple[Stack, ...]
    grid: tuple[Line, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """From half to nearly all: a name, the two values, and what they tell in words."""

    name: str
    low: float
    high: float
    told: str


@dataclass(frozen=True, slots=True)
class Row:
    """A span as drawn: a line from `low` to `high` at a height."""

    y: float
    low: float
    high: float
    name: Mark
    told: str


@dataclass(frozen=True, slots=True)
class Spans:
    """One line for each span over a common axis."""

    box: Box
    rows: tuple[Row, ...]
    grid: tuple[Line, ...]
    marks: tuple[Mark, ...]


def columns(
    given: Sequence[Column],
    series: Sequence[Series],
    box: Box,
    *,
    ticks: int = 4,
    written: Callable[[float], str] = "{:g}".format,
) -> Columns:
    """Stack the values of each column, the first series at the bottom, over a grid from 0 to a round number."""
    steps = steps_to(max((sum(column.values) for column in given), default=0), ticks)
    top = steps[-1]
    wide = box.inner_width / max(1, len(given))
    floor = box.top + box.inner_height
    stacks, marks = [], []
    for number, column in enumerate(given):
        x = box.left + number * wide
        bars = _bars(column, series, (x + wide * _GAP_SHARE / 2, wide * (1 - _GAP_SHARE)), floor, box, top)
        stacks.append(Stack(_round(x), _round(wide), column.told, bars))
        if column.label:
            marks.append(Mark(_round(x + wide / 2), _round(floor + 16), column.label))
    heights = [(step, _round(floor - step / top * box.inner_height)) for step in steps]
    grid = tuple(Line(box.left, y, box.width - box.right, y) for _, y in heights)
    marks += [Mark(box.left - 7, y + 4, written(step), "end") for step, y in heights]
    return Columns(box, tuple(stacks), grid, tuple(marks))


def spans(given: Sequence[Span], box: Box, *, written: Callable[[float], str], ticks: int = 5) -> Spans:
    """Draw each span on a line of its own, in the order given."""
    steps = steps_to(max((span.high for span in given), default=0), ticks)
    high = box.inner_height / max(1, len(given))

    def place(value: float) -> float:
        return _round(box.left + value / steps[-1] * box.inner_width)

    rows = []
    for number, span in enumerate(given):
        y = _round(box.top + (number + 0.5) * high)
        name = Mark(box.left - 10, y + 4, span.name, "end")
        rows.append(Row(y, place(span.low), place(span.high), name, span.told))
    floor = box.top + box.inner_height
    grid = tuple(Line(place(step), box.top, place(step), floor) for step in steps)
    marks = tuple(Mark(place(step), floor + 16, written(step)) for step in steps)
    return Spans(box, tuple(rows), grid, marks)


def steps_to(most: float, ticks: int) -> list[float]:
    """Round numbers from 0 up to at least `most`, some `ticks` of them; whole ones, since nothing here has parts."""
    rough = max(1.0, most / max(1, ticks))
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    if step != int(step):  # 2.5 of something that has no parts
        step = math.ceil(step)
    return [step * number for number in range(max(1, math.ceil(most / step)) + 1)]


def _bars(
    column: Column,
    series: Sequence[Series],
    across: tuple[float, float],
    floor: float,
    box: Box,
    top: float,
) -> tuple[Bar, ...]:
    found = []
    y = floor
    for one, value in zip(series, column.values, strict=True):
        if value <= 0:
            continue
        # One failure among thousands must be seen.
        height = max(value / top * box.inner_height, _LEAST_HEIGHT)
        y -= height
        fill = _TEXTURE.format(one.texture) if one.texture else ""
        found.append(Bar(_round(across[0]), _round(y), _round(across[1]), _round(height), one.style, fill))
    return tuple(found)


def _round(value: float) -> float:
    return round(value, 2)
