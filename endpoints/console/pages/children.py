"""Children in institutions: reports that are due, lengths of stay, alerts. Numbers for a look, persons for a purpose.

A list of persons is opened by POST, for a purpose; every child on it stands as a subject in the record, also where no
personal code is shown.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from endpoints.console.roles import SEES_PERSONS, Role
from endpoints.console.typed import Notice, chosen, identifier, reason
from endpoints.console.visit import Page, Shown, Visit
from errors import InvalidPersonCode, InvalidRequest
from exchange import Json, today_in_riga
from mappings.codes import code_list
from mappings.person_code import normalise
from questions.acting import about
from questions.children import LENGTHS, Term, counted, months_in_care, waited_for
from registers import child_alerts, codes_of, person_by_code, report_handovers
from registers.child_stays import ChildStay, stays_of
from registers.report_handovers import HandoverState
from routing import child_reports, child_watch
from routing.child_watch import PURPOSE, Acting
from storage import reading

_AT_ONCE = 50
_ROOT = "/console/children"
_ALERTS, _STAYS, _HANDOVERS, _CHILD = "alerts", "stays", "handovers", "child"
_LISTS = (*(term.value for term in Term), _STAYS, _ALERTS, _HANDOVERS, _CHILD)
_KINDS = code_list("child_alert_kind")
_RECIPIENTS = code_list("child_alert_recipient")


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list: its rows, the children on it, how many rows there are in all, and the act that looking is."""

    act: str
    rows: Sequence[Any]
    children: Sequence[uuid.UUID]
    number: int


def show(visit: Visit) -> Shown:
    """Numbers alone."""
    return _numbers(visit, _done(visit))


