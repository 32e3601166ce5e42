"""Retention classes: what falls into each, how long it is kept, by which basis. The classes are data, retention.toml.

The class of a record stands in its leaf, so that a later change of the rules moves nothing that is on record. Records
from before that have the class that the rules give them. `opened` and `attempt` are written before anybody knows how
the exchange ends: they are of the class of its outcome.
"""

from __future__ import annotations

import math
import tomllib
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from errors import InvalidRequest
from exchange import Json

FACT = "retention"
EXCHANGE = "exchange"

# Kinds of records that belong to an exchange as a whole.
OF_EXCHANGES = frozenset({"opened", "attempt", "outcome"})

_FILE = Path(__file__).with_name("retention.toml")


@dataclass(frozen=True, slots=True)
class _Rule:
    kinds: frozenset[str]
    caller: bool | None
    outcomes: frozenset[str]
    systems: frozenset[str]

    def fits(self, kind: str, facts: Mapping[str, Json]) -> bool:
        return (
            kind in self.kinds
            and self.caller in (None, facts.get("caller") is not None)
            and (not self.outcomes or facts.get("outcome") in self.outcomes)
            and (not self.systems or facts.get("system") in self.systems)
        )


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """One class; `months` 0 means for good."""

    name: str
    months: int
    basis: str
    what: str
    rules: tuple[_Rule, ...]

    def over_before(self, now: datetime) -> datetime | None:
        """The instant before which everything of this class has been kept long enough; None where it never is."""
        return None if self.months == 0 else months_before(now, self.months)


@cache
def classes() -> Mapping[str, RetentionClass]:
    """Every class by its name, in the order in which their rules are tried."""
    found = {}
    for one in tomllib.loads(_FILE.read_text(encoding="utf-8"))["class"]:
        rules = tuple(_rule(**rule) for rule in one.pop("rules"))
        found[one["name"]] = RetentionClass(**one, rules=rules)
    return found


def named(name: str) -> RetentionClass:
    """A class by its name.

    Raises: InvalidRequest.
    """
    try:
        return classes()[name]
    except KeyError as error:
        raise InvalidRequest(f"the retention classes are {', '.join(classes())}") from error


def of(kind: str, facts: Mapping[str, Json]) -> str:
    """The class of a record: as its leaf says, or else as the rules say."""
    stated = facts.get(FACT)
    if isinstance(stated, str):
        return stated
    return next((one.name for one in classes().values() if any(r.fits(kind, facts) for r in one.rules)), "")


def of_exchange(outcomes: Iterable[Mapping[str, Json]]) -> str:
    """The class of an exchange by the leaves of its outcomes: of several the one that is kept longest.

    So that nobody shortens the time by one more outcome. Of equally long ones the first by name; empty without any.
    """
    return max(sorted({of("outcome", members) for members in outcomes}), key=_length, default="")


def _length(name: str) -> float:
    """How long a class is kept: its months, and without end where it has none or is of no known name."""
    known = classes().get(name)
    return math.inf if known is None or known.months == 0 else known.months


@cache
def of_exchanges() -> tuple[str, ...]:
    """The classes that an exchange can turn out to be of."""
    return tuple(one.name for one in classes().values() if any("outcome" in rule.kinds for rule in one.rules))


def months_before(instant: datetime, months: int) -> datetime:
    """The same day of an earlier month, or its last day where it is shorter."""
    year, month = divmod(instant.year * 12 + instant.month - 1 - months, 12)
    return instant.replace(year=year, month=month + 1, day=min(instant.day, monthrange(year, month + 1)[1]))


def _rule(
    kinds: list[str],
    caller: bool | None = None,
    outcomes: tuple[str, ...] = (),
    systems: tuple[str, ...] = (),
) -> _Rule:
    return _Rule(frozenset(kinds), caller, frozenset(outcomes), frozenset(systems))
