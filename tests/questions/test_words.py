"""Files of words: whole, in both languages, and complete for what the law allows as a purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

import config
from errors import ConfigurationError
from questions import words
from routing.access import Access

FILES = ("purposes", "institutions", "sources", "operations", "acts", "outcomes")


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read(name: str) -> None:
    assert words.table(name)


def test_every_purpose_that_is_granted_has_its_words() -> None:
    granted = {p for right in Access.load(config.DEFAULTS / "access.d").rights for p in right.purposes}
    assert granted - words.table("purposes").keys() == set()


@pytest.mark.parametrize(
    "line", ["care\taprūpe", "care\taprūpe\t", "care\taprūpe\tcare\ncare\taprūpe\tcare again"]
)
def test_half_a_line_and_a_second_one_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "purposes.tsv").write_text(f"name\ttext_lv\ttext_en\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"purposes\.tsv, line"):
        words.table("purposes", tmp_path)


def test_fields_are_told_by_the_texts_of_their_rules() -> None:
    (number,) = words.fields("pmlp", "GetPerson", ["documents[].number"])
    assert (number.lv, number.en) == ("dokumenta numurs", "documents – number")
    (stay,) = words.fields("care-stays", "GetStays", ["stays[].ended_on"])
    assert stay.lv.startswith("pakalpojuma izbeigšanas datums")
    (identity,) = words.fields("registers", "SearchPersons", ["id", "provenance", "identity"])
    assert identity.lv == "vārds (vārdi), uzvārds"


def test_only_what_was_chosen_is_told_as_given() -> None:
    chosen = words.asked_for("persons", "GetPerson", {"data_sets": ["DOCUMENTS"]})
    told = words.fields("persons", "GetPerson", ["addresses[].text", "documents[].number"], chosen)
    assert [one.en for one in told] == ["documents – number"]
    assert words.asked_for("vdeavk", "GetDisability", {}) is None


def test_a_name_that_no_file_has_stays() -> None:
    assert words.operation("nowhere", "GetSuchThings").en == "nowhere get such things"
    assert words.institution("90009999999", "") == words.Words("90009999999", "90009999999")
    assert words.rule("p999").lv == "MK noteikumu Nr. 587 999. punkts"
