"""The questions of a comparison, put one after the other through the eight steps."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import errors
import gateway
from commands.call import CommandInlet
from exchange import Arrival, Json, Peer, Way, utc_now
from mappings.person_code import normalise
from questions.differences import PURPOSE
from registers.comparing import Comparison
from routing import comparisons, reconciliation
from routing.reconciliation import Item
from routing.trail import Trail
from storage import reading

# So many questions in a row that fail for want of the system end the call: the others would fail as well.
MOST_FAILURES = 5
_AT_A_TIME = 200

# What concerns every further question as much as this one.
_CONCERNS_ALL = (errors.AccessDenied, errors.GatewayFailure, errors.OutcomeUnknown)


@dataclass(frozen=True, slots=True)
class Asking:
    """On whose behalf a comparison asks: the recipient whose rights it has, and the official."""

    recipient: str
    official: str
    institution: str


def read_codes(lines: Iterable[str]) -> list[str]:
    """The personal codes of a file, one a line; empty lines and those that begin with # are passed over.

    Raises: InvalidPersonCode naming the line.
    """
    codes = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                codes.append(normalise(line))
            except errors.InvalidPersonCode as error:
                raise errors.InvalidPersonCode(f"line {number}") from error
    return codes


def ask_all(
    wired: gateway.Gateway,
    comparison: Comparison,
    run_id: uuid.UUID,
    asking: Asking,
    limit: int | None,
    progress: Callable[[int, int | None], None],
    between: Callable[[], None],
) -> errors.GatewayError | None:
    """Put the questions that wait, `limit` at most; gives the error for which some are to be put again.

    It ends early where that error concerns all of them. `between` runs now and then, and at the end.
    """
    with reading(wired.engine).begin() as connection:
        before = reconciliation.counts(connection, run_id)
    done, total = _number(before["asked"]), _number(before["questions"])
    last = total if limit is None else min(total, done + limit)
    failures, passing = 0, None
    while done < last:
        with reading(wired.engine).begin() as connection:
            batch = reconciliation.waiting(connection, run_id, min(_AT_A_TIME, last - done))
        if not batch:
            break
        for item_id in batch:
            progress(done, last)
            error = ask(wired, comparison, item_id, asking)
            if isinstance(error, _CONCERNS_ALL):
                between()
                return error
            if error is not None and error.retryable:
                failures, passing = failures + 1, error
            else:
                failures = 0
            if failures == MOST_FAILURES:
                between()
                return error
            done += 1
        between()
    progress(done, last)
    return passing


def ask(
    wired: gateway.Gateway, comparison: Comparison, item_id: uuid.UUID, asking: Asking
) -> errors.GatewayError | None:
    """Put one question; what came of it is kept with the item, unless it concerns all of them."""
    inlet = CommandInlet(wired, asking.recipient)
    content: Json = {
        "context": {
            "purpose": PURPOSE,
            "rule": comparison.rule,
            "official": {
                "id": asking.official,
                "institution": asking.institution,
                "role": "reconciliation",
            },
            "case": "",
            "request_id": str(uuid.uuid4()),
            "environment": wired.settings.environment.value,
        },
        "arguments": {"item": str(item_id)},
    }
    arrival = Arrival(
        way=Way.COMMAND,
        peer=Peer("local"),
        target=f"{comparisons.SYSTEM}.{comparisons.operation_name(comparison.system)}",
        body=json.dumps(content).encode(),
        deadline=time.monotonic() + wired.settings.limits.exchange_seconds,
    )
    trails: list[Trail] = []
    gateway.run(wired, arrival, inlet, trails.append)
    error = inlet.error
    if error is None or isinstance(error, _CONCERNS_ALL):
        return error
    delivered = trails[-1].delivered
    if isinstance(error, errors.NotFound) and delivered is not None and delivered.error is error:
        exchange_id, origin = trails[-1].received.exchange_id, delivered.origin
        wired.log.commit(
            lambda connection: comparisons.not_found(connection, comparison, origin, item_id, exchange_id)
        )
        return None
    exchange_id, code = trails[-1].received.exchange_id, error.code
    wired.log.commit(
        lambda connection: reconciliation.answered(connection, item_id, Item.FAILED, exchange_id, code=code)
    )
    return error


def finish(wired: gateway.Gateway, run_id: uuid.UUID) -> dict[str, Json]:
    """End the run if it has nothing left to ask, and count it."""

    def work(connection: Any) -> dict[str, Json]:
        reconciliation.end(connection, run_id, utc_now())
        return reconciliation.counts(connection, run_id)

    return wired.log.commit(work)


def _number(value: Json) -> int:
    assert isinstance(value, int)  # noqa: S101 — counts are numbers
    return value
