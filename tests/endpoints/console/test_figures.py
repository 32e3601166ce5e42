"""Figures in both languages."""

from __future__ import annotations

from endpoints.console.figures import age, milliseconds, number, share
from questions.words import Language

LV, EN = Language.LATVIAN, Language.ENGLISH


def test_numbers() -> None:
    assert number(EN, 12345) == "12,345"
    assert number(LV, 12345) == "12\u00a0345"


def test_shares() -> None:
    assert share(EN, 1, 60).replace("\u00a0", " ") == "1.7 %"
    assert share(LV, 1, 60).replace("\u00a0", " ") == "1,7 %"
    assert share(EN, 1, 2).replace("\u00a0", " ") == "50 %"
    assert share(EN, 0, 0) == ""


def test_durations() -> None:
    assert milliseconds(EN, 340) == "340\u00a0ms"
    assert milliseconds(EN, 12_340) == "12.3\u00a0s"
    assert milliseconds(LV, 12_340) == "12,3\u00a0s"


def test_ages() -> None:
    assert [age(EN, seconds).replace("\u00a0", " ") for seconds in (0.4, 119, 121, 7_300, 200_000)] == [
        "0 s",
        "119 s",
        "2 min",
        "2 h",
        "2 d",
    ]
