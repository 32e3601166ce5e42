"""Traces of exchanges by OpenTelemetry: a span for each, in it one for each step and for each attempt at a system.

Attributes are names and counts from closed lists, ids and codes of errors, never an argument, an answer or the text of
an exception. Without an address to send them to, nothing of OpenTelemetry is even imported.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from errors import GatewayError
from exchange import Environment

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

P = ParamSpec("P")
R = TypeVar("R")

Attribute = str | int | bool
_PATH = "/v1/traces"
_SECONDS = 5.0

# The tracer of the exchange that this thread is in; None where it is not traced.
_tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


class Tracing:
    """The traces of one process; spans are sent in the background, and lost while nobody takes them."""

    def __init__(self, otlp_url: str, environment: Environment) -> None:
        self._url = otlp_url
        self._environment = environment
        self._lock = threading.Lock()
        self._provider: TracerProvider | None = None

    @contextmanager
    def exchange(self, way: str, traceparent: str = "") -> Iterator[Callable[[dict[str, Attribute]], None]]:
        """The span of an exchange; what it gives takes attributes. `traceparent` is the caller's, as W3C writes it."""
        if not self._url:
            yield _nothing
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        tracer = self._open().get_tracer("gateway")
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        before = _tracer.set(tracer)
        try:
            with tracer.start_as_current_span(
                "exchange",
                context=context,
                kind=SpanKind.SERVER,
                attributes={"way": way},
                record_exception=False,
                set_status_on_exception=False,
            ) as opened:
                yield lambda attributes: _set(opened, attributes)
        finally:
            _tracer.reset(before)

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()

    def _open(self) -> TracerProvider:
        """Made when the first exchange comes, which is after a process has forked."""
        with self._lock:
            if self._provider is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
                from opentelemetry.sdk.resources import Resource
                from opentelemetry.sdk.trace import TracerProvider
                from opentelemetry.sdk.trace.export import BatchSpanProcessor

                url = self._url if self._url.endswith(_PATH) else self._url.rstrip("/") + _PATH
                resource = Resource(
                    {
                        "service.name": "spolis-gateway",
                        "deployment.environment.name": self._environment.value,
                    }
                )
                self._provider = TracerProvider(resource=resource)
                exporter = OTLPSpanExporter(endpoint=url, timeout=_SECONDS)
                self._provider.add_span_processor(BatchSpanProcessor(exporter))
            return self._provider


@contextmanager
def span(name: str, **attributes: Attribute) -> Iterator[None]:
    """A part of the exchange that this thread is in; what it raises is told by its code."""
    tracer = _tracer.get()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield
        except Exception as error:
            code = error.code if isinstance(error, GatewayError) else type(error).__name__
            _set(opened, {"error": code})
            raise


def traced(function: Callable[P, R]) -> Callable[P, R]:
    """A step of an exchange: a span of the function's name, where the exchange is traced."""

    @functools.wraps(function)
    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        if _tracer.get() is None:
            return function(*args, **kwargs)
        with span(function.__name__):
            return function(*args, **kwargs)

    return step


def _nothing(_attributes: dict[str, Attribute]) -> None:
    """An exchange that is not traced."""


def _set(opened: Span, attributes: dict[str, Attribute]) -> None:
    from opentelemetry.trace import Status, StatusCode

    opened.set_attributes(attributes)
    if attributes.get("error"):
        opened.set_status(Status(StatusCode.ERROR))
