"""Search for addresses as people type them.

Words of names lead to places (streets, villages, cities, named houses), by an index of words in byte order. A place is
taken where its chain, as it is or as it once was, has a word beginning with each typed word. Then numbers: the house
among what stands under the place, the premises among what stands under the house. No extension of the database is
needed, and a street that is renamed or moved is one row, however many houses it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, or_, select
from sqlalchemy.sql import ColumnElement

from errors import InvalidRequest
from mappings.vzd import RegisteredAddress
from registers.edition import FORMER, PLACE, WORD, seen_in
from registers.varis import words
from registers.varis.bulk import among
from registers.varis.places import Held, Places
from registers.varis.standard import ROOT, Kind
from registers.varis.words import Typed

MOST = 100
SHORTEST, LONGEST = 2, 200
# Places looked at for one word, the best first: whole words before beginnings, large places before small ones.
_PER_WORD = 2_000
# Areas in which a very frequent word is looked for, and the kinds that are areas.
_AREAS = 40
_AREA_KINDS = (Kind.DISTRICT, Kind.MUNICIPALITY, Kind.CITY, Kind.PARISH, Kind.VILLAGE)
_NUMBERED = 2_000  # houses, or premises, looked at
_AFTER = "\U0010ffff"  # after every text that begins alike
_LEVELS = (
    Kind.MUNICIPALITY,
    Kind.CITY,
    Kind.PARISH,
    Kind.VILLAGE,
    Kind.STREET,
    Kind.BUILDING,
    Kind.PREMISES,
    Kind.DISTRICT,
)


@dataclass(frozen=True, slots=True)
class Match:
    """An address found. `former` is the former name by which it was; `unmatched` are typed numbers it does not have."""

    address: RegisteredAddress
    former: str | None
    unmatched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A place on the way to a match.

    `whole`: how many typed words it has whole; `apart`: how far its name is from what was typed; numbers to be found.
    """

    code: int
    whole: int
    apart: int
    former: str | None = None
    house: str | None = None
    premises: str | None = None
    exact: bool = True

    @property
    def left(self) -> tuple[str, ...]:
        return tuple(number for number in (self.house, self.premises) if number)


@dataclass(frozen=True, slots=True)
class _Names:
    """The words of a chain: of present names, and of former ones with the name that each is of."""

    present: frozenset[str]
    former: Mapping[str, str]


def search(connection: Connection, text: str, limit: int = 10) -> tuple[Match, ...]:
    """The addresses that a person may mean, best first.

    Best: all numbers found; what exists before what is deleted or wrong; present names before former ones; whole words
    before beginnings; the name, the kind of street and the number that were typed before ones that have more; large
    places before small ones.
    Raises: InvalidRequest for a text or a limit out of range, NotFound without an edition.
    """
    if not SHORTEST <= len(text.strip()) <= LONGEST:
        raise InvalidRequest(f"the text has {SHORTEST} to {LONGEST} characters")
    if not 1 <= limit <= MOST:
        raise InvalidRequest(f"limit is 1 to {MOST}")
    return _Search(connection, words.read(text)).best(limit)


