"""Both CSV forms, whatever their fields hold, and what is neither."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidRequest
from registers.varis.forms import File, Form
from registers.varis.layouts import PLACES, Broken

fields = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters="\x00\r\n\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e"
    )
)
rows = st.lists(st.lists(fields, min_size=2, max_size=5), min_size=1, max_size=8)


@given(rows, st.sampled_from(list(Form)), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_in_a_form_is_read(
    content: list[list[str]], form: Form, mark: bool, newline: str
) -> None:
    comma, quote = form.value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "aw_iela.csv"
        with path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as target:
            csv.writer(
                target, delimiter=comma, quotechar=quote, quoting=csv.QUOTE_ALL, lineterminator=newline
            ).writerows(content)
        file = File(path)
        read = list(file.lines())
        assert file.form is form
        assert [line.values for line in read] == content
        assert [line.number for line in read] == list(range(1, len(content) + 1))
        assert file.done == file.size == path.stat().st_size


def lines(path: Path, content: bytes) -> list[tuple[int, list[str] | None]]:
    path.write_bytes(content)
    return [(line.number, line.values) for line in File(path).lines()]


def test_a_field_may_go_over_lines(tmp_path: Path) -> None:
    content = b'"A","B"\n"1","2\n3"\n"4","5"\n'
    assert lines(tmp_path / "x.csv", content) == [(1, ["A", "B"]), (2, ["1", "2\n3"]), (4, ["4", "5"])]


def test_what_is_no_text_is_told_by_its_line(tmp_path: Path) -> None:
    content = b'"A"\n"1"\n"\xff"\n"2"\n'
    assert lines(tmp_path / "x.csv", content) == [(1, ["A"]), (2, ["1"]), (3, None)]


@pytest.mark.parametrize("last", [b'"1"x\n', b'"never closed\n'])
def test_quotes_that_do_not_match_are_told_by_the_line_where_the_row_begins(
    tmp_path: Path, last: bytes
) -> None:
    assert lines(tmp_path / "x.csv", b'"A"\n"1"\n' + last + b"1\n")[-1] == (3, None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"gone\.csv"):
        list(File(tmp_path / "gone.csv").lines())


STREETS = next(layout for layout in PLACES if layout.file == "iela")


def test_columns_may_stand_in_any_order() -> None:
    heading = list(reversed(STREETS.columns))
    arrange = STREETS.arrange(heading)
    assert tuple(arrange([name.lower() for name in heading])) == tuple(c.lower() for c in STREETS.columns)


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        (STREETS.columns[1:], "without KODS"),
        ((*STREETS.columns, "JAUNS"), "1 columns that are not known"),
        ((*STREETS.columns, "KODS"), "a column twice"),
    ],
)
def test_another_heading_is_refused(heading: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Broken, match=reason):
        STREETS.arrange(heading)
