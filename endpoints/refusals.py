"""Requests refused before an exchange began: counted here, and summed up in the exchange log once a minute.

One leaf for all of them: a flood at the door must not become a flood of commits.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import Counter

from audit import Entry, ExchangeLog, Kind
from endpoints import metered
from errors import GatewayError
from exchange import Environment, Json, new_id, utc_now

diagnostics = logging.getLogger("gateway.endpoints")

SECONDS = 60.0

_lock = threading.Lock()
_waiting: Counter[str] = Counter()


def count(code: str) -> None:
    """Count one refusal by its error code."""
    metered.refused(code)
    with _lock:
        _waiting[code] += 1


def sum_up(log: ExchangeLog, environment: Environment) -> None:
    """Write what was counted since the last time as one record; what cannot be written is counted on.

    Raises: LogUnavailable, Busy.
    """
    with _lock:
        counted = Counter(_waiting)
    if not counted:
        return
    codes: dict[str, Json] = dict(sorted(counted.items()))
    facts: dict[str, Json] = {"environment": environment.value, "refused": codes}
    log.write(Entry(Kind.REFUSALS, new_id(), utc_now(), facts))
    with _lock:
        _waiting.subtract(counted)
        for code in [code for code, number in _waiting.items() if not number]:
            del _waiting[code]


def keep_summing(log: ExchangeLog, environment: Environment, every: float = SECONDS) -> None:
    """Sum up from time to time in a thread of this process, and once more when it ends."""

    def attempt() -> None:
        try:
            sum_up(log, environment)
        except GatewayError as error:
            diagnostics.warning("refusals not on record yet: %s", error)

    def work() -> None:
        while True:
            time.sleep(every)
            attempt()

    threading.Thread(target=work, name="refusals", daemon=True).start()
    atexit.register(attempt)
