"""The witness over HTTP: `POST /add-checkpoint` by C2SP tlog-witness, and what it holds for everybody to read.

gunicorn with the same worker as the gateway's listeners, so that no slow peer can hold a thread for long; none of the
gateway is wired here.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from gunicorn.app.base import BaseApplication

from audit.witness import TEXT, Answer, Witness
from endpoints.gunicorn_lines import Lines
from endpoints.processes import die_with
from endpoints.worker import TimelyWorker
from errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

# 63 lines of proof, and a checkpoint with as many signatures as any verifier takes, some of them of 5 kB.
_MOST_BYTES = 128 * 1024
_READ_SECONDS = 5.0
# They wait for slow peers most of the time, and cost next to nothing.
_THREADS = 64
_BACKLOG = 128
_NOTE_SUFFIX = "/checkpoint"
_HASH_LENGTH = 64


def application(witness: Witness) -> WSGIApplication:
    """What the witness serves."""

    def served(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = _answer(witness, environ)
        content = answer.text.encode()
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(content)))]
        start_response(f"{answer.status.value} {answer.status.phrase}", headers)
        return [content]

    return served


def _answer(witness: Witness, environ: dict[str, Any]) -> Answer:
    path, method = str(environ.get("PATH_INFO", "")), environ["REQUEST_METHOD"]
    if path == "/add-checkpoint":
        if method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "POST a checkpoint\n")
        # In chunks no length is said.
        length = int(environ.get("CONTENT_LENGTH") or _MOST_BYTES + 1)
        body = environ["wsgi.input"].read(min(length, _MOST_BYTES + 1))
        if len(body) > _MOST_BYTES:
            return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {_MOST_BYTES} bytes\n")
        return witness.add_checkpoint(body)
    if method not in ("GET", "HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "GET\n")
    if path in ("/", "/vkey"):
        return Answer(HTTPStatus.OK, f"{witness.verifier}\n")
    if path == "/checkpoints":
        held = {"key": str(witness.verifier), "checkpoints": list(witness.held().values())}
        return Answer(HTTPStatus.OK, json.dumps(held, ensure_ascii=False) + "\n", "application/json")
    return _note(witness, path, str(environ.get("QUERY_STRING", "")))


def _note(witness: Witness, path: str, query: str) -> Answer:
    """The last checkpoint of one log, by its origin or, as C2SP has it, by the SHA-256 of that."""
    held = witness.held()
    if path == _NOTE_SUFFIX:
        origins = parse_qs(query, max_num_fields=1).get("origin", [])
        found = held.get(origins[0]) if origins else None
    elif path.endswith(_NOTE_SUFFIX) and len(path) == 1 + _HASH_LENGTH + len(_NOTE_SUFFIX):
        found = next(
            (
                note
                for origin, note in held.items()
                if hashlib.sha256(origin.encode()).hexdigest() == path[1 : 1 + _HASH_LENGTH]
            ),
            None,
        )
    else:
        found = None
    if found is None:
        return Answer(HTTPStatus.NOT_FOUND, "nothing is held here\n")
    return Answer(HTTPStatus.OK, found, TEXT)


def bind(host: str, port: int) -> socket.socket:
    """Bind and listen; port 0 takes a free one. Raises: ConfigurationError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"--listen {host}:{port}: {error.strerror}") from error
    return bound


class Server(BaseApplication):  # type: ignore[misc] # — gunicorn publishes no types
    """gunicorn's application object, whose `run` serves until SIGTERM; `ready` is called when it answers."""

    tls = None
    read_seconds = _READ_SECONDS

    def __init__(self, witness: Witness, bound: socket.socket, ready: Callable[[], None]) -> None:
        self._witness = witness
        self._bound = bound
        self._ready = ready
        super().__init__()

    def load_config(self) -> None:
        """Everything that differs from gunicorn's defaults."""
        for key, value in {
            "bind": f"fd://{self._bound.fileno()}",
            "workers": 1,
            "threads": _THREADS,
            "worker_class": TimelyWorker,
            "graceful_timeout": 10,
            "keepalive": 15,
            "timeout": 60,
            "limit_request_line": 2048,
            "limit_request_fields": 50,
            "limit_request_field_size": 8192,
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "control_socket_disable": True,
            "when_ready": lambda _arbiter: self._ready(),
            "post_fork": lambda _arbiter, worker: die_with(worker.ppid),
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "logger_class": Lines,
            "proc_name": "gateway witness",
        }.items():
            self.cfg.set(key, value)

    def load(self) -> WSGIApplication:
        """The application, in the worker."""
        return application(self._witness)