def open_list(visit: Visit) -> Shown:
    """A list of persons, for a purpose that is on record first."""
    visit.may_see_persons()
    name = visit.form.get("what", "")
    if name not in _LISTS:
        return _numbers(visit, Notice(visit.say("Say which list is to be opened."), "bad"), 400)
    try:
        why = visit.purpose()
        code = _code(visit) if name == _CHILD else ""
    except InvalidRequest as error:
        return _numbers(visit, Notice(error.detail, "bad"), 400)
    with reading(visit.gateway.engine).begin() as connection:
        listed = _of_child(connection, code) if name == _CHILD else _of_all(connection, visit, name)
        codes = {child: codes_of(connection, child)[0] for child in dict.fromkeys(listed.children)}
    subjects = [code] if name == _CHILD else list(codes.values())
    facts: dict[str, Json] = {"name": "", "recipient": "", "list": name, "shown": len(listed.rows)}
    visit.on_record(listed.act, PURPOSE, facts, {"reason": why, **about(subjects)})
    page = _page_number(visit)
    return Shown(
        "children_list.html.jinja",
        {
            "name": name,
            "rows": listed.rows,
            "number": listed.number,
            "codes": codes if name == _CHILD or visit.form.get("persons", "") == "1" else {},
            "form": {**visit.form, "purpose": why},
            "page": page,
            "pages": max(1, -(-listed.number // _AT_ONCE)),
            "today": today_in_riga(),
            "months_in_care": months_in_care,
            "kinds": _texts(visit, _KINDS),
            "recipients": _texts(visit, _RECIPIENTS),
            "decides": visit.user.role is Role.DPO,
        },
    )


def back(_visit: Visit) -> Response:
    """What was opened by POST cannot be opened by an address."""
    return redirect(_ROOT, 303)


def acknowledge(visit: Visit) -> Shown | Response:
    """Note that alerts were taken up: all that were ticked, or none."""
    ticked = list(chosen(visit))
    if not ticked:
        return _numbers(visit, Notice(visit.say("Tick the alerts first."), "warn"), 400)
    return _noted(
        visit,
        lambda acting: child_watch.acknowledge(visit.gateway.log, acting, ticked, today_in_riga()),
        f"acknowledged&number={len(ticked)}",
        "One of these alerts was taken up by somebody before, or is not there: none was noted.",
    )


def received(visit: Visit) -> Shown | Response:
    """Note that a social service has a report."""
    handover = identifier(visit.form.get("handover", ""))
    if handover is None:
        return _numbers(visit, Notice(visit.say("Choose the report first."), "warn"), 400)
    return _noted(
        visit,
        lambda acting: child_reports.received(visit.gateway.log, acting, handover),
        "received",
        "That was noted before, or the report was not handed over: nothing was noted.",
    )


def _noted(visit: Visit, work: Callable[[Acting], None], done: str, refused: str) -> Shown | Response:
    try:
        why = reason(visit)
    except InvalidRequest as error:
        return _numbers(visit, Notice(error.detail, "bad"), 400)
    entry = visit.entry("", {})
    at = {name: entry.facts[name] for name in ("at", "role")}
    acting = Acting(visit.gateway.settings.environment, visit.user.name, why, account="", facts=at)
    try:
        work(acting)
    except InvalidRequest:
        return _numbers(visit, Notice(visit.say(refused), "bad"), 409)
    return redirect(f"{_ROOT}?done={done}", 303)


def _of_all(connection: Connection, visit: Visit, name: str) -> Listed:
    """The page of a list that is asked for."""
    today, municipality = today_in_riga(), visit.form.get("municipality", "")
    begin = (_page_number(visit) - 1) * _AT_ONCE
    end = begin + _AT_ONCE
    if name == _ALERTS:
        alerts = [row for row in _open_alerts(connection) if municipality in ("", row.municipality)]
        asked = alerts[begin:end]
        return Listed("children alerts", asked, [row.person_id for row in asked], len(alerts))
    if name == _HANDOVERS:
        states = (HandoverState.PREPARED, HandoverState.HANDED_OVER)
        reports = report_handovers.listed(connection, states, municipality, limit=end)
        handed = reports[begin:end]
        number = sum(
            count
            for (of, _state), count in report_handovers.under_way(connection).items()
            if municipality in ("", of)
        )
        children = [report_handovers.child_of(connection, row) for row in handed]
        return Listed("children handovers", handed, children, number)
    stays = [
        stay
        for stay in stays_of(connection, today)
        if stay.is_open(today) and municipality in ("", stay.municipality)
    ]
    rows: list[Any]
    if name == _STAYS:
        rows = sorted(stays, key=lambda stay: (stay.in_care_since, str(stay.person_id)))
        return Listed("children calendar", rows[begin:end], _children(rows[begin:end]), len(rows))
    rows = [one for one in waited_for(stays) if one.term(today) == name]
    page = rows[begin:end]
    return Listed("children calendar", page, _children([one.stay for one in page]), len(rows))


def _of_child(connection: Connection, code: str) -> Listed:
    """All stays and periods of one child; empty where nobody knows of one."""
    person = person_by_code(connection, code)
    stays = [] if person is None else stays_of(connection, today_in_riga(), [person])
    return Listed("children calendar", stays, _children(stays), len(stays))


def _children(stays: Sequence[ChildStay]) -> list[uuid.UUID]:
    return [stay.person_id for stay in stays]


def _open_alerts(connection: Connection) -> list[Any]:
    """The alerts that nobody took up and whose reason stands, as the command lists them."""
    kept = child_alerts.kept(connection)
    return [row for row in kept if row.settled_on is None and row.acknowledged_on is None]


def _numbers(visit: Visit, notice: Notice | None, status: int = 200) -> Shown:
    with reading(visit.gateway.engine).begin() as connection:
        numbers = counted(stays_of(connection, today_in_riga()), today_in_riga())
        alerts = Counter((row.kind, row.recipient) for row in _open_alerts(connection))
        reports = report_handovers.under_way(connection)
    municipalities = {name for name, _number, _terms in numbers.municipalities if name}
    return Shown(
        "children.html.jinja",
        {
            "notice": notice,
            "numbers": numbers,
            "terms": list(Term),
            "lengths": LENGTHS,
            "alerts": sorted(alerts.items()),
            "open_alerts": sum(alerts.values()),
            "kinds": _texts(visit, _KINDS),
            "recipients": _texts(visit, _RECIPIENTS),
            "handovers": _by_municipality(reports),
            "municipalities": sorted(municipalities | {name for name, _state in reports}),
            "typed": visit.form,
        },
        status,
    )


def _by_municipality(
    reports: Mapping[tuple[str, HandoverState], int],
) -> list[tuple[str, int, int]]:
    """Municipality, reports that wait to be handed over, and those that are not acknowledged."""
    return [
        (
            name,
            reports.get((name, HandoverState.PREPARED), 0),
            reports.get((name, HandoverState.HANDED_OVER), 0),
        )
        for name in sorted({name for name, _state in reports})
    ]


def _code(visit: Visit) -> str:
    try:
        return normalise(visit.form.get("person_code", ""))
    except InvalidPersonCode as error:
        raise InvalidRequest(visit.say("That is no personal code: eleven digits are wanted.")) from error


def _page_number(visit: Visit) -> int:
    said = visit.form.get("page", "")
    return max(1, int(said)) if said.isascii() and said.isdigit() and len(said) < 7 else 1


def _texts(visit: Visit, codes: Any) -> dict[str, str]:
    name = f"text_{visit.language.value}"
    return {code.code: getattr(code, name) for code in codes}


def _done(visit: Visit) -> Notice | None:
    """What was just noted, told after the redirection."""
    done, number = visit.query.get("done", ""), visit.query.get("number", "")
    if done == "received":
        return Notice(visit.say("Noted: the social service has the report."))
    if done == "acknowledged" and number.isascii() and number.isdigit():
        return Notice(visit.say("Alerts noted as taken up: {number}", number=int(number)))
    return None


_DECIDES = frozenset({Role.DPO})
PAGES = (
    Page("children", SEES_PERSONS, show, title="Children in institutions", group="Decide", rank=20),
    Page("children/list", SEES_PERSONS, open_list, methods=("POST",)),
    Page("children/acknowledge", _DECIDES, acknowledge, methods=("POST",)),
    Page("children/received", _DECIDES, received, methods=("POST",)),
    *(Page(f"children/{name}", SEES_PERSONS, back) for name in ("list", "acknowledge", "received")),
)
