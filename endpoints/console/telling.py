"""How pages tell what stands in the log, and read what people type about it."""

from __future__ import annotations

from datetime import datetime

from werkzeug.wrappers import Response

from audit import Kind
from audit.search import Found, is_cursor
from endpoints.console.visit import Visit
from errors import InvalidPersonCode, InvalidRequest, NotFound
from exchange import Outcome
from questions import words
from questions.moments import moment
from questions.sheets import told
from questions.words import Language

__all__ = ["KINDS", "OUTCOMES", "after", "attachment", "day", "reason", "sheet", "told", "what"]

KINDS = {
    Kind.ORIGIN.value: "the log began",
    Kind.OPENED.value: "a request arrived",
    Kind.ATTEMPT.value: "a system was asked",
    Kind.OUTCOME.value: "how it ended",
    Kind.ADMIN.value: "an act of administration",
    Kind.REFUSALS.value: "arrivals that were turned away",
    Kind.ERASURE.value: "an erasure by law",
}
OUTCOMES = {
    Outcome.OK.value: "answered",
    Outcome.DENIED.value: "denied",
    Outcome.INVALID.value: "invalid",
    Outcome.FAILED.value: "failed",
    Outcome.UNKNOWN.value: "unknown",
    Outcome.QUEUED.value: "queued",
}


def day(visit: Visit, text: str, *, end: bool) -> datetime | None:
    """What was typed as a day or moment; None where nothing was.

    Raises: InvalidRequest.
    """
    try:
        return moment(text, end=end) if text else None
    except ValueError as error:
        raise InvalidRequest(visit.say("A day is written 2026-01-31.")) from error


def after(visit: Visit, text: str) -> str:
    """Where a page of records goes on, as its address or form says; "" for the first page.

    Raises: InvalidRequest for what no page has said.
    """
    if text and not is_cursor(text):
        raise InvalidRequest(visit.say("The address was changed by hand. Open the list from its beginning."))
    return text


def sheet(text: str, name: str) -> Response:
    """A table as a file to keep. A byte-order mark tells spreadsheets that it is UTF-8."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(f"\ufeff{text}", 200, headers, content_type="text/csv; charset=utf-8")


def what(found: Found, language: Language) -> str:
    """What a record is of, in words: an operation, an act; "" where its kind alone says it."""
    act, operation = found.leaf.get("act"), found.leaf.get("operation")
    if isinstance(act, str):
        return words.named("acts", act).of(language)
    if isinstance(operation, str):
        return words.operation(str(found.leaf.get("system") or ""), operation).of(language)
    return ""


def reason(visit: Visit, error: InvalidRequest) -> str:
    """Why what was typed is not understood, in the language of the visit; nothing of it is repeated."""
    if isinstance(error, InvalidPersonCode):
        return visit.say("That is no personal code: write 11 digits, with or without the dash.")
    if isinstance(error, NotFound):
        return visit.say("There is no such thing.")
    return error.detail or visit.say("That is not understood.")


def attachment(content: bytes, name: str, kind: str = "application/octet-stream") -> Response:
    """A file to keep, which no browser shows by itself; `name` is one of ours, never what somebody typed."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(content, 200, headers, content_type=kind)
