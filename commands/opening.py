"""What commands open before they act: keys, the migrated database, and the exchange log for their own acts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import Connection, Engine, make_url, select
from sqlalchemy.exc import ArgumentError

from audit import Entry, Kind, open_log
from audit.account import operating_user
from audit.sequencer import Sequencer
from audit.tables import sequencer_queue
from config import Settings
from errors import ConfigurationError
from exchange import Environment, Json, new_id, utc_now
from security.keys import claim, load_log_key, new_keys
from storage import migrate, open_engine, reading

T = TypeVar("T")

# Seconds that a command waits for the sequencer of a gateway that is running.
_PATIENCE = 3.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Name(click.ParamType[str]):
    """A name in a register of parties: a letter or digit, then up to 99 letters, digits, dots, dashes, underscores."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _NAME.fullmatch(value):
            self.fail("letters, digits, dots, dashes and underscores, 100 at most", param, ctx)
        return value


class Day(click.ParamType[date]):
    """A calendar day in Europe/Riga."""

    name = "date"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("a day is written 2026-01-31", param, ctx)


def ensure_keys(settings: Settings) -> None:
    """Make the keys that are missing, in the test environment only.

    Raises: ConfigurationError in production when the keys are missing: there an operator makes them. In both when
    they are those of the other environment.
    """
    if settings.environment is not Environment.TEST and not (settings.keys / "log.key").exists():
        raise ConfigurationError(f"no keys in {settings.keys}: gateway keys new")
    claim(settings.keys, settings.environment)
    if settings.environment is Environment.TEST:
        new_keys(settings.keys, settings.systems)


def open_database(settings: Settings) -> Engine:
    """The database, brought to the newest state.

    Raises: ConfigurationError.
    """
    engine = open_engine(settings.database_url)
    migrate.upgrade(engine)
    return engine


def existing_database(settings: Settings, patience: float | None = None) -> Engine:
    """The database that is there; to look at a log must not make one.

    A server may be silent for `patience` seconds, None for ever; see `open_engine`.
    Raises: ConfigurationError.
    """
    try:
        url = make_url(settings.database_url)
    except ArgumentError as error:
        raise ConfigurationError("GATEWAY_DATABASE_URL is not a database URL") from error
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        raise ConfigurationError(f"there is no database at {url.database}; start the gateway once")
    return open_engine(settings.database_url, patience=patience)


def administer(
    settings: Settings,
    engine: Engine,
    act: str,
    name: str,
    recipient: str,
    work: Callable[[Connection], T],
    *,
    facts: Mapping[str, Json] | None = None,
    typed: Mapping[str, Json] | None = None,
) -> T:
    """Carry out an administrative act and put it on record in the same transaction: one never stands without the other.

    `facts` are more of what stands in the record for good. `typed` is what an operator wrote freely (a reason): it is
    kept as personal values are, erasable, since nobody knows what he wrote.
    Raises: LogUnavailable, Busy, and what `work` raises.
    """
    ensure_keys(settings)
    entry = admin_entry(
        settings, {"act": act, "name": name, "recipient": recipient, **(facts or {})}, typed or {}
    )
    log = open_log(settings, engine)

    def recorded(connection: Connection) -> T:
        result = work(connection)
        log.append(connection, entry)
        return result

    done = log.commit(recorded)
    give_place(settings, engine)
    return done


def admin_entry(settings: Settings, facts: Mapping[str, Json], personal: Mapping[str, Json]) -> Entry:
    """The record of an act at the command line, with the account that does it."""
    return Entry(
        Kind.ADMIN,
        new_id(),
        utc_now(),
        facts={"environment": settings.environment.value, **facts},
        personal={"official": operating_user(), **personal},
    )


def give_place(settings: Settings, engine: Engine) -> None:
    """Sequence what was just recorded, where the key of the log is at hand; else whoever has it does."""
    if (settings.keys / "log.key").exists():
        sequence(settings, engine, _PATIENCE)


def sequence(settings: Settings, engine: Engine, seconds: float) -> bool:
    """Give records their place in the log until none waits, `seconds` at most; False when some still wait.

    Where another process sequences, this waits for it.
    Raises: LogUnavailable, ConfigurationError.
    """
    until = time.monotonic() + seconds
    sequencer = Sequencer(engine, load_log_key(settings.keys / "log.key"), environment=settings.environment)
    try:
        while True:
            if sequencer.run_once():
                continue
            with reading(engine).begin() as connection:
                if connection.execute(select(sequencer_queue.c.position).limit(1)).first() is None:
                    return True
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
    finally:
        sequencer.release()
