"""One external system behind its contract, without its envelope: is a request one of its own, and what it answers."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

from lxml import etree

from errors import InvalidRequest
from exchange import Environment
from security.xml import Element, parse, serialise
from simulators.control import Mode
from simulators.service import BEFORE_EFFECT, EFFECT, MESSAGE_ID, MODE, Model
from wsdl import Contract
from wsdl.spyne_compat import WsgiApplication

# Spyne writes every fault with its traceback, and arguments, to the log.
logging.getLogger("spyne").setLevel(logging.CRITICAL)

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_LARGEST = 64 * 1024 * 1024


class Serving:
    """A system's application on Spyne, which speaks SOAP 1.1."""

    def __init__(self, contract: Contract, application: Model) -> None:
        self.contract = contract
        self._spyne = WsgiApplication(application)

    def operation(self, payload: Element) -> str:
        """The operation of a request that is valid by the contract and for this environment.

        Raises: InvalidRequest, SchemaViolation.
        """
        name = etree.QName(payload)
        if name.namespace != self.contract.namespace or name.localname not in self.contract.operations:
            raise InvalidRequest("no such operation")
        self.contract.validate(payload)
        if payload.findtext("{*}Konteksts/{*}Vide") != Environment.TEST:
            raise InvalidRequest("the message is of the other environment")
        return str(name.localname)

    def serve(
        self,
        envelope: Element,
        operation: str,
        message_id: str | None,
        mode: Mode,
        before_effect: Callable[[], None],
    ) -> tuple[int, Element, str]:
        """HTTP status and SOAP 1.1 envelope that Spyne makes of a request in one, and its effect."""
        content = serialise(envelope)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "CONTENT_TYPE": "text/xml; charset=utf-8",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            "wsgi.url_scheme": "http",
            MODE: mode,
            MESSAGE_ID: message_id,
            BEFORE_EFFECT: before_effect,
        }
        statuses: list[int] = []

        def start_response(status: str, *_: object) -> None:
            statuses.append(int(status[:3]))

        written = b"".join(self._spyne(environ, start_response))
        effect = str(environ.get(EFFECT, f"read:{operation}"))
        return statuses[-1], parse(written, max_bytes=_LARGEST), effect
