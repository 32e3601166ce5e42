"""The administration log: every act of administration on the exchange log, newest first."""

from __future__ import annotations

from audit import Kind, search
from endpoints.console import telling
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, Visit
from exchange import Json
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
    return Shown(
        "administration.html.jinja",
        {"found": found, "told": lambda one: purpose_told(one.leaf, None), "act": act, "more": more},
    )


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
