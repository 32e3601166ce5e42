"""Who accessed a person's data: every exchange and every act of administration that the log has about him."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from audit import Kind, search
from audit.leaf import SUBJECT
from exchange import Json
from questions.purposes import purpose_told

# What says most of an exchange comes last: it opened, it asked, it ended.
_LEVELS = {Kind.OPENED: 0, Kind.ATTEMPT: 1, Kind.OUTCOME: 2, Kind.ADMIN: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One exchange or act, as its last record tells it; what the log does not say of it is "".

    `act` is that of an act of administration, "" for an exchange. `official`, `case` and `selection` are erasable, and
    for auditors. `persons` is how many persons it was about, `indexes` are those of its records in the log.
    """

    exchange_id: str
    instant: datetime
    act: str = ""
    institution: str = ""
    recipient: str = ""
    caller: str = ""
    role: str = ""
    purpose: str = ""
    rule: str = ""
    system: str = ""
    operation: str = ""
    source: str = ""
    outcome: str = ""
    code: str = ""
    given: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    official: str = ""
    case: str = ""
    selection: Json = None
    persons: int = 1
    indexes: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The operation as access.d names it, or the act."""
        return self.act or f"{self.system}.{self.operation}"


def accesses(
    engine: Engine, subjects: Sequence[str], since: datetime | None = None, until: datetime | None = None
) -> tuple[Access, ...]:
    """Every access to the data of a person, oldest first; `subjects` are his indexes under all of his codes.

    Raises: LogUnavailable.
    """
    by_exchange: dict[str, list[tuple[search.Found, Mapping[str, Json]]]] = {}
    for found, values in search.about(engine, subjects, since, until):
        by_exchange.setdefault(str(found.leaf["exchange"]), []).append((found, values))
    return tuple(sorted((_access(records) for records in by_exchange.values()), key=lambda one: one.instant))


def _access(records: Sequence[tuple[search.Found, Mapping[str, Json]]]) -> Access:
    last, values = max(records, key=lambda one: _level(one[0]))
    leaf = last.leaf
    return Access(
        exchange_id=str(leaf["exchange"]),
        instant=datetime.fromisoformat(str(records[0][0].leaf["instant"])),
        indexes=tuple(found.index for found, _values in records if found.index is not None),
        given=_texts(leaf.get("given")),
        withheld=_texts(leaf.get("withheld")),
        official=_text(values.get("official")),
        case=_text(values.get("case")),
        selection=values.get("selection"),
        purpose=purpose_told(leaf, values),
        persons=max(1, len(search.codes_in([values.get(SUBJECT)]))),
        **{name: _text(leaf.get(name)) for name in _PLAIN},
    )


_PLAIN = (
    "act",
    "institution",
    "recipient",
    "caller",
    "role",
    "rule",
    "system",
    "operation",
    "source",
    "outcome",
    "code",
)


def _level(found: search.Found) -> int:
    return _LEVELS.get(Kind(str(found.leaf["kind"])), 0)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
