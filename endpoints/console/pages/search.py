"""Search of the exchange log: by what is public in the address, by official or person for a purpose and by POST."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from werkzeug.wrappers import Response

from audit.leaf import subject_text
from audit.search import Filters
from endpoints.console import telling
from endpoints.console.roles import SEES_PERSONS, Role
from endpoints.console.visit import Page, Shown, Visit, moment
from errors import InvalidRequest
from exchange import Json
from mappings import regulation
from questions import sheets, words
from questions.acting import about
from questions.purposes import SUPERVISION, purpose_told
from questions.searching import Exchange, Search, by_exchange, searched
from questions.words import Language, Words

_AT_ONCE = 100
_MOST_IN_A_SHEET = 10_000

# The filters by their names in the address, in the order of the form.
_TEXTS = (
    "system",
    "operation",
    "institution",
    "outcome",
    "kind",
    "rule",
    "purpose",
    "caller",
    "recipient",
    "act",
)
_NAMES = (*_TEXTS, "exchange", "from", "to")

_SAMPLE = "01a205a3-6758-78d4-86d6-bd5e4180ecc7"

# Questions that are asked often, each one click: a text and its filters.
_OFTEN: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("What was refused", {"kind": "outcome", "outcome": "denied"}),
    ("What failed", {"kind": "outcome", "outcome": "failed"}),
    ("Whose outcome is unknown", {"kind": "outcome", "outcome": "unknown"}),
    ("All exchanges", {"kind": "outcome"}),
)
# These are questions about those who look, and for those who supervise them.
_OFTEN_OF_LOOKS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Who asked about a person", {"kind": "admin", "act": "audit subject"}),
    ("Who searched the log", {"kind": "admin", "act": "audit search"}),
    ("Who opened messages", {"kind": "admin", "act": "audit payload"}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange in the list, or one act of administration: texts in the language of the visit."""

    id: str
    time: str
    who: str
    role: str
    what: str
    purpose: str
    rule: str
    rule_text: str
    outcome: str
    code: str
    kind: str
    indexes: tuple[int, ...]
    records: int
    official: str = ""
    case: str = ""
    persons: tuple[str, ...] = ()


def show(visit: Visit) -> Shown | Response:
    """By what is public. Without a filter in the address nothing is searched yet, and nothing goes on record."""
    typed = {name: visit.query.get(name, "").strip() for name in _NAMES}
    if not visit.query:
        return _shown(visit, typed, None)
    as_csv = visit.query.get("as") == "csv"
    try:
        found = _searched(visit, typed, as_csv=as_csv, after=visit.query.get("after", ""))
    except InvalidRequest as error:
        return _shown(visit, typed, None, error)
    visit.on_record("audit search", SUPERVISION, found.facts())
    return _sheet(found) if as_csv else _shown(visit, typed, found)


def show_personal(visit: Visit) -> Shown | Response:
    """By official or person, with the personal values of what is found, for a purpose."""
    visit.may_see_persons()
    typed = {name: visit.form.get(name, "").strip() for name in (*_NAMES, "official", "person")}
    # In this form `purpose` is why one asks.
    typed |= {"purpose": visit.form.get("exchange_purpose", "").strip(), "why": visit.form.get("purpose", "")}
    if visit.method != "POST":
        return _shown(visit, typed, None, personal=True)
    as_csv = visit.form.get("as") == "csv"
    try:
        purpose = visit.purpose()
        if not typed["person"] and not typed["official"]:
            raise InvalidRequest(visit.say("Whose records? Write a personal code or an official."))
        found = _searched(visit, typed, as_csv=as_csv, after=visit.form.get("after", ""), personal=True)
    except InvalidRequest as error:
        return _shown(visit, typed, None, error, personal=True)
    visit.on_record("audit search", purpose, found.facts(), found.sought() | about(found.persons))
    return _sheet(found) if as_csv else _shown(visit, typed, found, personal=True)


def _searched(
    visit: Visit, typed: Mapping[str, str], *, as_csv: bool, after: str, personal: bool = False
) -> Search:
    person = typed.get("person", "")
    return searched(
        visit.gateway.engine,
        visit.gateway.subject_key,
        _filters(visit, typed),
        person=subject_text(person) if person else "",
        with_values=personal,
        limit=_MOST_IN_A_SHEET if as_csv else _AT_ONCE,
        after=telling.after(visit, after),
    )


