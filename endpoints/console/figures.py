"""Figures as people read them, in the language of the visit: numbers, shares, durations, ages."""

from __future__ import annotations

from babel.numbers import format_decimal, format_percent

from questions.words import Language

_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3600.0, 86400.0


def number(language: Language, value: float) -> str:
    """A number with its thousands apart."""
    return str(format_decimal(value, locale=language.value))


def share(language: Language, part: int, whole: int) -> str:
    """A part in percent, with a decimal where it is small; "" of nothing."""
    if not whole:
        return ""
    ratio = part / whole
    pattern = "#,##0.0 %" if 0 < ratio < 0.1 else "#,##0 %"
    return str(format_percent(ratio, format=pattern, locale=language.value))


def milliseconds(language: Language, value: float) -> str:
    """A duration: milliseconds up to a second, then seconds."""
    if value < 1000:
        return f"{value:.0f}\u00a0ms"
    return f"{number(language, round(value / 1000, 1))}\u00a0s"


def age(language: Language, seconds: float) -> str:
    """For how long something is there, in its greatest unit: `40 s`, `12 min`, `3 h`, `5 d`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{number(language, int(seconds // unit))}\u00a0{name}"
    return f"{seconds:.0f}\u00a0s"
