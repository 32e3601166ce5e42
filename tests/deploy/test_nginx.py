"""deploy/nginx.conf in front of real gateways: who gets in, what gets through, and what a fallen gateway costs."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import config
from exchange import utc_now
from security.keys import Identity, issue, new_keys
from tests.deploy.conftest import BODY_BYTES, SERVICE, Site, fault_code
from tests.deploy.proxy import CONFIGURATION, client, running
from tests.endpoints.conftest import STAY, context
from tests.endpoints.serving import gone
from tests.endpoints.unix_http import said_of

CALLERS = 6


def test_a_signed_call_gets_its_answer(site: Site) -> None:
    with site.session() as session:
        answer = site.call(session, site.message())
    assert answer.status_code == 200, answer.text
    assert fault_code(answer) is None
    assert f">{site.persons[0][:6]}-{site.persons[0][6:]}<" in answer.text
    assert site.addresses(answer.headers["X-Exchange-Id"]) == {"127.0.0.1"}


def test_the_contract_names_the_address_in_use(site: Site) -> None:
    with site.session() as session:
        answer = session.get(f"{site.nginx.partners}{SERVICE}?wsdl", timeout=10)
        assert f"{site.nginx.partners}{SERVICE}" in answer.text
        for path in ("/", "/api/v1/docs", "/healthz", "/metrics"):
            assert session.get(f"{site.nginx.partners}{path}", timeout=10).status_code == 404


def test_without_a_trusted_certificate_no_exchange_begins(site: Site, tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", [])
    issue(tmp_path / "keys", "stranger")
    before = len(site.leaves())
    for pair in (None, (str(tmp_path / "keys" / "stranger.pem"), str(tmp_path / "keys" / "stranger.key"))):
        with site.session(None) as session:
            session.cert = pair
            forged = said_of(site.partner)
            answer = site.call(session, site.message(), **forged)
            assert answer.status_code == 400
            assert "X-Exchange-Id" not in answer.headers
            assert session.get(f"{site.nginx.partners}{SERVICE}?wsdl", timeout=10).status_code == 400
    assert len(site.leaves()) == before


def test_old_tls_is_not_spoken(site: Site) -> None:
    old = client(site.keys, "partner")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", site.nginx.partners_port), timeout=10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(plain, server_hostname="localhost")


def test_an_address_by_header_is_not_believed(site: Site) -> None:
    forged = {"X-Real-IP": "203.0.113.9", "X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    with site.session() as session:
        answer = site.call(session, site.message(), **forged)
    assert answer.status_code == 200
    assert site.addresses(answer.headers["X-Exchange-Id"]) == {"127.0.0.1"}


def test_core_calls_with_its_key(site: Site) -> None:
    message = {"context": context(purpose="care-placement"), "arguments": STAY}
    url = f"{site.nginx.internal}/api/v1/registers/care-stays"
    with site.session(None) as session:
        assert session.post(url, json=message, timeout=20).status_code == 401
        answer = session.post(url, json=message, headers={"Authorization": f"Bearer {site.key}"}, timeout=20)
        assert answer.status_code == 200, answer.text
        for path in ("/healthz", "/metrics"):
            assert session.get(f"{site.nginx.internal}{path}", timeout=10).status_code == 200


def test_too_large_is_refused_before_the_gateway_hears_of_it(site: Site) -> None:
    before = len(site.nginx.upstreams())
    with site.session() as session:
        answer = site.call(session, b" " * (BODY_BYTES + 1))
        assert answer.status_code == 413
        assert "X-Exchange-Id" not in answer.headers
        chunked = session.post(
            f"{site.nginx.partners}{SERVICE}",
            iter([b" " * (BODY_BYTES // 2)] * 3),
            headers={"Content-Type": "text/xml"},
            timeout=20,
        )
        assert chunked.status_code == 413
        assert len(site.nginx.upstreams()) == before
        # The greatest that is allowed arrives: the gateway answers, not nginx.
        assert "X-Exchange-Id" in site.call(session, b" " * BODY_BYTES).headers


def test_two_gateways_share_the_load(site: Site) -> None:
    before = len(site.nginx.upstreams())
    with site.session() as session:
        for _ in range(10):
            assert site.call(session, site.message()).status_code == 200
    shares = Counter(site.nginx.upstreams()[before:])
    assert sum(shares.values()) == 10
    assert min(shares["first"], shares["second"]) >= 4


# Last of this site: one of its gateways is killed.
def test_a_killed_gateway_costs_no_call_that_may_be_made_again(site: Site) -> None:
    """Under load: only what was on its way to the fallen one fails, and nginx sends nothing of it a second time."""
    killed, enough = threading.Event(), threading.Event()
    after = threading.Semaphore(0)

    def calls(_caller: int) -> list[tuple[str, bytes, bool, int]]:
        made = []
        with site.session() as session:
            while not enough.is_set():
                request_id = str(uuid.uuid4())
                content, late = site.message(request_id), killed.is_set()
                answer = site.call(session, content)
                assert fault_code(answer) is None if answer.status_code == 200 else True
                made.append((request_id, content, late, answer.status_code))
                after.release()
        return made

    with ThreadPoolExecutor(CALLERS) as pool:
        working = [pool.submit(calls, number) for number in range(CALLERS)]
        for _ in range(20):
            assert after.acquire(timeout=60)
        family = site.gateways[0].family()
        site.gateways[0].process.kill()
        site.gateways[0].process.wait(10)
        # Its last worker falls a moment later.
        assert gone(family, 30)
        killed.set()
        for _ in range(40):
            assert after.acquire(timeout=60)
        enough.set()
        made = [call for worker in working for call in worker.result()]
    failed = [call for call in made if call[3] != 200]
    assert all(status == 502 for *_, status in failed)
    assert len(failed) <= CALLERS, "one call of each caller was under way at most"
    assert not [call for call in failed if call[2]], "what began when it was dead went to the other"
    exchanges = defaultdict(set)
    for leaf in site.leaves():
        if "request_id" in leaf:
            exchanges[leaf["request_id"]].add(leaf["exchange"])
    assert [many for many in exchanges.values() if len(many) > 1] == []
    # The caller makes it again, with the same bytes, and is answered.
    with site.session() as session:
        for _, content, _, _ in failed:
            assert site.call(session, content).status_code == 200


@pytest.fixture
def listening(folder: Path, tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A stranger in the place of the gateway, that writes down what nginx sends; the folder of nginx, the requests."""
    place = Path(str(folder)) / f"l{uuid.uuid4().hex[:6]}"
    heard: list[bytes] = []
    ended = threading.Event()
    with running(place, folder / "state" / "keys") as nginx, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(nginx.folder / "run" / "first" / "partners.sock"))
        listener.listen(5)
        listener.settimeout(0.1)

        def listen() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(10)
                    received = b""
                    while b"\r\n\r\n" not in received:
                        received += connection.recv(65536)
                    heard.append(received)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=listen)
        thread.start()
        (tmp_path / "port").write_text(str(nginx.partners_port))
        try:
            yield tmp_path, heard
        finally:
            ended.set()
            thread.join()