class _Search:
    """One search: what was typed, and the places read for it."""

    def __init__(self, connection: Connection, typed: Typed) -> None:
        self.connection, self.typed = connection, typed
        self.places = Places(connection)
        self.wanted = typed.words or tuple(number.house for number in typed.numbers)
        self._names: dict[int, _Names] = {}

    def best(self, limit: int) -> tuple[Match, ...]:
        """The matches, best first."""
        found = list(self._places())
        found = self._numbered(found, "house", (Kind.BUILDING,))
        found = self._numbered(found, "premises", (Kind.PREMISES,))
        self.places.read_chains({each.code for each in found})
        best: dict[int, _Found] = {}  # several ways may lead to one place
        for each in sorted(found, key=self._rank):
            best.setdefault(each.code, each)
        shown = list(best.values())
        if any(not each.left for each in shown):
            shown = [each for each in shown if not each.left]
        if self.typed.postcode:
            shown = [each for each in shown if self._has_postcode(each.code)] or shown
        return tuple(
            Match(self.places.resolve(each.code).address, each.former, each.left) for each in shown[:limit]
        )

    def _places(self) -> Iterator[_Found]:
        """Places whose chain has all words, and whose own name has one of them."""
        codes = self._candidates()
        self.places.read_chains(codes)
        for code in codes:
            held = self.places.get(code)
            if held is None:  # known by former names alone
                continue
            own = {*_present_words(held), *(word for name in held.names[1:] for word in words.words(name))}
            if not any(word.startswith(start) for start in self.wanted for word in own):
                continue
            names = self._chain_names(code, ())
            if all(_has(names, start) for start in self.wanted):
                yield self._found(held, names)

    def _candidates(self) -> set[int]:
        typed = [word for word in self.wanted if len(word) > 1] or list(self.wanted)
        found: dict[str, set[int]] = {}
        firsts: dict[str, set[int]] = {}
        areas: dict[str, list[int]] = {}
        frequent: dict[str, bool] = {}
        for start in typed:
            query = select(WORD.c.code, WORD.c.kind, WORD.c.word).where(_begins(WORD.c.word, start))
            order = (WORD.c.word, WORD.c.kind, WORD.c.code)
            rows = self.connection.execute(query.order_by(*order).limit(_PER_WORD)).all()
            found[start] = {row.code for row in rows}
            areas[start] = [row.code for row in rows if row.kind in _AREA_KINDS][:_AREAS]
            firsts[start] = {row.code for row in rows[: 2 * MOST]}
            if len(rows) == _PER_WORD:
                # Where there are whole words, the many that only begin so are left out.
                frequent[start] = rows[0].word == start
        for start, entire in frequent.items():
            these = WORD.c.word == start if entire else _begins(WORD.c.word, start)
            others = [other for other in typed if other != start]
            around = {code for other in others for code in areas[other]}
            narrowed = {code for other in others for code in self._both(these, other)}
            if around:
                narrowed.update(self.connection.execute(self._within(these, around)).scalars())
            # Without another word the first in order are the best; their chains need not all be read.
            found[start] = narrowed or (found[start] if others or self.typed.numbers else firsts[start])
        every = set().union(*found.values())
        return self._under_all(every, [found[start] for start in typed if start not in frequent])

    def _under_all(self, codes: set[int], words_of: Sequence[Collection[int]]) -> set[int]:
        """Those of some places whose chains, present or former, go through a place of each word.

        It reads nothing but parents, so that of many places few have to be read with all that is known of them.
        """
        if len(words_of) < 2:
            return codes
        above: dict[int, set[int]] = {}
        level = codes
        while level:
            parents: set[int] = set()
            for table in (PLACE, FORMER):
                query = select(table.c.code, table.c.parent).where(
                    among(self.connection, table.c.code, level)
                )
                for code, parent in self.connection.execute(query):
                    above.setdefault(code, set()).add(parent)
                    parents.add(parent)
            level = {parent for parent in parents if parent is not None and parent not in above} - {ROOT}
        return {code for code in codes if _reaches_all(code, above, words_of)}

    def _both(self, these: ColumnElement[bool], other: str) -> Iterable[int]:
        """Places that have two words in their own names."""
        second = WORD.alias()
        return self.connection.execute(
            select(WORD.c.code)
            .join(second, and_(second.c.code == WORD.c.code, second.c.kind == WORD.c.kind))
            .where(these, _begins(second.c.word, other))
            .distinct()
            .limit(_PER_WORD)
        ).scalars()

    def _within(self, these: ColumnElement[bool], areas: Collection[int]) -> Select[int]:
        """Places that have a word and stand in one of some areas, at most four steps up."""
        steps = [PLACE.alias() for _ in range(4)]
        joined: Any = WORD.join(
            steps[0], and_(steps[0].c.code == WORD.c.code, *seen_in(steps[0], self.edition))
        )
        for below, above in pairwise(steps):
            joined = joined.outerjoin(
                above, and_(above.c.code == below.c.parent, *seen_in(above, self.edition))
            )
        inside = or_(*(among(self.connection, step.c.parent, areas) for step in steps))
        return select(WORD.c.code).select_from(joined).where(these, inside).distinct().limit(_PER_WORD)

    @property
    def edition(self) -> int:
        """The edition that all is read from."""
        return self.places.edition

    def _chain_names(self, code: int, below: tuple[int, ...]) -> _Names:
        """The words of all names in the chains of a place, present and former."""
        if (known := self._names.get(code)) is not None:
            return known
        held = self.places.get(code)
        if held is None or code in below:
            return _Names(frozenset(), {})
        present = _present_words(held)
        former = {word: name for name in held.names[1:] for word in words.words(name)}
        for number, parent in enumerate(held.parents):
            above = self._chain_names(parent, (*below, code))
            former = {**above.former, **former}
            if number == 0 and parent == held.now.parent:
                present |= above.present
            elif (over := self.places.get(parent)) is not None:
                former = {**dict.fromkeys(above.present, over.now.name), **former}
        names = self._names[code] = _Names(present, former)
        return names

    def _found(self, held: Held, names: _Names) -> _Found:
        """A place with the numbers that are not part of its names."""
        numbers = list(self.typed.numbers)
        for number in self.typed.numbers if self.typed.words else ():
            if number.premises is None and (number.house in names.present or number.house in names.former):
                numbers.remove(number)
        house = numbers[0].house if numbers and self.typed.words else None
        premises = self.typed.premises or (numbers[0].premises if house else None)
        if premises is None and house and len(numbers) > 1:
            premises = numbers[1].house
        if held.row.kind == Kind.BUILDING and house and premises is None:
            house, premises = None, house  # a named house has its number for premises
        missing = [start for start in self.wanted if not _begins_one(names.present, start)]
        return _Found(
            code=held.row.code,
            whole=sum(start in names.present for start in self.wanted),
            apart=2 * len(self.typed.kinds - names.present) + self._untyped(held),
            former=next((_former_name(names, start) for start in missing), None),
            house=house,
            premises=premises,
        )

    def _untyped(self, held: Held) -> int:
        """How many words of a present name were not typed; those that tell a kind of street do not count."""
        own = [word for word in words.words(held.now.name) if word not in words.KINDS and not word.isdigit()]
        return sum(not any(word.startswith(start) for start in self.wanted) for word in own)

    def _numbered(self, found: Sequence[_Found], what: str, kinds: Sequence[Kind]) -> list[_Found]:
        """Go down from each place to what has the typed number; a place where nothing has it stays, its number left."""
        looked: dict[str, set[int]] = {}
        for each in found:
            number = getattr(each, what)
            if number and not (what == "premises" and each.house):
                looked.setdefault(number, set()).add(each.code)
        below: dict[tuple[int, str], list[tuple[int, str, str | None]]] = {}
        for number, codes in looked.items():
            for parent, code, key, former in self._children(codes, number, kinds):
                below.setdefault((parent, number), []).append((code, key, former))
        result: list[_Found] = []
        for each in found:
            number = getattr(each, what)
            under = below.get((each.code, number or ""), ())
            if not under:
                result.append(each)
            for code, key, former in under:
                down = replace(
                    each, code=code, former=former or each.former, exact=each.exact and key == number
                )
                result.append(replace(down, house=None) if what == "house" else replace(down, premises=None))
        return result

    def _children(
        self, parents: Collection[int], number: str, kinds: Sequence[Kind]
    ) -> Iterator[tuple[int, int, str, str | None]]:
        """What stands or once stood under some places with a number, or one that goes on with a letter or a block."""

        def query(table: Table, *columns: ColumnElement[Any]) -> Iterable[Any]:
            wanted = (
                select(table.c.parent, table.c.code, table.c.search_key, *columns)
                .where(
                    among(self.connection, table.c.parent, parents),
                    _begins(table.c.search_key, number),
                    table.c.kind.in_(kinds),
                    *seen_in(table, self.edition),
                )
                .order_by(table.c.search_key, table.c.code)
                .limit(_NUMBERED)
            )
            return self.connection.execute(wanted)

        now: set[tuple[int, int]] = set()
        for row in query(PLACE):
            if not row.search_key[len(number) :][:1].isdigit():
                now.add((row.parent, row.code))
                yield row.parent, row.code, row.search_key, None
        for row in query(FORMER, FORMER.c.name):
            if not row.search_key[len(number) :][:1].isdigit() and (row.parent, row.code) not in now:
                yield row.parent, row.code, row.search_key, row.name

    def _has_postcode(self, code: int) -> bool:
        return any(state.postcode == self.typed.postcode for _, state in self.places.chain(code))

    def _rank(self, found: _Found) -> tuple[Any, ...]:
        held = self.places.held(found.code)
        chain = self.places.chain(found.code)
        return (
            len(found.left),
            held.row.status != "EKS" or not held.listed,
            found.former is not None,
            -found.whole,
            found.apart + (not found.exact),
            _LEVELS.index(held.row.kind),
            _size([each for each, _ in chain]),
            next((each.row.atvk for each, _ in chain if each.row.atvk), "9"),
            held.row.sort_name,
            found.code,
        )


