"""Lines on standard error, one for each event, ours and those of libraries alike: as text or as JSON.

Shape: instant (UTC), level, logger, event, exchange_id within an exchange; of an exception type and place only, since
its message may repeat what was sent. What looks like a personal code is masked wherever it stands.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from config import TelemetrySettings
from errors import ConfigurationError
from telemetry.masking import masked

_FRAMES = 8
_FIRST = ("instant", "level", "logger", "event", "exchange_id")

_exchange: ContextVar[str | None] = ContextVar("exchange", default=None)


def about(exchange_id: uuid.UUID) -> None:
    """From here on the lines of this thread carry the exchange's id, until its `exchange_lines` end."""
    _exchange.set(str(exchange_id))


@contextmanager
def exchange_lines() -> Iterator[None]:
    """Lines within are of one exchange, as soon as it is named."""
    before = _exchange.set(None)
    try:
        yield
    finally:
        _exchange.reset(before)


def start_diagnostics(settings: TelemetrySettings, stream: TextIO | None = None) -> None:
    """Write warnings and errors of this process to standard error, also what ends it or one of its threads.

    Raises: ConfigurationError when the form is neither `text` nor `json`.
    """
    renderers: dict[str, Processor] = {"json": _json, "text": _text}
    renderer = renderers.get(settings.diagnostics)
    if renderer is None:
        raise ConfigurationError("telemetry.diagnostics is text or json")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="instant"),
                _type_and_place,
                _in_exchange,
                ProcessorFormatter.remove_processors_meta,
                _mask,
                _in_order,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    sys.excepthook = _ended
    threading.excepthook = _thread_ended


def _in_exchange(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    exchange_id = _exchange.get()
    if exchange_id is not None:
        event.setdefault("exchange_id", exchange_id)
    return event


def _type_and_place(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of an exception its type and the places in the code, none of what it says."""
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["place"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: masked(value) for key, value in event.items()}


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: event[key] for key in (*_FIRST, *event) if key in event}


_json = structlog.processors.JSONRenderer(ensure_ascii=False)


def _text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    instant, level, logger, said = (event.pop(name, "") for name in _FIRST[:4])
    more = "".join(f" {key}={_value(value)}" for key, value in event.items())
    # One event is one line, whatever a library puts into it.
    return " ⏎ ".join(f"{instant} {str(level).upper()} {logger}: {said}{more}".splitlines())


def _value(value: object) -> str:
    return " < ".join(map(str, reversed(value))) if isinstance(value, list) else str(value)


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("gateway").critical("the process ends", exc_info=(kind, error, trace))


def _thread_ended(told: Any) -> None:
    if told.exc_type is SystemExit:
        return
    name = told.thread.name if told.thread is not None else "?"
    error = (told.exc_type, told.exc_value, told.exc_traceback)
    logging.getLogger("gateway").critical("the thread %s ends", name, exc_info=error)
