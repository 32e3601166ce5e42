"""Places of the edition in use: their chains, and their full addresses now and on a day of the past.

What a place was called, and what it stood under, is known from two sources: rows of former names and parents in the
edition itself, with their dates, and the rows that earlier editions had. The first say more, and go before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from errors import InvalidRequest, NotFound
from mappings.codes import ADDRESS_STATUS, ADDRESS_TYPE
from mappings.vzd import AddressPart, RegisteredAddress
from registers.edition import CENTROID, FORMER, PLACE, seen_in
from registers.varis import editions
from registers.varis.bulk import among
from registers.varis.standard import ROOT, Kind, standard

# No chain is longer: premises, building, street, village, parish, municipality, and what reforms may still invent.
_DEEPEST = 10


@dataclass(frozen=True, slots=True)
class State:
    """What a place was called and what it stood under, from a day on (None: as far back as is known).

    `text` is the full address as the source gave it, where it did; `source` says who tells it.
    """

    since: date | None
    until: date | None
    name: str
    parent: int | None
    postcode: str | None
    text: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Held:
    """One place: its row in the edition in use (or the last one that had it), and its states, oldest first.

    `listed` is False where the edition in use has it no more.
    """

    row: Any
    listed: bool
    editions: tuple[State, ...]
    former: tuple[State, ...]

    @property
    def now(self) -> State:
        """The present state."""
        return self.editions[-1]

    def state(self, on: date | None) -> State:
        """The state on a day; None for the present one."""
        if on is None:
            return self.now
        told = [s for s in self.former if _covers(s.since, s.until, on)]
        if told:
            return max(told, key=lambda state: state.since or date.min)
        before = [s for s in self.editions if s.since is None or s.since <= on]
        return before[-1] if before else self.editions[0]

    def existed(self, on: date) -> bool:
        """Whether the place was there on a day, by the dates of its row. Its last day counts."""
        return _covers(self.row.valid_from, self.row.valid_to, on)

    @property
    def names(self) -> tuple[str, ...]:
        """The present name, then those of before."""
        every = [self.now.name, *(state.name for state in (*self.editions, *self.former))]
        return tuple(dict.fromkeys(every))

    @property
    def parents(self) -> tuple[int, ...]:
        """The present parent, then those of before."""
        every = [self.now.parent, *(state.parent for state in (*self.editions, *self.former))]
        return tuple(dict.fromkeys(parent for parent in every if parent not in (None, ROOT)))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A code with its full address, now or on a day.

    `existed`: the object was there on the day. `certain`: so was everything that its address names, and the chain
    reaches the state; else the address is put together from what is known. `listed`: the edition in use has it.
    """

    address: RegisteredAddress
    edition: int
    on: date | None
    existed: bool
    certain: bool
    listed: bool


class Places:
    """Places of one edition, read as they are needed; all that is read is of the same edition."""

    def __init__(self, connection: Connection, edition: int | None = None) -> None:
        """Raises: NotFound when no edition is loaded."""
        self.connection = connection
        self.edition = editions.in_use(connection) if edition is None else edition
        self._held: dict[int, Held | None] = {}

    def held(self, code: int) -> Held:
        """One place. Raises: NotFound."""
        self.read((code,))
        found = self._held[code]
        if found is None:
            raise NotFound("the address register has no object of that code")
        return found

    def get(self, code: int | None) -> Held | None:
        """One place, or None where it is not held; it must have been read."""
        return self._held.get(code) if code is not None else None

    def read(self, codes: Collection[int]) -> None:
        """Read places that were not read yet."""
        wanted = {code for code in codes if code not in self._held}
        if not wanted:
            return
        rows: dict[int, list[Any]] = {}
        for row in self.connection.execute(
            select(PLACE)
            .where(among(self.connection, PLACE.c.code, wanted), PLACE.c.first_edition <= self.edition)
            .order_by(PLACE.c.code, PLACE.c.first_edition)
        ):
            rows.setdefault(row.code, []).append(row)
        former: dict[int, list[Any]] = {}
        for row in self.connection.execute(
            select(FORMER)
            .where(among(self.connection, FORMER.c.code, wanted), *seen_in(FORMER, self.edition))
            .order_by(FORMER.c.valid_from, FORMER.c.number)
        ):
            former.setdefault(row.code, []).append(row)
        for code in wanted:
            versions = rows.get(code)
            self._held[code] = _held(versions, former.get(code, ()), self.edition) if versions else None

    def read_chains(self, codes: Collection[int]) -> None:
        """Read places with all that they stand and stood under."""
        level = set(codes)
        for _ in range(_DEEPEST):
            self.read(level)
            level = {parent for code in level if (held := self.get(code)) for parent in held.parents}
            if not level:
                return

    def chain(self, code: int, on: date | None = None) -> tuple[tuple[Held, State], ...]:
        """The place and those above it, as on a day; it ends early where a parent is not held."""
        links: list[tuple[Held, State]] = []
        seen: set[int] = set()
        wanted: int | None = code
        while wanted is not None and wanted not in seen and (held := self.get(wanted)) is not None:
            seen.add(wanted)
            state = held.state(on)
            links.append((held, state))
            wanted = state.parent
        return tuple(links)

    def resolve(self, code: int, on: date | None = None) -> Resolved:
        """The full address of a code, now or on a day. Raises: NotFound."""
        own = self.held(code)
        self.read_chains((code,))
        chain = self.chain(code, on)
        day = on or date.max
        whole = chain[-1][1].parent == ROOT
        north, east = self._coordinates(own)
        return Resolved(
            address=RegisteredAddress(
                varis_code=str(code),
                kind=ADDRESS_TYPE[str(own.row.kind)],
                status=ADDRESS_STATUS[own.row.status],
                text=text_of(chain, on),
                postcode=_postcode(chain),
                atvk=next((held.row.atvk for held, _ in chain if held.row.atvk), None),
                valid_from=own.row.valid_from,
                valid_to=own.row.valid_to,
                north=north,
                east=east,
                chain=tuple(
                    AddressPart(
                        varis_code=str(held.row.code), kind=ADDRESS_TYPE[str(held.row.kind)], name=state.name
                    )
                    for held, state in chain
                ),
            ),
            edition=self.edition,
            on=on,
            existed=own.row.status == "EKS" if on is None else own.existed(on),
            certain=whole and (on is None or all(held.existed(day) for held, _ in chain)),
            listed=own.listed,
        )

    def _coordinates(self, held: Held) -> tuple[Decimal | None, Decimal | None]:
        if held.row.kind in (Kind.BUILDING, Kind.PREMISES):
            return held.row.north, held.row.east
        found = self.connection.execute(
            select(CENTROID.c.north, CENTROID.c.east)
            .where(CENTROID.c.code == held.row.code, *seen_in(CENTROID, self.edition))
            .order_by(CENTROID.c.number)
            .limit(1)
        ).first()
        return (found.north, found.east) if found else (None, None)


