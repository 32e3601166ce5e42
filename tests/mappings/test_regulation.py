"""The regulation as data: every point once, the order of the text, and sub-points under their heads."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from errors import ConfigurationError
from mappings.regulation import chain, rules

HEADS = "rule\ttext_lv\tnote\teffective_from\n"


def test_points_that_decide_the_design_are_there() -> None:
    found = rules()
    assert len(found) > 300
    assert found["p8.13.2"].text == "invaliditātes grupa"
    assert "10^1.1" not in found
    assert found["p15^1.1"].text.startswith("nosaukums, adrese")
    assert found["p10.11.1"].effective_from == date(2018, 1, 1)
    assert found["p8.1"].effective_from is None
    assert all(rule.text for rule in found.values())


def test_a_point_stands_under_its_heads() -> None:
    assert [rule.id for rule in chain("p8.13.2")] == ["p8", "p8.13", "p8.13.2"]
    assert [rule.id for rule in chain("p13^1.8.1")] == ["p13^1", "p13^1.8", "p13^1.8.1"]
    assert [rule.id for rule in chain("p8.99.1")] == ["p8"]
    assert chain("") == ()


def test_every_point_is_under_points_that_are_there() -> None:
    for rule in rules():
        assert [one.id for one in chain(rule)][-1] == rule
        assert len(chain(rule)) == rule.count(".") + 1, rule


@pytest.mark.parametrize(
    "content",
    [
        "",
        "rule\ttext_lv\n",
        f"{HEADS}p1\tA\t\t\np1\tB\t\t\n",
        f"{HEADS}p1\tA\n",
        f"{HEADS}p1\tA\t\tsoon\n",
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "amended.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="amended"):
        rules(path)
