"""Who saw my data: the report to a person, as `gateway audit subject` makes it, to be printed and handed over.

On the screen a long one comes by pages, each on record with the entries that it shows; to be printed it comes whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from werkzeug.wrappers import Response

from audit.leaf import subject_text
from endpoints.console import telling
from endpoints.console.roles import SEES_PERSONS
from endpoints.console.visit import Page, Shown, Visit, moment
from errors import InvalidRequest, NotFound
from exchange import utc_now
from questions import sheets
from questions.acting import about
from questions.report import Report, subject_report
from questions.withholding import AskedBy
from questions.words import Language

_AT_ONCE = 50
_NAMES = ("person", "purpose", "asked_by", "language", "from", "to")

ASKED_BY = {
    AskedBy.SELF.value: "the person",
    AskedBy.PARENT.value: "a parent",
    AskedBy.GUARDIAN.value: "a guardian",
    AskedBy.REPRESENTATIVE.value: "another representative",
    AskedBy.AUDITOR.value: "an auditor, under supervision",
}


def show(visit: Visit) -> Shown | Response:
    """The form, and by POST the report; it is on record before it is shown."""
    visit.may_see_persons()
    typed = {name: visit.form.get(name, "").strip() for name in _NAMES}
    typed["asked_by"] = typed["asked_by"] or AskedBy.SELF.value
    typed["language"] = typed["language"] or visit.language.value
    if visit.method != "POST":
        return _shown(typed)
    csv, whole = (visit.form.get("as") == one for one in ("csv", "whole"))
    try:
        purpose = visit.purpose()
        as_of, page = _turned(visit)
        if not typed["person"]:
            raise InvalidRequest(visit.say("Whose report? Write the personal code."))
        report = subject_report(
            visit.gateway.engine,
            visit.gateway.subject_key,
            subject_text(typed["person"]),
            asked_by=AskedBy(typed["asked_by"]),
            now=as_of,
            language=Language(typed["language"]),
            since=telling.day(visit, typed["from"], end=False),
            until=min(as_of, telling.day(visit, typed["to"], end=True) or as_of),
            part=slice(None) if csv or whole else slice(_AT_ONCE * (page - 1), _AT_ONCE * page),
        )
        if page > 1 and not report.entries:
            raise NotFound("no such page")
    except InvalidRequest as error:
        return _shown(typed, wrong=telling.reason(visit, error))
    except ValueError:  # a choice that the form does not have
        return _shown(typed, wrong=visit.say("Choose who asks and the language from those that are offered."))
    visit.on_record(
        "audit subject", purpose, report.facts(), about([subject_text(code) for code in report.codes])
    )
    if csv:
        return telling.sheet(sheets.report(report), "report")
    return _shown(typed, report, as_of=as_of, page=page)


def _turned(visit: Visit) -> tuple[datetime, int]:
    """As of when the report is told, and which page of it: now and the first, or as the form says that turns pages.

    Raises: NotFound for what that form does not say.
    """
    now, page = utc_now(), visit.form.get("page", "1")
    try:
        as_of = datetime.fromisoformat(visit.form.get("as_of") or now.isoformat())
    except ValueError as error:
        raise NotFound("no such moment") from error
    if as_of.tzinfo is None or not re.fullmatch("[1-9][0-9]{0,5}", page):
        raise NotFound("no such page")
    return min(as_of, now), int(page)


def _shown(
    typed: Mapping[str, str],
    report: Report | None = None,
    *,
    wrong: str = "",
    as_of: datetime | None = None,
    page: int = 1,
) -> Shown:
    content = {
        "typed": typed,
        "report": report,
        "wrong": wrong,
        "as_of": as_of,
        "page": page,
        "moments": [moment(entry.instant) for entry in report.entries] if report else [],
        "asked_by": ASKED_BY,
        "languages": {Language.LATVIAN.value: "Latvian", Language.ENGLISH.value: "English"},
    }
    return Shown("person.html.jinja", content, 400 if wrong else 200)


PAGES = (
    Page(
        path="person",
        roles=SEES_PERSONS,
        show=show,
        title="Who saw my data",
        group="Ask",
        rank=30,
        methods=("GET", "POST"),
    ),
)
