"""`gateway serve` as a process: what it says, serves, refuses, and how it ends."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import config
from config import Listen
from endpoints import listeners
from errors import ConfigurationError
from exchange import utc_now
from routing.parties import add_caller
from security.keys import issue, new_keys
from storage import open_engine
from tests.endpoints.conftest import STAY, asking, context
from tests.endpoints.serving import Served, alive, command, configure, gone, serving

pytestmark = pytest.mark.long

READ_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class World:
    """A server with TLS for partners, the keys of the test authority, and a system that hangs until it is told."""

    served: Served
    keys: Path
    key: str
    system: HangingSystem

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def tls(self, name: str | None) -> ssl.SSLContext:
        """A client that trusts the test authority, with a certificate or none."""
        client = ssl.create_default_context(cafile=self.keys / "authority.pem")
        if name is not None:
            client.load_cert_chain(self.keys / f"{name}.pem", self.keys / f"{name}.key")
        return client


class HangingSystem:
    """An address that takes a request and does not answer before `release`; then it hangs up."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/pmlp/v1-0"
        self.asked = threading.Event()
        self.release = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.asked.set()
            self.release.wait(30)
            connection.close()

    def close(self) -> None:
        self.release.set()
        self._listening.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State with keys and nothing else."""
    folder = tmp_path_factory.mktemp("serve")
    new_keys(folder / "state" / "keys", ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    issue(folder / "state" / "keys", "partner")
    return folder


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    keys = folder / "state" / "keys"
    system = HangingSystem()
    sections: dict[str, dict[str, object]] = {
        "listen.partners": {
            "port": 0,
            "certificate": str(keys / "tls.pem"),
            "key": str(keys / "tls.key"),
            "client_ca": str(keys / "authority.pem"),
        },
        "systems.pmlp": {"url": system.url, "timeout_s": 20.0},
        "limits": {"body_bytes": 100_000},
    }
    with serving(
        configure(folder, **sections), "--embedded", "--threads", "3", "--read-seconds", str(READ_SECONDS)
    ) as served:
        engine = open_engine(f"sqlite:///{folder / 'state' / 'gateway.db'}")
        with engine.begin() as connection:
            key = add_caller(connection, "core", "spolis-core", utc_now())
        engine.dispose()
        yield World(served, keys, key, system)
    system.close()


def test_both_listeners_answer_when_it_says_so(world: World) -> None:
    assert world.served.internal.startswith("http://127.0.0.1:")
    assert world.served.partners.startswith("https://127.0.0.1:")
    assert requests.get(f"{world.served.internal}/healthz", timeout=10).json() == {"alive": True}
    ready = requests.get(f"{world.served.internal}/readyz", timeout=10)
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


def test_a_stay_is_written_over_http_and_gets_its_place_in_the_log(world: World) -> None:
    message = {"context": context(purpose="care-placement"), "arguments": STAY}
    url = f"{world.served.internal}/api/v1/registers/care-stays"
    answer = requests.post(url, json=message, headers=world.headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Exchange-Id"] == answer.json()["exchange_id"]
    metrics = requests.get(f"{world.served.internal}/metrics", timeout=10).text
    assert 'operation="WriteCareStays",outcome="ok",system="registers",way="api"} 1.0' in metrics
    until = time.monotonic() + 10
    while requests.get(f"{world.served.internal}/readyz", timeout=10).json()["checks"]["log"]["pending"]:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_context_in_utf8_comes_through_in_a_header(world: World) -> None:
    connection = http.client.HTTPConnection(*world.served.address(), timeout=10)
    header = json.dumps(context(case="Lieta Nr. 7, ģimene"), ensure_ascii=False).encode()
    path = "/api/v1/registers/persons/0192f3a0-5c1e-7000-8000-000000000001"
    connection.request("GET", path, headers={**world.headers, "X-Context": header})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (404, "not_found")
    connection.close()


def test_each_listener_serves_its_own(world: World) -> None:
    with requests.Session() as partner:
        partner.trust_env = False
        partner.verify = str(world.keys / "authority.pem")
        partner.cert = (str(world.keys / "partner.pem"), str(world.keys / "partner.key"))
        contract = partner.get(f"{world.served.partners}/soap/persons/v1-0?wsdl", timeout=10)
        assert contract.status_code == 200
        assert world.served.partners in contract.text
        for path in ("/api/v1/docs", "/healthz", "/metrics", "/problems/busy"):
            assert partner.get(f"{world.served.partners}{path}", timeout=10).status_code == 404
    # Embedded: /soap inside too, for trying by hand.
    assert requests.get(f"{world.served.internal}/soap/persons/v1-0?wsdl", timeout=10).status_code == 200


def test_a_partner_without_a_trusted_certificate_is_not_heard(world: World, tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", [])
    issue(tmp_path / "keys", "stranger")
    stranger = world.tls(None)
    stranger.load_cert_chain(tmp_path / "keys" / "stranger.pem", tmp_path / "keys" / "stranger.key")
    for client in (world.tls(None), stranger):
        with world.served.connect("partners") as plain, pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: PT012 — under TLS 1.3 the refusal is heard when reading
            connection = client.wrap_socket(plain, server_hostname="localhost")
            connection.sendall(b"GET /soap/persons/v1-0?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100) == b"never"
    with (
        world.served.connect("partners") as plain,
        world.tls("partner").wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.version() in ("TLSv1.2", "TLSv1.3")


def test_old_tls_is_not_spoken(world: World) -> None:
    client = world.tls("partner")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    with world.served.connect("partners") as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        client.wrap_socket(plain, server_hostname="localhost")


HALF = {
    "half a header": b"POST /api/v1/pmlp/get-person HTTP/1.1\r\nHost: x\r\nContent-T",
    "half a request line": b"POST /api",
    "half a body": b"POST /api/v1/pmlp/get-person HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n{",
    "half a chunk": b"POST /api/v1/pmlp/get-person HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
    "half a SOAP message": b"POST /soap/persons/v1-0 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
    b"Content-Length: 100\r\n\r\n<",
}


def rest(connection: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def test_what_is_half_sent_ends_in_time_while_others_are_served(world: World) -> None:
    # One thread of three stays free: who asks now is served now.
    began = time.monotonic()
    held = [world.served.connect() for _ in range(2)]
    for connection, half in zip(held, (HALF["half a header"], HALF["half a body"]), strict=True):
        connection.sendall(half)
    time.sleep(0.2)
    assert requests.get(f"{world.served.internal}/healthz", timeout=10).status_code == 200
    assert time.monotonic() - began < READ_SECONDS
    for connection in held:
        rest(connection)
        connection.close()
    assert READ_SECONDS * 0.9 < time.monotonic() - began < READ_SECONDS + 3


def test_more_half_sent_requests_than_threads_hold_it_up_for_the_deadline_only(world: World) -> None:
    began = time.monotonic()
    held = [world.served.connect() for _ in HALF]
    for connection, half in zip(held, HALF.values(), strict=True):
        connection.sendall(half)
    assert requests.get(f"{world.served.internal}/healthz", timeout=30).status_code == 200
    assert time.monotonic() - began < 2 * READ_SECONDS + 3
    answers = [rest(connection) for connection in held]
    for connection in held:
        connection.close()
    # Who got as far as a body is told; who did not is hung up on.
    assert [b" 400 " in answer.partition(b"\r\n")[0] for answer in answers] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert all(b"did not arrive" in answer or not answer or b"Kluda" in answer for answer in answers)


def test_dripping_bytes_do_not_buy_time(world: World) -> None:
    began = time.monotonic()
    with world.served.connect() as connection:
        connection.sendall(HALF["half a header"])
        with pytest.raises(ConnectionError):  # noqa: PT012 — the drip is what is tested
            while time.monotonic() - began < READ_SECONDS + 5:
                connection.sendall(b"a")
                time.sleep(0.1)
    assert time.monotonic() - began < READ_SECONDS + 4


def test_a_connection_that_says_nothing_takes_no_thread(world: World) -> None:
    began = time.monotonic()
    silent = [world.served.connect() for _ in range(20)]
    assert requests.get(f"{world.served.internal}/healthz", timeout=10).status_code == 200
    assert time.monotonic() - began < READ_SECONDS
    for connection in silent:
        connection.close()


NO_HTTP = {
    "no request line": (b"SECRET\r\n\r\n", 400),
    "no header": (b"GET /healthz HTTP/1.1\r\nBad header SECRET\r\n\r\n", 400),
    "long url": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "no host": (b"GET /healthz HTTP/1.1\r\nX: SECRET\r\nConnection: close\r\n\r\n", 400),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
    "two lengths": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
}


@pytest.mark.parametrize(("request_", "status"), NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_without_repeating_it(world: World, request_: bytes, status: int) -> None:
    with world.served.connect() as connection:
        connection.sendall(request_)
        answer = rest(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f" {status} ".encode() in head.partition(b"\r\n")[0], answer
    assert b"X-Exchange-Id" in head
    assert json.loads(body)["code"] == "malformed_message"
    assert b"SECRET" not in answer


def test_a_large_body_is_refused_and_the_refusal_arrives(world: World) -> None:
    url = f"{world.served.internal}/api/v1/pmlp/get-person"
    headers = {**world.headers, "Content-Type": "application/json"}
    declared = requests.post(url, data=b" " * 100_001, headers=headers, timeout=20)
    assert (declared.status_code, declared.json()["code"]) == (413, "too_large")
    chunked = requests.post(url, data=iter([b" " * 50_000] * 3), headers=headers, timeout=20)
    assert (chunked.status_code, chunked.json()["code"]) == (413, "too_large")


# Last of this server: it is stopped while a request is on its way.
def test_told_to_stop_it_lets_a_running_request_finish(world: World) -> None:
    answers: list[Any] = []

    def ask() -> None:
        url = f"{world.served.internal}/api/v1/pmlp/get-person"
        answers.append(requests.post(url, json=asking(), headers=world.headers, timeout=60))

    family = world.served.family()
    assert len(family) == 4  # a master and a worker for each listener
    asking_thread = threading.Thread(target=ask)
    asking_thread.start()
    assert world.system.asked.wait(20)
    world.served.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert world.served.process.poll() is None
    with pytest.raises(OSError):  # noqa: PT011 — refused or reset, as the system likes
        world.served.connect().close()
    world.system.release.set()
    asking_thread.join(30)
    assert answers[0].status_code in (502, 503)
    assert answers[0].json()["code"] in ("system_unavailable", "system_fault", "outcome_unknown")
    assert world.served.process.wait(30) == 0
    assert gone(family, 5)
    assert not list((world.keys.parent).glob("metrics-*"))


@pytest.fixture
def small(folder: Path, tmp_path: Path) -> Path:
    """The configuration of another server with the same keys."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "keys").symlink_to(folder / "state" / "keys")
    return configure(tmp_path)


