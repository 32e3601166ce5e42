"""Listeners on Unix sockets: who may connect, whose word is believed, and that on TCP nobody's is."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from audit.tables import log_records, log_values
from config import Listen
from endpoints import listeners, proxied, unix_socket
from endpoints.arrivals import peer
from errors import ConfigurationError, NotAuthenticated
from exchange import utc_now
from routing.parties import add_caller, add_partner
from security.keys import Identity, issue, new_keys
from storage import open_engine
from tests.endpoints.conftest import STAY, context
from tests.endpoints.serving import Served, configure, gone, serving
from tests.endpoints.soap.messages import CONTENT_TYPE, Message
from tests.endpoints.unix_http import ask, path_of, said_of

CONTRACT = "/soap/persons/v1-0?wsdl"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short: that of a socket takes 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    yield folder
    shutil.rmtree(folder)


@dataclass(frozen=True)
class World:
    """A server on two Unix sockets, a partner and a caller."""

    served: Served
    state: Path
    partner: Identity
    key: str

    def addresses(self, exchange_id: str) -> set[str]:
        """The peer's addresses in the records of an exchange."""
        engine = open_engine(f"sqlite:///{self.state / 'gateway.db'}")
        query = (
            select(log_values.c.value)
            .join(log_records, log_records.c.id == log_values.c.record_id)
            .where(log_records.c.exchange_id == exchange_id, log_values.c.name == "address")
        )
        with engine.connect() as connection:
            found = {json.loads(value) for value in connection.execute(query).scalars()}
        engine.dispose()
        return found


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    keys = folder / "state" / "keys"
    new_keys(keys, ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    partner = issue(keys, "partner")
    sections: dict[str, dict[str, object]] = {
        f"listen.{name}": {"socket": str(folder / f"{name}.sock")} for name in listeners.NAMES
    }
    with serving(configure(folder, **sections), "--embedded", "--threads", "3") as served:
        engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
        with engine.begin() as connection:
            add_partner(connection, "partner", "partner", partner.certificate, utc_now())
            key = add_caller(connection, "core", "spolis-core", utc_now())
        engine.dispose()
        yield World(served, folder / "state", partner, key)
    shutil.rmtree(folder)


def test_the_ready_line_names_the_sockets(world: World) -> None:
    for url, name in ((world.served.partners, "partners"), (world.served.internal, "internal")):
        assert path_of(url) == world.state.parent / f"{name}.sock"
        assert "/" not in url.removeprefix("http+unix://")
        assert stat.S_IMODE(path_of(url).stat().st_mode) == 0o660


def test_the_contract_is_served_for_the_address_that_the_client_used(world: World) -> None:
    answer = ask(world.served.partners, CONTRACT, said_of(world.partner) | {"Host": "soap.example.test:8443"})
    assert answer.status == 200
    assert b"https://soap.example.test:8443/soap/persons/v1-0" in answer.body


def test_a_signed_message_arrives_with_the_clients_address(world: World) -> None:
    headers = said_of(world.partner, "2001:db8::7") | {"Content-Type": CONTENT_TYPE["1.1"]}
    answer = ask(world.served.partners, "/soap/persons/v1-0", headers, Message(world.partner).signed())
    assert b"Kluda" in answer.body  # known, and without a right
    assert b"access_denied" in answer.body
    assert world.addresses(answer.headers["X-Exchange-Id"]) == {"2001:db8::7"}


def unverified(partner: Identity) -> dict[str, dict[str, str]]:
    whole = said_of(partner)
    without = {name: value for name, value in whole.items() if name != "X-Client-Certificate"}
    return {
        "nothing": {},
        "no certificate": without,
        "not verified": whole | {"X-Client-Verify": "NONE"},
        "expired": whole | {"X-Client-Verify": "FAILED:certificate has expired"},
        "verified by hearsay": {"X-Client-Certificate": whole["X-Client-Certificate"]},
        "no PEM": whole | {"X-Client-Certificate": "SUCCESS"},
        "two": whole | {"X-Client-Certificate": whole["X-Client-Certificate"] * 2},
    }


@pytest.mark.parametrize(
    "case",
    [
        "nothing",
        "no certificate",
        "not verified",
        "expired",
        "verified by hearsay",
        "no PEM",
        "two",
    ],
)
def test_partners_without_a_verified_certificate_are_refused(world: World, case: str) -> None:
    for target, body in ((CONTRACT, None), ("/soap/persons/v1-0", Message(world.partner).signed())):
        headers = unverified(world.partner)[case] | {"Content-Type": CONTENT_TYPE["1.1"]}
        answer = ask(world.served.partners, target, headers, body)
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "not_authenticated")
        assert "X-Exchange-Id" in answer.headers


def test_core_needs_its_key_and_no_certificate(world: World) -> None:
    assert ask(world.served.internal, "/healthz", {}).status == 200
    message = json.dumps({"context": context(purpose="care-placement"), "arguments": STAY}).encode()
    headers = {"Content-Type": "application/json", "X-Real-IP": "198.51.100.4"}
    url = "/api/v1/registers/care-stays"
    assert ask(world.served.internal, url, headers, message).status == 401
    answer = ask(world.served.internal, url, headers | {"Authorization": f"Bearer {world.key}"}, message)
    assert answer.status == 200
    assert world.addresses(answer.headers["X-Exchange-Id"]) == {"198.51.100.4"}


def test_headers_that_gunicorn_would_believe_change_nothing(world: World) -> None:
    forged = {"X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl", "X-Forwarded-For": "203.0.113.9"}
    headers = said_of(world.partner) | forged | {"X-Forwarded-Proto": "http", "Host": "a.test"}
    answer = ask(world.served.partners, CONTRACT, headers)
    assert b"http://a.test/soap/persons/v1-0" in answer.body
    for name in ("SCRIPT_NAME", "PATH_INFO", "X_Client_Certificate"):
        assert ask(world.served.partners, CONTRACT, headers | {name: "/x"}).status == 200