def test_no_header_of_a_client_stands_in_for_what_nginx_says(
    listening: tuple[Path, list[bytes]], folder: Path
) -> None:
    """Every spelling that a WSGI server could take for one of ours is overwritten or dropped."""
    keys = folder / "state" / "keys"
    port, heard = int((listening[0] / "port").read_text()), listening[1]
    other = Identity.load(keys / "other.pem", keys / "other.key")
    lines = []
    for name, value in said_of(other, "203.0.113.9").items():
        for spelt in (name, name.lower(), name.upper(), name.replace("-", "_"), name):
            lines.append(f"{spelt}: {value}")
    request = (
        f"GET {SERVICE} HTTP/1.1\r\nHost: localhost\r\n"
        + "\r\n".join(lines)
        + "\r\nConnection: close\r\n\r\n"
    )
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        client(keys, "partner").wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(request.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 204")
    (sent,) = heard
    fields = defaultdict(list)
    for line in sent.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        fields[name.lower().replace("_", "-")].append(value)
    partner = Identity.load(keys / "partner.pem", keys / "partner.key")
    pem = partner.certificate.public_bytes(Encoding.PEM).decode()
    assert [value.replace("%2F", "/") for value in fields["x-client-certificate"]] == [quote(pem, safe="/")]
    assert fields["x-client-verify"] == ["SUCCESS"]
    assert fields["x-real-ip"] == ["127.0.0.1"]
    assert fields["x-forwarded-proto"] == ["https"]


def test_a_revoked_certificate_is_refused(folder: Path, tmp_path: Path) -> None:
    keys = folder / "state" / "keys"
    authority = Identity.load(keys / "authority.pem", keys / "authority.key")
    revoked = Identity.load(keys / "other.pem", keys / "other.key")
    now = utc_now()
    entry = x509.RevokedCertificateBuilder(revoked.certificate.serial_number, now - timedelta(days=1)).build()
    revocations = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - timedelta(days=1))
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(entry)
        .sign(authority.key, hashes.SHA256())
    )
    (tmp_path / "crl.pem").write_bytes(revocations.public_bytes(Encoding.PEM))
    place = folder / "crl"
    with running(place, keys, crl=tmp_path / "crl.pem") as nginx:
        statuses = {}
        for name in ("partner", "other"):
            with requests.Session() as session:
                session.trust_env = False
                session.verify = str(keys / "authority.pem")
                session.cert = (str(keys / f"{name}.pem"), str(keys / f"{name}.key"))
                statuses[name] = session.get(f"{nginx.partners}{SERVICE}?wsdl", timeout=10).status_code
    # No gateway is behind this one: who is let in is told so.
    assert statuses == {"partner": 502, "other": 400}


def directive(name: str) -> str:
    found = re.findall(rf"^\s*{name} (.+);", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def test_limits_fit_those_of_the_gateway() -> None:
    limits = config.load({}).limits
    assert int(directive("client_max_body_size")) == limits.body_bytes == BODY_BYTES
    assert int(directive("client_body_buffer_size")) == limits.body_bytes
    assert int(directive("proxy_read_timeout").removesuffix("s")) > limits.exchange_seconds
    assert "non_idempotent" not in directive("proxy_next_upstream")