def test_killed_it_leaves_no_orphans(small: Path) -> None:
    with serving(small, "--workers", "1") as served:
        family = served.family()
        assert len(family) == 5  # the background work is a process of its own
        assert alive(family) == family
        served.process.kill()
        assert gone(family, 5)


def test_a_part_that_falls_ends_everything(small: Path) -> None:
    with serving(small, "--embedded") as served:
        family = served.family()
        master = next(
            number for number in family if b"partners" in Path(f"/proc/{number}/cmdline").read_bytes()
        )
        os.kill(master, signal.SIGKILL)
        assert served.process.wait(30) == 1
        assert gone(family, 5)
    assert any("gateway: partners has ended by itself (signal SIGKILL)" in line for line in served.errors)


def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path) -> None:
    process = command(configure(tmp_path, gateway={"environment": "production"}), "serve", "--json")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (78, b"")
    lines = err.decode().strip().splitlines()
    assert len(lines) == 1
    assert "configuration_error" in lines[0]


def test_without_tls_only_loopback_is_bound() -> None:
    with pytest.raises(ConfigurationError, match=r"listen\.partners"):
        listeners.bind("partners", Listen("0.0.0.0", 0))  # noqa: S104 — refused is what it must be
    with listeners.bind("partners", Listen("localhost", 0)) as bound:
        assert listeners.url(Listen("localhost", 0), bound).startswith("http://127.0.0.1:")
    with listeners.bind("partners", Listen("0.0.0.0", 0, certificate=Path("tls.pem"))) as bound:  # noqa: S104 — with TLS
        assert listeners.url(Listen("", 0, certificate=Path("tls.pem")), bound).startswith("https://0.0.0.0:")


def test_an_address_in_use_is_told() -> None:
    with listeners.bind("internal", Listen("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"listen\.internal.*{port}"):
            listeners.bind("internal", Listen("127.0.0.1", port))


def test_files_of_tls_that_do_not_fit_are_told(folder: Path, tmp_path: Path) -> None:
    keys = folder / "state" / "keys"
    (tmp_path / "empty.pem").write_text("")
    whole = Listen("127.0.0.1", 0, keys / "tls.pem", keys / "tls.key", keys / "authority.pem")
    assert listeners.tls_context("partners", whole) is not None
    for wrong in (
        dataclasses.replace(whole, key=keys / "pmlp.key"),
        dataclasses.replace(whole, certificate=tmp_path / "missing.pem"),
        dataclasses.replace(whole, certificate=None),
        dataclasses.replace(whole, client_ca=tmp_path / "empty.pem"),
    ):
        with pytest.raises(ConfigurationError, match=r"listen\.partners"):
            listeners.tls_context("partners", wrong)
    assert listeners.tls_context("internal", config.load({}).internal) is None
