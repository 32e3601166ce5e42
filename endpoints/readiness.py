"""Whether the gateway can work, check by check, and every answer within seconds, whatever hangs behind it.

A check says of itself whether it holds, and of one that does not only of which kind the error is: nothing of persons,
callers, hosts. Those in `DECIDING` make the gateway ready or not. What the others tell of (a broker that is away, a
partner's system, a job) stops no exchange, and a proxy that took the gateway out of service for it would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import insert, select

from audit import guards, witnessed
from audit.sequencer import waiting
from audit.tables import leases
from config import Settings
from endpoints import expiry, revocation_state
from endpoints.bounded import Bounded
from endpoints.partner_trust import PartnerTrust
from exchange import Json, instant_text, new_id, utc_now
from gateway import Gateway
from routing import broker, incidents, jobs, outbox
from routing.breakers import State
from routing.jobs import JobState, JobStatus
from storage import clock as clocks
from storage import reading
from wsdl import contract

# A check that has not answered by then does not hold.
SECONDS = 4.0
_BROKER_SECONDS = 3.0
# A record without an index after this many seconds is a failure (docs/interfaces.md).
MOST_BEHIND_SECONDS = 60.0
# Signatures are taken with a skew of 60 s: long before that somebody should know.
MOST_OFFSET_SECONDS = 5.0
# What must be in the directory of keys.
KEYS = ("gateway.pem", "gateway.key", "log.key", "log.pub", "master.key", "subject.key")
DECIDING = frozenset({"database", "log", "keys", "contracts", "sequencer", "certificates", "clock"})

# Of the processes that have a job, the one that does best speaks for it.
_BEST_FIRST = (JobState.RUNNING, JobState.IDLE, JobState.FAILING, JobState.SILENT, JobState.ENDED)

Check = Callable[[], dict[str, Json]]


class Readiness:
    """The checks of one process. `clock` tells this host's instant."""

    def __init__(
        self, gateway: Gateway, *, seconds: float = SECONDS, clock: Callable[[], datetime] = utc_now
    ) -> None:
        checks: dict[str, Check] = {
            "database": partial(_database, gateway),
            "log": partial(_log, gateway),
            "keys": partial(_keys, gateway),
            "contracts": partial(_contracts, gateway),
            "sequencer": partial(_sequencer, gateway),
            "certificates": partial(_certificates, gateway, clock),
            "revocation": partial(_revocation, PartnerTrust(gateway.settings, gateway.engine), clock),
            "clock": partial(_clock, gateway, clock),
            "rights": partial(_rights, gateway),
            "jobs": partial(_jobs, gateway),
            "outbox": partial(_outbox, gateway),
            "breakers": partial(_breakers, gateway),
        }
        if gateway.settings.log.witness_url:
            checks["witness"] = partial(_witness, gateway)
        if gateway.settings.amqp_url:
            checks["broker"] = partial(_broker, gateway.settings)
        self._checks = Bounded(checks, seconds)

    def report(self) -> dict[str, Json]:
        """Every check by name, and `ready` when all that decide hold.

        Shape: {"ready", "checks": {name: {"ok", …, "error" where it could not be carried out}}}
        """
        checks: dict[str, Json] = {}
        ready = True
        for name, found in self._checks.ask().items():
            told: dict[str, Json]
            told = {"ok": False, "error": type(found).__name__} if isinstance(found, Exception) else found
            checks[name] = told
            ready = ready and (bool(told["ok"]) or name not in DECIDING)
        return {"ready": ready, "checks": checks}


def lag(gateway: Gateway) -> tuple[int, float | None]:
    """How many records have no place in the tree yet, and for how many seconds the oldest has waited.

    Raises: SQLAlchemyError.
    """
    with reading(gateway.engine).begin() as connection:
        return waiting(connection)


def exposure(gateway: Gateway) -> witnessed.Exposure:
    """How much of the log no witness vouches for yet.

    Raises: SQLAlchemyError, ConfigurationError.
    """
    known = witnessed.chosen(gateway.settings)
    with reading(gateway.engine).begin() as connection:
        return witnessed.exposure(connection, None if known is None else known.key)


def try_writing(gateway: Gateway) -> None:
    """A write like any other, taken back: a read-only copy, a lock that stays would show. Raises: SQLAlchemyError."""
    with gateway.engine.connect() as connection:
        transaction = connection.begin()
        try:
            connection.execute(insert(leases).values(name=f"readyz-{new_id()}", holder="", until=utc_now()))
        finally:
            transaction.rollback()


def missing_keys(settings: Settings) -> Iterator[Path]:
    """The key files that are not there."""
    return (settings.keys / name for name in KEYS if not (settings.keys / name).is_file())


def load_contracts(gateway: Gateway) -> int:
    """Load and compile every contract, theirs and ours, and say how many there are.

    Raises: ConfigurationError.
    """
    contracts = [contract(adapter.name, adapter.version) for adapter in gateway.adapters.values()]
    contracts += [
        contract(f"spolis/{service.name}", service.version) for service in gateway.services.values()
    ]
    for each in contracts:
        each.schema()
    return len(contracts)


def by_job(statuses: Iterable[JobStatus]) -> dict[str, list[JobStatus]]:
    """The statuses of each job, of the process that does best first; without those whose processes were stopped."""
    found: dict[str, list[JobStatus]] = {}
    for status in sorted(statuses, key=lambda status: _BEST_FIRST.index(status.state)):
        if status.state is not JobState.ENDED:
            found.setdefault(status.job, []).append(status)
    return found


def is_alive(statuses: Sequence[JobStatus]) -> bool:
    """Whether some process does a job as it should."""
    return bool(statuses) and statuses[0].state in (JobState.RUNNING, JobState.IDLE)


