"""The scheduled watch over children in institutions: on working days, each hour of the day, in one process.

Every hour does the same and makes nothing twice: an hour that nobody was there for, or that a crash ended, is made
good by the next. Diagnostics have counts alone.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

from audit import ExchangeLog
from config import Settings
from errors import Busy
from exchange import RIGA
from routing import child_reports, child_watch
from routing.child_watch import Acting
from routing.working_days import is_working_day

CHILDREN_HOURS = CronTrigger(hour="7-18", timezone=RIGA)

diagnostics = logging.getLogger("gateway.children")


def look(settings: Settings, engine: Engine, log: ExchangeLog, slot: datetime) -> None:
    """Watch and hand over, where the day of the slot is a working day in Riga.

    Raises: OSError, LogUnavailable, Busy; the next hour goes on.
    """
    today = slot.astimezone(RIGA).date()
    if not is_working_day(today):
        return
    acting = Acting(settings.environment, reason="scheduled")
    watched = child_watch.watch(engine, log, acting, today)
    prepared = child_reports.prepare(engine, log, acting, today)
    handed = []
    with suppress(Busy):  # somebody hands over by hand at this moment
        handed = child_reports.hand_over(engine, log, acting, child_reports.folder_of(settings))
    diagnostics.info(
        "children: stays=%d made=%d settled=%d reports=%d without_municipality=%d",
        watched.stays,
        sum(watched.made.values()),
        watched.settled,
        len(handed),
        prepared.without_municipality,
    )
