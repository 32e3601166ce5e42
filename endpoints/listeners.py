"""One listener: a gunicorn master over a socket that `serve` has bound, with workers wired after the fork.

`python -m endpoints.listeners NAME --fd N …` is started by the supervisor, once for each listener, because gunicorn
has one TLS setting for all its addresses. What each listener serves: partners /soap, internal /api/v1, /problems,
/console, /healthz, /readyz, /metrics, and /soap where it is turned on.
"""

from __future__ import annotations

import argparse
import gc
import ipaddress
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

import config
import gateway
from config import Listen, Settings
from endpoints import api, console, health, proxied, refusals, soap, unix_socket
from endpoints.arrivals import check_target
from endpoints.gunicorn_lines import Lines
from endpoints.problems import problem
from endpoints.processes import die_with
from endpoints.worker import READ_SECONDS, TimelyWorker
from errors import ConfigurationError, GatewayError, MalformedMessage, UnknownOperation
from exchange import new_id
from routing.access import Access
from telemetry import start_diagnostics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

NAMES = ("partners", "internal")

_BACKLOG = 512
# gunicorn's own code for an application that does not load: its master gives up then.
_DOES_NOT_LOAD = 4


def bind(name: str, listen: Listen) -> socket.socket:
    """Bind and listen; port 0 takes a free one.

    Raises: ConfigurationError when the address is taken or none, or when it is open to others without TLS.
    """
    if listen.socket is not None:
        return unix_socket.bind(name, listen.socket, _BACKLOG)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if listen.certificate is None and not ipaddress.ip_address(address[0]).is_loopback:
            raise ConfigurationError(
                f"[listen.{name}] {listen.host} can be reached by others: set certificate and key"
            )
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"[listen.{name}] {listen.host}:{listen.port}: {error.strerror}") from error
    return bound


def url(listen: Listen, bound: socket.socket) -> str:
    """The address of a listener as callers write it."""
    if listen.socket is not None:
        return unix_socket.url(listen.socket)
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if listen.certificate else 'http'}://{shown}:{port}"


