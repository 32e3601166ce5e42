"""Who acts on what questions have found, and the record of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit import Entry, Kind
from audit.account import operating_user
from exchange import Environment, Json, new_id, utc_now


def about(codes: Sequence[str]) -> dict[str, Json]:
    """The persons whom an act is about, as they stand in its record."""
    if not codes:
        return {}
    return {"subject": list(codes) if len(codes) > 1 else codes[0]}


@dataclass(frozen=True, slots=True)
class Acting:
    """A person at the command line, or the scheduled job under the name of its account; and why."""

    environment: Environment
    official: str = field(default_factory=operating_user)
    reason: str = "scheduled"

    def entry(self, act: str, facts: Mapping[str, Json], subjects: Sequence[str] = ()) -> Entry:
        """The record of an act, under an id of its own; the persons in it are erasable."""
        typed: dict[str, Json] = {
            "official": self.official,
            "account": operating_user(),
            "reason": self.reason,
            **about(subjects),
        }
        public: dict[str, Json] = {"environment": self.environment.value, "act": act, **facts}
        return Entry(Kind.ADMIN, new_id(), utc_now(), public, typed)
