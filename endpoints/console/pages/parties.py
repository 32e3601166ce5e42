"""Partners with their certificates, contracts and terms, and callers: seen by those who run the gateway.

An administrator may disable one. To add or to renew needs files and stays with the command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from endpoints import expiry, revocation_state
from endpoints.console.roles import Role
from endpoints.console.typed import Notice, reason
from endpoints.console.visit import Page, Shown, Visit
from endpoints.partner_trust import PartnerTrust
from errors import ConfigurationError, InvalidRequest, NotFound
from exchange import Json, today_in_riga, utc_now
from routing import revocations
from routing.agreements import Evidence, EvidenceKind, Terms, every_evidence, every_terms, newest
from routing.parties import Partner, disable_caller, disable_partner, list_callers, list_partners
from routing.quota import last_day
from security.revocation import Status
from storage import reading

_ROOT = "/console/parties"
# The days before the end of a certificate at which operators hear of it (docs/monitoring.md).
WARNED_DAYS, GRAVE_DAYS = 30, 7
_MOVED = "somebody changed this after you opened the page; look at it again"


class Standing(StrEnum):
    """How the evidence of one kind stands on a day."""

    IN_FORCE = "in force"
    MISSING = "missing"
    NOT_YET = "not yet"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Known:
    """A partner: its active certificates and the others, terms, evidence, and what responders said."""

    name: str
    recipient: str
    active: tuple[Partner, ...]
    others: tuple[Partner, ...]
    terms: Terms
    evidence: tuple[Evidence, ...]
    revoked: frozenset[str]

    def days_left(self, now: datetime) -> int | None:
        """Days until the certificate ends that holds longest; None where none is active."""
        ends = [partner.certificate.not_valid_after_utc for partner in self.active]
        return (max(ends) - now).days if ends else None

    def standing(self, day: date) -> dict[str, Standing]:
        """How the evidence stands, by kind."""
        return {kind.value: _standing(newest(self.evidence, kind), day) for kind in EvidenceKind}

    @property
    def mark(self) -> str:
        """What tells that other certificates are active than when somebody looked."""
        prints = " ".join(sorted(partner.fingerprint for partner in self.active))
        return hashlib.sha256(prints.encode()).hexdigest()[:16]


def show(visit: Visit) -> Shown:
    """Partners and callers."""
    now, today = utc_now(), today_in_riga()
    with reading(visit.gateway.engine).begin() as connection:
        known = _known(connection, list_partners(connection, now))
        callers = list_callers(connection)
    rows = [(one, one.days_left(now), one.standing(today)) for one in known]
    active = [row for row in rows if row[0].active]
    wanting = [row for row in active if any(found is not Standing.IN_FORCE for found in row[2].values())]
    return Shown(
        "parties.html.jinja",
        {
            "notice": _done(visit),
            "rows": sorted(rows, key=lambda row: (not row[0].active, row[0].name)),
            "active": len(active),
            "ending": sum(days is not None and days < WARNED_DAYS for _one, days, _evidence in active),
            "wanting": len(wanting),
            "revoked": sum(bool(one.revoked) for one, _days, _evidence in active),
            "callers": callers,
            "may_disable": _may_disable(visit),
            "warned_days": WARNED_DAYS,
            "grave_days": GRAVE_DAYS,
        },
    )


def trust(visit: Visit) -> Shown:
    """Every certificate on which exchanges depend, the first to end first, and how current revocation is."""
    settings, engine, now = visit.gateway.settings, visit.gateway.engine, utc_now()
    unread: list[str] = []
    ends: Sequence[expiry.Expiry] = ()
    sources: Sequence[revocation_state.Source] = ()
    try:
        ends = sorted(expiry.every(settings, engine), key=lambda one: one.ends)
    except ConfigurationError as error:
        unread.append(error.detail)
    try:
        sources = revocation_state.sources(PartnerTrust(settings, engine), now)
    except ConfigurationError as error:
        unread.append(error.detail)
    content = {
        "ends": [(one, int(one.days_left(now) // 1)) for one in ends],
        "sources": [(one, one.hours_left(now), one.is_current(now)) for one in sources],
        "unread": list(dict.fromkeys(unread)),
        "warned_days": WARNED_DAYS,
        "grave_days": GRAVE_DAYS,
    }
    return Shown("parties_trust.html.jinja", content)


def partner(visit: Visit, name: str) -> Shown:
    """What is known of one partner."""
    with reading(visit.gateway.engine).begin() as connection:
        known = _one(connection, name)
        last = last_day(connection, known.recipient)
    now, today = utc_now(), today_in_riga()
    content = {
        "known": known,
        "last": last,
        "standing": known.standing(today),
        "days": {one.fingerprint: _days(one, now) for one in (*known.active, *known.others)},
        "holds": [(one, one.holds(today)) for one in reversed(known.evidence)],
        "may_disable": _may_disable(visit),
        "warned_days": WARNED_DAYS,
        "grave_days": GRAVE_DAYS,
    }
    return Shown("partner.html.jinja", content)


def disable_one_partner(visit: Visit, name: str) -> Shown | Response:
    """By GET the page that asks, by POST the act, on record as the command puts it."""
    with reading(visit.gateway.engine).begin() as connection:
        known = _one(connection, name)
    if visit.method == "GET":
        return _asking_partner(visit, known)
    keep, seen = visit.form.get("keep", ""), visit.form.get("seen", "")

    def work(connection: Connection, why: str) -> None:
        if _one(connection, name).mark != seen:
            raise InvalidRequest(_MOVED)
        if keep and keep not in {one.fingerprint for one in known.active}:
            raise InvalidRequest(_MOVED)
        disable_partner(connection, name, utc_now(), keep=keep)
        facts: dict[str, Json] = {"name": name, "recipient": known.recipient}
        entry = visit.entry("partner disable", facts | ({"but": keep} if keep else {}), {"reason": why})
        visit.gateway.log.append(connection, entry)

    try:
        why = reason(visit)
    except InvalidRequest as error:
        return _asking_partner(visit, known, Notice(error.detail, "bad"), 400)
    try:
        visit.gateway.log.commit(lambda connection: work(connection, why))
    except InvalidRequest:
        with reading(visit.gateway.engine).begin() as connection:
            now_known = _one(connection, name)
        return _asking_partner(visit, now_known, Notice(visit.say(_MOVED), "bad"), 409)
    return redirect(f"{_ROOT}?done=partner", 303)


def disable_one_caller(visit: Visit, name: str) -> Shown | Response:
    """By GET the page that asks, by POST the act, on record as the command puts it."""
    with reading(visit.gateway.engine).begin() as connection:
        recipient, disabled = _caller(connection, name)
    if visit.method == "GET":
        return _asking_caller(name, recipient, disabled)

    def work(connection: Connection, why: str) -> None:
        disable_caller(connection, name, utc_now())
        entry = visit.entry("caller disable", {"name": name, "recipient": recipient}, {"reason": why})
        visit.gateway.log.append(connection, entry)

    try:
        why = reason(visit)
    except InvalidRequest as error:
        return _asking_caller(name, recipient, disabled, Notice(error.detail, "bad"), 400)
    try:
        visit.gateway.log.commit(lambda connection: work(connection, why))
    except NotFound:
        return _asking_caller(name, recipient, True, Notice(visit.say(_MOVED), "bad"), 409)
    return redirect(f"{_ROOT}?done=caller", 303)


def _asking_partner(visit: Visit, known: Known, notice: Notice | None = None, status: int = 200) -> Shown:
    now = utc_now()
    content = {
        "known": known,
        "days": {one.fingerprint: _days(one, now) for one in known.active},
        "notice": notice,
        "typed": visit.form,
    }
    return Shown("partner_disable.html.jinja", content, status)


def _asking_caller(
    name: str, recipient: str, disabled: bool, notice: Notice | None = None, status: int = 200
) -> Shown:
    content = {"name": name, "recipient": recipient, "disabled": disabled, "notice": notice}
    return Shown("caller_disable.html.jinja", content, status)


def _known(connection: Connection, partners: Sequence[Partner]) -> list[Known]:
    terms, evidence = every_terms(connection), every_evidence(connection)
    said = revocations.stored(connection, [one.fingerprint for one in partners])
    of_name: dict[str, list[Partner]] = {}
    for one in partners:
        of_name.setdefault(one.name, []).append(one)
    return [
        Known(
            name,
            held[0].recipient,
            tuple(one for one in held if not one.disabled),
            tuple(one for one in held if one.disabled),
            terms.get(name, Terms()),
            evidence.get(name, ()),
            _revoked(held, said),
        )
        for name, held in of_name.items()
    ]


def _one(connection: Connection, name: str) -> Known:
    """Raises: NotFound."""
    found = _known(connection, [one for one in list_partners(connection) if one.name == name])
    if not found:
        raise NotFound("no partner of that name")
    return found[0]


def _caller(connection: Connection, name: str) -> tuple[str, bool]:
    """Recipient, and whether it is disabled. Raises: NotFound."""
    for one, recipient, disabled in list_callers(connection):
        if one == name:
            return recipient, disabled
    raise NotFound("no caller of that name")


def _revoked(partners: Sequence[Partner], said: Mapping[str, Any]) -> frozenset[str]:
    """The certificates of which a responder says that they are revoked."""
    verdicts = {one.fingerprint: said[one.fingerprint].verdict for one in partners if one.fingerprint in said}
    return frozenset(
        mark for mark, verdict in verdicts.items() if verdict is not None and verdict.status is Status.REVOKED
    )


def _standing(one: Evidence | None, day: date) -> Standing:
    if one is None:
        return Standing.MISSING
    if day < one.signed_on:
        return Standing.NOT_YET
    return Standing.IN_FORCE if one.holds(day) else Standing.ENDED


def _days(one: Partner, now: datetime) -> int:
    return (one.certificate.not_valid_after_utc - now).days


def _may_disable(visit: Visit) -> bool:
    return visit.user.role is Role.ADMINISTRATOR


def _done(visit: Visit) -> Notice | None:
    """What was just done, told after the redirection."""
    texts = {
        "partner": "The certificates are refused from now on, in all processes.",
        "caller": "The caller's key is refused from now on, in all processes.",
    }
    done = visit.query.get("done", "")
    return Notice(visit.say(texts[done])) if done in texts else None


_LOOKS = frozenset({Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR})
_DISABLES = frozenset({Role.ADMINISTRATOR})
_BOTH = ("GET", "POST")
PAGES = (
    Page("parties", _LOOKS, show, title="Partners and callers", group="Run", rank=40),
    Page("parties/trust", _LOOKS, trust),
    Page("parties/partners/<name>", _LOOKS, partner),
    Page("parties/partners/<name>/disable", _DISABLES, disable_one_partner, methods=_BOTH),
    Page("parties/callers/<name>/disable", _DISABLES, disable_one_caller, methods=_BOTH),
)
