"""How long what is on record is kept: the classes, the legal holds that keep longer, and what was erased when."""

from __future__ import annotations

from audit import Kind, holds, retention, search
from endpoints.console import telling
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, Visit
from exchange import RIGA, Json, utc_now
from questions.purposes import SUPERVISION
from storage import reading

_AT_ONCE = 50


def show(visit: Visit) -> Shown:
    """Classes, holds and erasures; none names a person, and that the log was searched is on record."""
    now = utc_now()
    over = [(one, one.over_before(now)) for one in retention.classes().values()]
    with reading(visit.gateway.engine).begin() as connection:
        held = holds.every(connection)
    filters = search.Filters(kind=Kind.ERASURE.value)
    after = telling.after(visit, visit.query.get("after", ""))
    found = search.page(visit.gateway.engine, filters, limit=_AT_ONCE, after=after)
    facts: dict[str, Json] = {"filters": filters.json(), "by_person": False, "found": len(found)}
    visit.on_record("audit search", SUPERVISION, facts)
    content = {
        "classes": [(one, day.astimezone(RIGA).date() if day else None) for one, day in over],
        "holds": held,
        "erasures": found,
        "more": found[-1].cursor if len(found) == _AT_ONCE else "",
    }
    return Shown("retention.html.jinja", content)


PAGES = (
    Page(
        "retention",
        frozenset({Role.AUDITOR, Role.DPO}),
        show,
        title="Retention and erasure",
        group="Law",
        rank=60,
    ),
)
