"""A search of the exchange log as whoever asks sees it: what was found, and what goes on record of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from audit import Kind, search
from audit.search import Filters, Found
from exchange import Json
from questions.report import codes_of

# What says most of an exchange comes last.
_LEVELS = {Kind.OPENED.value: 0, Kind.ATTEMPT.value: 1}


@dataclass(frozen=True, slots=True)
class Search:
    """The records of one page. `values` are their personal ones, None where they were not asked for.

    `persons` are those whom the search was for or whom its values show: it is about them, and they find it when they
    ask who saw their data. `more` is where the next page begins, "" on the last.
    """

    filters: Filters
    found: Sequence[Found]
    values: Sequence[Mapping[str, Json]] | None
    persons: tuple[str, ...]
    by_person: bool
    more: str

    def facts(self) -> dict[str, Json]:
        """What the record of the search says for good."""
        return {"filters": self.filters.json(), "by_person": self.by_person, "found": len(self.found)}

    def sought(self) -> dict[str, Json]:
        """What is personal of the question itself, beside the persons."""
        return {"sought_official": self.filters.official} if self.filters.official else {}


def searched(
    engine: Engine,
    key: bytes,
    filters: Filters,
    *,
    person: str = "",
    with_values: bool = False,
    limit: int = 100,
    after: str = "",
) -> Search:
    """The newest records that match; with `person`, a personal code, those about that person under all of his codes.

    Nothing of it may be shown before it is on record.
    Raises: InvalidRequest, InvalidPersonCode, LogUnavailable.
    """
    codes = codes_of(engine, person) if person else ()
    wanted = replace(filters, subjects=search.indexes(key, codes))
    found = search.page(engine, wanted, limit=limit, after=after)
    values = search.with_values(engine, found) if with_values else None
    # Whoever sees a record with its values sees the persons in it.
    seen = [] if values is None else search.codes_in(one.get("subject") for one in values)
    return Search(
        filters=wanted,
        found=found,
        values=values,
        persons=tuple(dict.fromkeys((*codes, *seen))),
        by_person=bool(person),
        more=found[-1].cursor if len(found) == limit else "",
    )


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was found of one exchange: `records` newest first."""

    id: str
    records: tuple[Found, ...]

    @property
    def telling(self) -> Found:
        """The record that says most: how it ended, else that a system was asked, else that it was opened."""
        return max(reversed(self.records), key=lambda one: _LEVELS.get(str(one.leaf["kind"]), 2))

    @property
    def indexes(self) -> tuple[int, ...]:
        """The indexes of its records in the log, as far as they have any, oldest first."""
        return tuple(sorted(one.index for one in self.records if one.index is not None))


def by_exchange(found: Sequence[Found]) -> tuple[Exchange, ...]:
    """Records as exchanges, that with the newest record first; an act of administration stands alone."""
    several: dict[str, list[Found]] = {}
    for one in found:
        several.setdefault(str(one.leaf["exchange"]), []).append(one)
    return tuple(Exchange(number, tuple(own)) for number, own in several.items())
