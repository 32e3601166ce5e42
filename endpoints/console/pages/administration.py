"""The administration log: every act of administration on the exchange log, newest first."""

from __future__ import annotations

from audit import Kind, search
from endpoints.console import telling
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, Visit
from exchange import Json
from questions import words
from questions.purposes import SUPERVISION, purpose_told

_AT_ONCE = 50


def show(visit: Visit) -> Shown:
    """Acts by their name; who did them, and what he typed as why, is opened in the record for a purpose."""
    act, after = visit.query.get("act", ""), telling.after(visit, visit.query.get("after", ""))
    filters = search.Filters(kind=Kind.ADMIN.value, act=act or None)
    found = search.page(visit.gateway.engine, filters, limit=_AT_ONCE, after=after)
    facts: dict[str, Json] = {"filters": filters.json(), "by_person": False, "found": len(found)}
    visit.on_record("audit search", SUPERVISION, facts)
    more = found[-1].cursor if len(found) == _AT_ONCE else ""
    purposes = [words.named("purposes", purpose_told(one.leaf, None)) for one in found]
    told = [
        (one, telling.what(one, visit.language), purpose.of(visit.language))
        for one, purpose in zip(found, purposes, strict=True)
    ]
    return Shown("administration.html.jinja", {"found": told, "act": act, "more": more})


PAGES = (
    Page(
        path="administration",
        roles=frozenset({Role.AUDITOR, Role.ADMINISTRATOR}),
        show=show,
        title="Administration log",
        group="Look",
        rank=90,
    ),
)
