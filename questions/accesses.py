"""Who accessed a person's data: every exchange and every act of administration that the log has about him."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from audit import Kind, search
from audit.leaf import SUBJECT
from errors import LogUnavailable
from exchange import Json
from storage import reading

# What says most of an exchange comes last: it opened, it asked, it ended.
_LEVELS = {Kind.OPENED: 0, Kind.ATTEMPT: 1, Kind.OUTCOME: 2, Kind.ADMIN: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One exchange or act, as its last record tells it; what the log does not say of it is "".

    `act` is that of an act of administration, "" for an exchange. `official`, `case` and `selection` are erasable, and
    for auditors; they, a `purpose` that somebody typed, and how many `persons` it was about are there once it is
    opened. `record` is the id of that record, `indexes` are those of all its records in the log.
    """

    exchange_id: str
    instant: datetime
    record: str = ""
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

    Nothing that is erasable is read: `opened` does that, of as many as are wanted.
    Raises: LogUnavailable.
    """
    by_exchange: dict[str, list[search.Found]] = {}
    for found in search.about(engine, subjects, since, until):
        by_exchange.setdefault(str(found.leaf["exchange"]), []).append(found)
    return tuple(sorted(map(_access, by_exchange.values()), key=lambda one: one.instant))


def opened(engine: Engine, several: Sequence[Access]) -> tuple[Access, ...]:
    """Accesses with what is personal of them and not erased.

    Raises: LogUnavailable.
    """
    try:
        with reading(engine).begin() as connection:
            values = search.values_of(connection, [one.record for one in several])
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    return tuple(_opened(one, values.get(one.record, {})) for one in several)


def _access(records: Sequence[search.Found]) -> Access:
    last = max(records, key=_level)
    leaf = last.leaf
    return Access(
        exchange_id=str(leaf["exchange"]),
        instant=datetime.fromisoformat(str(records[0].leaf["instant"])),
        record=str(leaf["id"]),
        indexes=tuple(found.index for found in records if found.index is not None),
        persons=1,
        given=_texts(leaf.get("given")),
        withheld=_texts(leaf.get("withheld")),
        **{name: _text(leaf.get(name)) for name in _PLAIN},
    )


def _opened(access: Access, values: Mapping[str, Json]) -> Access:
    return replace(
        access,
        official=_text(values.get("official")),
        case=_text(values.get("case")),
        selection=values.get("selection"),
        purpose=access.purpose or _text(values.get("purpose")),
        persons=max(1, len(search.codes_in([values.get(SUBJECT)]))),
    )


_PLAIN = (
    "act",
    "institution",
    "recipient",
    "caller",
    "role",
    "purpose",
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
