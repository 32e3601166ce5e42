"""Personal codes in both forms: accepted with and without the dash, refused where no person can have them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidPersonCode
from mappings.person_code import birth_date, check_digit_fits, foreign, is_new, normalise

_WEIGHTS = (10, 5, 8, 4, 2, 1, 6, 3, 7, 9)
days = st.dates(date(1800, 1, 1), date(2099, 12, 31))


def old_code(day: date, serial: int) -> str:
    digits = f"{day:%d%m}{day.year % 100:02d}{day.year // 100 - 18}{serial:03d}"
    check = (1 + sum(int(d) * w for d, w in zip(digits, _WEIGHTS, strict=True))) % 11 % 10
    return f"{digits[:6]}-{digits[6:]}{check}"


@given(days, st.integers(0, 999))
def test_an_old_code_keeps_its_date_and_check_digit(day: date, serial: int) -> None:
    code = old_code(day, serial)
    assert normalise(code) == normalise(code.replace("-", "")) == code
    assert birth_date(code) == day
    assert not is_new(code)
    assert check_digit_fits(code)


@given(days, st.integers(0, 999), st.integers(1, 9))
def test_a_wrong_check_digit_is_a_warning_and_no_refusal(day: date, serial: int, shift: int) -> None:
    code = old_code(day, serial)
    other = f"{code[:-1]}{(int(code[-1]) + shift) % 10}"
    assert normalise(other) == other
    assert not check_digit_fits(other)


@given(st.from_regex(r"3[2-9][0-9]{9}", fullmatch=True))
def test_a_new_code_says_nothing_and_is_accepted(digits: str) -> None:
    code = normalise(digits)
    assert code == f"{digits[:6]}-{digits[6:]}"
    assert is_new(code)
    assert birth_date(code) is None
    assert check_digit_fits(code)


@given(st.text(max_size=14))
def test_any_text_is_a_code_or_an_error_of_ours(text: str) -> None:
    try:
        code = normalise(text)
    except InvalidPersonCode:
        return
    assert normalise(code) == code
    assert code.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345678901",
        "310290-10001",
        "010199-91234",
        "32123-412345",
        "٣٢١٢٣٤12345",
        "321234--12345",
        "321234-12345x",
    ],
)
def test_impossible_codes_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(InvalidPersonCode) as caught:
        normalise(text)
    assert not text or text not in str(caught.value)


def test_identifiers_of_other_countries() -> None:
    assert foreign("EE", "37605030299") == "37605030299"
    assert foreign("fi", "131052-308T") == "131052-308T"
    assert foreign("LV", "32123412345") == "321234-12345"
    assert foreign("UG", " CM12 ") == "CM12"
    for country, wrong in (("EE", "37605030298"), ("LT", "1"), ("LV", "1"), ("UG", ""), ("??", "x" * 65)):
        with pytest.raises(InvalidPersonCode):
            foreign(country, wrong)
