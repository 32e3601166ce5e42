"""Personal codes of the invented population: a bijection between persons and codes, so that no table is needed.

A person is known by community (block) and slot. An old-form code carries the birth date and a serial number whose
hundreds tell the slot; a new-form code is an affine image of the person's index. Both ways cost a few multiplications
at any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

SERIALS = 1000  # three digits of an old-form code before its check digit
_WEIGHTS = (10, 5, 8, 4, 2, 1, 6, 3, 7, 9)
_NEW_FORMS = 8_000_000_000  # 3, then 2–9, then nine digits
_FIRST_NEW = 32_000_000_000


@dataclass(frozen=True, slots=True)
class Scatter:
    """A permutation of 0 … n-1 by `factor * k + shift mod n`, with its inverse."""

    n: int
    factor: int
    shift: int

    @classmethod
    def drawn(cls, n: int, draw: int) -> Scatter:
        """The permutation that `draw`, any large number, selects: the factor is made coprime with n."""
        factor = draw % n or 1
        while math.gcd(factor, n) != 1:
            factor += 1
        return cls(n, factor, (draw >> 64) % n)

    def forward(self, k: int) -> int:
        """The image of k."""
        return (self.factor * k + self.shift) % self.n

    def back(self, image: int) -> int:
        """The k whose image this is."""
        return (image - self.shift) * pow(self.factor, -1, self.n) % self.n


@dataclass(frozen=True, slots=True)
class BirthDates:
    """Birth dates of one slot over all communities: each community gets a (day, serial number) pair of its own."""

    first: date
    slot: int
    serials: int  # serial numbers that belong to this slot, from slot * serials on
    scatter: Scatter

    @classmethod
    def between(cls, first: date, last: date, slot: int, slots: int, draw: int) -> BirthDates:
        """The dates from first to last, both included, of one slot among `slots`."""
        serials = SERIALS // slots
        days = (last - first).days + 1
        return cls(first, slot, serials, Scatter.drawn(days * serials, draw))

    def born(self, block: int) -> tuple[date, int]:
        """Birth date and serial number of the person in this slot of a community."""
        day, serial = divmod(self.scatter.forward(block), self.serials)
        return self.first + timedelta(days=day), self.slot * self.serials + serial

    def block(self, born: date, serial: int) -> int | None:
        """The community whose person in this slot has that date and serial number, or None."""
        day = (born - self.first).days
        image = day * self.serials + serial - self.slot * self.serials
        return self.scatter.back(image) if 0 <= image < self.scatter.n and day >= 0 else None


def old_form(born: date, serial: int) -> str:
    """DDMMYY, century digit, three digits of serial number, check digit."""
    digits = f"{born:%d%m%y}{born.year // 100 - 18}{serial:03d}"
    return digits + str((1 + sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True))) % 11 % 10)


def read_old_form(code: str) -> tuple[date, int] | None:
    """Birth date and serial number of an old-form code; None for anything else, a wrong check digit included."""
    try:
        century = {"0": 1800, "1": 1900, "2": 2000}[code[6]]
        born = date(century + int(code[4:6]), int(code[2:4]), int(code[:2]))
        serial = int(code[7:10])
    except (KeyError, IndexError, ValueError):
        return None
    return (born, serial) if old_form(born, serial) == code else None


def new_forms(draw: int) -> Scatter:
    """The permutation of all new-form codes that `draw` selects."""
    return Scatter.drawn(_NEW_FORMS, draw)


def new_form(index: int, scatter: Scatter) -> str:
    """The new-form code of a person: 3, then 2–9, then nine digits without meaning."""
    return str(_FIRST_NEW + scatter.forward(index))


def read_new_form(code: str, scatter: Scatter) -> int | None:
    """The index whose new-form code this is; None for anything that is not one."""
    if len(code) != 11 or not (code.isascii() and code.isdigit()) or not "32" <= code[:2] <= "39":
        return None
    return scatter.back(int(code) - _FIRST_NEW)
