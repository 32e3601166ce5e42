"""The files of an edition: their columns, and what a row must be.

Files of names as VZD publishes them: `aw_novads.csv` and so on; `aw_…_his.csv` hold former names, parents and dates.
Source: p17.10; published description of the CSV files of VARIS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import TypeAlias

from registers.varis.standard import ROOT, Kind

# The values of a row in the order of its layout.
Fields: TypeAlias = Sequence[str]

# fmt: off
_UPPER = (
    "KODS", "TIPS_CD", "NOSAUKUMS", "VKUR_CD", "VKUR_TIPS", "APSTIPR", "APST_PAK", "STATUSS",
    "SORT_NOS", "DAT_SAK", "DAT_MOD", "DAT_BEIG", "ATRIB",
)
_BUILDING = (
    "KODS", "TIPS_CD", "STATUSS", "APSTIPR", "APST_PAK", "VKUR_CD", "VKUR_TIPS", "NOSAUKUMS",
    "SORT_NOS", "ATRIB", "PNOD_CD", "DAT_SAK", "DAT_MOD", "DAT_BEIG", "FOR_BUILD", "PLAN_ADR",
    "STD", "KOORD_X", "KOORD_Y", "DD_N", "DD_E",
)
_PREMISES = (
    "KODS", "TIPS_CD", "STATUSS", "APSTIPR", "APST_PAK", "VKUR_CD", "VKUR_TIPS", "NOSAUKUMS",
    "SORT_NOS", "ATRIB", "DAT_SAK", "DAT_MOD", "DAT_BEIG", "STD",
)
_CENTROID = (
    "KODS", "TIPS_CD", "NOSAUKUMS", "VKUR_CD", "VKUR_TIPS", "STD", "KOORD_X", "KOORD_Y",
    "DD_N", "DD_E",
)
_FORMER = (
    "KODS", "TIPS_CD", "DAT_SAK", "DAT_MOD", "DAT_BEIG", "STD",
)
# fmt: on
_FORMER_CHAIN = ("NOSAUKUMS", "VKUR_CD", "VKUR_TIPS")

_KINDS = frozenset(str(kind.value) for kind in Kind)
_STATUSES = frozenset(("EKS", "DEL", "ERR"))
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,12})?")
_ATVK = re.compile(r"(?:\d{6,7})?")
_ATTRIBUTE = {
    Kind.BUILDING: re.compile(r"(?:LV-\d{4})?"),
    Kind.PREMISES: re.compile(r"(?:LV-\d{4})?"),
    Kind.VILLAGE: re.compile(r"[01]?"),
    Kind.STREET: re.compile(r".{0,32}"),
}


class Broken(Exception):
    """A row breaks its layout: the column and the reason, never the value."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One file: its columns in their order, those that older editions leave out, and the kind of its objects.

    `kind` is None where a file holds objects of several.
    """

    file: str
    kind: Kind | None
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def arrange(self, heading: Fields) -> Callable[[Fields], Fields]:
        """How the fields of a row under this heading come into the order of the layout, "" where a column is left out.

        Raises: Broken for columns that are missing, unknown or there twice.
        """
        names = [name.strip().upper() for name in heading]
        missing = [name for name in self.columns if name not in names and name not in self.optional]
        unknown = [name for name in names if name not in self.columns]
        if missing or unknown or len(set(names)) != len(names):
            told = [f"without {', '.join(missing)}"] if missing else []
            told += [f"{len(unknown)} columns that are not known"] if unknown else []
            raise Broken(f"the heading is not that of {self.file}: {'; '.join(told) or 'a column twice'}")
        width = len(names)
        wanted = [names.index(name) if name in names else width for name in self.columns]
        pick = itemgetter(*wanted)

        def arranged(values: Fields) -> Fields:
            if len(values) != width:
                raise Broken(f"{len(values)} fields, not {width}")
            picked: Fields = pick([*values, ""])
            return picked

        return arranged


PLACES = (
    Layout("rajons", Kind.DISTRICT, _UPPER),
    Layout("novads", Kind.MUNICIPALITY, (*_UPPER, "STD")),
    Layout("pagasts", Kind.PARISH, (*_UPPER, "STD")),
    Layout("pilseta", Kind.CITY, (*_UPPER, "STD")),
    Layout("ciems", Kind.VILLAGE, (*_UPPER, "STD")),
    Layout("iela", Kind.STREET, (*_UPPER, "STD")),
    Layout("eka", Kind.BUILDING, _BUILDING),
    Layout("dziv", Kind.PREMISES, _PREMISES),
)
FORMER = tuple(
    Layout(
        f"{place.file}_his",
        place.kind,
        (*_FORMER, *_FORMER_CHAIN, *(("KODS_HIS",) if place.kind is Kind.BUILDING else ())),
        optional=(*_FORMER_CHAIN, "KODS_HIS"),
    )
    for place in PLACES
)
CENTROIDS = Layout("vietu_centroidi", None, _CENTROID)
# In this order an object comes after those that its chain goes through.
EVERY = (*PLACES, *FORMER, CENTROIDS)


def code(text: str, column: str) -> int:
    """A code of the register: nine digits.

    Raises: Broken.
    """
    if len(text) != 9 or not (text.isascii() and text.isdigit()) or text[0] == "0":
        raise Broken(f"{column} is not a code of nine digits")
    return int(text)


def own_code(text: str) -> int:
    """The code of a row's own object. Raises: Broken, also for the root, which is never a row."""
    number = code(text, "KODS")
    if number == ROOT:
        raise Broken("KODS is the state itself, which is no row")
    return number


