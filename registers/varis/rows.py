"""From the fields of a row to the columns of its table, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Table

from registers.edition import CENTROID, FORMER, PLACE
from registers.varis import layouts, words
from registers.varis.layouts import Broken, Fields, Layout
from registers.varis.standard import Kind, Standard, under

# Dates, decimals and instants as ISO text: both databases take it, and nothing is converted twice on the way.
Value: TypeAlias = Any


class Place(NamedTuple):
    """A row of `vzd_place`, in the order of its columns without the two editions at the front."""

    code: int
    kind: int
    status: str
    name: str
    sort_name: str
    parent: int
    parent_kind: int
    postcode: str | None
    atvk: str | None
    small_village: bool
    approved: bool
    approval: int | None
    post_office: int | None
    for_building: bool | None
    planned: bool | None
    valid_from: str
    modified_on: str | None
    valid_to: str | None
    holds_from: str | None
    given_text: str | None
    lks_x: str | None
    lks_y: str | None
    north: str | None
    east: str | None
    search_key: str
    digest: int


class Former(NamedTuple):
    """A row of `vzd_former_place`, without its number and the editions."""

    code: int
    code_before: int | None
    kind: int
    name: str | None
    parent: int | None
    parent_kind: int | None
    full_text: str
    valid_from: str
    modified_on: str | None
    valid_to: str | None
    search_key: str | None
    digest: int


class Centroid(NamedTuple):
    """A row of `vzd_centroid`, without its number and the editions."""

    code: int
    kind: int
    lks_x: str | None
    lks_y: str | None
    north: str
    east: str
    digest: int


@dataclass(frozen=True, slots=True)
class Above:
    """What a parent says to the rows beneath it: its address and postcode, and the days of its beginning and end."""

    standard: Standard
    postcode: str | None
    valid_from: str
    valid_to: str | None


def digest(fields: Fields) -> int:
    """Eight bytes that tell a row from what it was in the edition before."""
    content = "\x1f".join(fields).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


def read_upper(fields: Fields, layout: Layout, above: Mapping[int, Above]) -> Place:
    """A district, municipality, parish, city, village or street. Raises: Broken."""
    (
        code,
        kind,
        name,
        parent,
        parent_kind,
        approved,
        approval,
        status,
        sort_name,
        began,
        modified,
        ended,
        mark,
    ) = fields[:13]
    text = fields[13] if len(fields) > 13 else None
    of = layouts.kind(kind, "TIPS_CD", layout.kind)
    layouts.attribute(mark, of)
    has_atvk = of not in (Kind.VILLAGE, Kind.STREET)
    return _place(
        text,
        above,
        code=layouts.own_code(code),
        kind=of,
        status=status,
        name=layouts.name(name),
        sort_name=sort_name,
        parent=layouts.code(parent, "VKUR_CD"),
        parent_kind=layouts.kind(parent_kind, "VKUR_TIPS"),
        atvk=(mark or None) if has_atvk else None,
        small_village=of == Kind.VILLAGE and mark == "1",
        approval=(approved, approval),
        dates=(began, modified, ended),
    )


def read_building(fields: Fields, layout: Layout, above: Mapping[int, Above]) -> Place:
    """A building or a land unit for building. Raises: Broken."""
    (code, kind, status, approved, approval, parent, parent_kind, name, sort_name, postcode, office) = fields[
        :11
    ]
    (began, modified, ended, for_building, planned, text, x, y, north, east) = fields[11:]
    of = layouts.kind(kind, "TIPS_CD", layout.kind)
    return _place(
        text,
        above,
        code=layouts.own_code(code),
        kind=of,
        status=status,
        name=layouts.name(name),
        sort_name=sort_name,
        parent=layouts.code(parent, "VKUR_CD"),
        parent_kind=layouts.kind(parent_kind, "VKUR_TIPS"),
        postcode=layouts.attribute(postcode, of) or None,
        approval=(approved, approval),
        dates=(began, modified, ended),
        of_building=(
            layouts.optional_code(office, "PNOD_CD"),
            layouts.yes(for_building, "FOR_BUILD"),
            layouts.yes(planned, "PLAN_ADR"),
        ),
        at=(
            layouts.number(x, "KOORD_X"),
            layouts.number(y, "KOORD_Y"),
            layouts.number(north, "DD_N"),
            layouts.number(east, "DD_E"),
        ),
    )


def read_premises(fields: Fields, layout: Layout, above: Mapping[int, Above]) -> Place:
    """Premises of a building. Raises: Broken."""
    (code, kind, status, approved, approval, parent, parent_kind, name, sort_name, postcode) = fields[:10]
    (began, modified, ended, text) = fields[10:]
    of = layouts.kind(kind, "TIPS_CD", layout.kind)
    return _place(
        text,
        above,
        code=layouts.own_code(code),
        kind=of,
        status=status,
        name=layouts.name(name),
        sort_name=sort_name,
        parent=layouts.code(parent, "VKUR_CD"),
        parent_kind=layouts.kind(parent_kind, "VKUR_TIPS"),
        postcode=layouts.attribute(postcode, of) or None,
        approval=(approved, approval),
        dates=(began, modified, ended),
    )


def _place(
    text: str | None,
    above: Mapping[int, Above],
    *,
    code: int,
    kind: int,
    status: str,
    name: str,
    sort_name: str,
    parent: int,
    parent_kind: int,
    approval: tuple[str, str],
    dates: tuple[str, str, str],
    postcode: str | None = None,
    atvk: str | None = None,
    small_village: bool = False,
    of_building: tuple[int | None, bool | None, bool | None] = (None, None, None),
    at: tuple[str | None, str | None, str | None, str | None] = (None, None, None, None),
) -> Place:
    if parent == code:
        raise Broken("VKUR_CD is the object itself")
    if approval[1] and not approval[1].isdecimal():
        raise Broken("APST_PAK is no number")
    began, modified, ended = dates
    upper = above.get(parent)
    shown = postcode or (upper.postcode if upper and kind == Kind.PREMISES else None)
    rebuilt = under(upper.standard if upper else None, kind, name).text(shown)
    given = None if text is None or text == rebuilt else layouts.full_text(text)
    return Place(
        code,
        kind,
        layouts.status(status),
        name,
        sort_name,
        parent,
        parent_kind,
        postcode,
        atvk,
        small_village,
        layouts.yes(approval[0], "APSTIPR"),
        int(approval[1]) if approval[1] else None,
        *of_building,
        layouts.day(began, "DAT_SAK"),
        layouts.optional_day(modified, "DAT_MOD"),
        layouts.optional_day(ended, "DAT_BEIG"),
        None,
        given,
        *at,
        words.key(name),
        0,
    )


def read_former(fields: Fields, layout: Layout, _above: Mapping[int, Above]) -> Former:
    """What an object was called, or where it stood, over a span of days. Raises: Broken."""
    code, kind, began, modified, ended, text, name, parent, parent_kind = fields[:9]
    before = fields[9] if len(fields) > 9 else ""
    return Former(
        code=layouts.own_code(code),
        code_before=layouts.optional_code(before, "KODS_HIS"),
        kind=layouts.kind(kind, "TIPS_CD", layout.kind),
        name=layouts.name(name) if name else None,
        parent=layouts.optional_code(parent, "VKUR_CD"),
        parent_kind=layouts.kind(parent_kind, "VKUR_TIPS") if parent_kind else None,
        full_text=layouts.full_text(text),
        valid_from=layouts.day(began, "DAT_SAK"),
        modified_on=layouts.optional_day(modified, "DAT_MOD"),
        valid_to=layouts.optional_day(ended, "DAT_BEIG"),
        search_key=words.key(name) if name else None,
        digest=0,
    )


def read_centroid(fields: Fields, layout: Layout, _above: Mapping[int, Above]) -> Centroid:
    """Where the middle of a place lies; one place may have several. Raises: Broken."""
    code, kind, _name, parent, parent_kind, _text, x, y, north, east = fields
    layouts.code(parent, "VKUR_CD")
    layouts.kind(parent_kind, "VKUR_TIPS")
    found_north, found_east = layouts.number(north, "DD_N"), layouts.number(east, "DD_E")
    if found_north is None or found_east is None:
        raise Broken("DD_N and DD_E are needed")
    return Centroid(
        code=layouts.own_code(code),
        kind=layouts.kind(kind, "TIPS_CD", layout.kind),
        lks_x=layouts.number(x, "KOORD_X"),
        lks_y=layouts.number(y, "KOORD_Y"),
        north=found_north,
        east=found_east,
        digest=0,
    )


Row: TypeAlias = Place | Former | Centroid
Reader: TypeAlias = Callable[[Fields, Layout, Mapping[int, Above]], Row]


def reader_of(layout: Layout) -> tuple[Reader, Table]:
    """How the rows of a file are read, and the table that they go to."""
    if layout is layouts.CENTROIDS:
        return read_centroid, CENTROID
    if layout in layouts.FORMER:
        return read_former, FORMER
    match layout.kind:
        case Kind.BUILDING:
            return read_building, PLACE
        case Kind.PREMISES:
            return read_premises, PLACE
        case _:
            return read_upper, PLACE


def words_of(row: Row) -> tuple[str, ...]:
    """The words by which a place is found; a number is found under its street, where the street is held."""
    if isinstance(row, Centroid) or row.name is None:
        return ()
    if isinstance(row, Place) and row.given_text and row.parent_kind != Kind.STATE:
        return tuple(word for word in words.words(row.given_text) if not word.isdigit())
    if row.kind == Kind.PREMISES or (row.kind == Kind.BUILDING and words.is_numbered(row.name)):
        return ()
    return words.words(row.name)
