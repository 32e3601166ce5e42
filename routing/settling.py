"""What becomes of a delivery of the outbox: delivered, tried again after a while, or left to a person.

Source: docs/interfaces.md, exactly one effect.
"""

from __future__ import annotations

import random

import errors
from adapters import Repeat
from exchange import Lease
from routing.outbox import Settled, State

# Answers that cannot be trusted are asked for again so often before a person looks at them.
MOST_BAD_ANSWERS = 10
# Seconds before the next attempt, by how many there were; the last one from then on.
_PAUSES = (1, 2, 4, 8, 15, 20, 25, 30, 60, 120, 300, 900, 1800, 3600)


def judge(
    error: errors.GatewayError | None, repeat: Repeat, lease: Lease, sent: int, settles_after: float = 0.0
) -> Settled:
    """What becomes of a delivery: delivered, tried again after a while, or left to a person.

    `sent` is how many messages left in this lease. Pauses grow with the attempts and differ a little, so that what
    failed together does not come back together. Where the system will be asked whether it took effect, it is left
    `settles_after` seconds: what it had in hand when it fell silent may still take effect.
    """
    if error is None:
        return Settled(State.DELIVERED, None)
    unclear = lease.unclear if sent == 0 else _may_have_taken_effect(error)
    if unclear and repeat is Repeat.NEITHER:
        return Settled(State.UNKNOWN, error.code, unclear=True)
    attempts = lease.attempts + sent
    if not _worth_another(error, attempts) or (lease.late and sent):
        return Settled(State.DEAD, error.code, unclear=unclear)
    pause = _PAUSES[min(max(attempts, 1), len(_PAUSES)) - 1] if sent else 1.0
    varied = pause * random.uniform(0.8, 1.2)  # noqa: S311 — spreads retries, guards nothing
    settling = settles_after if unclear and sent else 0.0
    return Settled(State.WAITING, error.code, max(varied, settling, float(error.retry_after or 0)), unclear)


def _may_have_taken_effect(error: errors.GatewayError) -> bool:
    """Whether a message that left may have been carried out. A system that refused it says that it was not; one that
    failed on it may have failed afterwards.
    """
    said_no = (errors.RequestRefused, errors.NotFound, errors.SystemUnreachable)
    return not isinstance(error, said_no)


def _worth_another(error: errors.GatewayError, attempts: int) -> bool:
    if isinstance(error, errors.AnswerRefused) and not error.retryable:
        return attempts < MOST_BAD_ANSWERS
    return error.retryable or isinstance(error, errors.OutcomeUnknown)
