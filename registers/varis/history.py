"""What a place was called and where it stood over time, and what came after a place that is no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, select

from mappings.vzd import RegisteredAddress
from registers.edition import FORMER, PLACE, seen_in
from registers.varis.places import Held, Places, code_of, text_of

_MOST = 20


@dataclass(frozen=True, slots=True)
class Span:
    """A full address over a span of days, both counted in; None: still, or not known since when.

    `certain` is False where the register does not say what the place stood under then. `sources`: `register` for rows
    of former names and parents, `edition` for what editions had.
    """

    since: date | None
    until: date | None
    text: str
    certain: bool
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Successor:
    """A place that came after: why, and how many objects of the ended one it took over."""

    code: str
    text: str
    reason: str
    moved: int


@dataclass(frozen=True, slots=True)
class PlaceHistory:
    """The history of one code: its present address, all its addresses oldest first, and what came after it."""

    address: RegisteredAddress
    spans: tuple[Span, ...]
    successors: tuple[Successor, ...]


def history(connection: Connection, code: str) -> PlaceHistory:
    """What a code stood for over time.

    Raises: InvalidRequest, NotFound.
    """
    places = Places(connection)
    number = code_of(code)
    present = places.resolve(number).address
    return PlaceHistory(present, _spans(places, number), successors(places, number))


def _spans(places: Places, code: int) -> tuple[Span, ...]:
    own = places.held(code)
    first, last = own.row.valid_from, own.row.valid_to or date.max
    days = sorted({first, *(day for day in _turns(places, code) if first < day <= last)})
    spans: list[Span] = []
    for begin, following in zip(days, [*days[1:], None], strict=True):
        chain = places.chain(code, begin)
        until = following - timedelta(days=1) if following else own.row.valid_to
        text = text_of(chain, begin)
        certain = all(held.existed(begin) for held, _ in chain)
        sources = tuple(sorted({state.source for _, state in chain}))
        before = spans[-1] if spans else None
        if before and (before.text, before.certain, before.sources) == (text, certain, sources):
            spans[-1] = Span(before.since, until, text, certain, sources)
        else:
            spans.append(Span(begin, until, text, certain, sources))
    return tuple(spans)


def _turns(places: Places, code: int) -> set[date]:
    """The days on which something may have changed: of the place, and of all that it stands or stood under."""
    turns: set[date] = set()
    level, seen = {code}, set[int]()
    while level:
        seen |= level
        above: set[int] = set()
        for each in level:
            if (held := places.get(each)) is not None:
                turns |= _own_turns(held)
                above |= set(held.parents)
        level = above - seen
    return turns


def _own_turns(held: Held) -> set[date]:
    turns = {held.row.valid_from} | {state.since for state in (*held.editions, *held.former) if state.since}
    ends = [held.row.valid_to, *(state.until for state in held.former)]
    return turns | {end + timedelta(days=1) for end in ends if end and end < date.max}


def successors(places: Places, code: int) -> tuple[Successor, ...]:
    """What came after a place that is no more, where rows tell it; nothing for one that exists.

    `moved`: objects that stood under it stand under the other now. `code`: the register names it as the code before.
    `address`: another object has its name under the same parent.
    """
    own = places.held(code)
    if own.row.status == "EKS" and own.listed:
        return ()
    found: dict[int, tuple[str, int]] = {}
    for successor, count in _taken_over(places, code).most_common(_MOST):
        found[successor] = ("moved", count)
    connection, edition = places.connection, places.edition
    linked = select(FORMER.c.code).where(FORMER.c.code_before == code, *seen_in(FORMER, edition)).limit(_MOST)
    for successor in connection.execute(linked).scalars():
        found.setdefault(successor, ("code", 0))
    same = select(PLACE.c.code).where(
        PLACE.c.parent == own.row.parent,
        PLACE.c.search_key == own.row.search_key,
        PLACE.c.kind == own.row.kind,
        PLACE.c.status == "EKS",
        PLACE.c.code != code,
        *seen_in(PLACE, edition),
    )
    for successor in connection.execute(same.limit(_MOST)).scalars():
        found.setdefault(successor, ("address", 0))
    found.pop(code, None)
    places.read_chains(found)
    return tuple(
        Successor(str(successor), text_of(places.chain(successor), None), reason, moved)
        for successor, (reason, moved) in found.items()
        if places.get(successor) is not None
    )


def _taken_over(places: Places, code: int) -> Counter[int]:
    """How many objects that once stood under a place stand under which other now."""
    once = PLACE.alias()
    moved = (
        select(PLACE.c.code, PLACE.c.parent)
        .join(once, once.c.code == PLACE.c.code)
        .where(
            once.c.parent == code,
            once.c.first_edition < places.edition,
            PLACE.c.parent != code,
            PLACE.c.status == "EKS",
            *seen_in(PLACE, places.edition),
        )
        .distinct()
    )
    told = (
        select(PLACE.c.code, PLACE.c.parent)
        .join(FORMER, FORMER.c.code == PLACE.c.code)
        .where(
            FORMER.c.parent == code,
            *seen_in(FORMER, places.edition),
            PLACE.c.parent != code,
            PLACE.c.status == "EKS",
            *seen_in(PLACE, places.edition),
        )
        .distinct()
    )
    every = {tuple(row) for row in places.connection.execute(moved.union(told))}
    return Counter(parent for _, parent in every)
