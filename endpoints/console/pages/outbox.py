"""The outbox: what waits to be delivered, what was given up, and what an operator decides about it.

Nothing here names a person or shows a payload: a row is an exchange, a system, an operation and how it went.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from audit import Entry, search
from endpoints.console import telling
from endpoints.console.roles import Role
from endpoints.console.typed import Notice, chosen, identifier, reason
from endpoints.console.visit import Page, Shown, Visit
from errors import InvalidRequest, NotFound
from routing import interventions, outbox
from routing.interventions import Decided
from routing.outbox import Row, State
from storage import reading

_AT_ONCE = 50
_ROOT = "/console/outbox"
_UNDELIVERED = tuple(state for state in State if state is not State.DELIVERED)
# The acts by their names in forms: as the command puts them on record, and from which states they lead away.
_ACTS = {
    "replay": ("outbox replay", interventions.REPLAYED),
    "park": ("outbox park", interventions.PARKED),
}
_MOVED = "the row is not as it was when you looked"


@dataclass(frozen=True, slots=True)
class Asked:
    """A row as the page of confirmation shows it.

    `risky`: it may have taken effect already; `overtaken`: a later message about the same person was delivered.
    """

    row: Row
    mark: str
    allowed: bool
    risky: bool
    overtaken: bool


def show(visit: Visit) -> Shown:
    """The list."""
    return _listed(visit, _done(visit))


def one(visit: Visit, exchange: uuid.UUID) -> Shown:
    """One row, with the records of its exchange."""
    engine = visit.gateway.engine
    with reading(engine).begin() as connection:
        row = outbox.find(connection, exchange)
    found = search.page(engine, search.Filters(exchange=exchange), limit=_AT_ONCE)
    return Shown(
        "outbox_row.html.jinja",
        {
            "row": row,
            "records": [(record.leaf, _what(visit, record)) for record in reversed(found)],
            "acts": _acts_for(visit, [row]),
            "mark": interventions.mark(row),
        },
    )


def _what(visit: Visit, record: search.Found) -> str:
    """An act by its name, anything else by its kind."""
    kind = str(record.leaf["kind"])
    act = telling.what(record, visit.language) if record.leaf.get("act") else ""
    return act or visit.say(telling.KINDS.get(kind, kind))


def confirm(visit: Visit) -> Shown:
    """What would be done to the rows that were ticked, before it is."""
    ids = chosen(visit)
    if not ids or visit.form.get("act", "") not in _ACTS:
        return _listed(visit, Notice(visit.say("Tick the messages first, then say what to do."), "warn"), 400)
    return _asking(visit, list(ids))


def decide(visit: Visit) -> Shown | Response:
    """Do it: each row by itself, on record with who and why; what changed meanwhile stays as it is."""
    act, seen = visit.form.get("act", ""), chosen(visit)
    if not seen or act not in _ACTS:
        return _listed(visit, Notice(visit.say("Tick the messages first, then say what to do."), "warn"), 400)
    try:
        why = reason(visit)
    except InvalidRequest as error:
        return _asking(visit, list(seen), Notice(error.detail, "bad"), 400)
    rows, gone = _found(visit, list(seen))
    risky = [row for row in rows if interventions.may_act_twice(visit.gateway.settings, row)]
    twice = visit.form.get("even_twice", "") == "1"
    if act == "replay" and risky and not twice:
        sentence = visit.say(
            "Some may have taken effect already: say first that a second effect is ruled out."
        )
        return _asking(visit, list(seen), Notice(sentence, "bad"), 400)
    decided = interventions.decide(
        visit.gateway.log,
        rows,
        lambda row: _entry(visit, act, row, why),
        lambda connection, row: _work(visit, connection, act, row, seen[row.id], decided=row in risky),
    )
    refused = {**decided.refused, **dict.fromkeys(gone, "no such row in the outbox")}
    if refused:
        return _told(visit, act, Decided(decided.changed, refused))
    return redirect(f"{_ROOT}?done={act}&changed={len(decided.changed)}", 303)


def back(_visit: Visit) -> Response:
    """What was asked by POST cannot be asked by an address."""
    return redirect(_ROOT, 303)


def _work(visit: Visit, connection: Connection, act: str, row: Row, seen: str, *, decided: bool) -> Row:
    if interventions.mark(interventions.held(connection, row.id)) != seen:
        raise InvalidRequest(_MOVED)
    if act == "park":
        return interventions.park(connection, row.id)
    return interventions.replay(
        connection,
        row.id,
        give_up_after=timedelta(hours=visit.gateway.settings.outbox.give_up_hours),
        decided=decided,
        out_of_order=visit.form.get("out_of_order", "") == "1",
    )


def _entry(visit: Visit, act: str, row: Row, why: str) -> Entry:
    """The record of the decision, under the exchange of the row."""
    name = _ACTS[act][0]
    facts = {"system": row.system, "operation": row.operation, "from": row.state.value}
    return replace(visit.entry(name, facts, {"reason": why}), exchange_id=row.id)


def _listed(visit: Visit, notice: Notice | None, status: int = 200) -> Shown:
    state, system = visit.query.get("state", ""), visit.query.get("system", "")
    wanted = [State(state)] if state in _UNDELIVERED else list(_UNDELIVERED)
    after = identifier(visit.query.get("after", ""))
    with reading(visit.gateway.engine).begin() as connection:
        rows = outbox.listed(connection, states=wanted, system=system, limit=_AT_ONCE + 1, after=after)
        numbers = outbox.undelivered(connection)
    shown = rows[:_AT_ONCE]
    return Shown(
        "outbox.html.jinja",
        {
            "notice": notice,
            "rows": [(row, interventions.mark(row)) for row in shown],
            "counts": _by_state(numbers),
            "systems": sorted(
                {name for _state, name, _operation in numbers} | ({system} if system else set())
            ),
            "state": state if state in _UNDELIVERED else "",
            "system": system,
            "acts": _acts_for(visit, shown),
            "more": str(shown[-1].id) if len(rows) > _AT_ONCE else "",
            "first": after is None,
        },
        status,
    )


def _asking(visit: Visit, ids: Sequence[uuid.UUID], notice: Notice | None = None, status: int = 200) -> Shown:
    """The page of confirmation, with the rows as they are now."""
    act = visit.form["act"]
    rows, gone = _found(visit, ids)
    with reading(visit.gateway.engine).begin() as connection:
        asked = [
            Asked(
                row,
                interventions.mark(row),
                row.state in _ACTS[act][1],
                act == "replay" and interventions.may_act_twice(visit.gateway.settings, row),
                act == "replay" and interventions.overtaken(connection, row.id),
            )
            for row in rows
        ]
    content = {"notice": notice, "asked": asked, "act": act, "gone": len(gone), "typed": visit.form}
    return Shown("outbox_confirm.html.jinja", content, status)


def _told(visit: Visit, act: str, decided: Decided) -> Shown:
    """Which rows stay as they were, and why."""
    refused = [(one, visit.say(detail)) for one, detail in decided.refused.items()]
    content = {"act": act, "changed": decided.changed, "refused": refused}
    return Shown("outbox_told.html.jinja", content, 409)


def _found(visit: Visit, ids: Sequence[uuid.UUID]) -> tuple[list[Row], list[uuid.UUID]]:
    """The rows as they are now, at most a page of them; and the ids of which there is none any more."""
    rows: list[Row] = []
    gone: list[uuid.UUID] = []
    with reading(visit.gateway.engine).begin() as connection:
        for each in ids[:_AT_ONCE]:
            try:
                rows.append(outbox.find(connection, each))
            except NotFound:
                gone.append(each)
    return rows, gone


def _acts_for(visit: Visit, rows: Sequence[Row]) -> list[str]:
    """What may be done here: by an operator, where a row is in a state for it."""
    if visit.user.role is not Role.OPERATOR:
        return []
    return [act for act, (_name, states) in _ACTS.items() if any(row.state in states for row in rows)]


def _by_state(numbers: Mapping[tuple[State, str, str], int]) -> dict[str, int]:
    counts = dict.fromkeys((state.value for state in _UNDELIVERED), 0)
    for (state, _system, _operation), number in numbers.items():
        counts[state.value] += number
    return counts


def _done(visit: Visit) -> Notice | None:
    """What was just done, told after the redirection."""
    act, changed = visit.query.get("done", ""), visit.query.get("changed", "")
    if act not in _ACTS or not (changed.isascii() and changed.isdigit()):
        return None
    texts = {"replay": "Messages that are delivered again: {number}", "park": "Messages set aside: {number}"}
    return Notice(visit.say(texts[act], number=int(changed)))


_LOOKS = frozenset({Role.OPERATOR, Role.AUDITOR})
_DECIDES = frozenset({Role.OPERATOR})
PAGES = (
    Page("outbox", _LOOKS, show, title="Deliveries", group="Run", rank=30),
    Page("outbox/<uuid:exchange>", _LOOKS, one),
    Page("outbox/confirm", _DECIDES, confirm, methods=("POST",)),
    Page("outbox/decide", _DECIDES, decide, methods=("POST",)),
    *(Page(f"outbox/{name}", _LOOKS, back) for name in ("confirm", "decide")),
)
