"""Unusual look-ups: what an official does that his peers do not, flagged with the figures and the reason.

A flag accuses nobody: it says where to look. Peers are officials with the same role under the same recipient's rights.
"""

from __future__ import annotations

import hmac
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from statistics import median

from sqlalchemy import Connection, Engine, select

from audit.flags import Flag
from audit.leaf import subject_index
from errors import InvalidPersonCode
from exchange import RIGA, Json
from mappings.person_code import canonical
from questions.lookups import Hours, LookUp, in_office_hours, lookups, office_hours
from questions.words import Language, Words
from registers import codes_of, person_by_code
from registers.history import recorded
from registers.persons import FAMILY
from storage import reading

# As many exchanges a flag names at most.
_NAMED = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is unusual.

    An official read far more persons than his peers: more than `deviations` robust standard deviations (median absolute
    deviation × 1.4826) above the median of at least `peers` others, and at least `persons`. `officials`: so many of one
    recipient looked up one person within a day. Without a case: at least `without_case` look-ups, most of his, while at
    least `peers_with_case` of his peers' have one.
    """

    persons: int = 20
    peers: int = 3
    deviations: float = 5.0
    officials: int = 5
    without_case: int = 3
    peers_with_case: float = 0.9


LIMITS = Limits()


class Unusual(StrEnum):
    """What can be unusual."""

    MANY_PERSONS = "many_persons"
    OUT_OF_HOURS = "out_of_hours"
    OWN_RECORD = "own_record"
    FAMILY_MEMBER = "family_member"
    MANY_OFFICIALS = "many_officials"
    NO_CASE = "no_case"


_REASONS = {
    Unusual.MANY_PERSONS: Words(
        "Darbinieks dienā aplūkojis {persons} personu datus; citi ar to pašu lomu — {median} (mediāna, {peers})",
        "An official saw the data of {persons} persons in a day; others in the same role {median} (median of {peers})",
    ),
    Unusual.OUT_OF_HOURS: Words(
        "{lookups} vaicājumi ārpus darba laika, pirmais plkst. {first}",
        "{lookups} look-ups out of working hours, the first at {first}",
    ),
    Unusual.OWN_RECORD: Words(
        "Darbinieks {lookups} reizes aplūkojis pats savus datus",
        "An official looked at his own data {lookups} times",
    ),
    Unusual.FAMILY_MEMBER: Words(
        "Darbinieks {lookups} reizes aplūkojis sava ģimenes locekļa datus",
        "An official looked at the data of a member of his family {lookups} times",
    ),
    Unusual.MANY_OFFICIALS: Words(
        "Vienas personas datus dienā aplūkojuši {officials} darbinieki",
        "{officials} officials looked at the data of one person within a day",
    ),
    Unusual.NO_CASE: Words(
        "{lookups} no {all} vaicājumiem bez lietas numura; citiem ar to pašu lomu tas ir {peers_percent} % vaicājumu",
        "{lookups} of an official's {all} look-ups name no case; of others with the same role {peers_percent} % do",
    ),
}

# An official's id as it stands in messages: PK:010180-12345, AU:100001-PK:…, or the code alone.
_CODE = re.compile(r"(?<![0-9])[0-9]{6}-?[0-9]{5}(?![0-9])")

# By digest, the members of an official's family whom the registers know.
Family = Callable[[str], frozenset[str]]


def reason(flag: Flag, language: Language) -> str:
    """Why a flag was made, in words."""
    return _REASONS[Unusual(flag.kind)].of(language).format(**flag.figures)


def unusual(
    engine: Engine,
    key: bytes,
    since: date,
    until: date,
    *,
    limits: Limits = LIMITS,
    hours: Mapping[str, Hours] | None = None,
) -> tuple[Flag, ...]:
    """What is unusual about the look-ups of each day from `since` until before `until`, days in Riga.

    Raises: LogUnavailable.
    """
    begin, end = (datetime.combine(day, time(), RIGA) for day in (since, until))
    found: list[Flag] = []
    families = _families(engine, key)
    for day, of_day in _days(lookups(engine, begin, end)):
        found += judge(day, of_day, key, families, hours or office_hours(), limits)
    return tuple(found)


def judge(
    day: date,
    of_day: Sequence[LookUp],
    key: bytes,
    family: Family,
    hours: Mapping[str, Hours],
    limits: Limits = LIMITS,
) -> Iterator[Flag]:
    """What is unusual about the look-ups of one day."""
    peers: dict[tuple[str, str], dict[str, list[LookUp]]] = defaultdict(lambda: defaultdict(list))
    persons: dict[tuple[str, str], list[LookUp]] = defaultdict(list)
    for lookup in of_day:
        peers[lookup.recipient, lookup.role][lookup.official].append(lookup)
        for person in lookup.persons:
            persons[lookup.recipient, person].append(lookup)

    def flag(kind: Unusual, about: str, own: Iterable[LookUp], **figures: Json) -> Flag:
        exchanges = list(own)
        text = f"{kind.value} {day} {exchanges[0].recipient} {about}"
        return Flag(
            key=hmac.digest(key, text.encode(), "sha256").hex(),
            day=day,
            kind=kind.value,
            recipient=exchanges[0].recipient,
            figures=figures,
            exchanges=tuple(one.exchange_id for one in exchanges[:_NAMED]),
        )

    for group in peers.values():
        counts = {official: len(_persons(own)) for official, own in group.items()}
        for official, own in group.items():
            others = [count for other, count in counts.items() if other != official]
            if len(others) >= limits.peers and counts[official] > max(limits.persons, _most(others, limits)):
                yield flag(
                    Unusual.MANY_PERSONS,
                    official,
                    own,
                    persons=counts[official],
                    median=f"{median(others):g}",
                    peers=len(others),
                )
            if late := [one for one in own if not in_office_hours(one, hours)]:
                first = f"{late[0].instant.astimezone(RIGA):%H:%M}"
                yield flag(Unusual.OUT_OF_HOURS, official, late, lookups=len(late), first=first)
            for kind, whom in (
                (Unusual.OWN_RECORD, _own(official, key)),
                (Unusual.FAMILY_MEMBER, family(official)),
            ):
                if near := [one for one in own if one.persons & whom]:
                    yield flag(kind, official, near, lookups=len(near))
        yield from _without_case(group, limits, flag)
    for (_recipient, person), about in persons.items():
        officials = {one.official for one in about}
        if len(officials) >= limits.officials:
            yield flag(Unusual.MANY_OFFICIALS, person, about, officials=len(officials))


def _without_case(
    group: Mapping[str, Sequence[LookUp]], limits: Limits, flag: Callable[..., Flag]
) -> Iterator[Flag]:
    for official, own in group.items():
        bare = [one for one in own if not one.case.strip()]
        others = [one for other, theirs in group.items() if other != official for one in theirs]
        if len(group) <= limits.peers or len(bare) < limits.without_case or 2 * len(bare) <= len(own):
            continue
        share = sum(1 for one in others if one.case.strip()) / len(others)
        if share >= limits.peers_with_case:
            yield flag(
                Unusual.NO_CASE,
                official,
                bare,
                lookups=len(bare),
                all=len(own),
                peers_percent=int(100 * share),
            )


def _most(others: Sequence[int], limits: Limits) -> float:
    """As many persons as an official's peers make usual: robust against the few who see very many."""
    middle = median(others)
    deviation = 1.4826 * median(abs(count - middle) for count in others)
    return middle + limits.deviations * max(1.0, deviation)


