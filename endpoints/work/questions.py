"""What is asked of the log on a schedule: unusual look-ups each morning, corrections each hour; and its catalogue.

Each does the same whenever it runs and makes nothing twice: a slot that nobody was there for is made good by the next.
Diagnostics have counts alone.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from datetime import datetime, timedelta

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Connection

from audit import catalogue, flags
from errors import Busy
from exchange import RIGA
from gateway import Gateway
from questions import corrections, notices, unusual
from questions.acting import Acting

UNUSUAL_HOUR = CronTrigger(hour=6, timezone=RIGA)
CORRECTIONS_MINUTE = CronTrigger(minute=20, timezone=RIGA)
# A weekend, and a day on which nobody was there.
_DAYS = 4
# The catalogue may be so far behind: whoever searches brings it up to date.
_REST_SECONDS = 5.0

diagnostics = logging.getLogger("gateway.questions")


def follow(gateway: Gateway, _stop: threading.Event) -> float:
    """Take into the catalogue what the log has grown by, and give the seconds to rest. Raises: LogUnavailable."""
    catalogue.catch_up(gateway.engine)
    return _REST_SECONDS


def flag_unusual(gateway: Gateway, slot: datetime) -> None:
    """Flag what was unusual in the days before the slot's. Raises: LogUnavailable, Busy."""
    today = slot.astimezone(RIGA).date()
    found = unusual.unusual(gateway.engine, gateway.subject_key, today - timedelta(days=_DAYS), today)

    def work(connection: Connection) -> int:
        made = flags.keep(connection, found, slot)
        if made:
            acting = Acting(gateway.settings.environment)
            gateway.log.append(connection, acting.entry("audit unusual", {"flags": made}))
        return made

    diagnostics.info("unusual look-ups: flags=%d", gateway.log.commit(work))


def tell_corrections(gateway: Gateway, slot: datetime) -> None:
    """Make a notice for each recipient of a value that was corrected, and hand them over.

    Raises: OSError, ConfigurationError, LogUnavailable, Busy; the next hour goes on.
    """
    acting = Acting(gateway.settings.environment)
    made = corrections.make_notices(
        gateway.engine, gateway.log, gateway.subject_key, gateway.access, acting, slot
    )
    handed = []
    with suppress(Busy):  # somebody hands over by hand at this moment
        place = notices.folder_of(gateway.settings)
        handed = notices.hand_over(gateway.engine, gateway.log, acting, place)
    diagnostics.info(
        "corrections: versions=%d notices=%d handed=%d", made.versions, made.notices, len(handed)
    )
