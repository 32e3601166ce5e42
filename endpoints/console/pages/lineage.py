"""The lineage of every field: rule → source element → canonical field → register column → recipients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from werkzeug.wrappers import Response

from endpoints.console import telling
from endpoints.console.figures import number
from endpoints.console.pages.overview import system_title
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, Visit
from questions import lineage, sheets
from questions.rights import own_text, rule_text

_ROLES = frozenset({Role.AUDITOR, Role.DPO, Role.ADMINISTRATOR})
_AT_ONCE = 100
_FILTERS = ("rule", "system", "recipient", "field")
_RULE, _SYSTEM, _FIELD, _COLUMN, _RECIPIENTS = (
    lineage.HEADS.index(name)
    for name in ("rule", "system", "canonical field", "register column", "recipients")
)

Row = tuple[str, ...]


def show(visit: Visit) -> Shown:
    """The lines that meet the filters of the address, a page at a time."""
    every = lineage.rows(visit.gateway.access.in_force())
    wanted = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    found = list(_meeting(every, wanted))
    begins = _begins(visit.query.get("from", ""), len(found))
    recipients = sorted({one for row in every for one in _recipients(row)})
    systems = [(name, system_title(visit.language, name)) for name in sorted({row[_SYSTEM] for row in every})]
    content = {
        "rows": found[begins : begins + _AT_ONCE],
        "found": len(found),
        "total": len(every),
        "begins": begins,
        "before": str(max(0, begins - _AT_ONCE)) if begins else "",
        "after": str(begins + _AT_ONCE) if begins + _AT_ONCE < len(found) else "",
        "wanted": wanted,
        "systems": [(name, f"{name} – {title}" if title else name) for name, title in systems],
        "recipients": [(one, visit.say("nobody") if one == "nobody" else one) for one in recipients],
        "rules": sorted({row[_RULE] for row in every}, key=_in_order),
        "own_text": own_text,
        "rule_text": rule_text,
        "number": lambda value: number(visit.language, value),
    }
    return Shown("lineage.html.jinja", content)


def table(visit: Visit) -> Response:
    """The same lines, all of them, as CSV; in English, as the command prints them."""
    wanted = {name: visit.query.get(name, "").strip() for name in _FILTERS}
    rows = list(_meeting(lineage.rows(visit.gateway.access.in_force()), wanted))
    return telling.sheet(sheets.sheet(lineage.HEADS, rows), "lineage")


def _meeting(rows: Sequence[Row], wanted: dict[str, str]) -> Iterator[Row]:
    """The rows under a rule or a point above it, of a system, for a recipient, with a text in field or column."""
    rule, text = wanted["rule"], wanted["field"].casefold()
    for row in rows:
        if rule and row[_RULE] != rule and not row[_RULE].startswith(f"{rule}."):
            continue
        if wanted["system"] not in ("", row[_SYSTEM]):
            continue
        if wanted["recipient"] and wanted["recipient"] not in _recipients(row):
            continue
        if text and text not in f"{row[_FIELD]}\n{row[_COLUMN]}".casefold():
            continue
        yield row


def _recipients(row: Row) -> list[str]:
    return row[_RECIPIENTS].split(", ")


def _begins(text: str, found: int) -> int:
    """Where the page begins; the first one for an address that says no place in the list."""
    place = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    return place if place < found else 0


def _in_order(rule: str) -> list[tuple[int, str]]:
    """Rules as the regulation has them: p8.2 before p8.13."""
    parts = rule.removeprefix("p").replace("^", ".").split(".")
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


PAGES = (
    Page(path="lineage", roles=_ROLES, show=show, title="Lineage of fields", group="Law", rank=20),
    Page(path="lineage.csv", roles=_ROLES, show=table),
)
