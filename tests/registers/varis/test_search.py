"""Search as people type: what is found, and in which order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from errors import InvalidRequest
from registers import varis
from registers.varis import words
from registers.varis.words import Number
from storage import open_engine
from storage.migrate import upgrade
from tests.conftest import Template, _postgresql
from tests.registers.varis.country import ask, small


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def country(
    request: pytest.FixtureRequest, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """The small country, loaded once for all searches: first with an old name of a street, then as it is."""
    folder = tmp_path_factory.mktemp("search")
    with ExitStack() as later:
        if request.param == "sqlite":
            shutil.copy(template("sqlite"), folder / "gateway.db")
            url = f"sqlite:///{folder / 'gateway.db'}"
        else:
            url = later.enter_context(_postgresql(template("postgresql")))
        engine = open_engine(url)
        before = small().change("200000041", NOSAUKUMS="Ļeņina iela", STD="Ļeņina iela, Rīga")
        before.change("200000011", VKUR_CD="200000002", STD="Kalnu pag., Lejas nov.")
        varis.load(engine, [before.write(folder / "a")])
        after = small().change("200000041", DAT_MOD="2021.05.05")
        after.change("200000100", STATUSS="DEL", DAT_BEIG="2019.01.01")
        varis.load(engine, [after.write(folder / "b")])
        yield engine
        engine.dispose()


def found(engine: Engine, text: str, limit: int = 10) -> list[str]:
    return [match.address.varis_code for match in ask(engine, lambda c: varis.search(c, text, limit))]


@pytest.mark.parametrize(
    "text",
    [
        "Brīvības iela 12-3, Rīga",
        "Brīvības 12-3",
        "brivibas 12 - 3",
        "BRIVIBAS IELA 12 dz. 3",
        "Rīga, Brīvības i. 12 dz. 3",
        "Brīvības iela 12, dzīvoklis 3, LV-1001",
        "dz. 3, Brīvības iela 12, Rīga",
        "12-3 brivibas iela riga",
        "briv 12 3",
        "Ļeņina 12-3",
        '"Brīvības iela 12 - 3, Rīga, LV-1001"',
    ],
)
def test_premises_are_found_however_they_are_typed(country: Engine, text: str) -> None:
    assert found(country, text)[0] == "200000703"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        # The state city before the town, the very name before a longer one, the very number before a longer one.
        ("Brivibas 12", ["200000101", "200000201", "200000301", "200000501"]),
        ("Brīvības iela 12", ["200000101", "200000301", "200000501", "200000103", "200000102"]),
        ("Brīvības gatve 12", ["200000201"]),
        ("Brīvības g. 12", ["200000201"]),
        ("Brivibas 12 Mazpils", ["200000301", "200000303", "200000302"]),
        ("Brivibas 12a mazp", ["200000302"]),
        ("Brīvības 12 k1 Mazpils", ["200000303"]),
        ("Brīvības iela 12 korpuss 1, Mazpils", ["200000303"]),
        ("maza brivibas 12", ["200000501"]),
        ("13. janvāra iela 12", ["200000401"]),
        ("13 janvara 1 riga", ["200000400"]),
        ("13. janvāra 13", ["200000044"]),
        ("Riņņi", ["200000601", "200000602"]),
        ("rinni kirsi", ["200000602"]),
        ("stacija", ["200000602"]),
        ("Riņņi 2", ["200000901"]),
        ("rinni - 2, kalnu pag.", ["200000901"]),
        ("Rīga", ["200000021"]),
        ("mazpils", ["200000022"]),
        ("augšas novads", ["200000001"]),
        ("200", []),
        ("Nekurienes iela 1", []),
        ("-- '", []),
    ],
)
def test_the_best_come_first(country: Engine, text: str, codes: list[str]) -> None:
    assert found(country, text)[: len(codes)] == codes
    if not codes:
        assert found(country, text) == []


def test_a_number_does_not_find_a_longer_one(country: Engine) -> None:
    assert "200000104" not in found(country, "Brīvības 12", 100)
    assert "200000730" not in found(country, "Brīvības 12-3", 100)


def test_what_is_deleted_comes_last(country: Engine) -> None:
    codes = found(country, "brivibas 1", 100)
    assert codes[-1] == "200000100"
    assert codes[0] == "200000200"


def test_an_old_name_says_what_it_was(country: Engine) -> None:
    [street, *_] = ask(country, lambda c: varis.search(c, "lenina iela"))
    assert (street.address.text, street.former) == ("Brīvības iela, Rīga", "Ļeņina iela")
    assert ask(country, lambda c: varis.search(c, "brivibas iela riga"))[0].former is None


def test_what_a_place_once_stood_under_finds_it_too(country: Engine) -> None:
    [match, *_] = ask(country, lambda c: varis.search(c, "rinni lejas nov"))
    assert (match.address.varis_code, match.former) == ("200000601", "Lejas nov.")


def test_a_number_that_nothing_has_is_told(country: Engine) -> None:
    [match] = ask(country, lambda c: varis.search(c, "13. janvāra iela 99"))
    assert (match.address.varis_code, match.unmatched) == ("200000044", ("99",))
    [match, *_] = ask(country, lambda c: varis.search(c, "Brīvības gatve 12A - 5"))
    assert (match.address.varis_code, match.unmatched) == ("200000202", ("5",))


def test_the_limit_holds(country: Engine) -> None:
    assert len(found(country, "brivibas", 2)) == 2
    for limit in (0, 101):
        with pytest.raises(InvalidRequest):
            found(country, "brivibas", limit)
    for text in ("", " a ", "x" * 201):
        with pytest.raises(InvalidRequest):
            found(country, text)


@given(st.text(max_size=60))
def test_anything_can_be_typed(text: str) -> None:
    typed = words.read(text)
    assert all(word == words.fold(word) for word in typed.words)
    assert all(number.house[0].isdigit() for number in typed.numbers)


@given(
    st.integers(1, 999),
    st.sampled_from(["", "a", "k-1", "/2"]),
    st.none() | st.integers(1, 99),
    st.sampled_from(["-", " - ", ", dz. ", " dz.", " dzīvoklis ", ", "]),
)
def test_a_house_and_its_premises_are_read(house: int, more: str, premises: int | None, between: str) -> None:
    typed = words.read(f"Ozolu iela {house}{more}" + (f"{between}{premises}" if premises else ""))
    assert typed.numbers == (Number(f"{house}{more}", str(premises) if premises else None),)
    assert (typed.words, typed.kinds) == (("ozolu",), frozenset({"iela"}))


@given(st.text("aābcčdeēgģiīkķlļnņsšuūzž", min_size=1, max_size=10))
def test_names_are_folded_alike(name: str) -> None:
    assert words.words(name) == words.words(words.fold(name).upper())
    assert words.fold(name).isascii()


def test_an_address_whose_street_is_not_held_is_found_by_what_the_source_says(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'alone.db'}")
    upgrade(engine)
    varis.load(engine, [Path(__file__).parent / "sample"])
    assert found(engine, "brivibas iela 100")[0] == "101109572"
    assert found(engine, "jekaba 11 riga")[0] == "101838146"
    engine.dispose()