def _filters(visit: Visit, typed: Mapping[str, str]) -> Filters:
    """What was typed as filters. Raises: InvalidRequest saying what is not understood."""
    texts: dict[str, Any] = {name: typed[name] for name in _TEXTS if typed[name]}
    try:
        exchange = uuid.UUID(typed["exchange"]) if typed["exchange"] else None
    except ValueError as error:
        raise InvalidRequest(
            visit.say("An exchange has a number such as {sample}.", sample=_SAMPLE)
        ) from error
    return Filters(
        **texts,
        exchange=exchange,
        official=typed.get("official") or None,
        since=telling.day(visit, typed["from"], end=False),
        until=telling.day(visit, typed["to"], end=True),
    )


def _sheet(found: Search) -> Response:
    """As a file, made whole: how many records it has is on record by now. One that is full says so by its name."""
    name = f"exchange-log-newest-{_MOST_IN_A_SHEET}" if found.more else "exchange-log"
    return telling.sheet(sheets.records(found.found, found.values), name)


def _shown(
    visit: Visit,
    typed: Mapping[str, str],
    found: Search | None,
    error: InvalidRequest | None = None,
    *,
    personal: bool = False,
) -> Shown:
    supervises = visit.user.role in SEES_PERSONS
    content = {
        "personal": personal,
        "typed": typed,
        "rows": list(rows(found, visit.language)) if found else [],
        "searched": found is not None,
        "records": len(found.found) if found else 0,
        "more": found.more if found else "",
        "wrong": telling.reason(visit, error) if error else "",
        "supervises": supervises,
        "often": (*_OFTEN, *(_OFTEN_OF_LOOKS if supervises else ())),
        "outcomes": telling.OUTCOMES,
        "kinds": telling.KINDS,
        "known": _known(visit),
    }
    return Shown("search.html.jinja", content, 400 if error else 200)


def rows(found: Search, language: Language) -> Iterator[Row]:
    """What was found as exchanges, in words."""
    beside = [{} for _ in found.found] if found.values is None else found.values
    values = {str(one.leaf["id"]): more for one, more in zip(found.found, beside, strict=True)}
    for exchange in by_exchange(found.found):
        own = {name: value for one in exchange.records for name, value in values[str(one.leaf["id"])].items()}
        yield _row(exchange, own, language, opened=found.values is not None)


def _row(exchange: Exchange, values: Mapping[str, Json], language: Language, *, opened: bool) -> Row:
    told = exchange.telling
    fact = {name: value if isinstance(value, str) else "" for name, value in told.leaf.items()}.get
    rule = fact("rule", "")
    subject = values.get("subject")
    return Row(
        id=exchange.id,
        time=moment(datetime.fromisoformat(str(told.leaf["instant"]))),
        who=words.institution(fact("institution", ""), fact("recipient", "")).of(language),
        role=words.named("roles", fact("role", "")).of(language),
        what=telling.what(told, language),
        purpose=words.named("purposes", purpose_told(told.leaf, values if opened else None)).of(language),
        rule=rule.removeprefix("p"),
        rule_text=words.rule(rule).of(language) if rule else "",
        outcome=fact("outcome", ""),
        code=fact("code", ""),
        kind=fact("kind", ""),
        indexes=exchange.indexes,
        records=len(exchange.records),
        official=str(values.get("official") or ""),
        case=str(values.get("case") or ""),
        persons=tuple(
            str(one) for one in (subject if isinstance(subject, list) else [subject] if subject else [])
        ),
    )


def _known(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    """By filter, the values that are known to be there, each with its words."""
    names = visit.gateway.routes.names()
    sources = {system: words.named("sources", system) for system, _ in names}
    rights = visit.gateway.access.rights

    def of(table: Mapping[str, Words]) -> list[tuple[str, str]]:
        return sorted((name, one.of(visit.language)) for name, one in table.items())

    return {
        "system": of(sources),
        "operation": of({operation: words.operation(system, operation) for system, operation in names}),
        "institution": of({name: one for name, one in words.table("institutions").items() if name.isdigit()}),
        "recipient": of({right.recipient: words.institution("", right.recipient) for right in rights}),
        "purpose": of(words.table("purposes")),
        "act": of(words.table("acts")),
        "rule": _rules(),
    }


@cache
def _rules() -> list[tuple[str, str]]:
    return [(name, rule.text[:80]) for name, rule in regulation.rules().items()]


PAGES = (
    Page(
        path="search",
        roles=frozenset({Role.AUDITOR, Role.DPO, Role.OPERATOR}),
        show=show,
        title="Search",
        group="Ask",
        rank=10,
    ),
    Page(
        path="search-personal",
        roles=SEES_PERSONS,
        show=show_personal,
        title="Search by person or official",
        group="Ask",
        rank=20,
        methods=("GET", "POST"),
    ),
)
