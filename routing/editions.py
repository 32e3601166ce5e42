"""Editions: what a system publishes whole is looked for where it is published, loaded once, and counted on both sides.

That is a folder, or an address from which it is fetched when it has changed. What its server calls the version is the
place that the sync has come to: kept with the switch, so that a version that was not loaded is fetched again.

A run is one slot, whatever the number of processes: one of them holds the system's name while it loads. One that is
killed leaves the edition in use as it is and its run open; the next that looks loads again for the same slot. The
switch to the new edition, its record in the exchange log and the end of the run are committed together.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from adapters import Adapter, Edition, Loaded
from audit import Entry, ExchangeLog, Kind
from audit.account import operating_user
from config import Settings, System
from errors import Busy, ConfigurationError, GatewayError, InvalidRequest, SystemUnavailable
from exchange import Json, new_id, utc_now
from registers.taken import Taken
from routing import following, published_editions
from routing.following import Run, RunState
from routing.published_editions import Version
from routing.reconciliation import alone
from storage import reading

OPERATION = "edition"
Progress = Callable[[int, int | None], None]


class LoadRecord:
    """The records of one load in the exchange log: begun, and what became of it. A killed load has the first alone."""

    def __init__(self, settings: Settings, log: ExchangeLog, act: str, names: Sequence[str]) -> None:
        self.exchange_id = new_id()
        self._settings, self._log, self._act, self._names = settings, log, act, names

    def add(self, stage: str, facts: Mapping[str, Json]) -> None:
        """Put a stage on record."""
        entry = self._entry(stage, facts)
        self._log.commit(lambda connection: self._log.append(connection, entry))

    def refused(self, error: Exception) -> None:
        """Put on record that nothing was loaded, and why; of an unforeseen error no more than that."""
        ours = error if isinstance(error, GatewayError) else GatewayError()
        self.add("refused", {"code": ours.code, "detail": ours.detail})
        if isinstance(error, GatewayError):
            error.exchange_id = self.exchange_id

    def settle(self, work: Callable[[Connection], None], summary: Loaded) -> None:
        """Commit the switch and its record together."""
        entry = self._entry("loaded", summary.json())

        def recorded(connection: Connection) -> None:
            work(connection)
            self._log.append(connection, entry)

        self._log.commit(recorded)

    def _entry(self, stage: str, facts: Mapping[str, Json]) -> Entry:
        told: dict[str, Json] = {
            "environment": self._settings.environment.value,
            "act": self._act,
            "stage": stage,
            "paths": list[Json](self._names),
        }
        return Entry(
            Kind.ADMIN, self.exchange_id, utc_now(), {**told, **facts}, {"official": operating_user()}
        )


def load(
    settings: Settings,
    engine: Engine,
    log: ExchangeLog,
    adapter: Adapter,
    *,
    slot: datetime | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Run | None:
    """Load the edition that a system's settings name, unless it was loaded before; its run.

    None where the slot has had its run. Raises: ConfigurationError without a folder or an address, InvalidRequest where
    the edition cannot be taken, Busy while another process is at it, SystemUnavailable where it did not come: then the
    slot has not had its run.
    """
    edition, system = adapter.edition, settings.system(adapter.name)
    if edition is None or not system.publishes:
        raise ConfigurationError(f"[systems.{adapter.name}] edition names no folder and no address")
    with alone(engine, f"edition {adapter.name}"):
        with reading(engine).begin() as connection:
            if slot is not None and following.ran(connection, adapter.name, OPERATION, slot):
                return None
        run_id = log.commit(lambda connection: _begin(connection, adapter.name, slot))
        try:
            loading = _Loading(settings, engine, log, edition, run_id, progress)
            if system.edition is not None:
                loading.take(system.edition, None)
            else:
                _fetch(loading, adapter.name, system)
        except (Busy, SystemUnavailable) as error:  # a load by hand, a break: this slot is not lost for it
            code = error.code
            log.commit(lambda connection: following.give_up(connection, run_id, code))
            raise
        except Exception as error:
            code = error.code if isinstance(error, GatewayError) else GatewayError.code
            log.commit(lambda connection: following.refuse(connection, run_id, code))
            raise
    with reading(engine).begin() as connection:
        return following.run_of(connection, run_id)


def _begin(connection: Connection, system: str, slot: datetime | None) -> uuid.UUID:
    run_id = new_id()
    following.hold(connection, system, OPERATION)
    following.leave(connection, system, OPERATION)  # of one that was killed
    following.begin(connection, run_id, (system, OPERATION), following.Beginning(slot=slot), question=None)
    return run_id


@dataclass(frozen=True, slots=True)
class _Loading:
    """One load: what takes an edition out of a folder and ends the run."""

    settings: Settings
    engine: Engine
    log: ExchangeLog
    edition: Edition
    run_id: uuid.UUID
    progress: Progress

    def take(self, folder: Path, version: Version | None) -> None:
        """Load the newest edition of a folder, unless it was; `version` is what its server calls it."""
        if not folder.is_dir():
            raise InvalidRequest(f"the folder of the edition, {folder.name}, is not there")
        edition, engine, cursor = self.edition, self.engine, version.text() if version else None
        found = edition.look(folder)
        with reading(engine).begin() as connection:
            same = edition.loaded(connection, found)
            counted = edition.taken(connection, found, None) if same else Taken()
        if same:
            self.end(counted, cursor)
            return
        record = LoadRecord(self.settings, self.log, edition.act, found.names)
        record.add("begun", {"from": version.url} if version else {})

        def settle(work: Callable[[Connection], None], summary: Loaded) -> None:
            with reading(engine).begin() as connection:
                counted = edition.taken(connection, found, summary)

            def switched(connection: Connection) -> None:
                work(connection)
                _end(connection, self.run_id, counted, 1, cursor)

            record.settle(switched, summary)

        try:
            edition.load(
                engine, [found.folder], settle=settle, progress=self.progress, exchange_id=record.exchange_id
            )
        except Exception as error:
            record.refused(error)
            raise

    def end(self, counted: Taken, cursor: str | None) -> None:
        """End the run without a load."""
        self.log.commit(lambda connection: _end(connection, self.run_id, counted, 0, cursor))


def _fetch(loading: _Loading, name: str, system: System) -> None:
    """Take the edition that is published at the address of a system; of one that has not changed, what was counted."""
    with reading(loading.engine).begin() as connection:
        last = following.last_done(connection, name, OPERATION)
    known = published_editions.version_of(last.cursor, system.edition_url) if last else None
    with published_editions.emptied(loading.settings.state / "editions" / name) as folder:
        fetched = published_editions.fetch(system, known, folder, progress=loading.progress)
        if fetched is not None:
            loading.take(fetched.folder, fetched.version)
        elif last is not None:
            loading.end(last.counted, last.cursor)


def _end(connection: Connection, run_id: uuid.UUID, counted: Taken, pages: int, cursor: str | None) -> None:
    run = following.run_of(connection, run_id)
    if run.state is not RunState.RUNNING:
        raise Busy("another run has taken over", retry_after=60)
    following.advance(connection, run, counted, cursor=cursor, following=None, asked_anew=0, pages=pages)