def code_of(text: str) -> int:
    """A code as it is typed. Raises: InvalidRequest."""
    if len(text) != 9 or not (text.isascii() and text.isdigit()):
        raise InvalidRequest("a code of the address register has nine digits")
    return int(text)


def resolve(connection: Connection, code: str, on: date | None = None) -> Resolved:
    """The full address of a code (STD), now or as it was on a day.

    Raises: InvalidRequest for what is no code, NotFound for a code that no edition had, or without an edition.
    """
    return Places(connection).resolve(code_of(code), on)


def children(
    connection: Connection, code: str, *, limit: int = 100, offset: int = 0, ended: bool = False
) -> tuple[RegisteredAddress, ...]:
    """What stands directly under a place, in the order of the register; what is deleted or wrong only where asked for.

    Raises: InvalidRequest, NotFound.
    """
    places = Places(connection)
    number = code_of(code)
    if number != ROOT:
        places.held(number)
    wanted = select(PLACE.c.code).where(PLACE.c.parent == number, *seen_in(PLACE, places.edition))
    if not ended:
        wanted = wanted.where(PLACE.c.status == "EKS")
    order = (PLACE.c.kind, PLACE.c.sort_name, PLACE.c.code)
    found = list(connection.execute(wanted.order_by(*order).limit(limit).offset(offset)).scalars())
    places.read_chains(found)
    return tuple(places.resolve(child).address for child in found)


def text_of(chain: Iterable[tuple[Held, State]], on: date | None) -> str:
    """The full address that a chain gives, or what the source gave where the chain cannot give it."""
    links = list(chain)
    own, state = links[0]
    rebuilt = standard((held.row.kind, each.name) for held, each in links).text(_postcode(links))
    if state.text is None:
        return rebuilt
    unchanged = all(each is held.now for held, each in links)
    broken = links[-1][1].parent != ROOT
    told = on is not None and state in own.former
    return state.text if unchanged or broken or told else rebuilt


def _postcode(chain: Iterable[tuple[Held, State]]) -> str | None:
    return next((state.postcode for _, state in chain if state.postcode), None)


def _covers(since: date | None, until: date | None, on: date) -> bool:
    return (since is None or since <= on) and (until is None or on <= until)


def _held(versions: list[Any], former: Iterable[Any], edition: int) -> Held:
    row = versions[-1]
    return Held(
        row=row,
        listed=row.ended_edition is None or row.ended_edition > edition,
        editions=tuple(_states(versions)),
        former=tuple(
            State(
                since=told.valid_from,
                until=told.valid_to,
                name=told.name or row.name,
                parent=told.parent if told.parent is not None else row.parent,
                postcode=row.postcode,
                text=told.full_text,
                source="register",
            )
            for told in former
        ),
    )


def _states(versions: Iterable[Any]) -> Iterator[State]:
    """One state for each version in which name, parent or postcode are others than before."""
    kept: dict[date | None, Any] = {}
    for version in versions:
        kept[version.holds_from] = version
    starts = list(kept)
    ends: Mapping[date | None, date | None] = dict(zip(starts, [*starts[1:], None], strict=True))
    for since, version in kept.items():
        yield State(
            since=since,
            until=ends[since],
            name=version.name,
            parent=version.parent,
            postcode=version.postcode,
            text=version.given_text,
            source="edition",
        )
