"""An OTLP/HTTP collector for tests: takes traces over real HTTP and reads their protobuf."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def values(pairs: list[KeyValue]) -> dict[str, object]:
    """Attributes as a dictionary."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value") or "string_value")


@dataclass
class Collected:
    """What the collector got: the bodies as they came, and the spans in them."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, object]] = field(default_factory=list)

    def trace(self, exchange_id: str, seconds: float = 30.0) -> dict[str, Span]:
        """The spans of an exchange by name, once its root has come."""
        until = time.monotonic() + seconds
        while True:
            spans = list(self.spans)
            for root in spans:
                if values(list(root.attributes)).get("exchange_id") == exchange_id:
                    return {span.name: span for span in spans if span.trace_id == root.trace_id}
            assert time.monotonic() < until, "no trace came"
            time.sleep(0.05)

    def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "not in time"
            time.sleep(0.05)


@contextmanager
def collecting() -> Iterator[Collected]:
    """A collector until the block ends."""

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = ExportTraceServiceRequest.FromString(body)
            collected.bodies.append(body)
            collected.paths.append(self.path)
            for resource in request.resource_spans:
                collected.resources.append(values(list(resource.resource.attributes)))
                for scope in resource.scope_spans:
                    collected.spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Not to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    collected = Collected(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collected
    finally:
        server.shutdown()
        server.server_close()
