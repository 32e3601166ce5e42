"""Differences between registers and their sources: counted for everybody, opened for a purpose, decided by the DPO."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, Row
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from audit import Entry
from endpoints.console.roles import EVERYBODY, SEES_PERSONS, Role
from endpoints.console.typed import Notice, identifier, reason
from endpoints.console.visit import Page, Shown, Visit
from errors import InvalidRequest
from exchange import Json, utc_now
from questions.acting import about
from questions.differences import PURPOSE, facts, subjects, told
from registers import corrections, differences, settlement
from registers.corrections import Answer, RequestState
from registers.differences import Decision, State
from registers.persons import PERSON_CODE, hold_person
from routing import reconciliation
from routing.corrections import folder_of, hand_over, in_words
from storage import reading

_AT_ONCE = 50
_RUNS = 8
_ROOT = "/console/reconciliation"
_MOVED = "somebody decided about this difference after you opened it; open it again"

# What a person is told once it is done.
_DONE = {
    "keep": "Decided: what the register holds stays.",
    "take": "Decided: what the source says is in the register now.",
    "return": "Returned: the correction request is handed over to the source.",
    "waits": "Returned: the correction request is on record, but could not be handed over. It waits for “gateway "
    "reconcile hand-over”.",
    "undo": "Taken back: the difference is open again.",
    "answered corrected": "Noted: the source says that it corrected its data. The next comparison settles it.",
    "answered refused": "Noted: the source says that its data are right. The difference is open again.",
}


def show(visit: Visit) -> Shown:
    """Counts for everybody; the list, without persons and values, for those who may open one. It is on record."""
    with reading(visit.gateway.engine).begin() as connection:
        numbers = differences.counts(connection)
        runs = reconciliation.recent(connection, _RUNS)
    content: dict[str, Any] = {
        "counts": {state.value: _sum(numbers, state) for state in State if state is not State.SETTLED},
        "by_system": _by_system(numbers),
        "runs": runs,
        "opens": visit.user.role in SEES_PERSONS,
    }
    if visit.user.role in SEES_PERSONS:
        content |= _listed(visit, sorted({system for system, _state in numbers}))
    return Shown("reconciliation.html.jinja", content)


def one(visit: Visit, difference: uuid.UUID) -> Shown:
    """One difference: by GET without person and values, by POST with them, for a purpose."""
    if visit.method == "GET":
        done = visit.query.get("done", "")
        return _closed(visit, difference, Notice(visit.say(_DONE[done])) if done in _DONE else None)
    visit.may_see_persons()
    try:
        why = visit.purpose()
    except InvalidRequest as error:
        return _closed(visit, difference, Notice(error.detail, "bad"), 400)
    with reading(visit.gateway.engine).begin() as connection:
        row = differences.one(connection, difference)
        codes = subjects(connection, [row])
    recorded = {name: value for name, value in _facts(row).items() if name != "purpose"}
    visit.on_record("reconcile show", PURPOSE, recorded, {"reason": why, **about(codes)})
    return _opened(visit, difference)


def decide(visit: Visit, difference: uuid.UUID) -> Shown | Response:
    """Decide as the command does, in one transaction with its record; what was decided meanwhile stays."""
    with reading(visit.gateway.engine).begin() as connection:
        differences.one(connection, difference)
    act = visit.form.get("act", "")
    if act not in _DONE or act == "waits":
        return _closed(visit, difference, Notice(visit.say("Say what is to be done."), "bad"), 400)
    try:
        why = reason(visit)
    except InvalidRequest as error:
        return _closed(visit, difference, Notice(error.detail, "bad"), 400)
    try:
        made = visit.gateway.log.commit(lambda connection: _decided(visit, connection, difference, act, why))
    except InvalidRequest as error:
        return _closed(visit, difference, Notice(visit.say(error.detail), "bad"), 409)
    if made is not None and not _handed_over(visit, made):
        act = "waits"
    return redirect(f"{_ROOT}/{difference}?done={act.replace(' ', '+')}", 303)


def back(_visit: Visit, difference: uuid.UUID) -> Response:
    """What was decided by POST is not decided by an address."""
    return redirect(f"{_ROOT}/{difference}", 303)


def _decided(
    visit: Visit, connection: Connection, difference: uuid.UUID, act: str, why: str
) -> uuid.UUID | None:
    """The decision with its record; the id of the correction request where one was made."""
    hold_person(connection, differences.one(connection, difference).person_id)
    row = differences.one(connection, difference)
    if visit.form.get("seen", "") != _mark(row):
        raise InvalidRequest(_MOVED)
    if act not in _acts(row, corrections.requests_of(connection, difference)):
        raise InvalidRequest("that cannot be done with this difference as it is")
    personal = {"reason": why, **about(subjects(connection, [row]))}
    visit.gateway.log.append(connection, visit.entry(f"reconcile {act}", _facts(row), personal))
    who, now = visit.user.name, utc_now()
    match act:
        case "keep":
            settlement.keep(connection, difference, who, why, now)
        case "take":
            settlement.take(connection, difference, who, why, now)
        case "undo":
            settlement.undo(connection, difference, who, why, now)
        case "return":
            sender = visit.gateway.settings.institution
            return settlement.give_back(connection, difference, sender, who, why, now)
        case _:
            answer = Answer(act.removeprefix("answered "))
            settlement.answered(connection, _sent(connection, difference), answer, why, who, now)
    return None


def _sent(connection: Connection, difference: uuid.UUID) -> uuid.UUID:
    """The correction request that the source has and has not answered; there is one at most."""
    requests = corrections.requests_of(connection, difference)
    found: uuid.UUID = next(one.id for one in requests if one.state == RequestState.SENT)
    return found


def _handed_over(visit: Visit, request_id: uuid.UUID) -> bool:
    def record(request: Row[Any], way: str) -> Entry:
        recorded: dict[str, Json] = {"name": str(request.id), "recipient": "", "purpose": PURPOSE}
        return visit.entry("reconcile sent", {**recorded, "to": request.recipient, "way": way})

    gateway = visit.gateway
    folder = folder_of(gateway.settings)
    return hand_over(gateway.engine, gateway.log, [request_id], folder, record).failed is None


def _facts(row: Row[Any]) -> dict[str, Json]:
    return {"name": str(row.id), "recipient": "", **facts([row])}


def _mark(row: Row[Any]) -> str:
    return f"{row.state} {row.decision or ''}".strip()


def _listed(visit: Visit, systems: list[str]) -> dict[str, Any]:
    state, system = visit.query.get("state", State.OPEN.value), visit.query.get("system", "")
    wanted = [State(state)] if state in list(State) else [State.OPEN]
    after = identifier(visit.query.get("after", ""))
    with reading(visit.gateway.engine).begin() as connection:
        rows = differences.listed(connection, wanted, system, _AT_ONCE + 1, after)
    shown = rows[:_AT_ONCE]
    recorded: dict[str, Json] = {"name": system, "recipient": "", "differences": len(shown), "values": False}
    visit.on_record("reconcile list", PURPOSE, recorded)
    return {
        "rows": shown,
        "state": wanted[0].value,
        "system": system,
        "systems": systems if system in ("", *systems) else [*systems, system],
        "more": str(shown[-1].id) if len(rows) > _AT_ONCE else "",
        "first": after is None,
    }


def _closed(visit: Visit, difference: uuid.UUID, notice: Notice | None, status: int = 200) -> Shown:
    """A difference without person and values."""
    with reading(visit.gateway.engine).begin() as connection:
        row = differences.one(connection, difference)
    content = {"row": row, "notice": notice, "seen": None, "purpose": visit.form.get("purpose", "")}
    return Shown("difference.html.jinja", content, status)


def _opened(visit: Visit, difference: uuid.UUID) -> Shown:
    """A difference with person and values; that somebody looks is on record already."""
    with reading(visit.gateway.engine).begin() as connection:
        row = differences.one(connection, difference)
        seen = told(connection, row, values=True)
        events = differences.events(connection, difference)
        requests = corrections.requests_of(connection, difference)
    content = {
        "row": row,
        "notice": None,
        "seen": seen,
        "ours": in_words(seen["ours"], visit.language.value),
        "theirs": in_words(seen["theirs"], visit.language.value),
        "about": in_words(seen["row"], visit.language.value),
        "events": events,
        "requests": requests,
        "mark": _mark(row),
        "acts": _acts(row, requests) if visit.user.role is Role.DPO else [],
        "for_good": row.register_table == PERSON_CODE.name,
    }
    return Shown("difference.html.jinja", content)


def _acts(row: Row[Any], requests: Any) -> list[str]:
    """What may be done with a difference as it is."""
    found: list[str] = []
    if row.state in (State.OPEN, State.RETURNED):
        found += ["keep", *(["take"] if settlement.may_be_taken(row) else [])]
    if row.state == State.OPEN:
        found.append("return")
    if row.state == State.RETURNED and any(request.state == RequestState.SENT for request in requests):
        found += ["answered corrected", "answered refused"]
    joined = row.decision == Decision.TAKE and row.register_table == PERSON_CODE.name
    if row.state in (State.DECIDED, State.RETURNED) and not joined:
        found.append("undo")
    return found


def _sum(numbers: dict[tuple[str, State], int], state: State) -> int:
    return sum(number for (_system, of), number in numbers.items() if of is state)


def _by_system(numbers: dict[tuple[str, State], int]) -> list[tuple[str, dict[str, int]]]:
    systems = sorted({system for system, _state in numbers})
    states = [state for state in State if state is not State.SETTLED]
    return [
        (system, {state.value: numbers.get((system, state), 0) for state in states}) for system in systems
    ]


PAGES = (
    Page("reconciliation", EVERYBODY, show, title="Differences", group="Decide", rank=10),
    Page("reconciliation/<uuid:difference>", SEES_PERSONS, one, methods=("GET", "POST")),
    Page("reconciliation/<uuid:difference>/decide", frozenset({Role.DPO}), decide, methods=("POST",)),
    Page("reconciliation/<uuid:difference>/decide", SEES_PERSONS, back),
)
