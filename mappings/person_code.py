"""Personal codes: one canonical form, `NNNNNN-NNNNN`, in which records, registers and messages hold them.

Old codes are DDMMYY, a century digit (0 = 18xx, 1 = 19xx, 2 = 20xx) and four digits, the last a check digit. New ones
(since 2017) begin with 32 to 39 and say nothing more. A check digit that does not fit is a warning only: real codes
have it.
"""

from __future__ import annotations

import re
from datetime import date

from stdnum import get_cc_module
from stdnum.exceptions import ValidationError

from errors import InvalidPersonCode

_FORM = re.compile(r"([0-9]{6})-?([0-9]{5})", re.ASCII)
_CENTURIES = {"0": 1800, "1": 1900, "2": 2000}
_WEIGHTS = (10, 5, 8, 4, 2, 1, 6, 3, 7, 9)

# Where python-stdnum keeps a country's personal identifier under another name than `personalid`.
_FOREIGN = {
    "BE": "nn",
    "BG": "egn",
    "CH": "ssn",
    "CZ": "rc",
    "DE": "idnr",
    "DK": "cpr",
    "EE": "ik",
    "ES": "nif",
    "FI": "hetu",
    "FR": "nir",
    "GR": "amka",
    "HR": "oib",
    "IE": "pps",
    "IS": "kennitala",
    "IT": "codicefiscale",
    "LT": "asmens",
    "NL": "bsn",
    "NO": "fodselsnummer",
    "PL": "pesel",
    "PT": "nif",
    "RO": "cnp",
    "SE": "personnummer",
    "SI": "emso",
    "SK": "rc",
    "TR": "tckimlik",
    "UA": "rntrc",
}


def canonical(text: str) -> str:
    """A code of a system's answer in the canonical form; only its form is looked at.

    Raises: InvalidPersonCode.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InvalidPersonCode
    return f"{match[1]}-{match[2]}"


def is_personal_code(text: str) -> bool:
    """Whether a text has the form of a personal code."""
    return _FORM.fullmatch(text.strip()) is not None


def normalise(text: str) -> str:
    """A code that a caller gives, with or without the dash, in the canonical form.

    Raises: InvalidPersonCode when the form is wrong, or an old code begins with no day of the calendar.
    """
    code = canonical(text)
    if not is_new(code) and birth_date(code) is None:
        raise InvalidPersonCode("the first six digits are no date")
    return code


def is_new(code: str) -> bool:
    """Whether a canonical code is of the form that begins with 32 to 39."""
    return code[0] == "3" and code[1] >= "2"


def birth_date(code: str) -> date | None:
    """The day that an old canonical code names; None for a new code or one without a possible date."""
    century = _CENTURIES.get(code[7])
    if is_new(code) or century is None:
        return None
    try:
        return date(century + int(code[4:6]), int(code[2:4]), int(code[:2]))
    except ValueError:
        return None


def check_digit_fits(code: str) -> bool:
    """Whether the last digit of an old canonical code is right; a new code has none and always fits."""
    if is_new(code):
        return True
    digits = [int(character) for character in code.replace("-", "")]
    total = 1 + sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=False))
    return total % 11 % 10 == digits[10]


def foreign(country: str, text: str) -> str:
    """A national identifier of another country (ISO 3166-1 alpha-2), compact, as python-stdnum knows it.

    Of a country whose identifiers it does not know, the text without outer spaces. For LV: `normalise`.
    Raises: InvalidPersonCode.
    """
    country = country.upper()
    if country == "LV":
        return normalise(text)
    module = get_cc_module(country, _FOREIGN.get(country, "personalid")) if country.isalpha() else None
    if module is None:
        if not 1 <= len(text.strip()) <= 64:
            raise InvalidPersonCode(f"identifier of {country[:2]}")
        return text.strip()
    try:
        compact: str = module.validate(text)
    except ValidationError as error:
        raise InvalidPersonCode(f"identifier of {country}") from error
    return compact
