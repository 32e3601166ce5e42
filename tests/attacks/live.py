"""A live gateway under attack: `gateway serve` with TLS and client certificates, a simulated PMLP behind it."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import ssl
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, func, select

from audit.tables import log_records
from errors import InvalidRequest, UntrustedCertificate
from exchange import utc_now
from routing.parties import add_partner
from security import certificates, wsse
from security.certificates import load_authorities
from security.keys import issue, new_keys
from storage import migrate, open_engine
from tests.commands.processes import simulators
from tests.endpoints.serving import Served, configure, serving
from tests.endpoints.soap.messages import ACTION, CONTENT_TYPE, SOAP, get_person, heard
from tests.security.conftest import World, new_world

PATH = "/soap/persons/v1-0"
RECIPIENT = "riga-social-service"
BODY_BYTES = 4_194_304
PARTNERS = ("rsa", "p256", "other")

_TOKEN = re.compile(rb"BinarySecurityToken[^>]*>([^<]*)<")
_ROOT = re.compile(rf'<[\w:]*Envelope[^>]*"{re.escape(SOAP["1.2"])}"'.encode())


@dataclass(frozen=True)
class Sent:
    """One request. `raw` is every byte of it, where no HTTP client would write such a one."""

    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = PATH
    raw: bytes = b""

    @property
    def version(self) -> str:
        """The SOAP version that the envelope has, as far as one sees."""
        return "1.2" if _ROOT.search(self.content[:4000].replace(b"\0", b"")) else "1.1"


@dataclass(frozen=True)
class Answer:
    """What came back; `code` is that of the Fault or the problem, "" where there is none."""

    status: int
    exchange_id: str
    code: str
    content: bytes
    fault: bool
    within_exchange: bool


def client(keys: Path, name: str = "partner") -> requests.Session:
    """A client with a certificate of the test authority."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(keys / "authority.pem")
    session.cert = (str(keys / f"{name}.pem"), str(keys / f"{name}.key"))
    return session