def optional_code(text: str, column: str) -> int | None:
    """A code, or None where there is none. Raises: Broken."""
    return code(text, column) if text else None


def kind(text: str, column: str, wanted: Kind | None = None) -> int:
    """A type of objects. Raises: Broken where it is none, or not that of the file."""
    if text not in _KINDS:
        raise Broken(f"{column} is no type of objects")
    if wanted is not None and text != str(wanted.value):
        raise Broken(f"{column} is not {wanted.value}")
    return int(text)


def status(text: str) -> str:
    """EKS exists, DEL deleted, ERR wrong. Raises: Broken."""
    if text not in _STATUSES:
        raise Broken("STATUSS is none of EKS, DEL, ERR")
    return text


@lru_cache(maxsize=50_000)
def _iso(text: str) -> str | None:
    if not re.fullmatch(r"\d{4}\.\d\d\.\d\d", text):
        return None
    try:
        return date(*map(int, text.split("."))).isoformat()
    except ValueError:
        return None


def day(text: str, column: str) -> str:
    """A date as ISO text. Raises: Broken."""
    iso = _iso(text)
    if iso is None:
        raise Broken(f"{column} is no date of the form YYYY.MM.DD")
    return iso


def optional_day(text: str, column: str) -> str | None:
    """A date as ISO text, or None where there is none. Raises: Broken."""
    return day(text, column) if text else None


def number(text: str, column: str) -> str | None:
    """A decimal as text, or None where there is none. Raises: Broken."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Broken(f"{column} is no decimal number")
    return text


def yes(text: str, column: str) -> bool:
    """Y, or N or nothing. Raises: Broken."""
    if text not in ("Y", "N", ""):
        raise Broken(f"{column} is neither Y nor N")
    return text == "Y"


def attribute(text: str, of: int) -> str:
    """ATRIB: the ATVK code, the postcode, or the mark of a small village, by kind. Raises: Broken."""
    if not _ATTRIBUTE.get(Kind(of), _ATVK).fullmatch(text):
        raise Broken("ATRIB is not of the form that objects of this type have")
    return text


def name(text: str) -> str:
    """The name, as it is written. Raises: Broken where there is none or it holds control characters."""
    if not text.strip():
        raise Broken("NOSAUKUMS is empty")
    if not text.isprintable():
        raise Broken("NOSAUKUMS holds control characters")
    return text


def full_text(text: str) -> str:
    """STD. Raises: Broken where it is empty."""
    if not text.strip():
        raise Broken("STD is empty")
    return text
