"""What every command that looks into the exchange log does first: open it, and put on record who looks and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click
from sqlalchemy import Engine

from audit import open_log
from commands.opening import admin_entry, existing_database, give_place, open_database
from config import Settings
from exchange import Json
from questions.moments import moment
from questions.purposes import why


class Moment(click.ParamType[datetime]):
    """A day, or a day and time of day, in Europe/Riga; at the end of a range a day is included."""

    name = "date"

    def __init__(self, *, end: bool) -> None:
        self._end = end

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return moment(value, end=self._end)
        except ValueError:
            self.fail("write 2026-01-31 or 2026-01-31T08:00:00", param, ctx)


def opened(settings: Settings) -> Engine:
    """The database that is there, brought to the newest state; looking makes none. Raises: ConfigurationError."""
    existing_database(settings).dispose()
    return open_database(settings)


def record(
    settings: Settings,
    engine: Engine,
    act: str,
    purpose: str,
    facts: Mapping[str, Json],
    personal: Mapping[str, Json],
) -> None:
    """Put on record who looks at what and why, before anything is shown."""
    public, typed = why(purpose)
    entry = admin_entry(settings, {"act": act, **public, **facts}, {**typed, **personal})
    open_log(settings, engine).write(entry)
    give_place(settings, engine)