# Last of this server: it is stopped.
def test_at_its_end_the_sockets_are_gone(world: World) -> None:
    family = world.served.family()
    paths = [path_of(world.served.partners), path_of(world.served.internal)]
    assert world.served.stop() == 0
    assert gone(family, 5)
    assert not any(path.exists() for path in paths)


def test_over_tcp_and_tls_the_headers_change_nothing(tmp_path: Path) -> None:
    """The attack: a partner who says by header that he is another one, from elsewhere."""
    keys = tmp_path / "state" / "keys"
    new_keys(keys, ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    partner, other = issue(keys, "partner"), issue(keys, "other")
    sections: dict[str, dict[str, object]] = {
        "listen.partners": {
            "port": 0,
            "certificate": str(keys / "tls.pem"),
            "key": str(keys / "tls.key"),
            "client_ca": str(keys / "authority.pem"),
        }
    }
    with serving(configure(tmp_path, **sections), "--embedded", "--threads", "3") as served:
        engine = open_engine(f"sqlite:///{tmp_path / 'state' / 'gateway.db'}")
        with engine.begin() as connection:
            key = add_caller(connection, "core", "spolis-core", utc_now())
        engine.dispose()
        world = World(served, tmp_path / "state", partner, key)
        forged = said_of(other, "203.0.113.9")
        url = f"{served.partners}/soap/persons/v1-0"
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(keys / "authority.pem")
            # Without a certificate no header helps.
            with pytest.raises(requests.ConnectionError):
                session.get(f"{url}?wsdl", headers=forged, timeout=10)
            session.cert = (str(keys / "partner.pem"), str(keys / "partner.key"))
            body = Message(partner).signed()
            answer = session.post(url, body, headers=forged | {"Content-Type": "text/xml"}, timeout=10)
            assert b"unknown_partner" in answer.content
            assert world.addresses(answer.headers["X-Exchange-Id"]) == {"127.0.0.1"}
            # Nor does one make the plain listener look like TLS.
            inside = session.get(f"{served.internal}/soap/persons/v1-0?wsdl", headers=forged, timeout=10)
            assert inside.status_code == 200
            assert b"https://" + served.internal.encode().removeprefix(b"http://") not in inside.content


def as_wsgi(headers: Mapping[str, str], connection: socket.socket) -> dict[str, object]:
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {"REMOTE_ADDR": "127.0.0.1", "gunicorn.socket": connection, **named}


def test_only_a_unix_socket_makes_a_header_count(tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", [])
    partner = issue(tmp_path / "keys", "partner")
    left, right = socket.socketpair()
    with left, right, socket.create_server(("127.0.0.1", 0)) as tcp:
        over_tcp = as_wsgi(said_of(partner), tcp)
        assert proxied.told(over_tcp, certificate_required=True) == {}
        assert peer(over_tcp).certificate is None
        over_unix = as_wsgi(said_of(partner), left)
        said = proxied.told(over_unix, certificate_required=True)
        assert peer(over_unix | said).certificate == partner.certificate.public_bytes(Encoding.DER)
        assert peer(over_unix | said).address == "192.0.2.7"
        nowhere = as_wsgi(said_of(partner, "<script>"), left)
        assert proxied.told(nowhere, certificate_required=True)["REMOTE_ADDR"] == ""
        with pytest.raises(NotAuthenticated):
            proxied.told(as_wsgi({}, left), certificate_required=True)
        assert peer(as_wsgi({}, left) | proxied.told(as_wsgi({}, left), certificate_required=False)) == peer(
            {"REMOTE_ADDR": ""}
        )


def test_a_file_left_behind_is_replaced_and_one_in_use_is_not(short: Path) -> None:
    path = short / "gateway.sock"
    listen = Listen("127.0.0.1", 0, socket=path)
    first = listeners.bind("partners", listen)
    with pytest.raises(ConfigurationError, match="another process listens"):
        listeners.bind("partners", listen)
    first.close()
    assert path.exists()
    with listeners.bind("partners", listen) as second:
        assert listeners.url(listen, second) == unix_socket.url(path)
        unix_socket.remove(path, path.stat().st_ino + 1)
        assert path.exists()
        unix_socket.remove(path, path.stat().st_ino)
        assert not path.exists()


def test_what_keeps_a_socket_from_being_made_is_told(short: Path) -> None:
    long = short / ("a" * (108 - len(os.fsencode(short))))
    with pytest.raises(ConfigurationError, match=r"listen\.partners.*109 bytes.*107.*choose a shorter"):
        unix_socket.bind("partners", long, 1)
    unix_socket.bind("partners", long.with_name(long.name[:-2]), 1).close()
    (short / "file").write_text("kept")
    with pytest.raises(ConfigurationError, match="is no socket"):
        unix_socket.bind("partners", short / "file", 1)
    assert (short / "file").read_text() == "kept"
    with pytest.raises(ConfigurationError, match="No such file"):
        unix_socket.bind("partners", short / "missing" / "gateway.sock", 1)


def test_tls_is_left_to_the_proxy() -> None:
    listen = Listen("127.0.0.1", 0, socket=Path("/run/gateway.sock"))
    assert listeners.tls_context("partners", listen) is None
    given = Path("x.pem")
    for wrong in (
        dataclasses.replace(listen, certificate=given),
        dataclasses.replace(listen, key=given),
        dataclasses.replace(listen, client_ca=given),
    ):
        with pytest.raises(ConfigurationError, match=r"listen\.partners.*proxy"):
            listeners.tls_context("partners", wrong)
