"""Two gateways, as on two hosts, over one database: who is no longer to be believed is refused by both."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from sqlalchemy import Engine

from exchange import utc_now
from routing.parties import add_partner, disable_partner
from security.keys import Identity, new_keys
from storage import open_engine
from tests.endpoints.serving import Served, configure, serving
from tests.endpoints.soap.messages import CONTENT_TYPE, FAULT, Message, get_person
from tests.endpoints.work.responders import OpenSsl, Told, server
from tests.security.revoking import delegated, issued, pem, revoking

# What a message of a partner without rights gets: its certificate was believed.
BELIEVED = "access_denied"
SECONDS = 90.0
NOW = utc_now()
AUTHORITY, LISTING = (issued(name, None, NOW, ca=True) for name in ("agency authority", "listing authority"))
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PARTNER = issued("agency", AUTHORITY, NOW, key=KEY)
LISTED = issued("listed", LISTING, NOW, key=KEY)

_SETTINGS = """
[revocation]
ask_minutes = 0.02
[[revocation.ocsp]]
issuer = "agency.pem"
url = "{responder}"
[[revocation.crl]]
issuer = "listing.pem"
url = "{lists}"
"""


@dataclass
class Hosts:
    """Both gateways, their database, OpenSSL's responder and the list of the other authority."""

    gateways: list[Served]
    states: list[Path]
    engine: Engine
    responder: OpenSsl
    lists: Told

    def say(self, identity: Identity = PARTNER) -> list[str]:
        """The code that each gateway answers with."""
        codes = []
        for served in self.gateways:
            content = Message(identity, body=get_person()).signed()
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    f"{served.partners}/soap/persons/v1-0",
                    content,
                    headers={"Content-Type": CONTENT_TYPE["1.1"]},
                    timeout=60,
                )
            codes.append(str(etree.fromstring(answer.content).findtext(f".//{{{FAULT}}}Kods")))
        return codes

    def until(self, code: str, identity: Identity = PARTNER) -> None:
        """Wait until both answer so: the job has its turn."""
        end = time.monotonic() + SECONDS
        while (said := self.say(identity)) != [code] * 2:
            assert time.monotonic() < end, (said, [served.errors[-5:] for served in self.gateways])
            time.sleep(0.3)

    def get(self, path: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(self.gateways[0].internal + path, timeout=60)


@pytest.fixture
def hosts(tmp_path: Path, migrated_postgresql: str) -> Iterator[Hosts]:
    new_keys(tmp_path / "keys", ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    (tmp_path / "openssl").mkdir()
    responder = OpenSsl(tmp_path / "openssl", AUTHORITY, delegated(AUTHORITY, NOW, days=20))
    lists = Told(pem(revoking(LISTING, NOW, 1, number=1)))
    engine = open_engine(migrated_postgresql)
    with engine.begin() as connection:
        for name, identity in (("agency", PARTNER), ("listed", LISTED)):
            add_partner(connection, name, "nobody", identity.certificate, NOW)
    with ExitStack() as end:
        end.callback(engine.dispose)
        end.callback(responder.stop)
        issuer = end.enter_context(server(lambda _asked: lists))
        gateways, states = [], []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            shutil.copytree(tmp_path / "keys", folder / "state" / "keys")
            config = configure(folder)
            with (config / "gateway.toml").open("a") as file:
                file.write(_SETTINGS.format(responder=responder.url, lists=issuer.url))
            (config / "trust").mkdir()
            for file_name, authority in (("agency", AUTHORITY), ("listing", LISTING)):
                found = authority.certificate.public_bytes(Encoding.PEM)
                (config / "trust" / f"{file_name}.pem").write_bytes(found)
            more = {"GATEWAY_DATABASE_URL": migrated_postgresql}
            gateways.append(end.enter_context(serving(config, "--embedded", "--threads", "2", more=more)))
            states.append(folder / "state")
        yield Hosts(gateways, states, engine, responder, lists)


def test_whoever_is_not_to_be_believed_any_more_is_refused_by_both(hosts: Hosts) -> None:
    # The responder does not run yet: nothing is known, so nobody is believed, and nobody waits for it.
    assert hosts.say() == ["revocation_unknown"] * 2
    hosts.responder.start((PARTNER.certificate, False))
    hosts.until(BELIEVED)
    hosts.until(BELIEVED, LISTED)
    assert all((state / "crl" / "listing.pem").is_file() for state in hosts.states)

    with hosts.engine.begin() as connection:
        disable_partner(connection, "agency", utc_now())
    assert hosts.say() == ["unknown_partner"] * 2
    with hosts.engine.begin() as connection:
        add_partner(connection, "agency", "nobody", PARTNER.certificate, utc_now())
    assert hosts.say() == [BELIEVED] * 2

    report = hosts.get("/readyz").json()["checks"]
    assert report["revocation"]["ok"] is True
    assert report["revocation"]["sources"].keys() == {"responder agency.pem", "list listing.pem"}
    assert 18 < report["certificates"]["days_left"]["responder"] <= 20
    metrics = hosts.get("/metrics").text
    assert 'gateway_revocation_hours_left{kind="responder"} 0.9' in metrics
    assert 'gateway_revocation_hours_left{kind="list"} 23.' in metrics

    hosts.responder.stop()
    hosts.responder.start((PARTNER.certificate, True))
    hosts.lists.body = pem(revoking(LISTING, NOW, LISTED.certificate.serial_number, number=2))
    hosts.until("revoked_certificate")
    hosts.until("revoked_certificate", LISTED)
    hosts.responder.stop()
    time.sleep(3)  # some turns of the job, with nobody there
    assert hosts.say() == ["revoked_certificate"] * 2
