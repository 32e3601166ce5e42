"""External systems: whether each answers, what was exchanged with it, how it is followed, how good its adapter is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

import wsdl
from adapters import Adapter, Operation, Repeat, Schedule
from audit.activity import activity_of, durations
from config import VISS_PROFILE, System
from endpoints.console import activity_charts as charted
from endpoints.console.figures import milliseconds, number, share
from endpoints.console.pages.overview import system_title
from endpoints.console.roles import Role
from endpoints.console.visit import Page, Shown, Visit
from errors import LogUnavailable, NotFound
from exchange import utc_now
from questions import words
from questions.quality import SCALE, Quality
from routing import editions, following, incidents
from routing.breakers import State, Status
from routing.delivery import repeat_of, stricter
from routing.following import Run
from storage import reading

_ROLES = frozenset({Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR})
_MOST_OPENINGS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A system in the list."""

    name: str
    title: str
    version: str
    state: str
    profile: str
    exchanges: int
    failed: int
    runs: tuple[Run, ...]
    quality: Quality


@dataclass(frozen=True, slots=True)
class Followed:
    """What is asked by itself: an operation, or the edition of a system; its newest run, if it had one."""

    name: str
    schedule: Schedule
    run: Run | None


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation in words, and what may be done when its outcome is unclear."""

    name: str
    title: str
    repeat: Repeat
    effect: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """How an adapter answers a rule of the scale: done, todo, exempt with its reason, or "" not at all."""

    rule: str
    asks: str
    answer: str
    reason: str


def listed(visit: Visit) -> Shown:
    """All systems, each with what matters."""
    gateway = visit.gateway
    counts = activity_of(gateway.engine, sorted(gateway.adapters), charted.last_day(utc_now()).since)
    try:
        states = _states(visit)
        with reading(gateway.engine).begin() as connection:
            runs = following.newest(connection)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    lines = []
    for name, adapter in sorted(gateway.adapters.items()):
        own = [count for count in counts if count.system == name]
        lines.append(
            Line(
                name=name,
                title=system_title(visit.language, name),
                version=adapter.version,
                state=_state(states, name),
                profile=_profile(visit, name),
                exchanges=sum(count.exchanges for count in own),
                failed=sum(count.exchanges for count in own if count.outcome in charted.FAILURES),
                runs=tuple(run for run in runs if run.system == name),
                quality=Quality.of(adapter),
            )
        )
    return Shown("systems.html.jinja", {"lines": lines, **_words(visit)})


def show(visit: Visit, name: str) -> Shown:
    """One system. Raises: NotFound."""
    gateway = visit.gateway
    adapter = gateway.adapters.get(name)
    if adapter is None:
        raise NotFound("no such system")
    time = charted.last_day(utc_now())
    tallied = charted.tally(time, activity_of(gateway.engine, [name], time.since))
    outcomes = charted.present(tallied)
    try:
        status = _states(visit).get(name)
        with reading(gateway.engine).begin() as connection:
            runs = following.newest(connection)
            openings = incidents.listed(
                connection, closed=True, kind="breaker", subject=name, limit=_MOST_OPENINGS
            )
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error
    content = {
        "adapter": adapter,
        "system_title": system_title(visit.language, name),
        "state": _state({} if status is None else {name: status}, name),
        "status": status,
        "openings": openings,
        "time": time,
        "tally": tallied,
        "chart": charted.chart(visit.say, visit.language, tallied),
        "told": charted.told(visit.say, visit.language, tallied),
        "series": charted.series(visit.say, outcomes),
        "outcomes": outcomes,
        "took": next(iter(durations(gateway.engine, [name], time.since)), None),
        "followed": _followed(adapter, {(run.system, run.operation): run for run in runs}),
        "asked": [_asked(visit, adapter, operation) for operation in adapter.operations],
        "files": wsdl.published_files(name),
        "settings": _settings(visit, gateway.settings.systems.get(name)),
        "answers": _answers(adapter),
    }
    return Shown("system.html.jinja", content | _words(visit))


def _words(visit: Visit) -> dict[str, object]:
    return {
        "number": lambda value: number(visit.language, value),
        "share": lambda part, of: share(visit.language, part, of),
        "milliseconds": lambda value: milliseconds(visit.language, value),
    }


def _states(visit: Visit) -> dict[str, Status]:
    return {status.system: status for status in visit.gateway.breakers.states()}


def _state(states: Mapping[str, Status], name: str) -> str:
    return (states[name].state if name in states else State.CLOSED).value


def _profile(visit: Visit, name: str) -> str:
    system = visit.gateway.settings.systems.get(name)
    return "" if system is None else system.profile


def _followed(adapter: Adapter, runs: Mapping[tuple[str, str], Run]) -> list[Followed]:
    found = [
        Followed(operation.name, operation.sync.schedule, runs.get((adapter.name, operation.name)))
        for operation in adapter.operations
        if operation.sync is not None
    ]
    if adapter.edition is not None:
        run = runs.get((adapter.name, editions.OPERATION))
        found.append(Followed(editions.OPERATION, adapter.edition.schedule, run))
    return found


def _asked(visit: Visit, adapter: Adapter, operation: Operation) -> Asked:
    system = visit.gateway.settings.systems.get(adapter.name)
    most = repeat_of(adapter.name, "" if system is None else system.repeat)
    return Asked(
        name=operation.name,
        title=words.operation(adapter.name, operation.name).of(visit.language),
        repeat=stricter(operation.repeat, most),
        effect=operation.notice is not None or operation.once,
    )


def _settings(visit: Visit, system: System | None) -> list[tuple[str, str]]:
    """What an operator asks about; of an address its scheme and host alone, of a file whether it is named."""
    if system is None:
        return []
    say = visit.say
    address = system.viss.url if system.profile == VISS_PROFILE and system.viss is not None else system.url
    parts = urlsplit(address)
    host = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    rows = [
        (say("Transport profile"), system.profile),
        (say("Address"), host if parts.hostname else ""),
        (say("Time-out of one call"), f"{number(visit.language, system.timeout_s)}\u00a0s"),
        (say("Calls at a time, of one process"), number(visit.language, system.pool)),
        (say("Repeats are limited to"), system.repeat),
        (
            say("Certificate of its TLS"),
            say("own authorities") if system.tls_trust else say("public authorities"),
        ),
        (say("Address at the state integrator"), system.destination),
    ]
    if system.publishes:
        where = say("a folder") if system.edition is not None else say("an address")
        rows.append((say("Editions are taken from"), where))
    return rows


def _answers(adapter: Adapter) -> list[Answer]:
    own = Quality.of(adapter)
    answer = (
        dict.fromkeys(own.done, "done")
        | dict.fromkeys(own.todo, "todo")
        | dict.fromkeys(own.exempt, "exempt")
    )
    return [
        Answer(rule, asks, answer.get(rule, ""), own.exempt.get(rule, "")) for rule, asks in SCALE.items()
    ]


PAGES = (
    Page(path="systems", roles=_ROLES, show=listed, title="Systems", group="Run", rank=10),
    Page(path="systems/<name>", roles=_ROLES, show=show),
)
