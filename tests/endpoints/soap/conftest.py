"""The way in for partners on a real gateway: real keys, real database and log; PMLP is a fake by argument."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server
from werkzeug.test import Client, TestResponse, run_wsgi_app

import config
import errors
from adapters import Operation
from adapters.profiles import Message as Outgoing
from adapters.profiles import Profile, one_message
from endpoints.soap import application
from exchange import Environment, utc_now
from gateway import Gateway, wire
from mappings.pmlp import GetPersonRequest, Person
from routing.parties import add_partner
from security import wsse
from security.certificates import load_authorities
from security.keys import Identity, issue, new_keys
from security.wsse import Verified
from storage import migrate, open_engine
from tests.endpoints.soap.messages import CONTENT_TYPE, Heard, Message, heard
from tests.security.revoking import issued

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATH = "/soap/persons/v1-0"
ABSENT = "320000-00000"
DEAD = "390000-00000"

_RIGHT = """
[[grant]]
recipient = "{recipient}"
operations = ["persons.GetPerson"]
purposes = ["social-service"]
rules = {rules}
sources = ["pmlp"]
requests_day = {requests}
persons_day = 1000
"""


class Pmlp:
    """A transport that knows everybody but ABSENT, and is dead for DEAD."""

    converse = one_message

    def __init__(self) -> None:
        self.asked: list[GetPersonRequest] = []

    def compose(self, operation: Operation, request: object, message_id: str) -> Outgoing:
        assert isinstance(request, GetPersonRequest)
        self.asked.append(request)
        return Outgoing(message_id, operation.name, request.person_code.encode())

    def send(self, message: Outgoing, deadline: float) -> bytes:
        if message.content == DEAD.encode():
            raise errors.AnswerRefused("/GetPersonResponse/Persona")
        return message.content

    def read(self, operation: Operation, message: Outgoing, answer: bytes) -> object:
        if answer == ABSENT.encode():
            raise errors.NotFound("the external system does not know it")
        return Person(
            given_names=("Ilze", "Anna"),
            family_name="Paraudziņa",
            person_code=answer.decode(),
            data_sets=("NAME_AND_CODE",),
        )


@dataclass
class Clock:
    """The gateway's clock, which a test may set forward."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass(frozen=True)
class World:
    """A gateway with partners, and a client that posts to it."""

    state: State
    gateway: Gateway
    app: WSGIApplication
    pmlp: Pmlp
    clock: Clock

    @property
    def keys(self) -> Path:
        """The folder of the keys and certificates of all."""
        return self.state.folder / "keys"

    @property
    def partners(self) -> Mapping[str, Identity]:
        """All partners, registered or not."""
        return self.state.partners

    @property
    def partner(self) -> Identity:
        """The partner who may ask everything that the service gives."""
        return self.partners["partner"]

    def message(self, **changes: object) -> Message:
        """A right message of the partner, with something changed."""
        return Message(self.partner).but(**changes)

    def post(
        self,
        content: bytes,
        version: str = "1.1",
        headers: Mapping[str, str] | None = None,
        path: str = PATH,
    ) -> TestResponse:
        """Post bytes as a message of a SOAP version; headers given replace the usual ones."""
        known = {"Content-Type": CONTENT_TYPE[version], **(headers or {})}
        return Client(self.app).post(path, data=content, headers=known)

    def call(self, environ: Mapping[str, object]) -> tuple[int, bytes]:
        """Status and body of a call of WSGI itself, for what no client would send."""
        content, status, _ = run_wsgi_app(self.app, dict(environ), buffered=True)
        return int(status[:3]), b"".join(content)

    def believed(self, response: TestResponse) -> Verified:
        """The answer, if the gateway signed it."""
        return self.vouched(response.data)

    def vouched(self, content: bytes) -> Verified:
        """The bytes of an answer, if the gateway signed them."""
        verified = wsse.verify(content, self.state.policy, now=self.clock())
        subject = verified.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        assert subject == "gateway"
        return verified

    def fault(self, response: TestResponse) -> Heard:
        """The fault of an answer, signed as every answer is."""
        return heard(self.believed(response).envelope)


@dataclass(frozen=True)
class State:
    """What is made once: keys, certificates, and a migrated database with the partners, to be copied."""

    folder: Path
    database: Path
    policy: wsse.Policy
    partners: Mapping[str, Identity]


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    folder = tmp_path_factory.mktemp("soap")
    new_keys(folder / "keys", ["pmlp"])
    names = ("partner", "narrow", "nothing", "scarce", "unregistered")
    partners = {name: issue(folder / "keys", name) for name in names}
    database = folder / "gateway.db"
    engine = open_engine(f"sqlite:///{database}")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        for name in names[:-1]:
            add_partner(connection, name, name, partners[name].certificate, utc_now())
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return State(folder, database, wsse.Policy(load_authorities(folder / "keys" / "authority.pem")), partners)


@contextmanager
def opened(
    state: State,
    folder: Path,
    profile: Callable[[str], Profile] | None = None,
    access: Path | None = None,
    environment: Environment = Environment.TEST,
) -> Iterator[World]:
    """A world of its own in an empty folder; other transports and rights where a test brings them.

    In production the partner's certificate is of another authority than the test's own.
    """
    for name in ("access", "trust", "crl"):
        (folder / name).mkdir()
    rights = (
        ("partner", '["p8.1", "p8.2", "p8.3"]', 1000),
        ("narrow", '["p8.3"]', 1000),
        ("scarce", '["p8"]', 1),
    )
    (folder / "access" / "persons.toml").write_text(
        "".join(_RIGHT.format(recipient=name, rules=rules, requests=most) for name, rules, most in rights)
    )
    shutil.copy(state.database, folder / "gateway.db")
    known = config.load({})
    shutil.copy(known.access / "ping.toml", folder / "access" / "ping.toml")
    if environment is Environment.PRODUCTION:
        state = _in_production(state, folder)
    settings = dataclasses.replace(
        known,
        environment=environment,
        state=state.folder,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        access=access or folder / "access",
        trust=folder / "trust",
        crl=folder / "crl",
        limits=dataclasses.replace(known.limits, body_bytes=100_000, requests_per_s=10_000),
    )
    pmlp, clock = Pmlp(), Clock()
    gateway = wire(settings, profile=profile or (lambda _system: pmlp))
    yield World(state, gateway, application(gateway, clock=clock), pmlp, clock)
    gateway.log.close()
    gateway.engine.dispose()


def _in_production(state: State, folder: Path) -> State:
    authority = issued("Authority of agencies", None, utc_now(), ca=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    partner = issued("partner", authority, utc_now(), key=key)
    (folder / "trust" / "agencies.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    engine = open_engine(f"sqlite:///{folder / 'gateway.db'}")
    with engine.begin() as connection:
        add_partner(connection, "partner", "partner", partner.certificate, utc_now())
    engine.dispose()
    return dataclasses.replace(state, partners={**state.partners, "partner": partner})


@pytest.fixture
def world(state: State, tmp_path: Path) -> Iterator[World]:
    """A world for one test."""
    with opened(state, tmp_path) as world:
        yield world


@pytest.fixture(scope="session")
def shared(state: State, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for all tests that change nothing in it."""
    with opened(state, tmp_path_factory.mktemp("shared")) as world:
        yield world


@contextmanager
def on_a_socket(app: WSGIApplication, path: str = PATH) -> Iterator[str]:
    """An application on a real socket, on a free port; the address of the service."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}{path}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The service on a real socket, on a free port."""
    with on_a_socket(world.app) as address:
        yield address


@pytest.fixture
def message_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"
