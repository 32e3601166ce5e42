"""The way in of SPOLIS core: JSON over HTTP under /api/v1, every answer with the id of its exchange.

Each request that names an operation, known or not, is an exchange. Before one begins only HTTP itself is judged:
rate, method, content type, size; such a refusal has an id of its own, which stands in the diagnostics.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import rfc8785
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

import errors
from endpoints import guide, metered, openapi, problems, refusals
from endpoints.arrivals import Limiter, diagnostics, media_type, peer, read_body
from endpoints.envelope import read_context, read_envelope
from endpoints.paths import REGISTERS, ROOT, Target, find_target
from exchange import (
    Argument,
    Arguments,
    Arrival,
    Caller,
    Context,
    Disclosed,
    Json,
    Received,
    Reply,
    Request,
    Way,
    new_id,
)
from gateway import Gateway
from routing.parties import find_caller
from storage import reading

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_HTML = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_KEY = re.compile(r"[!-~]{1,200}")
_EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@dataclass(frozen=True, slots=True)
class ApiInlet:
    """JSON in, JSON out; the caller is known by his key. `target` is None where the URL names nothing."""

    gateway: Gateway
    target: Target | None

    def read(self, received: Received) -> Request:
        """The key first, then the operation, then the message.

        Raises: NotAuthenticated, UnknownOperation, MalformedMessage, InvalidRequest with the place.
        """
        headers = received.arrival.headers
        caller = self._caller(headers.get("authorization", ""))
        target = self.target
        if target is None or not (target.system == REGISTERS or target.system in self.gateway.adapters):
            raise errors.UnknownOperation
        self.gateway.routes.find(target.system, target.operation)
        if target.method == "GET":
            context = read_context(received.arrival.body)
            given: dict[str, Json] = {**target.arguments, **_query(headers.get("query", ""))}
            _row_id(given.get("id"))
        else:
            if headers.get("query"):
                raise errors.InvalidRequest("a query is not known here; send arguments in the body")
            envelope = read_envelope(received.arrival.body)
            context, given = envelope.context, envelope.arguments
        return self._request(caller, context, target, given)

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        """Canonical JSON (RFC 8785): exchange_id, record, withheld."""
        return rfc8785.dumps(
            {
                "exchange_id": str(exchange_id),
                "record": disclosed.record,
                "withheld": list[Json](disclosed.withheld),
            }
        )

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        """The answer as it is. A repeat gets the first answer's bytes, under the id of its own exchange."""
        headers = {
            "Content-Type": "application/json",
            "X-Exchange-Id": str(received.exchange_id),
            "Cache-Control": "no-store",
        }
        return Reply(200, headers, answer)

    def refuse(self, received: Received, error: errors.GatewayError) -> Reply:
        """The error as problem+json."""
        return problems.problem(error, received.exchange_id)

    def _caller(self, authorization: str) -> Caller:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not _KEY.fullmatch(key.strip()):
            raise errors.NotAuthenticated
        with reading(self.gateway.engine).begin() as connection:
            caller = find_caller(connection, key.strip())
        if caller is None:
            raise errors.NotAuthenticated
        return caller

    def _request(self, caller: Caller, context: Context, target: Target, given: dict[str, Json]) -> Request:
        name = f"{target.system}.{target.operation}"
        return Request(
            caller=caller,
            context=context,
            system=target.system,
            operation=target.operation,
            arguments=_arguments(given),
            message_id=str(context.request_id),
            content=hashlib.sha256(rfc8785.dumps({"operation": name, "arguments": given})).digest(),
            effect_once=self._once(target),
        )

    def _once(self, target: Target) -> bool:
        """Whether a repeat of the message gets the first answer: of what writes a register or changes a system."""
        if target.system == REGISTERS:
            return target.operation.startswith("Write")
        operation = self.gateway.adapters[target.system].operation(target.operation)
        return operation is not None and operation.once


