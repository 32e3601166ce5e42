"""The overview: what was exchanged, what waits, what does not hold; at a glance and without a person in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from audit import continuity, witnessed
from audit.activity import Activity, Durations, activity, durations
from audit.sequencer import waiting
from endpoints import alert_texts
from endpoints.console import activity_charts as charted
from endpoints.console.activity_charts import Tally, Time
from endpoints.console.charts import Box, Columns, Span, Spans, spans
from endpoints.console.figures import age, milliseconds, number, share
from endpoints.console.roles import EVERYBODY
from endpoints.console.visit import Page, Shown, Visit
from endpoints.readiness import exposure
from errors import ConfigurationError, LogUnavailable
from exchange import utc_now
from questions import words
from questions.words import Language
from routing import incidents, outbox
from routing.breakers import State
from storage import reading

_MOST_INCIDENTS = 20
_SPAN_ROW, _SPAN_AROUND = 26, 40

# By check of readiness, what does not hold and what to do; those that incidents have too are told as there.
_AS_INCIDENT = {
    "database": "log",
    "log": "log",
    "sequencer": "sequencer",
    "certificates": "certificate",
    "revocation": "revocation",
    "clock": "clock",
    "witness": "exposure",
    "broker": "broker",
    "jobs": "job_silent",
    "outbox": "outbox_dead",
    "breakers": "breaker",
}
_OWN = {
    "keys": (
        "A key file is missing",
        "Put the key files back from where they are kept: gateway keys show.",
    ),
    "contracts": (
        "A contract cannot be read",
        "Compare the files of wsdl/ with what was published: gateway check.",
    ),
    "rights": (
        "The database does not keep the log from being changed",
        "Give the gateway a role of its own: docs/operators.md, rights in the database.",
    ),
}


@dataclass(frozen=True, slots=True)
class Unwell:
    """A check that does not hold: what it means and what to do; `late` when it had not answered yet."""

    check: str
    title: str
    action: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class SystemShown:
    """One system among the others; the last one, without a name, is all that do not stand alone."""

    name: str
    title: str
    is_external: bool
    tally: Tally
    chart: Columns
    told: str
    took: Durations | None


@dataclass(frozen=True, slots=True)
class LogShown:
    """How far the log goes and who vouches for it; `witness` None where none is set up."""

    size: int
    pending: int
    oldest: float | None
    covered_to: datetime | None
    witness: witnessed.Exposure | None
    exposed_too_long: bool
    contradicted: bool


def show(visit: Visit) -> Shown:
    """Everything at a glance; the time is the last day, or with `period=month` the last 30 days."""
    now = utc_now()
    time = charted.last_month(now) if visit.query.get("period") == "month" else charted.last_day(now)
    engine = visit.gateway.engine
    found = activity(engine, time.since)
    took = durations(engine, found.systems, time.since)
    whole = charted.tally(time, found.counts)
    outcomes = charted.present(whole)
    try:
        standing = _standing(visit)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    content = {
        "time": time,
        "whole": whole,
        "chart": charted.chart(visit.say, visit.language, whole),
        "told": charted.told(visit.say, visit.language, whole),
        "series": charted.series(visit.say, outcomes),
        "outcomes": outcomes,
        "systems": _systems(visit, time, found, took),
        "took": took,
        "took_chart": _took_chart(visit, took),
        "unwell": _unwell(visit),
        "number": lambda value: number(visit.language, value),
        "share": lambda part, of: share(visit.language, part, of),
        "age": lambda seconds: age(visit.language, seconds),
        "milliseconds": lambda value: milliseconds(visit.language, value),
        "incident_text": lambda kind: _incident_text(visit.language, kind),
    }
    return Shown("overview.html.jinja", content | standing)


def _systems(visit: Visit, time: Time, found: Activity, took: Sequence[Durations]) -> list[SystemShown]:
    by_name = {one.system: one for one in took}
    shown = []
    for system in (*found.systems, None):
        tallied = charted.tally(time, (count for count in found.counts if count.system == system))
        if not tallied.total:
            continue
        name = system or ""
        shown.append(
            SystemShown(
                name=name,
                title=system_title(visit.language, name) if name else "",
                is_external=name in visit.gateway.adapters,
                tally=tallied,
                chart=charted.chart(visit.say, visit.language, tallied, small=True),
                told=charted.told(visit.say, visit.language, tallied),
                took=by_name.get(name),
            )
        )
    return shown


def system_title(language: Language, name: str) -> str:
    """A system in words, "" where nobody has put it into words."""
    title = words.named("sources", name).of(language)
    return "" if title == name else title


def _took_chart(visit: Visit, took: Sequence[Durations]) -> Spans:
    def written(value: float) -> str:
        return milliseconds(visit.language, value)

    given = [
        Span(
            one.system[:24],
            one.p50,
            one.p95,
            f"{one.system}: p50 {written(one.p50)}, p95 {written(one.p95)}",
        )
        for one in took
    ]
    box = Box(960, _SPAN_ROW * len(given) + _SPAN_AROUND, left=170, right=40, top=8, bottom=28)
    return spans(given, box, written=written)


def _standing(visit: Visit) -> dict[str, Any]:
    """What stands at this moment: queue, breakers, incidents, log. Raises: SQLAlchemyError."""
    gateway = visit.gateway
    with reading(gateway.engine).begin() as connection:
        rows, lag = outbox.undelivered(connection), outbox.lag(connection)
        listed = incidents.listed(connection, limit=_MOST_INCIDENTS)
        open_counts = incidents.open_counts(connection)
    queue: Counter[outbox.State] = Counter()
    for (state, _system, _operation), count in rows.items():
        queue[state] += count
    states = {status.system: status.state for status in gateway.breakers.states()}
    return {
        "queue": {state.value: queue[state] for state in outbox.State if state is not outbox.State.DELIVERED},
        "lag": lag,
        "incidents": listed,
        "incidents_open": sum(open_counts.values()),
        "breakers": {name: states.get(name, State.CLOSED).value for name in sorted(gateway.adapters)},
        "log": _log(visit, forked="fork" in open_counts),
    }


def _log(visit: Visit, *, forked: bool) -> LogShown:
    """Without walking the log. Raises: SQLAlchemyError."""
    gateway = visit.gateway
    with reading(gateway.engine).begin() as connection:
        extent = continuity.extent(connection)
        pending, oldest = waiting(connection)
        covered = None if extent.note is None else continuity.covered_to(connection, extent.note)
    witness = None
    if gateway.settings.log.witness_url:
        try:
            witness = exposure(gateway)
        except ConfigurationError:  # its key cannot be read, which the check of readiness tells
            witness = witnessed.Exposure(None, extent.size + pending, 0.0)
    return LogShown(
        size=extent.size,
        pending=pending,
        oldest=oldest,
        covered_to=None if covered is None else datetime.fromisoformat(covered),
        witness=witness,
        exposed_too_long=witness is not None and witness.seconds > gateway.settings.log.exposure_seconds,
        contradicted=forked,
    )


def _unwell(visit: Visit) -> list[Unwell]:
    checks = visit.readiness.report()["checks"]
    assert isinstance(checks, dict)  # noqa: S101 — a table of checks, which Json does not say
    return [
        _told(visit, name, found)
        for name, found in checks.items()
        if isinstance(found, dict) and not found["ok"]
    ]


def _told(visit: Visit, name: str, found: Mapping[str, Any]) -> Unwell:
    late = found.get("error") == TimeoutError.__name__
    kind = "fork" if found.get("fork") else _AS_INCIDENT.get(name)
    if kind is not None:
        return Unwell(name, *_incident_text(visit.language, kind), late)
    title, action = _OWN.get(name, (name, "Look it up in docs/monitoring.md, Readiness."))
    return Unwell(name, visit.say(title), visit.say(action), late)


def _incident_text(language: Language, kind: str) -> tuple[str, str]:
    """Title and what to do; of a kind that nobody has put into words its name."""
    text = alert_texts.TEXTS.get(kind)
    if text is None:
        return kind, ""
    latvian = language is Language.LATVIAN
    return (text.title.lv, text.action.lv) if latvian else (text.title.en, text.action.en)


PAGES = (Page(path="", roles=EVERYBODY, show=show, title="Overview", group="Look", rank=0),)
