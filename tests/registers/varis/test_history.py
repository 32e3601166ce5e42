"""What a code stood for over time: across the reform of 2021, by rows of former names and by editions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from errors import InvalidRequest, NotFound
from registers import varis
from registers.varis.summary import Counts
from tests.registers.varis.country import ROOT, Country, ask

BEFORE, AFTER = date(2021, 6, 30), date(2021, 7, 1)
OLD, NEW, PARISH, HOUSE, STREET = "300000001", "300000002", "300000011", "300000101", "300000041"
OLD_TEXT = '"Ozoli", Vecates pag., Burtnieku nov., LV-4211'
NEW_TEXT = '"Ozoli", Vecates pag., Valmieras nov., LV-4211'


def before_the_reform() -> Country:
    c = Country()
    c.add(
        "novads", "113", OLD, "Burtnieku nov.", ROOT, "Burtnieku nov.", DAT_SAK="2009.07.01", ATRIB="0021000"
    )
    c.add(
        "pagasts",
        "105",
        PARISH,
        "Vecates pag.",
        f"{OLD}/113",
        "Vecates pag., Burtnieku nov.",
        DAT_SAK="1999.03.16",
    )
    c.add("eka", "108", HOUSE, "Ozoli", f"{PARISH}/105", OLD_TEXT, ATRIB="LV-4211", DAT_SAK="2005.05.05")
    return c


def after_the_reform() -> Country:
    c = before_the_reform()
    c.change(OLD, STATUSS="DEL", DAT_BEIG="2021.06.30", DAT_MOD="2021.06.30")
    c.add(
        "novads",
        "113",
        NEW,
        "Valmieras nov.",
        ROOT,
        "Valmieras nov.",
        DAT_SAK="2021.07.01",
        DAT_MOD="2021.06.30",
    )
    # Touched again years later, so that the day of modification says nothing of the reform.
    c.change(PARISH, VKUR_CD=NEW, STD="Vecates pag., Valmieras nov.", DAT_MOD="2025.07.21")
    return c.change(HOUSE, STD=NEW_TEXT)


def with_former_rows() -> Country:
    """One edition alone, which says what was before."""
    c = after_the_reform()
    former = {"DAT_SAK": "2009.07.01", "DAT_BEIG": "2021.06.30", "DAT_MOD": "2021.06.30"}
    return c.add(
        "pagasts_his", "105", PARISH, "Vecates pag.", f"{OLD}/113", "Vecates pag., Burtnieku nov.", **former
    )


def by_editions(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [before_the_reform().write(tmp_path / "a")])
    counts = varis.load(engine, [after_the_reform().write(tmp_path / "b")]).counts
    assert counts["eka"] == Counts(unchanged=1)  # its address changed, its row did not
    assert counts["novads"] == Counts(added=1, ended=1)


def by_former_rows(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [with_former_rows().write(tmp_path / "a")])


WAYS = pytest.mark.parametrize("loaded", [by_editions, by_former_rows])


@WAYS
def test_a_code_resolves_as_of_a_day(engine: Engine, tmp_path: Path, loaded: object) -> None:
    loaded(engine, tmp_path)  # type: ignore[operator]
    days = (date(2010, 1, 1), BEFORE, AFTER, None)
    every = ask(engine, lambda c: [varis.resolve(c, HOUSE, day) for day in days])
    assert [found.address.text for found in every] == [OLD_TEXT, OLD_TEXT, NEW_TEXT, NEW_TEXT]
    assert all(found.certain and found.existed for found in every)
    chain = ask(engine, lambda c: varis.resolve(c, HOUSE, BEFORE).address.chain)
    assert [part.varis_code for part in chain] == [HOUSE, PARISH, OLD]


@WAYS
def test_the_history_tells_the_reform(engine: Engine, tmp_path: Path, loaded: object) -> None:
    loaded(engine, tmp_path)  # type: ignore[operator]
    told = ask(engine, lambda c: varis.history(c, HOUSE))
    sure = [(span.since, span.until, span.text) for span in told.spans if span.certain]
    assert sure == [(date(2009, 7, 1), BEFORE, OLD_TEXT), (AFTER, None, NEW_TEXT)]
    assert told.spans[0].since == date(2005, 5, 5)
    assert told.successors == ()


@WAYS
def test_what_came_after_a_municipality(engine: Engine, tmp_path: Path, loaded: object) -> None:
    loaded(engine, tmp_path)  # type: ignore[operator]
    told = ask(engine, lambda c: varis.history(c, OLD))
    assert told.address.status.code == "DEL"
    assert told.address.valid_to == BEFORE
    assert [(s.code, s.reason, s.moved) for s in told.successors] == [(NEW, "moved", 1)]
    ended = ask(engine, lambda c: varis.resolve(c, OLD, AFTER))
    assert (ended.existed, ended.address.text) == (False, "Burtnieku nov.")


def test_before_anything_is_known_the_address_says_that_it_is_not_certain(
    engine: Engine, tmp_path: Path
) -> None:
    varis.load(engine, [after_the_reform().write(tmp_path)])
    found = ask(engine, lambda c: varis.resolve(c, HOUSE, BEFORE))
    assert (found.address.text, found.existed, found.certain) == (NEW_TEXT, True, False)
    assert ask(engine, lambda c: varis.resolve(c, HOUSE, date(2001, 1, 1))).existed is False


def test_a_house_that_was_renumbered_and_one_that_replaces_another(engine: Engine, tmp_path: Path) -> None:
    c = Country().add("pilseta", "104", "300000021", "Rīga", ROOT, "Rīga")
    c.add("iela", "107", STREET, "Ozolu iela", "300000021/104", "Ozolu iela, Rīga")
    house = {"ATRIB": "LV-1001"}
    c.add("eka", "108", "300000201", "7", f"{STREET}/107", "Ozolu iela 7, Rīga, LV-1001", **house)
    ended = {**house, "STATUSS": "DEL", "DAT_BEIG": "2019.02.11"}
    c.add("eka", "108", "300000202", "9", f"{STREET}/107", "Ozolu iela 9, Rīga, LV-1001", **ended)
    c.add("eka", "108", "300000203", "9", f"{STREET}/107", "Ozolu iela 9, Rīga, LV-1001", **house)
    c.add("eka", "108", "300000204", "11", f"{STREET}/107", "Ozolu iela 11, Rīga, LV-1001", **ended)
    former = {"DAT_SAK": "2000.01.01", "DAT_BEIG": "2008.03.04"}
    c.add(
        "eka_his",
        "108",
        "300000201",
        "5",
        f"{STREET}/107",
        "Ozolu iela 5, Rīga, LV-1012",
        **former,
        KODS_HIS="300000204",
    )
    varis.load(engine, [c.write(tmp_path)])
    told = ask(engine, lambda c: varis.history(c, "300000201"))
    assert [(span.text, span.until) for span in told.spans] == [
        ("Ozolu iela 5, Rīga, LV-1012", date(2008, 3, 4)),
        ("Ozolu iela 7, Rīga, LV-1001", None),
    ]
    assert [m.address.varis_code for m in ask(engine, lambda c: varis.search(c, "ozolu 5"))] == ["300000201"]
    assert ask(engine, lambda c: varis.search(c, "ozolu 5"))[0].former == "5"
    after = ask(engine, lambda c: varis.history(c, "300000202")).successors
    assert [(s.code, s.reason) for s in after] == [("300000203", "address")]
    after = ask(engine, lambda c: varis.history(c, "300000204")).successors
    assert [(s.code, s.reason) for s in after] == [("300000201", "code")]


def test_a_renamed_street_is_told_by_editions(engine: Engine, tmp_path: Path) -> None:
    c = Country().add("pilseta", "104", "300000021", "Rīga", ROOT, "Rīga")
    c.add("iela", "107", STREET, "Ļeņina iela", "300000021/104", "Ļeņina iela, Rīga")
    c.add("eka", "108", "300000201", "7", f"{STREET}/107", "Ļeņina iela 7, Rīga, LV-1001", ATRIB="LV-1001")
    varis.load(engine, [c.write(tmp_path / "a")])
    c.change(STREET, NOSAUKUMS="Brīvības iela", STD="Brīvības iela, Rīga", DAT_MOD="2022.03.01")
    c.change("300000201", STD="Brīvības iela 7, Rīga, LV-1001")
    varis.load(engine, [c.write(tmp_path / "b")])
    c.change(STREET, APST_PAK="254", DAT_MOD="2023.03.01")  # nothing that an address shows
    varis.load(engine, [c.write(tmp_path / "c")])
    spans = ask(engine, lambda c: varis.history(c, "300000201")).spans
    assert [(span.since, span.text) for span in spans] == [
        (date(2000, 1, 1), "Ļeņina iela 7, Rīga, LV-1001"),
        (date(2022, 3, 1), "Brīvības iela 7, Rīga, LV-1001"),
    ]
    [match] = ask(engine, lambda c: varis.search(c, "lenina 7"))
    assert (match.address.text, match.former) == ("Brīvības iela 7, Rīga, LV-1001", "Ļeņina iela")


def test_children_are_listed_in_order(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [after_the_reform().write(tmp_path)])

    def codes(**how: object) -> list[str]:
        return [a.varis_code for a in ask(engine, lambda c: varis.children(c, ROOT, **how))]  # type: ignore[arg-type]

    assert codes() == [NEW]
    assert codes(ended=True) == [OLD, NEW]
    assert codes(ended=True, limit=1, offset=1) == [NEW]
    assert ask(engine, lambda c: varis.children(c, HOUSE)) == ()


@pytest.mark.parametrize("code", ["30000001", "30000001A", "", "3000000011"])
def test_what_is_no_code_is_refused(engine: Engine, tmp_path: Path, code: str) -> None:
    varis.load(engine, [before_the_reform().write(tmp_path)])
    with pytest.raises(InvalidRequest):
        ask(engine, lambda c: varis.resolve(c, code))
    with pytest.raises(NotFound):
        ask(engine, lambda c: varis.resolve(c, "399999999"))
