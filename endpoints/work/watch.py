"""Looks every few seconds for what is wrong, opens and closes incidents, and has operators told: once for each.

What is wrong becomes an incident when it has been so for a while, and the incident is over when no process has seen it
for a while: what comes and goes is one incident, not a thousand. With the database, any number of processes watch, and
whoever claims an incident tells of it. While the database cannot be written, which is the gravest of what is told,
each process tells of what it finds itself, once, and brings it to the table when that is back.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from config import AlertSettings
from endpoints import alerts
from endpoints.alerts import Message, NotTold
from endpoints.bounded import Bounded
from endpoints.work.looks import Findings, Look
from exchange import Environment, new_id, utc_now
from routing import incidents
from routing.incidents import Channel, Finding
from storage import reading

REST_SECONDS = 5.0
LOOK_SECONDS = 5.0
# For so long something must be wrong before it is told. With two looks, a write that hangs and a webhook that hangs,
# a log that cannot be written is told within a minute.
PATIENCE_SECONDS = 15.0
# A job that runs every half minute, and failed while the database was away, has its next chance first.
_TIMES_PATIENCE = {"job_failing": 3.0}
# What goes wrong because the log cannot be written is part of that incident.
_FOLLOW_FROM_LOG = frozenset({"job_failing", "job_silent", "sequencer", "outbox_late"})
QUIET = timedelta(seconds=60)
_CLAIM_SECONDS = 30.0
_MOST_AT_ONCE = 20

diagnostics = logging.getLogger("gateway.watch")

# Of one kind with one subject.
_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Times:
    """How patient the watch is: seconds until something is told and between looks, and how long until it is over."""

    patience: float = PATIENCE_SECONDS
    rest: float = REST_SECONDS
    look: float = LOOK_SECONDS
    quiet: timedelta = QUIET


@dataclass(slots=True)
class _Kept:
    """An incident that is not in the table yet, and what each channel has told of it."""

    finding: Finding
    since: datetime
    id: uuid.UUID = field(default_factory=new_id)
    told: dict[Channel, int] = field(default_factory=dict)


class Watch:
    """The watch of one process; `holder` names it among all."""

    def __init__(
        self,
        engine: Engine,
        looks: Mapping[str, Look],
        settings: AlertSettings,
        *,
        environment: Environment,
        holder: str,
        times: Times | None = None,
        senders: Mapping[Channel, alerts.Send] = alerts.SENDERS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises: ConfigurationError when a channel is set up by half."""
        self._engine = engine
        self._looks = looks
        self._settings = settings
        self._environment = environment
        self._holder = holder
        self._times = times or Times()
        self._senders = senders
        self._monotonic = monotonic
        self._channels = alerts.channels(settings)
        self._asked = Bounded({name: look.run for name, look in looks.items()}, self._times.look)
        self._first_seen: dict[_Name, tuple[float, datetime]] = {}
        self._in_table: dict[_Name, int] = {}
        self._kept: dict[_Name, _Kept] = {}
        self._steady_since: float | None = None
        self._log_failed_at = -math.inf
        self._saw_all = True

    def step(self, _stop: threading.Event) -> float:
        """Look once, tell what is to be told, and give the seconds to rest."""
        found, writable = self._look()
        ripe = self._ripe(found)
        if not (writable and self._put(ripe)):
            self._steady_since = None
            self._keep(ripe)
            self._tell_kept()
            return self._times.rest
        self._tell()
        return self._times.rest

    def _look(self) -> tuple[Findings, bool]:
        """What is wrong now, and whether the database took a write."""
        found: Findings = []
        writable = self._saw_all = True
        for name, seen in self._asked.ask().items():
            if not isinstance(seen, Exception):
                found += seen
                continue
            broken = self._looks[name].broken
            if broken is None:
                self._saw_all = False
                continue
            writable = writable and broken.kind != "log"
            found.append(Finding(broken.kind, broken.subject, f"error={type(seen).__name__}"))
        return found, writable

    def _ripe(self, found: Findings) -> list[tuple[Finding, datetime]]:
        """What has been wrong in every look for long enough, and since when.

        Of a log that cannot be written everything else that is written suffers: that is one incident, not seven.
        """
        now, instant = self._monotonic(), utc_now()
        if any(one.kind == "log" for one in found):
            self._log_failed_at = now
        if now - self._log_failed_at < self._times.quiet.total_seconds():
            found = [one for one in found if one.kind not in _FOLLOW_FROM_LOG]
        first = {_name(one): self._first_seen.get(_name(one), (now, instant)) for one in found}
        self._first_seen = first if self._saw_all else self._first_seen | first
        return [
            (one, first[_name(one)][1])
            for one in found
            if now - first[_name(one)][0] >= self._times.patience * _TIMES_PATIENCE.get(one.kind, 1.0)
        ]

    def _put(self, ripe: list[tuple[Finding, datetime]]) -> bool:
        """Bring what was found, and what was kept, to the table; whether that was possible."""
        try:
            if ripe or self._kept:
                with self._engine.begin() as connection:
                    for kept in self._kept.values():
                        incidents.see(connection, kept.finding, since=kept.since, told=kept.told)
                    for finding, since in ripe:
                        incidents.see(connection, finding, since=since)
            self._kept.clear()
            self._close()
            with reading(self._engine).begin() as connection:
                opened = incidents.listed(connection, limit=1000)
        except SQLAlchemyError as error:
            diagnostics.warning("incidents cannot be written: %s", type(error).__name__)
            return False
        self._in_table = {(one.kind, one.subject): one.stage for one in opened}
        return True

    def _close(self) -> None:
        """Close what nobody sees any more: only who has seen all for that long can know what nobody sees."""
        now = self._monotonic()
        if self._steady_since is None or not self._saw_all:
            self._steady_since = now
        if now - self._steady_since < self._times.quiet.total_seconds():
            return
        with reading(self._engine).begin() as connection:
            if not incidents.any_to_close(connection, self._times.quiet):
                return
        with self._engine.begin() as connection:
            incidents.close_unseen(connection, self._times.quiet)

    def _keep(self, ripe: list[tuple[Finding, datetime]]) -> None:
        for finding, since in ripe:
            name = _name(finding)
            if self._in_table.get(name, 0) >= finding.stage:
                continue  # it was open before, and is told already
            if name in self._kept:
                self._kept[name].finding = finding
            else:
                self._kept[name] = _Kept(finding, since)

    def _tell_kept(self) -> None:
        for kept in self._kept.values():
            for channel in self._channels:
                stage = kept.finding.stage
                if kept.told.get(channel, 0) >= stage:
                    continue
                message = alerts.of_finding(kept.finding, kept.id, kept.since, self._environment)
                if self._sent(channel, message):
                    kept.told[channel] = stage

    def _tell(self) -> None:
        """Tell what no other process has claimed."""
        try:
            for _ in range(_MOST_AT_ONCE):
                with reading(self._engine).begin() as connection:
                    if not incidents.any_to_tell(connection, self._channels):
                        return
                with self._engine.begin() as connection:
                    incident = incidents.claim(
                        connection, self._holder, self._channels, seconds=_CLAIM_SECONDS
                    )
                if incident is None:
                    return
                done: dict[Channel, int] = {}
                for channel in self._channels:
                    stage = incident.next_stage(channel)
                    if stage is None:
                        continue
                    if self._sent(channel, alerts.of_incident(incident, stage, self._environment)):
                        done[channel] = stage
                with self._engine.begin() as connection:
                    incidents.told(connection, incident, self._holder, done)
        except SQLAlchemyError as error:
            diagnostics.warning("incidents cannot be written: %s", type(error).__name__)

    def _sent(self, channel: Channel, message: Message) -> bool:
        try:
            self._senders[channel](self._settings, message)
        except NotTold as error:
            diagnostics.warning("the %s did not take an alert (%s): %s", channel.value, message.kind, error)
            return False
        return True


def _name(finding: Finding) -> _Name:
    return finding.kind, finding.subject