def _reaches_all(code: int, above: Mapping[int, set[int]], words_of: Sequence[Collection[int]]) -> bool:
    reached, level = {code}, {code}
    while level:
        level = {parent for each in level for parent in above.get(each, ())} - reached
        reached |= level
    return all(not reached.isdisjoint(codes) for codes in words_of)


def _size(chain: Sequence[Held]) -> int:
    """How large the place is that an address lies in: state cities, towns, villages, the country."""
    for held in chain:
        match held.row.kind:
            case Kind.CITY:
                return 0 if held.now.parent == ROOT else 1
            case Kind.VILLAGE:
                return 2
            case Kind.PARISH | Kind.MUNICIPALITY | Kind.DISTRICT:
                return 3
    return 4


def _present_words(held: Held) -> frozenset[str]:
    """The words of the present name; of the whole address, where a parent that it names is not held."""
    return frozenset(words.words(held.now.text or held.now.name))


def _begins(column: ColumnElement[Any], start: str) -> ColumnElement[bool]:
    return and_(column >= start, column < start + _AFTER)


def _begins_one(every: Iterable[str], start: str) -> bool:
    return any(word.startswith(start) for word in every)


def _has(names: _Names, start: str) -> bool:
    return _begins_one(names.present, start) or _begins_one(names.former, start)


def _former_name(names: _Names, start: str) -> str | None:
    return next((name for word, name in names.former.items() if word.startswith(start)), None)
