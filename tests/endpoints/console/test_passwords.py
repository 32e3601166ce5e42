"""What a password that somebody chooses must be, and that keyboards differ."""

from __future__ import annotations

import pytest

from endpoints.console.pages import account as page
from endpoints.console.passwords import LONGEST, SHORTEST, Passwords, Weakness, weakness
from endpoints.console.words import latvian
from tests.endpoints.console.desks import Counted


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("a" * 11, Weakness.SHORT),
        ("ab" * 65, Weakness.LONG),
        ("aaaaaaaaaaaaaaaa", Weakness.COMMON),
        ("121212121212", Weakness.COMMON),
        ("PASSWORD-1234567", Weakness.COMMON),
        ("1q2w3e4r5t6y", Weakness.COMMON),
        ("parole2026parole", Weakness.COMMON),
        ("Parolīte!2026", Weakness.COMMON),
        ("ilze.berzina 2026", Weakness.NAME),
        ("so says Berzina today", Weakness.NAME),
        ("several plain words", None),
        ("x7#Kq!pW2m$Z", None),
        ("ā" * 6 + "čē ģī ķļ", None),
    ],
)
def test_rules_of_passwords(password: str, found: Weakness | None) -> None:
    assert weakness(password, "ilze.berzina") is found


def test_the_rules_are_told_as_they_are() -> None:
    assert str(SHORTEST) in Weakness.SHORT
    assert str(LONGEST) in Weakness.LONG
    assert weakness("x7#Kq!pW2m$Z" + "y" * (LONGEST - 12), "ilze") is None
    assert weakness("x7#Kq!pW2m$Z", "x7") is None, "so short a name stands in other words too"


def test_a_letter_and_its_mark_are_one_letter() -> None:
    passwords = Passwords(Counted())
    assert passwords.right(passwords.hashed("mācība un darbs"), "ma\u0304ci\u0304ba un darbs")


def test_what_is_told_here_is_translated() -> None:
    said = [*Weakness, *page._DONE.values(), page._REFUSED, page._DIFFERENT, page._THE_SAME]
    assert [text for text in said if text not in latvian()] == []
