"""Unusual look-ups: what officials did that their peers do not, and what came of looking into it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from audit import flags, search
from audit.flags import Kept
from endpoints.console import telling
from endpoints.console.roles import SEES_PERSONS
from endpoints.console.typed import identifier
from endpoints.console.visit import Page, Shown, Visit, moment
from errors import InvalidRequest, NotFound
from exchange import Json, today_in_riga, utc_now
from questions import unusual as questions
from questions.acting import about
from questions.moments import day as day_of
from questions.purposes import LOOKED_THROUGH
from questions.words import institution
from storage import reading

_DAYS = 30
_AT_ONCE = 50
_MOST_OF_A_REASON = 1000

STATES = {"open": "to be decided", "dismissed": "decided", "all": "all of them"}
KINDS = {
    "many_persons": "far more persons than peers",
    "out_of_hours": "out of working hours",
    "own_record": "own data",
    "family_member": "data of the family",
    "many_officials": "one person, many officials",
    "no_case": "no case where peers name one",
}
FIGURES = {
    "lookups": "look-ups",
    "first": "the first at",
    "persons": "persons",
    "median": "median of peers",
    "peers": "peers",
    "officials": "officials",
    "all": "look-ups in all",
    "peers_percent": "peers with a case, %",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A flag in words; officials and persons are empty where they were not opened."""

    flag: Kept
    kind: str
    institution: str
    reason: str
    figures: str
    decided: str
    officials: tuple[str, ...]
    persons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which flags: days from `first`, to `last` included, their state, and after which of them the page begins."""

    first: date
    last: date
    state: str
    after: uuid.UUID | None = None

    def query(self, after: uuid.UUID | None) -> dict[str, str]:
        """The same in an address or a form, for the page that begins after a flag."""
        return {
            "state": self.state,
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "after": str(after or ""),
        }


def show(visit: Visit) -> Shown:
    """Flags of some days; by POST, for a purpose, with the officials and persons."""
    visit.may_see_persons()
    typed = visit.form if visit.method == "POST" else visit.query
    try:
        asked = _asked(visit, typed)
        purpose = visit.purpose() if visit.method == "POST" else ""
    except InvalidRequest as error:
        return _shown(visit, _usual(), [], wrong=telling.reason(visit, error))
    kept, more = _listed(visit, asked)
    rows = _rows(visit, kept, opened=bool(purpose))
    persons = list(dict.fromkeys(code for row in rows for code in row.persons))
    _on_record(visit, purpose, asked, len(rows), persons)
    return _shown(visit, asked, rows, purpose=purpose, more=more)


def look(visit: Visit) -> Shown | Response:
    """Look through one day now, as the job does each morning; then show it."""
    visit.may_see_persons()
    if visit.method != "POST":
        return redirect("/console/unusual", 303)
    try:
        day = day_of(visit.form.get("day", ""))
    except ValueError:
        return _shown(visit, _usual(), [], wrong=visit.say("A day is written 2026-01-31."))
    found = questions.unusual(visit.gateway.engine, visit.gateway.subject_key, day, day + timedelta(days=1))
    with visit.gateway.engine.begin() as connection:
        flags.keep(connection, found, utc_now())
    asked = Asked(day, day, "open")
    kept, more = _listed(visit, asked)
    rows = _rows(visit, kept, opened=False)
    _on_record(visit, "", asked, len(rows), [])
    return _shown(visit, asked, rows, more=more)


def dismiss(visit: Visit) -> Shown | Response:
    """Decide on a flag: it was looked into, and why nothing follows, or what does. Both are one transaction."""
    visit.may_see_persons()
    if visit.method != "POST":
        return redirect("/console/unusual", 303)
    reason = " ".join(visit.form.get("reason", "").split())
    wrong = ""
    try:
        flag = uuid.UUID(visit.form.get("flag", ""))
        if not reason or len(reason) > _MOST_OF_A_REASON:
            wrong = visit.say("Say in 1 to 1000 characters what was found out.")
        else:
            _decide(visit, flag, reason)
    except (NotFound, ValueError):
        wrong = visit.say("There is no such thing.")
    except InvalidRequest:
        wrong = visit.say("Somebody decided on it before.")
    if wrong:
        return _shown(visit, _usual(), [], wrong=wrong)
    return redirect("/console/unusual?decided=1", 303)


def _decide(visit: Visit, flag: uuid.UUID, reason: str) -> None:
    by, log = visit.user.name, visit.gateway.log

    def work(connection: Connection) -> None:
        flags.dismiss(connection, [flag], by, reason, utc_now())
        facts: dict[str, Json] = {"flags": [str(flag)]}
        # Freely written, so kept as personal values are.
        typed: dict[str, Json] = {"reason": reason, "decided_by": by}
        log.append(connection, visit.entry("audit unusual dismiss", facts, typed))

    log.commit(work)


def _usual() -> Asked:
    today = today_in_riga()
    return Asked(today - timedelta(days=_DAYS), today, "open")


def _asked(visit: Visit, typed: Mapping[str, str]) -> Asked:
    usual = _usual()
    try:
        first = day_of(typed["from"]) if typed.get("from") else usual.first
        last = day_of(typed["to"]) if typed.get("to") else usual.last
    except ValueError as error:
        raise InvalidRequest(visit.say("A day is written 2026-01-31.")) from error
    state = typed.get("state", "")
    after = identifier(typed.get("after", ""))
    return Asked(first, last, state if state in STATES else usual.state, after)


def _listed(visit: Visit, asked: Asked) -> tuple[tuple[Kept, ...], uuid.UUID | None]:
    """The flags of one page, and the last of them where more follow."""
    with reading(visit.gateway.engine).begin() as connection:
        found = flags.listed(
            connection,
            asked.first,
            asked.last + timedelta(days=1),
            dismissed=asked.state != "open",
            waiting=asked.state != "dismissed",
            limit=_AT_ONCE + 1,
            after=asked.after,
        )
    return found[:_AT_ONCE], found[_AT_ONCE - 1].id if len(found) > _AT_ONCE else None


def _on_record(visit: Visit, purpose: str, asked: Asked, count: int, persons: Sequence[str]) -> None:
    facts: dict[str, Json] = {
        "from": asked.first.isoformat(),
        "to": (asked.last + timedelta(days=1)).isoformat(),
        "flags": count,
    }
    visit.on_record("audit unusual", purpose or LOOKED_THROUGH, facts, about(persons))


def _rows(visit: Visit, kept: Sequence[Kept], *, opened: bool) -> list[Row]:
    if not opened:
        return [_row(visit, flag, search.Involved((), ())) for flag in kept]
    with reading(visit.gateway.engine).begin() as connection:
        return [_row(visit, flag, search.involved(connection, flag.exchanges)) for flag in kept]


def _row(visit: Visit, flag: Kept, involved: search.Involved) -> Row:
    decided = (
        ""
        if flag.dismissed_at is None
        else f"{moment(flag.dismissed_at)}, {flag.dismissed_by}: {flag.reason}"
    )
    return Row(
        flag=flag,
        kind=KINDS.get(flag.kind, flag.kind),
        institution=institution("", flag.recipient).of(visit.language),
        reason=questions.reason(flag, visit.language),
        figures="; ".join(
            f"{visit.say(FIGURES.get(name, name))}: {value}" for name, value in flag.figures.items()
        ),
        decided=decided,
        officials=involved.officials,
        persons=involved.persons,
    )


def _shown(
    visit: Visit,
    asked: Asked,
    rows: Sequence[Row],
    *,
    purpose: str = "",
    wrong: str = "",
    more: uuid.UUID | None = None,
) -> Shown:
    content = {
        "asked": asked,
        "rows": rows,
        "purpose": purpose,
        "wrong": wrong,
        "states": STATES,
        "decided": visit.query.get("decided") == "1",
        "more": more,
        "yesterday": (today_in_riga() - timedelta(days=1)).isoformat(),
    }
    return Shown("unusual.html.jinja", content, 400 if wrong else 200)


PAGES = (
    Page(
        path="unusual",
        roles=SEES_PERSONS,
        show=show,
        title="Unusual look-ups",
        group="Ask",
        rank=40,
        methods=("GET", "POST"),
    ),
    Page(path="unusual/look", roles=SEES_PERSONS, show=look, methods=("GET", "POST")),
    Page(path="unusual/dismiss", roles=SEES_PERSONS, show=dismiss, methods=("GET", "POST")),
)