def application(gateway: Gateway) -> WSGIApplication:
    """The Flask application: /api/v1 with its documents, and the pages of /problems."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    settings = gateway.settings
    limiter = Limiter(settings.limits.requests_per_s)
    document = openapi.document(gateway)

    def exchange(rest: str) -> Response:
        try:
            limiter.check(str(request.remote_addr))
        except errors.Busy as error:
            return _refused(error, 429)
        target = find_target(rest.split("/"))
        if target is not None and request.method != target.method:
            return _refused(errors.InvalidRequest(f"use {target.method}"), 405, (target.method,))
        try:
            if target is not None and target.method == "GET":
                # The context stands for a body: it is archived and digested like one.
                body = request.headers.get("X-Context", "").encode("latin-1", "replace")
            else:
                if target is not None:
                    _expect_json()
                body = read_body(request.environ, settings.limits.body_bytes)
        except _UnsupportedContent as error:
            return _refused(errors.InvalidRequest(str(error)), 415)
        except errors.GatewayError as error:
            return _refused(error, error.status)
        arrival = Arrival(
            way=Way.API,
            peer=peer(request.environ),
            target=request.path,
            body=body,
            headers={
                "authorization": request.headers.get("Authorization", ""),
                "query": request.query_string.decode("latin-1"),
                "traceparent": request.headers.get("traceparent", ""),
            },
            deadline=time.monotonic() + settings.limits.exchange_seconds,
        )
        return _response(metered.run(gateway, arrival, ApiInlet(gateway, target)))

    def unforeseen(error: Exception) -> Response:
        # An error outside of every exchange, of Flask's routing or our own: its text could repeat the URL.
        status = error.code if isinstance(error, HTTPException) and error.code else 500
        if status == 404:
            return _refused(errors.UnknownOperation(), 404)
        allow = tuple(getattr(error, "valid_methods", None) or ())
        own = errors.InvalidRequest() if status < 500 else errors.GatewayError(type(error).__name__)
        return _refused(own, status, allow)

    for rule in (ROOT, f"{ROOT}/", f"{ROOT}/<path:rest>"):
        app.add_url_rule(
            rule,
            "exchange",
            exchange,
            defaults=None if rule.endswith(">") else {"rest": ""},
            methods=_EVERY_METHOD,
            provide_automatic_options=False,
        )
    for path, content, kind in (
        (f"{ROOT}/openapi.json", openapi.to_json(document), {"Content-Type": "application/json"}),
        (f"{ROOT}/docs", guide.page(document).encode(), _HTML),
    ):
        app.add_url_rule(path, path, _static(content, kind), methods=("GET",))
    app.add_url_rule("/problems/<code>", "problem", _problem_page, methods=("GET",))
    app.register_error_handler(Exception, unforeseen)
    return app.wsgi_app


class _UnsupportedContent(Exception):
    """The body is in a form that is not taken."""


def _expect_json() -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _UnsupportedContent("send the body without Content-Encoding")
    kind, parameters = media_type(request.headers.get("Content-Type", ""))
    if kind != "application/json" or parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise _UnsupportedContent("send application/json in UTF-8")


def _query(text: str) -> dict[str, Json]:
    """The one thing that may stand in a query: `history=true`, all versions instead of the current one."""
    match text:
        case "" | "history=false":
            return {}
        case "history=true":
            return {"history": True}
    raise errors.InvalidRequest("the query may be history=true, nothing else")


def _row_id(value: Json) -> None:
    """Raises: InvalidRequest for what is no UUID; it could be a personal code, so it goes no further."""
    try:
        exact = isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        exact = False
    if not exact:
        raise errors.InvalidRequest("the id in the URL is no UUID")


def _arguments(given: Mapping[str, Json]) -> Arguments:
    """Lists become tuples, so that a request stays as it is; whether values fit is judged by the mapping table."""
    return {
        name: cast(Argument, tuple(value) if isinstance(value, list) else value)
        for name, value in given.items()
    }


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers))


def _refused(error: errors.GatewayError, status: int, allow: Iterable[str] = ()) -> Response:
    """Refuse before an exchange begins: the id is in the diagnostics, not in the log."""
    number = new_id()
    diagnostics.warning("refused before an exchange: %s, %d, %s", error.code, status, number)
    refusals.count(error.code)
    return _response(problems.problem(error, number, status=status, allow=tuple(allow)))


def _static(content: bytes, kind: Mapping[str, str]) -> Callable[[], Response]:
    def serve() -> Response:
        return Response(content, 200, {**kind, "X-Exchange-Id": str(new_id())})

    return serve


def _problem_page(code: str) -> Response:
    try:
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
            return Response(problems.page(code), 200, _HTML)
        return Response(rfc8785.dumps(problems.about(code)), 200, {"Content-Type": "application/json"})
    except errors.NotFound as error:
        return _refused(error, 404)
