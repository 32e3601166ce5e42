"""How a simulator is told to misbehave, and for how many requests: `POST URL/_control`."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from enum import StrEnum

from errors import InvalidRequest

SLOW_MS = 3_000
HOLD_MS = 3_000
MOST_MS = 600_000
_KEYS = {"mode", "count", "delay_ms"}


class Mode(StrEnum):
    """How a request is answered. The journal's `effect` says whether it was processed."""

    OK = "ok"  # as it should be
    SLOW = "slow"  # as it should be, after `delay_ms` (without one: three seconds)
    LATE_EFFECT = (
        "late_effect"  # the effect comes after `delay_ms` (without one: three seconds), caller or no caller
    )
    REFUSE = "refuse"  # reset at once: the request line is seen, no header or body is read
    FAULT = "fault"  # a signed SOAP Fault of the server, IEKSEJA_KLUDA; not processed
    HTML = "html"  # 200 with an HTML page of a proxy; not processed
    HALF = "half"  # processed; the full Content-Length is announced, half the body is sent, then the end
    RESET = "reset"  # processed; the connection is reset instead of an answer
    WRONG_SIGNATURE = "wrong_signature"  # processed; the Body is changed after it was signed
    UNSIGNED = "unsigned"  # processed; the answer has no Security header
    INVALID = "invalid"  # processed; the answer is signed and has an element that the contract does not know
    OTHER_ANSWER = "other_answer"  # a signed answer to another message, about another person or address
    UNKNOWN_CODE = "unknown_code"  # processed; signed, valid by the XSD, with a code that is in no list
    HANG = "hang"  # the request is read and never answered, until the client goes; not processed


# Milliseconds where the setting names none.
_DELAYS = {Mode.SLOW: SLOW_MS, Mode.LATE_EFFECT: HOLD_MS}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one request gets: its mode, and milliseconds to wait before the answer (`late_effect`: the effect)."""

    mode: Mode
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Setting:
    """A mode with the number of next requests that it is for; `count` None: until it is changed."""

    mode: Mode = Mode.OK
    count: int | None = None
    delay_ms: int = 0

    def json(self) -> bytes:
        """The setting as `_control` shows it."""
        return json.dumps({"mode": self.mode, "count": self.count, "delay_ms": self.delay_ms}).encode()


class Control:
    """The present setting of a simulator, taken request by request from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._setting = Setting()

    @property
    def setting(self) -> Setting:
        """The present setting."""
        return self._setting

    def put(self, setting: Setting) -> None:
        """Change the mode from the next request on."""
        with self._lock:
            self._setting = setting

    def take(self) -> Turn:
        """The turn of the next request; after the last one of a count the mode is ok again."""
        with self._lock:
            now = self._setting
            if now.count is not None:
                left = now.count - 1
                self._setting = Setting(now.mode, left, now.delay_ms) if left > 0 else Setting()
        return Turn(now.mode, now.delay_ms or _DELAYS.get(now.mode, 0))


def read_setting(body: bytes) -> Setting:
    """Read `{"mode", "count", "delay_ms"}`; only the mode is needed.

    Raises: InvalidRequest naming the key.
    """
    try:
        values = json.loads(body)
    except ValueError as error:
        raise InvalidRequest("not JSON") from error
    if not isinstance(values, dict) or set(values) - _KEYS:
        raise InvalidRequest("an object with mode, count and delay_ms")
    try:
        mode = Mode(str(values.get("mode")))
    except ValueError as error:
        raise InvalidRequest(f"mode is one of {', '.join(Mode)}") from error
    count, delay = values.get("count"), values.get("delay_ms")
    if count is not None and (type(count) is not int or count < 1):
        raise InvalidRequest("count is a whole number from 1, or null")
    if delay is not None and (type(delay) is not int or not 0 <= delay <= MOST_MS):
        raise InvalidRequest(f"delay_ms is a whole number from 0 to {MOST_MS}")
    return Setting(mode, count, delay or 0)