def tls_context(name: str, listen: Listen) -> ssl.SSLContext | None:
    """TLS 1.2 or newer by the listener's settings, with a client certificate where `client_ca` asks for one.

    Raises: ConfigurationError naming the file that cannot be read or does not fit.
    """
    if listen.socket is not None and (listen.certificate or listen.key or listen.client_ca):
        raise ConfigurationError(
            f"[listen.{name}] socket: the proxy in front ends TLS; leave certificate, key and client_ca to it"
        )
    if listen.certificate is None:
        if listen.key is not None or listen.client_ca is not None:
            raise ConfigurationError(f"[listen.{name}] key or client_ca without certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        context.load_cert_chain(listen.certificate, listen.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"[listen.{name}] certificate and key cannot be used: {_reason(error)}"
        ) from error
    if listen.client_ca is not None:
        try:
            context.load_verify_locations(listen.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"[listen.{name}] client_ca cannot be used: {_reason(error)}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or type(error).__name__)


def site(name: str, wired: gateway.Gateway, *, with_soap: bool) -> WSGIApplication:
    """What a listener serves, as one WSGI application."""
    partners = soap.application(wired)
    if name == "partners":
        return _by_prefix({"/soap": partners})
    applications = {"/api/v1": api.application(wired)}
    applications["/problems"] = applications["/api/v1"]
    applications[console.ROOT] = console.application(wired)
    checks = health.application(wired)
    applications |= dict.fromkeys(health.PATHS, checks)
    return _by_prefix(applications | ({"/soap": partners} if with_soap else {}))


def behind_proxy(application: WSGIApplication, *, certificate_required: bool) -> WSGIApplication:
    """What is served on a Unix socket: the application, told of the client by the proxy.

    Without a verified certificate where one is required, everything is refused, as it is by TLS.
    """

    def served(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            said = proxied.told(environ, certificate_required=certificate_required)
        except GatewayError as error:
            return _refused(error, start_response)
        return application(environ | said, start_response)

    return served


def _by_prefix(applications: Mapping[str, WSGIApplication]) -> WSGIApplication:
    def served(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        try:
            check_target(environ)
        except MalformedMessage as error:
            return _refused(error, start_response)
        for prefix, application in applications.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return application(environ, start_response)
        return _refused(UnknownOperation(), start_response)

    return served


def _refused(error: GatewayError, start_response: StartResponse) -> Iterable[bytes]:
    refusals.count(error.code)
    reply = problem(error, new_id())
    headers = [*reply.headers.items(), ("Content-Length", str(len(reply.body)))]
    start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
    return [reply.body]


class Master(BaseApplication):  # type: ignore[misc] # — gunicorn publishes no types
    """gunicorn's application object: its settings, and how a worker makes the application after the fork."""

    def __init__(self, name: str, settings: Settings, options: argparse.Namespace) -> None:
        self.name = name
        self.settings = settings
        self.options = options
        self.read_seconds: float = options.read_seconds
        self.tls = tls_context(name, getattr(settings, name))
        # Read here, once: a worker that replaces a fallen one has the same rights, whatever the files say by then.
        self.rights = Access.load(settings.access)
        if name == "internal":  # once, for all its workers
            console.warm()
        super().__init__()

    def load_config(self) -> None:
        """Everything that differs from gunicorn's defaults."""
        options, listen = self.options, getattr(self.settings, self.name)
        for key, value in {
            "bind": f"fd://{options.fd}",
            "workers": options.workers,
            "threads": options.threads,
            "worker_class": TimelyWorker,
            "graceful_timeout": options.grace_seconds,
            "keepalive": 15,
            "timeout": 60,
            "limit_request_line": 2048,
            "limit_request_fields": 50,
            "limit_request_field_size": 16_384,
            # gunicorn believes nobody's forwarded headers; on a Unix socket it would without the last two.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "certfile": str(listen.certificate) if listen.certificate else None,
            "control_socket_disable": True,
            "when_ready": _sockets_are_not_ours,
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "logger_class": Lines,
            "proc_name": f"gateway {self.name}",
            "post_fork": _worker_begins,
            "post_worker_init": self._worker_is_ready,
        }.items():
            self.cfg.set(key, value)

    def load(self) -> WSGIApplication:
        """Wire the gateway, in the worker: nothing of it is shared with another process."""
        try:
            wired = gateway.wire(self.settings, rights=self.rights)
            gateway.warm(wired)
            refusals.keep_summing(wired.log, self.settings.environment)
            served = site(self.name, wired, with_soap=self.options.soap)
            if getattr(self.settings, self.name).socket is None:
                return served
            return behind_proxy(served, certificate_required=self.name == "partners")
        except GatewayError as error:
            print(f"gateway: the {self.name} listener: {error}", file=sys.stderr, flush=True)
            sys.exit(_DOES_NOT_LOAD)

    def _worker_is_ready(self, _worker: object) -> None:
        # What was read and wired lives as long as the process: cyclic garbage is not looked for in it.
        gc.collect()
        gc.freeze()
        # Reading the settings again is the supervisor's; told to the whole group it must not end a worker.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # One that replaces a fallen worker has nobody left to tell.
        with suppress(OSError):
            os.write(self.options.ready_fd, b".")


def _sockets_are_not_ours(arbiter: Any) -> None:
    """A master that ends must not remove the file of a Unix socket: the supervisor goes on with it, or removes it."""
    arbiter.systemd = True


def _worker_begins(_arbiter: object, worker: Any) -> None:
    die_with(worker.ppid)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM, then let running requests finish."""
    parser = argparse.ArgumentParser(prog="python -m endpoints.listeners")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--fd", type=int, required=True, help="The bound socket.")
    parser.add_argument(
        "--ready-fd", type=int, required=True, help="Where each worker says that it is ready."
    )
    parser.add_argument("--parent", type=int, required=True, help="The process to end with.")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--read-seconds", type=float, default=READ_SECONDS)
    parser.add_argument("--grace-seconds", type=int, default=30)
    parser.add_argument("--soap", action="store_true", help="Serve /soap on the internal listener too.")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    settings = config.load()
    start_diagnostics(settings.telemetry)
    Master(options.name, settings, options).run()


if __name__ == "__main__":
    main()
