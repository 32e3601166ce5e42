"""Find records of the exchange log by what is public in them, by official, and by whom they are about.

Who may search is decided above; that a search happened is a record itself, written before the answer is shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, exists, func, null, or_, select
from sqlalchemy.exc import SQLAlchemyError

from audit import leaf
from audit.catalogue import FACTS, catalogue, catch_up, facts_of, shortened
from audit.tables import log_checkpoints, log_records, log_tree, log_values, sequencer_queue
from errors import InvalidRequest, LogUnavailable, NotFound
from exchange import Json, instant_text
from storage import reading

# How many records are read by their ids at a time.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Found:
    """One record: its index (None while it waits for the sequencer) and the leaf's members."""

    index: int | None
    leaf: Mapping[str, Json]

    @property
    def cursor(self) -> str:
        """Where the page after this record begins: its instant and its index, `-` and its id while it has none."""
        place = f"-{self.leaf['id']}" if self.index is None else self.index
        return f"{self.leaf['instant']}/{place}"

    def json(self) -> dict[str, Json]:
        """Index and leaf as the commands print them."""
        return {"index": self.index, "leaf": dict(self.leaf)}


@dataclass(frozen=True, slots=True)
class Shown:
    """A sequenced record with what the tree says of it, and those of its personal values that are not erased."""

    index: int
    leaf: Mapping[str, Json]
    leaf_hash: bytes
    checkpoint: str
    values: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a record must meet, each that is given.

    `subjects` are indexes of a person (`subject_index`), one of which must stand in the record; `until` is exclusive.
    """

    system: str | None = None
    operation: str | None = None
    institution: str | None = None
    outcome: str | None = None
    rule: str | None = None
    purpose: str | None = None
    kind: str | None = None
    caller: str | None = None
    recipient: str | None = None
    act: str | None = None
    exchange: uuid.UUID | None = None
    official: str | None = None
    subjects: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def facts(self) -> dict[str, str]:
        """The facts that are wanted, by name, as the catalogue holds them."""
        given = {name: shortened(getattr(self, name)) for name in FACTS}
        return {name: text for name, text in given.items() if text is not None}

    def json(self) -> dict[str, Json]:
        """What is not personal of them, for the record of the search."""
        public = [one.name for one in fields(self) if one.name not in ("official", "subjects")]
        given = {name: getattr(self, name) for name in public}
        names = {"since": "from", "until": "to"}
        return {
            names.get(name, name): value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in given.items()
            if value is not None
        }


def search(engine: Engine, *, limit: int = 100, after: str = "", **filters: Any) -> list[Found]:
    """The newest records that match all that is given (`Filters`), newest first; see `page`."""
    return page(engine, Filters(**filters), limit=limit, after=after)


def page(engine: Engine, filters: Filters, *, limit: int = 100, after: str = "") -> list[Found]:
    """The newest records that match, newest first; `after` is the cursor of the last record of the page before.

    Records that wait for their place are found too.
    Raises: InvalidRequest for a cursor that is none, LogUnavailable.
    """
    catch_up(engine)
    begins = _cursor(after) if after else None
    try:
        with reading(engine).begin() as connection:
            found = [*_waiting(connection, filters), *_catalogued(connection, filters, begins, limit)]
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    if begins is not None:
        found = [one for one in found if _place(one) < begins]
    return sorted(found, key=_place, reverse=True)[:limit]


def subject(engine: Engine, key: bytes, codes: Iterable[str], limit: int = 100) -> list[Found]:
    """The newest records about a person, by all personal codes that he has or had, newest first.

    A person without one stands as `supplier/client code`.
    Raises: InvalidPersonCode, LogUnavailable.
    """
    return page(engine, Filters(subjects=indexes(key, codes)), limit=limit)


def indexes(key: bytes, codes: Iterable[str]) -> tuple[str, ...]:
    """What a person is found by, under all of his codes.

    Raises: InvalidPersonCode.
    """
    return tuple(dict.fromkeys(leaf.subject_index(key, leaf.subject_text(code)) for code in codes))


def about(
    engine: Engine, subjects: Sequence[str], since: datetime | None = None, until: datetime | None = None
) -> list[Found]:
    """Every record about a person, oldest first.

    Raises: LogUnavailable.
    """
    bounds = _bounds(log_records.c.instant, since, until)
    with_place = (
        select(log_tree.c.idx, log_records.c.leaf)
        .select_from(log_records)
        .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
    )
    try:
        with reading(engine).begin() as connection:
            ids = sorted(set(connection.execute(_of_persons(subjects)).scalars()))
            rows = [
                row
                for several in _batches(ids)
                for row in connection.execute(with_place.where(log_records.c.id.in_(several), *bounds))
            ]
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return sorted((Found(row.idx, _members(row.leaf)) for row in rows), key=_place)


def values_of(connection: Connection, records: Sequence[str]) -> dict[str, dict[str, Json]]:
    """By record id, the personal values that are not erased."""
    found: dict[str, dict[str, Json]] = {}
    for several in _batches(records):
        query = select(log_values.c.record_id, log_values.c.name, log_values.c.value)
        for row in connection.execute(query.where(log_values.c.record_id.in_(several))):
            found.setdefault(row.record_id, {})[row.name] = leaf.value(row.value)
    return found


def with_values(engine: Engine, found: Sequence[Found]) -> list[Mapping[str, Json]]:
    """The personal values of records that were found, in their order; without the digests that they are found by.

    Raises: LogUnavailable.
    """
    try:
        with reading(engine).begin() as connection:
            values = values_of(connection, [str(one.leaf["id"]) for one in found])
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return [
        {
            name: value
            for name, value in values.get(str(one.leaf["id"]), {}).items()
            if not name.startswith(leaf.SUBJECT_INDEX)
        }
        for one in found
    ]


def persons_of(engine: Engine, exchange: uuid.UUID) -> list[str]:
    """The codes of all persons whom the records of an exchange are about, as far as they are not erased.

    Raises: LogUnavailable.
    """
    try:
        with reading(engine).begin() as connection:
            return list(involved(connection, [str(exchange)]).persons)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class Involved:
    """The officials and the persons of some exchanges, each once, as far as they are not erased."""

    officials: tuple[str, ...]
    persons: tuple[str, ...]


def involved(connection: Connection, exchanges: Sequence[str]) -> Involved:
    """Who asked in these exchanges, and about whom."""
    query = (
        select(log_values.c.name, log_values.c.value)
        .join(log_records, log_records.c.id == log_values.c.record_id)
        .where(
            log_records.c.exchange_id.in_(list(exchanges)), log_values.c.name.in_(("official", leaf.SUBJECT))
        )
    )
    found = [(row.name, leaf.value(row.value)) for row in connection.execute(query)]
    officials = dict.fromkeys(str(value) for name, value in found if name == "official")
    return Involved(tuple(officials), tuple(codes_in(value for name, value in found if name != "official")))


def codes_in(subjects: Iterable[Json]) -> list[str]:
    """Every code once of what stands in records as their subject: one code, or a list of them."""
    several = (one if isinstance(one, list) else [one] for one in subjects)
    return list(dict.fromkeys(code for codes in several for code in codes if isinstance(code, str)))


def show(engine: Engine, index: int) -> Shown:
    """The record at an index, as it stands; `audit verify` says whether it holds.

    Raises: NotFound, LogUnavailable.
    """
    statement = (
        select(log_tree.c.record_id, log_tree.c.leaf_hash, log_records.c.leaf, log_checkpoints.c.note)
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .outerjoin(log_checkpoints, log_checkpoints.c.size == log_tree.c.checkpoint)
        .where(log_tree.c.idx == index)
    )
    values = select(log_values.c.name, log_values.c.value).order_by(log_values.c.name)
    try:
        with reading(engine).begin() as connection:
            row = connection.execute(statement).first()
            if row is None:
                raise NotFound("no such index")
            named = connection.execute(values.where(log_values.c.record_id == row.record_id)).all()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return Shown(
        index,
        _members(row.leaf),
        row.leaf_hash,
        row.note or "",
        {one.name: leaf.value(one.value) for one in named},
    )


# Newest last: instant, then index; what has no index yet is after what has, by its id.
_Place = tuple[str, float, str]


def _place(found: Found) -> _Place:
    if found.index is None:
        return str(found.leaf["instant"]), float("inf"), str(found.leaf["id"])
    return str(found.leaf["instant"]), found.index, ""


def is_cursor(text: str) -> bool:
    """Whether a page can go on after this: instant/index of a record, or instant/-id."""
    instant, _, place = text.partition("/")
    waits = place.startswith("-")
    return bool(instant) and (waits or (place.isascii() and place.isdigit() and len(place) < 17))


def _cursor(text: str) -> _Place:
    if not is_cursor(text):
        raise InvalidRequest("a page goes on after instant/index of the last record before it")
    instant, _, place = text.partition("/")
    return (instant, float("inf"), place[1:]) if place.startswith("-") else (instant, int(place), "")


def _catalogued(
    connection: Connection, filters: Filters, begins: _Place | None, limit: int
) -> Iterator[Found]:
    query = (
        select(catalogue.c.idx, log_records.c.leaf)
        .select_from(catalogue)
        .join(log_records, log_records.c.id == catalogue.c.record_id)
        .where(
            *(catalogue.c[name] == text for name, text in filters.facts.items()),
            *_bounds(catalogue.c.instant, filters.since, filters.until),
            *_named(filters, catalogue.c.record_id),
        )
        .order_by(catalogue.c.instant.desc(), catalogue.c.idx.desc())
        .limit(limit)
    )
    if begins is not None:
        instant, index, _ = begins
        before = catalogue.c.instant <= instant
        if index != float("inf"):
            before = and_(before, or_(catalogue.c.instant < instant, catalogue.c.idx < int(index)))
        query = query.where(before)
    for row in connection.execute(query):
        yield Found(row.idx, _members(row.leaf))


def _waiting(connection: Connection, filters: Filters) -> Iterator[Found]:
    """What matches of the few records that have no place in the tree, or that the catalogue does not have yet."""
    last = connection.execute(select(func.max(catalogue.c.idx))).scalar()
    placed = exists().where(log_tree.c.record_id == log_records.c.id)
    queued = (
        select(null().label("idx"), log_records.c.leaf)
        .select_from(sequencer_queue)
        .join(log_records, log_records.c.id == sequencer_queue.c.record_id)
        .where(~placed)
    )
    late = (
        select(log_tree.c.idx, log_records.c.leaf)
        .select_from(log_tree)
        .join(log_records, log_records.c.id == log_tree.c.record_id)
        .where(log_tree.c.idx > (-1 if last is None else last))
    )
    wanted = filters.facts
    for rows in (queued, late):
        named = _named(filters, log_records.c.id, few=True)
        bounds = _bounds(log_records.c.instant, filters.since, filters.until)
        for row in connection.execute(rows.where(*bounds, *named)):
            members = _members(row.leaf)
            if wanted.items() <= facts_of(members).items():
                yield Found(row.idx, members)


def _bounds(column: Any, since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield column >= instant_text(since)
    if until is not None:
        yield column < instant_text(until)


def _named(filters: Filters, record_id: Any, *, few: bool = False) -> Iterator[ColumnElement[bool]]:
    """The conditions on exchange, official and persons; of `few` records each is asked, else ids are found first."""

    def one_of(ids: Select[str], id_: Any) -> ColumnElement[bool]:
        return ids.where(id_ == record_id).exists() if few else record_id.in_(ids)

    if filters.exchange is not None:
        named = log_records.alias("named")
        yield one_of(select(named.c.id).where(named.c.exchange_id == str(filters.exchange)), named.c.id)
    if filters.official is not None:
        yield one_of(_having("official", [filters.official]), log_values.c.record_id)
    if filters.subjects:
        yield one_of(_of_persons(filters.subjects), log_values.c.record_id)


def _of_persons(subjects: Sequence[str]) -> Select[str]:
    return _having(leaf.SUBJECT_INDEX, subjects)


def _having(name: str, values: Sequence[str]) -> Select[str]:
    # `subject_index` is one name, or several with a number where a record is about several persons.
    return select(log_values.c.record_id).where(
        log_values.c.value.in_([leaf.canonical(value) for value in values]),
        or_(log_values.c.name == name, log_values.c.name.startswith(f"{name}.", autoescape=True)),
    )


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _members(text: str) -> dict[str, Json]:
    try:
        return leaf.parse(text)
    except ValueError as error:
        raise LogUnavailable("a record cannot be read; run `gateway audit verify`") from error
