"""STD is rebuilt exactly: of every real row, and of any chain."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from registers import varis
from registers.varis.standard import Kind, standard, under
from tests.registers.varis.country import SAMPLE, ask

# Their streets are not in the sample.
WITHOUT_STREET = {"101838146", "101109572", "101126201", "101128182", "101108265", "101108312"}


def sample() -> Iterator[dict[str, str]]:
    for path in sorted(SAMPLE.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


def test_every_std_of_the_real_rows_is_rebuilt(engine: Engine) -> None:
    summary = varis.load(engine, [SAMPLE])
    rows = list(sample())
    assert len(rows) == 46
    assert summary.differs == len(WITHOUT_STREET)
    found = ask(engine, lambda c: {row["KODS"]: varis.resolve(c, row["KODS"]) for row in rows})
    assert {code: one.address.text for code, one in found.items()} == {
        row["KODS"]: row["STD"] for row in rows
    }
    assert {code for code, one in found.items() if not one.certain} == WITHOUT_STREET


def test_std_is_built_without_looking_at_the_one_given() -> None:
    """From the columns alone, so that what is stored cannot be what is compared."""
    rows = {row["KODS"]: row for row in sample()}

    def chain(code: str) -> list[tuple[int, str]]:
        row = rows.get(code)
        return [] if row is None else [(int(row["TIPS_CD"]), row["NOSAUKUMS"]), *chain(row["VKUR_CD"])]

    for code, row in rows.items():
        postcode = row["ATRIB"] if row["ATRIB"].startswith("LV-") else None
        assert (standard(chain(code)).text(postcode) == row["STD"]) == (code not in WITHOUT_STREET)


names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12)
areas = st.lists(names, min_size=1, max_size=4)


@given(areas, names, names, st.none() | names, st.none() | st.just("LV-1001"))
def test_a_number_stands_after_its_street_and_premises_after_the_number(
    above: list[str], street: str, house: str, premises: str | None, postcode: str | None
) -> None:
    chain = [(Kind.BUILDING, house), (Kind.STREET, street), *((Kind.VILLAGE, name) for name in above)]
    parts = [f"{street} {house}" if premises is None else f"{street} {house} - {premises}", *above]
    if premises is not None:
        chain.insert(0, (Kind.PREMISES, premises))
    assert standard(chain).text(postcode) == ", ".join([*parts, *([postcode] if postcode else [])])


@given(areas, names, st.none() | names)
def test_a_house_off_a_street_stands_in_quotes(above: list[str], house: str, premises: str | None) -> None:
    chain = [(Kind.BUILDING, house), *((Kind.PARISH, name) for name in above)]
    if premises is not None:
        chain.insert(0, (Kind.PREMISES, premises))
    first = f'"{house}"' + (f" - {premises}" if premises is not None else "")
    assert standard(chain).text() == ", ".join([first, *above])


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), names), min_size=1, max_size=6))
def test_a_chain_can_be_built_link_by_link(chain: list[tuple[int, str]]) -> None:
    above = standard(chain[1:]) if chain[1:] else None
    assert under(above, *chain[0]) == standard(chain)


def test_a_chain_has_a_link() -> None:
    with pytest.raises(ValueError, match="at least"):
        standard([])
