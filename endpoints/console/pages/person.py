"""Who saw my data: the report to a person, as `gateway audit subject` makes it, to be printed and handed over."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.wrappers import Response

from audit.leaf import subject_text
from endpoints.console import telling
from endpoints.console.roles import SEES_PERSONS
from endpoints.console.visit import Page, Shown, Visit, moment
from errors import InvalidRequest
from exchange import utc_now
from questions import sheets
from questions.acting import about
from questions.report import Report, subject_report
from questions.withholding import AskedBy
from questions.words import Language

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
    now = utc_now()
    try:
        purpose = visit.purpose()
        if not typed["person"]:
            raise InvalidRequest(visit.say("Whose report? Write the personal code."))
        report = subject_report(
            visit.gateway.engine,
            visit.gateway.subject_key,
            subject_text(typed["person"]),
            asked_by=AskedBy(typed["asked_by"]),
            now=now,
            language=Language(typed["language"]),
            since=telling.day(visit, typed["from"], end=False),
            until=telling.day(visit, typed["to"], end=True),
        )
    except InvalidRequest as error:
        return _shown(typed, wrong=telling.reason(visit, error))
    except ValueError:  # a choice that the form does not have
        return _shown(typed, wrong=visit.say("Choose who asks and the language from those that are offered."))
    visit.on_record(
        "audit subject", purpose, report.facts(), about([subject_text(code) for code in report.codes])
    )
    if visit.form.get("as") == "csv":
        return telling.sheet(sheets.report(report), "report")
    return _shown(typed, report, made_at=moment(now))


def _shown(
    typed: Mapping[str, str], report: Report | None = None, *, wrong: str = "", made_at: str = ""
) -> Shown:
    content = {
        "typed": typed,
        "report": report,
        "wrong": wrong,
        "made_at": made_at,
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