def _persons(own: Iterable[LookUp]) -> set[str]:
    return set().union(*(one.persons for one in own))


def _code_of(official: str) -> str | None:
    found = _CODE.search(official)
    return None if found is None else found[0]


def _own(official: str, key: bytes) -> frozenset[str]:
    code = _code_of(official)
    return frozenset() if code is None else frozenset({subject_index(key, code)})


def _families(engine: Engine, key: bytes) -> Family:
    known: dict[str, frozenset[str]] = {}

    def family(official: str) -> frozenset[str]:
        if official not in known:
            code = _code_of(official)
            with reading(engine).begin() as connection:
                codes = [] if code is None else _family_codes(connection, code)
            known[official] = frozenset(subject_index(key, one) for one in codes)
        return known[official]

    return family


def _family_codes(connection: Connection, code: str) -> list[str]:
    """The codes, present and former, of those whom the registers name as the family of a code's person."""
    try:
        person = person_by_code(connection, canonical(code))
    except InvalidPersonCode:
        return []
    if person is None:
        return []
    named = connection.execute(
        select(FAMILY.c.person_code).where(FAMILY.c.person_id == person, recorded(FAMILY))
    ).scalars()
    found: list[str] = []
    for one in named:
        member = person_by_code(connection, one)
        found += [one] if member is None else codes_of(connection, member)
    return found


def _days(found: Iterable[LookUp]) -> Iterator[tuple[date, list[LookUp]]]:
    """Look-ups by their day in Riga; they come in the order of time."""
    day: date | None = None
    own: list[LookUp] = []
    for lookup in found:
        its = lookup.instant.astimezone(RIGA).date()
        if day is not None and its != day:
            yield day, own
            own = []
        day = its
        own.append(lookup)
    if day is not None:
        yield day, own
