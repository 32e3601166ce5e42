"""A live gateway as partners meet it: TLS with client certificates, a simulated PMLP, and an adversary on the way."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from exchange import utc_now
from routing.parties import add_partner
from security.keys import Identity, issue, new_keys
from storage import migrate, open_engine
from tests.commands.processes import simulators
from tests.endpoints.serving import configure, serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "/soap/persons/v1-0"
SYSTEMS = ("pmlp", "vdeavk", "sais", "npais", "vzd")
# `partner` stands in TLS for all; the others sign messages only.
NAMES = {"partner": "rsa", "elliptic": "p256", "stranger": "rsa"}

Answer = bytes
Forge = Callable[[Answer], Answer | None]


@dataclass
class Between:
    """Somebody between partner and gateway who has a trusted TLS certificate: it passes everything on.

    Each answer to a message goes through the next of `forges`; what becomes None is lost with its connection.
    """

    gateway: str
    keys: Path
    address: str = ""
    forges: list[Forge] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.keys / "authority.pem")
            session.cert = (str(self.keys / "partner.pem"), str(self.keys / "partner.key"))
            # Host too: the addresses in the contract stay those that the partner uses.
            names = ("Host", "Content-Type", "SOAPAction")
            heard = session.request(
                request.method,
                f"{self.gateway}{request.full_path.rstrip('?')}",
                data=request.get_data(),
                headers={name: request.headers[name] for name in names if name in request.headers},
                timeout=60,
            )
        answer: Answer | None = heard.content
        if request.method == "POST":
            self.answers.append(heard.content)
            if self.forges:
                answer = self.forges.pop(0)(heard.content)
        if answer is None:
            with suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            answer = b""
        response = Response(answer, heard.status_code, {"Content-Type": heard.headers["Content-Type"]})
        return response(environ, start_response)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Not to the terminal."""


@contextmanager
def between(gateway: str, keys: Path) -> Iterator[Between]:
    """The adversary on a free port, with the certificate that partners know."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(keys / "tls.pem", keys / "tls.key")
    adversary = Between(gateway, keys)
    server = make_server(
        "127.0.0.1", 0, adversary, threaded=True, ssl_context=context, request_handler=_Quiet
    )
    adversary.address = f"https://127.0.0.1:{server.port}{SERVICE}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield adversary
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Site:
    """The gateway, whom it knows, and where partners reach it."""

    keys: Path
    address: str
    between: Between
    persons: list[str]
    stranger: Identity


@contextmanager
def opened(folder: Path) -> Iterator[Site]:
    """A site of its own in an empty folder."""
    keys = folder / "state" / "keys"
    new_keys(keys, SYSTEMS)
    issued = {name: issue(keys, name, key_type=kind) for name, kind in NAMES.items()}
    issue(keys, "expired", days=0)
    engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        for name in ("partner", "elliptic"):
            add_partner(connection, name, "riga-social-service", issued[name].certificate, utc_now())
    engine.dispose()
    with ExitStack() as end:
        (folder / "simulators").mkdir()
        first = configure(folder / "simulators", state={"directory": str(folder / "state")})
        said = end.enter_context(
            simulators(folder, {"GATEWAY_CONFIG": str(first)}, "pmlp", "--persons", "20")
        )
        config = configure(
            folder,
            **{
                "listen.partners": {
                    "port": 0,
                    "certificate": str(keys / "tls.pem"),
                    "key": str(keys / "tls.key"),
                    "client_ca": str(keys / "authority.pem"),
                },
                "systems.pmlp": {"url": said["systems"]["pmlp"], "timeout_s": 20.0},
            },
        )
        served = end.enter_context(serving(config, "--embedded", "--threads", "3"))
        adversary = end.enter_context(between(served.partners, keys))
        yield Site(keys, f"{served.partners}{SERVICE}", adversary, said["persons"], issued["stranger"])


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """One site for the recipes of all stacks."""
    with tempfile.TemporaryDirectory(prefix="partners-") as folder, opened(Path(folder)) as site:
        yield site