def _database(gateway: Gateway) -> dict[str, Json]:
    with reading(gateway.engine).begin() as connection:
        connection.execute(select(1))
    return {"ok": True}


def _log(gateway: Gateway) -> dict[str, Json]:
    try_writing(gateway)
    return _behind(gateway)


def _sequencer(gateway: Gateway) -> dict[str, Json]:
    """Whether what is written gets its place; `alive` says whether some process reports that it sequences."""
    with reading(gateway.engine).begin() as connection:
        found = by_job(jobs.status(connection)).get("sequencer", [])
    return {**_behind(gateway), "alive": is_alive(found)}


def _behind(gateway: Gateway) -> dict[str, Json]:
    pending, oldest = lag(gateway)
    return {
        "ok": (oldest or 0.0) < MOST_BEHIND_SECONDS,
        "pending": pending,
        "oldest_seconds": _rounded(oldest),
    }


def _witness(gateway: Gateway) -> dict[str, Json]:
    """Holds while the witness follows and contradicts nothing; without it no exchange waits."""
    exposed = exposure(gateway)
    with reading(gateway.engine).begin() as connection:
        forked = incidents.open_counts(connection).get("fork", 0) > 0
    return {
        "ok": exposed.seconds <= gateway.settings.log.exposure_seconds and not forked,
        "cosigned": exposed.size,
        "exposed_records": exposed.records,
        "exposed_seconds": exposed.seconds,
        "fork": forked,
    }


def _keys(gateway: Gateway) -> dict[str, Json]:
    missing: list[Json] = [path.name for path in missing_keys(gateway.settings)]
    return {"ok": not missing, "missing": missing}


def _contracts(gateway: Gateway) -> dict[str, Json]:
    return {"ok": True, "loaded": load_contracts(gateway)}


def _certificates(gateway: Gateway, clock: Callable[[], datetime]) -> dict[str, Json]:
    """Days until the first of each kind ends; our own decide, another's concerns that party alone."""
    days = expiry.soonest(expiry.every(gateway.settings, gateway.engine), clock())
    told: dict[str, Json] = {kind: round(left, 1) for kind, left in sorted(days.items())}
    return {"ok": all(left > 0 for kind, left in days.items() if kind in expiry.OWN), "days_left": told}


def _revocation(trust: PartnerTrust, clock: Callable[[], datetime]) -> dict[str, Json]:
    """Holds while every list and every answer is up to date; within the grace they count all the same."""
    now = clock()
    found = revocation_state.sources(trust, now)
    told: dict[str, Json] = {
        f"{source.kind} {source.name}": {
            "hours_left": _rounded(source.hours_left(now)),
            "revoked": source.revoked,
            "unknown": source.unknown,
        }
        for source in found
    }
    return {"ok": all(source.is_current(now) for source in found), "sources": told}


def _clock(gateway: Gateway, clock: Callable[[], datetime]) -> dict[str, Json]:
    with reading(gateway.engine).begin() as connection:
        seconds = clocks.offset(connection, clock)
    return {"ok": abs(seconds) <= MOST_OFFSET_SECONDS, "offset_seconds": round(seconds, 3)}


def _rights(gateway: Gateway) -> dict[str, Json]:
    """Whether the database itself keeps this process from changing rows of the log."""
    with reading(gateway.engine).begin() as connection:
        warnings = guards.missing(connection)
    return {"ok": not warnings, "warnings": list[Json](warnings)}


def _jobs(gateway: Gateway) -> dict[str, Json]:
    """Every job as the process that does it best reports it."""
    with reading(gateway.engine).begin() as connection:
        found = by_job(jobs.status(connection))
    told: dict[str, Json] = {name: _job(statuses) for name, statuses in sorted(found.items())}
    return {"ok": bool(found) and all(map(is_alive, found.values())), "jobs": told}


def _job(statuses: Sequence[JobStatus]) -> dict[str, Json]:
    best = statuses[0]
    return {
        "state": best.state.value,
        "last_run": None if best.last_run is None else instant_text(best.last_run),
        "next_run": None if best.next_run is None else instant_text(best.next_run),
        "lag_seconds": _rounded(best.lag_seconds),
        "processes": sum(is_alive([status]) for status in statuses),
    }


def _outbox(gateway: Gateway) -> dict[str, Json]:
    """Holds while nothing is left to a person and callers are not told to try later."""
    with reading(gateway.engine).begin() as connection:
        rows, waits = outbox.undelivered(connection), outbox.lag(connection)
    states = [state for state in outbox.State if state is not outbox.State.DELIVERED]
    counts: Counter[outbox.State] = Counter(dict.fromkeys(states, 0))
    for (state, _system, _operation), count in rows.items():
        counts[state] += count
    full = counts[outbox.State.WAITING] >= gateway.settings.outbox.backlog
    told: dict[str, Json] = {state.value: count for state, count in counts.items()}
    return {
        "ok": not (full or counts[outbox.State.DEAD] or counts[outbox.State.UNKNOWN]),
        "rows": told,
        "lag_seconds": _rounded(waits),
    }


def _breakers(gateway: Gateway) -> dict[str, Json]:
    states = {status.system: status.state for status in gateway.breakers.states()}
    told: dict[str, Json] = {
        system: states.get(system, State.CLOSED).value for system in sorted(gateway.adapters)
    }
    return {"ok": all(state is State.CLOSED for state in states.values()), "systems": told}


def _broker(settings: Settings) -> dict[str, Json]:
    return {**broker.state(settings.amqp_url, _BROKER_SECONDS, queue=settings.amqp_queue)}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