@dataclass
class Site:
    """The gateway, whose partners sign by `world`; `before_exchange` counts what was refused before an exchange."""

    folder: Path
    served: Served
    world: World
    persons: list[str]
    engine: Engine
    before_exchange: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._policy = wsse.Policy(load_authorities(self.keys / "authority.pem"))
        self._session = client(self.keys)

    @property
    def keys(self) -> Path:
        return self.folder / "state" / "keys"

    def fresh(self) -> World:
        """The world now, with a new request."""
        return fresh(self.world, self.persons)

    def send(self, sent: Sent) -> Answer:
        """Send a request over TLS with the partner's client certificate."""
        if sent.raw:
            return self._send_raw(sent.raw)
        headers = {"Content-Type": CONTENT_TYPE[sent.version], **sent.headers}
        if len(sent.content) > BODY_BYTES:
            # The answer comes before the rest is sent, and whoever goes on sending may never read it.
            lines = {"Host": "localhost", **headers, "Content-Length": str(len(sent.content))}
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            begin = f"{sent.method} {sent.path} HTTP/1.1\r\n{head}\r\n".encode()
            return self._send_raw(begin + sent.content[:10_000])
        request = requests.Request(
            sent.method, f"{self.served.partners}{sent.path}", headers=headers, data=sent.content
        )
        prepared = self._session.prepare_request(request)
        prepared.url = f"{self.served.partners}{sent.path}"  # as it is, dots and all
        answer = self._session.send(prepared, timeout=60)
        return self._read(answer.status_code, answer.headers, answer.content)

    def enrol(self, content: bytes) -> None:
        """Register whatever certificate a message brings: then only the certificate's own check stands in its way."""
        token = _TOKEN.search(content)
        if token is None:
            return
        with suppress(ValueError, UntrustedCertificate, InvalidRequest):
            certificate = certificates.read(base64.b64decode(token[1], validate=True))
            self.register(f"enrolled-{certificate.serial_number:x}"[:100], certificate)

    def register(self, name: str, certificate: x509.Certificate) -> None:
        with self.engine.begin() as connection:
            add_partner(connection, name, RECIPIENT, certificate, utc_now())

    def reached(self) -> int:
        """How many requests have come to the system behind the gateway."""
        return journal(self.folder)

    def attempts(self) -> int:
        """How many attempts are on record."""
        counted = select(func.count()).where(log_records.c.kind == "attempt")
        with self.engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def records(self, exchange_id: str) -> list[dict[str, Any]]:
        """The leaves of an exchange, oldest first."""
        asked = select(log_records.c.leaf).where(log_records.c.exchange_id == exchange_id)
        with self.engine.connect() as connection:
            return [
                json.loads(leaf) for leaf in connection.execute(asked.order_by(log_records.c.id)).scalars()
            ]

    def summed_up(self) -> tuple[Counter[str], int]:
        """What the log says of refusals before an exchange: by code, and in how many leaves."""
        return summed_up(self.engine)

    def _send_raw(self, content: bytes) -> Answer:
        client = ssl.create_default_context(cafile=self.keys / "authority.pem")
        client.load_cert_chain(self.keys / "partner.pem", self.keys / "partner.key")
        with (
            self.served.connect("partners") as plain,
            client.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(content)
            response = HTTPResponse(connection)
            response.begin()
            return self._read(response.status, dict(response.getheaders()), response.read())

    def _read(self, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
        exchange_id = headers.get("X-Exchange-Id", "")
        kind = headers.get("Content-Type", "").partition(";")[0]
        if kind in ("text/xml", "application/soap+xml") and status >= 400:
            fault = heard(wsse.verify(content, self._policy, now=utc_now()).envelope)
            return Answer(
                status, exchange_id, fault.kluda["Kods"], content, True, "ApmainasId" in fault.kluda
            )
        code = json.loads(content)["code"] if kind == "application/problem+json" else ""
        return Answer(status, exchange_id, code, content, False, False)


def fresh(world: World, persons: list[str], **context: str) -> World:
    """A world now: a right message is a new request for one person, an attacker's for another."""
    return dataclasses.replace(
        world,
        now=utc_now().replace(microsecond=0),
        body=get_person(persons[0], **context),
        evil=get_person(persons[1], **context),
        addressing={
            "MessageID": f"urn:uuid:{uuid.uuid4()}",
            "To": f"urn:example:gateway{PATH}",
            "Action": ACTION,
        },
    )


def summed_up(engine: Engine) -> tuple[Counter[str], int]:
    """The refusals in a log that no exchange has: by code, and in how many leaves."""
    with engine.connect() as connection:
        asked = select(log_records.c.leaf).where(log_records.c.kind == "refusals")
        leaves = [json.loads(leaf)["refused"] for leaf in connection.execute(asked).scalars()]
    total: Counter[str] = Counter()
    for leaf in leaves:
        total.update(leaf)
    return total, len(leaves)


def new_state(folder: Path, world: World | None = None, database: str = "") -> Engine:
    """Keys, a client certificate `partner` and a migrated database (SQLite unless named) with the world's partners."""
    keys = folder / "state" / "keys"
    new_keys(keys, ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    issue(keys, "partner")
    engine = open_engine(database or f"sqlite:///{folder / 'state' / 'gateway.db'}")
    migrate.upgrade(engine)
    if world is not None:
        with engine.begin() as connection:
            for name in PARTNERS:
                certificate = getattr(world, name).certificate
                add_partner(connection, name, RECIPIENT, certificate, utc_now())
    return engine


def tls(keys: Path) -> dict[str, object]:
    """The partners' listener on a free port, for clients with a certificate of the test authority."""
    return {
        "port": 0,
        "certificate": str(keys / "tls.pem"),
        "key": str(keys / "tls.key"),
        "client_ca": str(keys / "authority.pem"),
    }


@contextmanager
def simulated(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A simulated PMLP with its journal in the folder: its address, and persons that it knows."""
    (folder / "simulators").mkdir()
    first = configure(folder / "simulators", state={"directory": str(folder / "state")})
    arguments = ("pmlp", "--persons", "20", "--journal", str(folder / "journal.jsonl"))
    with simulators(folder, {"GATEWAY_CONFIG": str(first)}, *arguments) as said:
        yield said["systems"]["pmlp"], said["persons"]


def configured(folder: Path, world: World, pmlp: str, **sections: dict[str, object]) -> Path:
    """Settings of a site, in which the world's authority is the only one in trust/."""
    known: dict[str, dict[str, object]] = {
        "listen.partners": tls(folder / "state" / "keys"),
        "systems.pmlp": {"url": pmlp, "timeout_s": 10.0},
        "limits": {"requests_per_s": 100_000},
    }
    config = configure(folder, **(known | sections))
    for name in ("trust", "crl"):
        (config / name).mkdir()
    pem = world.authority.certificate.public_bytes(Encoding.PEM)
    (config / "trust" / "authority.pem").write_bytes(pem)
    return config


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A site in an empty folder: SQLite, one worker for each listener; its trust list is the world's authority."""
    world = new_world(utc_now().replace(microsecond=0))
    engine = new_state(folder, world)
    with simulated(folder) as (pmlp, persons):
        config = configured(folder, world, pmlp)
        with serving(config, "--embedded", "--threads", "4", "--read-seconds", "2") as served:
            yield Site(folder, served, world, persons, engine)
    engine.dispose()


def journal(folder: Path) -> int:
    """How many requests have come to the simulated PMLP."""
    file = folder / "journal.jsonl"
    return len(file.read_bytes().splitlines()) if file.exists() else 0
