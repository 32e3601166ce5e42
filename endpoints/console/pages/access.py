"""Access as law in data: every right of access.d, what the law gives beyond that, and one decision explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from endpoints.console.figures import number
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, Visit
from errors import PurposeNotAllowed, UnknownOperation
from exchange import today_in_riga
from mappings.entitlements import entitlements
from mappings.regulation import rules
from questions import words
from questions.rights import Verdict, explain, own_text, rule_text
from questions.words import Language
from routing.access import EVERYONE, Right

_ROLES = frozenset({Role.AUDITOR, Role.DPO, Role.ADMINISTRATOR})
_AT_ONCE = 50
_FILTERS = ("recipient", "operation", "purpose", "rule", "state")
_ASKED = ("recipient", "operation", "purpose", "rule")


@dataclass(frozen=True, slots=True)
class Line:
    """A right as it is shown; `state` is in force, draft, not begun or ended."""

    right: Right
    who: str
    state: str
    operations: tuple[tuple[str, str], ...]
    purposes: tuple[tuple[str, str], ...]


def show(visit: Visit) -> Shown:
    """The rights that meet the filters of the address, a page at a time, and how far the law is served."""
    every = sorted(
        visit.gateway.access.rights, key=lambda right: (right.recipient, right.operations, right.purposes)
    )
    wanted = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    found = list(_meeting(every, wanted))
    text = visit.query.get("from", "")
    begins = (
        int(text) if text.isascii() and text.isdigit() and len(text) < 7 and int(text) < len(found) else 0
    )
    content = {
        "lines": [_line(visit.language, right) for right in found[begins : begins + _AT_ONCE]],
        "found": len(found),
        "total": len(every),
        "begins": begins,
        "before": str(max(0, begins - _AT_ONCE)) if begins else "",
        "after": str(begins + _AT_ONCE) if begins + _AT_ONCE < len(found) else "",
        "wanted": wanted,
        "asked": dict.fromkeys(_ASKED, ""),
        "entitlements": [one for one in entitlements() if wanted["recipient"] in ("", one.recipient)],
    }
    return Shown("access.html.jinja", content | _choices(visit))


def check(visit: Visit) -> Shown:
    """One decision with its reasons, as the gateway itself would make it today."""
    asked = {name: visit.query.get(name, "").strip() for name in _ASKED}
    verdict: Verdict | None = None
    unknown = False
    if asked["recipient"] and asked["operation"]:
        try:
            verdict = explain(visit.gateway.access, *(asked[name] for name in _ASKED))
        except UnknownOperation:
            unknown = True
    content = {
        "asked": asked,
        "verdict": verdict,
        "unknown": unknown,
        "reason": "" if verdict is None else _reason(verdict),
        "lines": [] if verdict is None else [_line(visit.language, right) for right in verdict.rights],
        "granted": [] if verdict is None else [_line(visit.language, right) for right in verdict.granted],
        "asleep": [] if verdict is None else [_line(visit.language, right) for right in verdict.asleep],
    }
    return Shown("access_check.html.jinja", content | _choices(visit))


def _reason(verdict: Verdict) -> str:
    """Why it is denied: "" it is not, else `nothing`, `asleep`, `purpose` or `rule`."""
    if verdict.denial is None:
        return ""
    if isinstance(verdict.denial, PurposeNotAllowed):
        return "rule" if verdict.denial.detail == "rule" else "purpose"
    return "asleep" if verdict.asleep else "nothing"


def _choices(visit: Visit) -> dict[str, object]:
    every = visit.gateway.access.rights
    return {
        "recipients": [
            (name, _who(visit.language, name)) for name in sorted({right.recipient for right in every})
        ],
        "operations": sorted({name for right in every for name in right.operations}),
        "purposes": sorted({name for right in every for name in right.purposes}),
        "known_rules": [rule for rule in rules() if any(rule in right.rules for right in every)],
        "own_text": own_text,
        "rule_text": rule_text,
        "everyone": EVERYONE,
        "number": lambda value: number(visit.language, value),
    }


def _meeting(rights: Sequence[Right], wanted: dict[str, str]) -> Iterator[Right]:
    for right in rights:
        operation = wanted["operation"].casefold()
        if wanted["recipient"] not in ("", right.recipient):
            continue
        if operation and not any(operation in name.casefold() for name in right.operations):
            continue
        if wanted["purpose"] and wanted["purpose"] not in right.purposes:
            continue
        if wanted["rule"] and not right.covers(wanted["rule"]) and right.basis != wanted["rule"]:
            continue
        if wanted["state"] not in ("", _state(right)):
            continue
        yield right


def _line(language: Language, right: Right) -> Line:
    return Line(
        right=right,
        who=_who(language, right.recipient),
        state=_state(right),
        operations=tuple((name, _operation(language, name)) for name in right.operations),
        purposes=tuple((name, words.named("purposes", name).of(language)) for name in right.purposes),
    )


def _state(right: Right) -> str:
    today = today_in_riga()
    if right.draft:
        return "draft"
    if right.since is not None and today < right.since:
        return "not begun"
    return "in force" if right.in_force(today) else "ended"


def _who(language: Language, recipient: str) -> str:
    title = words.institution("", recipient).of(language)
    return "" if title == recipient else title


def _operation(language: Language, name: str) -> str:
    system, _, operation = name.partition(".")
    return words.operation(system, operation).of(language)


PAGES = (
    Page(path="access", roles=_ROLES, show=show, title="Access matrix", group="Law", rank=10),
    Page(path="access/check", roles=_ROLES, show=check),
)
