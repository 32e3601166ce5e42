"""How the gateway is: /healthz (it answers), /readyz (it can work), /metrics (what it did).

They need no key and tell nothing of persons or callers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flask import Flask, Response

from endpoints import metered
from endpoints.gauges import Gauges
from endpoints.readiness import Readiness
from exchange import Json
from gateway import Gateway

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATHS = ("/healthz", "/readyz", "/metrics")


def application(gateway: Gateway) -> WSGIApplication:
    """The three pages."""
    app = Flask(__name__, static_folder=None)
    readiness, gauges = Readiness(gateway), Gauges(gateway)

    def healthz() -> Response:
        return _json({"alive": True}, 200)

    def readyz() -> Response:
        content = readiness.report()
        return _json(content, 200 if content["ready"] else 503)

    def metrics() -> Response:
        return Response(metered.exposition(gauges), 200, {"Content-Type": metered.CONTENT_TYPE})

    for path, page in zip(PATHS, (healthz, readyz, metrics), strict=True):
        app.add_url_rule(path, path, page, methods=("GET",))
    return app.wsgi_app


def _json(content: dict[str, Json], status: int) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(json.dumps(content).encode(), status, headers)
