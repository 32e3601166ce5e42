"""Real rows of the State Address Register (VARIS), with their chains.

Source: simulators/varis/SOURCE.md (Valsts zemes dienests, CC BY 4.0).
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

VARIS = Path(__file__).parent / "varis"
ROOT = "100000000"
BUILDING = "108"
REFORM = date(2021, 7, 1)
INVENTED = "Izdomātais"


@dataclass(frozen=True, slots=True)
class Place:
    """One object of the register (adresācijas objekts). Coordinates are LKS-92 metres and degrees, as text of the row.

    `postcode` is that of a building; `atvk` the seven digits of a municipality, city or parish. Most have neither.
    """

    code: str
    kind: str
    name: str
    status: str
    parent: str
    text: str
    postcode: str | None
    atvk: str | None
    valid_from: date
    valid_to: date | None
    north: Decimal | None
    east: Decimal | None


@dataclass(frozen=True, slots=True)
class Span:
    """A full address from a day to a day, both counted in; None: still."""

    valid_from: date
    valid_to: date | None
    text: str


class AddressRegister:
    """All rows of a directory of VARIS files, by code."""

    def __init__(self, directory: Path = VARIS) -> None:
        self.places: Mapping[str, Place] = {
            place.code: place for path in sorted(directory.glob("aw_*.csv")) for place in _rows(path)
        }
        self._words = {code: _words(place.text) for code, place in self.places.items()}

    def chain(self, code: str) -> tuple[Place, ...]:
        """The object and those above it up to the municipality or city; it ends early where a parent is not held."""
        links: list[Place] = []
        while (place := self.places.get(code)) is not None and place not in links:
            links.append(place)
            code = place.parent
        return tuple(links)

    def children(self, code: str, *, ended: bool) -> tuple[Place, ...]:
        """What stands directly under an object, by kind, name and code; what does not exist only where asked for."""
        found = (p for p in self.places.values() if p.parent == code and (ended or p.status == "EKS"))
        return tuple(sorted(found, key=lambda place: (place.kind, place.name, place.code)))

    def spans(self, code: str) -> tuple[Span, ...]:
        """The addresses of an object, oldest first.

        The rows have the present one alone: the one before the territorial reform of 2021 is invented, and says so.
        """
        place, top = self.places[code], self.chain(code)[-1]
        if top.valid_from != REFORM or place.valid_from >= REFORM:
            return (Span(place.valid_from, place.valid_to, place.text),)
        ended = place.valid_to is not None and place.valid_to < REFORM
        before = place.text.replace(top.name, f"{INVENTED} {top.name}")
        if ended:
            return (Span(place.valid_from, place.valid_to, before),)
        last_day = REFORM - timedelta(days=1)
        return Span(place.valid_from, last_day, before), Span(REFORM, place.valid_to, place.text)

    def successors(self, code: str) -> tuple[Place, ...]:
        """Invented: the rows do not say what came after a deleted object, so that it is the first address there is."""
        return self.resolvable()[:1] if self.places[code].status == "DEL" else ()

    def resolvable(self) -> tuple[Place, ...]:
        """Buildings that exist and whose chain is complete, by code: the addresses that residents have."""
        return tuple(
            place
            for code, place in sorted(self.places.items())
            if place.kind == BUILDING and place.status == "EKS" and self.chain(code)[-1].parent == ROOT
        )

    def search(self, text: str, limit: int) -> tuple[Place, ...]:
        """Objects whose address has a word beginning with each word of the text, best first.

        Case and diacritics do not count. Best: existing before deleted or wrong ones, then most whole words, then
        the shortest address.
        """
        wanted = _words(text)
        if not wanted:
            return ()
        found = [
            place
            for code, place in self.places.items()
            if all(any(word.startswith(start) for word in self._words[code]) for start in wanted)
        ]

        def rank(place: Place) -> tuple[bool, int, int, str]:
            whole = len(set(wanted) & set(self._words[place.code]))
            return place.status != "EKS", -whole, len(place.text), place.code

        return tuple(sorted(found, key=rank)[:limit])


@cache
def address_register() -> AddressRegister:
    """The rows of `simulators/varis`, read once."""
    return AddressRegister()


def _rows(path: Path) -> list[Place]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [_place(row) for row in csv.DictReader(file)]


def _place(row: Mapping[str, str]) -> Place:
    attribute = row["ATRIB"]
    return Place(
        code=row["KODS"],
        kind=row["TIPS_CD"],
        name=row["NOSAUKUMS"],
        status=row["STATUSS"],
        parent=row["VKUR_CD"],
        text=row["STD"],
        postcode=attribute if attribute.startswith("LV-") else None,
        atvk=attribute if attribute.isdigit() else None,
        valid_from=_day(row["DAT_SAK"]),
        valid_to=_day(row["DAT_BEIG"]) if row["DAT_BEIG"] else None,
        north=_number(row.get("DD_N")),
        east=_number(row.get("DD_E")),
    )


def _day(text: str) -> date:
    year, month, day = text.split(".")
    return date(int(year), int(month), int(day))


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _words(text: str) -> Sequence[str]:
    plain = unicodedata.normalize("NFD", text.casefold())
    kept = "".join(c if c.isalnum() else "" if unicodedata.combining(c) else " " for c in plain)
    return kept.split()
