"""The way in for partners on a real gateway: real keys, real database and log; PMLP is a fake by argument."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server
from werkzeug.test import Client, TestResponse

import config
import errors
from adapters import Operation
from adapters.profiles import Message as Outgoing
from endpoints.soap import application
from exchange import Environment, utc_now
from gateway import Gateway, wire
from mappings.pmlp import GetPersonRequest, Person
from routing.parties import add_partner
from security import wsse
from security.keys import Identity, issue, new_keys
from security.wsse import Verified
from storage import migrate
from tests.endpoints.soap.messages import CONTENT_TYPE, Heard, Message, heard

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

    gateway: Gateway
    app: WSGIApplication
    pmlp: Pmlp
    clock: Clock
    keys: Path
    partners: Mapping[str, Identity] = field(default_factory=dict)

    @property
    def partner(self) -> Identity:
        """The partner who may ask everything that the service gives."""
        return self.partners["partner"]

    def message(self, **changes: object) -> Message:
        """A right message of the partner, with something changed."""
        return Message(self.partner).but(**changes)

    def post(
        self, content: bytes, version: str = "1.1", headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Post bytes as a message of a SOAP version; headers given replace the usual ones."""
        known = {"Content-Type": CONTENT_TYPE[version], **(headers or {})}
        return Client(self.app).post(PATH, data=content, headers=known)

    def believed(self, response: TestResponse) -> Verified:
        """The answer, if the gateway signed it."""
        policy = wsse.Policy(
            (Identity.load(self.keys / "authority.pem", self.keys / "authority.key").certificate,)
        )
        verified = wsse.verify(response.data, policy, now=self.clock())
        own = Identity.load(self.keys / "gateway.pem", self.keys / "gateway.key")
        assert verified.certificate == own.certificate
        return verified

    def fault(self, response: TestResponse) -> Heard:
        """The fault of an answer, signed as every answer is."""
        return heard(self.believed(response).envelope)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("soap")
    new_keys(folder / "keys", ["pmlp"])
    for name in ("partner", "narrow", "nothing", "scarce", "unregistered"):
        issue(folder / "keys", name)
    return folder


@pytest.fixture
def world(keys: Path, tmp_path: Path) -> Iterator[World]:
    for folder in ("access", "trust", "crl"):
        (tmp_path / folder).mkdir()
    rights = (
        ("partner", '["p8.1", "p8.2", "p8.3"]', 1000),
        ("narrow", '["p8.3"]', 1000),
        ("scarce", '["p8"]', 1),
    )
    (tmp_path / "access" / "persons.toml").write_text(
        "".join(_RIGHT.format(recipient=name, rules=rules, requests=most) for name, rules, most in rights)
    )
    known = config.load({})
    settings = dataclasses.replace(
        known,
        environment=Environment.TEST,
        state=keys,
        database_url=f"sqlite:///{tmp_path / 'gateway.db'}",
        access=tmp_path / "access",
        trust=tmp_path / "trust",
        crl=tmp_path / "crl",
        limits=dataclasses.replace(known.limits, body_bytes=100_000, requests_per_s=10_000),
    )
    pmlp, clock = Pmlp(), Clock()
    gateway = wire(settings, profile=lambda _system: pmlp)
    migrate.upgrade(gateway.engine)
    partners = {
        path.stem: Identity.load(path, path.with_suffix(".key"))
        for path in (
            keys / "keys" / f"{name}.pem"
            for name in ("partner", "narrow", "nothing", "scarce", "unregistered")
        )
    }
    with gateway.engine.begin() as connection:
        for name, identity in partners.items():
            if name != "unregistered":
                add_partner(connection, name, name, identity.certificate, utc_now())
    yield World(gateway, application(gateway, clock=clock), pmlp, clock, keys / "keys", partners)
    gateway.log.close()
    gateway.engine.dispose()


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The service on a real socket, on a free port."""
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}{PATH}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def message_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"
