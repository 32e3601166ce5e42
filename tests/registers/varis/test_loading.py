"""Loading an edition: what is written, what is refused, and that a refused one leaves nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from errors import Busy, InvalidRequest, NotFound
from registers import varis
from registers.edition import CENTROID, EDITION, FORMER, PLACE, WORD
from registers.varis.exclusive import alone
from registers.varis.forms import Form
from registers.varis.summary import Counts
from storage import open_engine
from storage.migrate import upgrade
from tests.registers.varis.country import ROOT, Country, ask, small


def texts(engine: Engine) -> dict[str, str]:
    """Every object of the edition in use with its full address."""

    def work(connection: object) -> dict[str, str]:
        places = varis.Places(connection)  # type: ignore[arg-type]
        codes = sorted(set(places.connection.execute(select(PLACE.c.code)).scalars()))
        found = [places.resolve(code) for code in codes]
        return {one.address.varis_code: one.address.text for one in found if one.listed}

    return ask(engine, work)


def stored(engine: Engine) -> list[int]:
    """How many rows each table has, whatever the edition."""
    tables = (PLACE, FORMER, CENTROID, WORD)
    return ask(
        engine, lambda c: [c.execute(select(func.count()).select_from(t)).scalar_one() for t in tables]
    )


def states(engine: Engine) -> list[tuple[int, str]]:
    query = select(EDITION.c.number, EDITION.c.state).order_by(EDITION.c.number)
    return [tuple(row) for row in ask(engine, lambda c: c.execute(query).all())]


def given_texts(country: Country) -> dict[str, str]:
    return {row["KODS"]: row["STD"] for rows in country.rows.values() for row in rows}


@pytest.mark.parametrize("form", list(Form))
def test_an_edition_is_loaded_from_either_form(engine: Engine, tmp_path: Path, form: Form) -> None:
    heard: list[tuple[int, int | None]] = []
    summary = varis.load(
        engine, [small().write(tmp_path, form)], progress=lambda done, total: heard.append((done, total))
    )
    assert summary.counts["eka"] == Counts(added=27)
    assert summary.counts["dziv"] == Counts(added=7)
    assert (summary.edition, summary.differs, str(summary.newest_on)) == (1, 0, "2020-01-01")
    assert texts(engine) == given_texts(small())
    size = sum(path.stat().st_size for path in tmp_path.glob("*.csv"))
    assert heard[-1] == (size, size)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_the_same_edition_in_the_other_form_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [small().write(tmp_path / "a", Form.OLD)])
    before = stored(engine)
    summary = varis.load(engine, [small().write(tmp_path / "b", Form.CURRENT)])
    assert {(c.added, c.changed, c.ended) for c in summary.counts.values()} == {(0, 0, 0)}
    assert summary.counts["eka"].unchanged == 27
    assert stored(engine) == before
    assert states(engine) == [(1, "superseded"), (2, "current")]


def test_only_what_changed_is_written(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [small().write(tmp_path / "a")])
    places = stored(engine)[0]
    following = with_street_renamed()
    following.change("200000404", STATUSS="DEL", DAT_BEIG="2026.05.02", DAT_MOD="2026.05.02").drop(
        "200000504"
    )
    following.add(
        "eka",
        "108",
        "200000650",
        "Jaunceltnes",
        "200000011/105",
        '"Jaunceltnes", Kalnu pag., Augšas nov., LV-4211',
        ATRIB="LV-4211",
    )
    summary = varis.load(engine, [following.write(tmp_path / "b")])
    assert summary.counts["iela"] == Counts(changed=1, unchanged=4)
    assert summary.counts["eka"] == Counts(added=1, ended=2, unchanged=25)
    assert summary.counts["dziv"] == Counts(unchanged=7)
    assert summary.differs == 0
    assert stored(engine)[0] == places + 3  # the street, the house deleted, the new one
    assert texts(engine) == given_texts(following)
    gone = ask(engine, lambda c: varis.resolve(c, "200000504"))
    assert (gone.listed, gone.address.text) == (False, "Mazā Brīvības iela 120, Rīga, LV-1001")


def with_street_renamed() -> Country:
    """The full addresses of its houses and their premises are others; nothing else of their rows is."""
    renamed = small().change(
        "200000041", NOSAUKUMS="Jaunā iela", STD="Jaunā iela, Rīga", DAT_MOD="2026.05.01"
    )
    for file, first, last in (("eka", 200000100, 200000105), ("dziv", 200000700, 200000731)):
        for row in renamed.rows[file]:
            if first <= int(row["KODS"]) < last:
                row["STD"] = row["STD"].replace("Brīvības iela", "Jaunā iela")
    return renamed


def broken(code: str, **values: str) -> Callable[[Country], Country]:
    return lambda country: country.change(code, **values)


def twice(country: Country) -> Country:
    country.rows["eka"].append(dict(country.rows["eka"][0]))
    return country


def centroid(**values: str) -> Callable[[Country], Country]:
    def change(country: Country) -> Country:
        std = {"DD_N": "56.9", "DD_E": "24.1", "KOORD_X": "1.5", "KOORD_Y": "2.5", **values}
        return country.add("vietu_centroidi", "104", "200000021", "Rīga", ROOT, "Rīga", **std)

    return change


BROKEN = {
    "a code of letters": (broken("200000102", KODS="20000010A"), "aw_eka.csv", 4, "KODS"),
    "a short code": (broken("200000102", VKUR_CD="2000001"), "aw_eka.csv", 4, "VKUR_CD"),
    "the root": (broken("200000001", KODS=ROOT), "aw_novads.csv", 2, "no row"),
    "another type": (broken("200000041", TIPS_CD="108"), "aw_iela.csv", 2, "TIPS_CD"),
    "no type": (broken("200000041", VKUR_TIPS="199"), "aw_iela.csv", 2, "VKUR_TIPS"),
    "no status": (broken("200000043", STATUSS="OK"), "aw_iela.csv", 4, "STATUSS"),
    "no date": (broken("200000100", DAT_SAK="2021-01-01"), "aw_eka.csv", 2, "DAT_SAK"),
    "a day that is none": (broken("200000100", DAT_MOD="2021.02.30"), "aw_eka.csv", 2, "DAT_MOD"),
    "no beginning": (broken("200000100", DAT_SAK=""), "aw_eka.csv", 2, "DAT_SAK"),
    "no postcode": (broken("200000100", ATRIB="1001"), "aw_eka.csv", 2, "ATRIB"),
    "no ATVK": (broken("200000021", ATRIB="LV-1001"), "aw_pilseta.csv", 2, "ATRIB"),
    "no number": (broken("200000100", DD_N="56,9"), "aw_eka.csv", 2, "DD_N"),
    "neither yes nor no": (broken("200000100", FOR_BUILD="1"), "aw_eka.csv", 2, "FOR_BUILD"),
    "no name": (broken("200000701", NOSAUKUMS=" "), "aw_dziv.csv", 2, "NOSAUKUMS"),
    "a name with a tabulator": (broken("200000701", NOSAUKUMS="1\t2"), "aw_dziv.csv", 2, "NOSAUKUMS"),
    "its own parent": (broken("200000100", VKUR_CD="200000100"), "aw_eka.csv", 2, "itself"),
    "a code twice": (twice, "aw_eka.csv", 29, "twice"),
    "a centroid without degrees": (centroid(DD_N=""), "aw_vietu_centroidi.csv", 2, "DD_N"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_row_is_told_and_nothing_is_loaded(engine: Engine, tmp_path: Path, case: str) -> None:
    varis.load(engine, [small().write(tmp_path / "good")])
    before, kept = texts(engine), stored(engine)
    change, file, line, reason = BROKEN[case]
    country = change(small())
    country.change(
        "200000022", NOSAUKUMS="Citpils", STD="Citpils, Lejas nov."
    )  # what would be written by then
    with pytest.raises(InvalidRequest, match=re.escape(f"{file} line {line}: ")) as refused:
        varis.load(engine, [country.write(tmp_path / "bad")])
    assert reason in refused.value.detail
    assert (texts(engine), stored(engine)) == (before, kept)
    assert states(engine) == [(1, "current"), (2, "refused")]
    assert varis.load(engine, [small().write(tmp_path / "again")]).edition == 3


def test_all_broken_rows_are_told_up_to_some(engine: Engine, tmp_path: Path) -> None:
    country = small()
    for row in country.rows["eka"]:
        row["STATUSS"] = "?"
    with pytest.raises(InvalidRequest) as refused:
        varis.load(engine, [country.write(tmp_path)])
    assert refused.value.detail.count("STATUSS") == 20
    assert "there may be more" in refused.value.detail
    assert sum(stored(engine)) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1: the file is empty"),
        (b'"KODS","VARDS"\n', "line 1: the heading is not that of iela"),
        (b'"KODS"\n"1","2"\n', "line 1: the heading"),
    ],
)
def test_a_file_without_its_heading(engine: Engine, tmp_path: Path, content: bytes, reason: str) -> None:
    small().write(tmp_path)
    (tmp_path / "aw_iela.csv").write_bytes(content)
    with pytest.raises(InvalidRequest, match=re.escape(f"aw_iela.csv {reason}")):
        varis.load(engine, [tmp_path])


def test_a_row_of_too_few_fields(engine: Engine, tmp_path: Path) -> None:
    path = small().write(tmp_path) / "aw_ciems.csv"
    path.write_bytes(path.read_bytes() + b'"200000032","106"\r\n')
    with pytest.raises(InvalidRequest, match=r"aw_ciems\.csv line 3: 2 fields, not 14"):
        varis.load(engine, [tmp_path])


def test_a_cut_file_is_not_taken_for_an_edition(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [small().write(tmp_path / "a")])
    half = small()
    half.rows["eka"] = half.rows["eka"][:15]
    before = stored(engine)
    with pytest.raises(InvalidRequest, match=r"aw_eka\.csv lacks 12 of 27"):
        varis.load(engine, [half.write(tmp_path / "b")])
    assert stored(engine) == before
    summary = varis.load(engine, [tmp_path / "b"], accept_removals=True)
    assert summary.counts["eka"] == Counts(ended=12, unchanged=15)


def test_an_older_edition_is_loaded_only_where_it_is_meant(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [small().change("200000021", DAT_MOD="2026.01.01").write(tmp_path / "a")])
    with pytest.raises(InvalidRequest, match="2020-01-01"):
        varis.load(engine, [small().write(tmp_path / "b")])
    assert varis.load(engine, [tmp_path / "b"], accept_older=True).counts["pilseta"].changed == 1


def test_some_files_leave_the_other_kinds_as_they_are(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [small().write(tmp_path)])
    country = small().change("200000701", NOSAUKUMS="1A", STD="Brīvības iela 12 - 1A, Rīga, LV-1001")
    summary = varis.load(engine, [country.write(tmp_path / "b") / "aw_dziv.csv"])
    assert summary.counts == {"dziv": Counts(changed=1, unchanged=6)}
    assert summary.differs == 0
    houses = varis.load(engine, [tmp_path / "b" / "aw_eka.csv"])
    assert (houses.counts["eka"], houses.differs) == (Counts(unchanged=27), 0)
    assert texts(engine) == given_texts(country)


def test_centroids_have_no_code_of_their_own(engine: Engine, tmp_path: Path) -> None:
    country = centroid()(centroid(DD_N="57.1")(small()))
    assert varis.load(engine, [country.write(tmp_path / "a")]).counts["vietu_centroidi"] == Counts(added=2)
    riga = ask(engine, lambda c: varis.resolve(c, "200000021").address)
    assert str(riga.north) == "57.1"
    country.rows["vietu_centroidi"][0]["DD_N"] = "57.2"
    counts = varis.load(engine, [country.write(tmp_path / "b")]).counts["vietu_centroidi"]
    assert counts == Counts(added=1, ended=1, unchanged=1)


def test_a_row_may_be_modified_before_it_begins(engine: Engine, tmp_path: Path) -> None:
    country = small().change("200000001", DAT_SAK="2021.07.01", DAT_MOD="2021.06.30")
    varis.load(engine, [country.write(tmp_path)])
    assert str(ask(engine, lambda c: varis.resolve(c, "200000001").address.valid_from)) == "2021-07-01"


def test_other_files_of_the_data_set_are_left_out_and_named(engine: Engine, tmp_path: Path) -> None:
    small().write(tmp_path)
    (tmp_path / "aw_ppils.csv").write_text("anything", encoding="utf-8")
    (tmp_path / "readme.txt").write_text("anything", encoding="utf-8")
    assert varis.load(engine, [tmp_path]).ignored == ["aw_ppils.csv"]
    with pytest.raises(InvalidRequest, match="no file of an edition"):
        varis.load(engine, [tmp_path / "aw_ppils.csv"])
    with pytest.raises(InvalidRequest, match="twice"):
        varis.load(engine, [tmp_path, tmp_path / "aw_iela.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match="no file of an edition"):
        varis.load(engine, [tmp_path / "empty"])


def test_one_load_at_a_time(engine: Engine, tmp_path: Path) -> None:
    small().write(tmp_path)
    with engine.connect() as other, alone(other), pytest.raises(Busy):
        varis.load(engine, [tmp_path])
    assert varis.load(engine, [tmp_path]).edition == 1


def test_without_an_edition_nothing_is_known(engine: Engine) -> None:
    with pytest.raises(NotFound, match="gateway addresses load"):
        ask(engine, lambda c: varis.resolve(c, "200000021"))


def test_after_a_street_is_renamed_its_houses_are_compared_as_quickly_as_before(
    engine: Engine, tmp_path: Path
) -> None:
    """What is kept to compare by is that of the newest edition, as if it had been the only one."""

    def digests(of: Engine) -> dict[int, int]:
        query = select(PLACE.c.code, PLACE.c.digest).where(PLACE.c.ended_edition.is_(None))
        return {code: digest for code, digest in ask(of, lambda c: c.execute(query).all())}  # noqa: C416 — rows are no pairs to mypy

    renamed = with_street_renamed()
    varis.load(engine, [small().write(tmp_path / "a")])
    varis.load(engine, [renamed.write(tmp_path / "b")])
    alone_engine = open_engine(f"sqlite:///{tmp_path / 'alone.db'}")
    upgrade(alone_engine)
    varis.load(alone_engine, [tmp_path / "b"])
    assert digests(engine) == digests(alone_engine)
    alone_engine.dispose()


def test_a_full_address_that_its_chain_does_not_give_is_kept_as_given(engine: Engine, tmp_path: Path) -> None:
    """A street is renamed, and the source forgets its houses, whose rows stay as they are."""
    varis.load(engine, [small().write(tmp_path / "a")])
    following = small().change("200000041", NOSAUKUMS="Jaunā iela", STD="Jaunā iela, Rīga")
    summary = varis.load(engine, [following.write(tmp_path / "b")])
    assert summary.differs == 5 + 3
    assert (summary.counts["eka"].changed, summary.counts["dziv"].changed) == (5, 3)
    assert texts(engine) == given_texts(following)
    again = varis.load(engine, [tmp_path / "b"])
    assert again.counts["eka"] == Counts(unchanged=27)
    assert again.differs == 8


def test_a_refused_edition_does_not_spoil_what_the_next_is_compared_with(
    engine: Engine, tmp_path: Path
) -> None:
    varis.load(engine, [small().write(tmp_path / "a")])
    renamed = with_street_renamed()
    with pytest.raises(InvalidRequest):
        varis.load(engine, [renamed.change("200000901", STATUSS="?").write(tmp_path / "b")])
    assert texts(engine) == given_texts(small())
    summary = varis.load(engine, [renamed.change("200000901", STATUSS="EKS").write(tmp_path / "c")])
    assert {name: each.changed for name, each in summary.counts.items() if each.changed} == {"iela": 1}
    assert texts(engine) == given_texts(renamed)
    assert varis.load(engine, [small().write(tmp_path / "d")], accept_older=True).counts["iela"].changed == 1
    assert texts(engine) == given_texts(small())
