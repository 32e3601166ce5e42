"""What the record of an exchange says: every part that the ministry asks for, and nothing of a person in the leaf."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from audit.tables import log_records, log_values
from exchange import Addressing, Arrival, Peer, Received, Request, Sealed, Way, utc_now
from gateway import Gateway, run
from tests.steps.wired import CODE, Door, Wire, person

SIGNER, CONNECTION, ADDRESS = "ab" * 32, b"the certificate of the connection", "192.0.2.7"


class Signed(Door):
    """A way in whose messages are signed."""

    def read(self, received: Received) -> Request:
        now = utc_now()
        sealed = Sealed(SIGNER, now + timedelta(days=1), "rsa-sha256", Addressing.SIGNED, "1.1", now, now)
        return dataclasses.replace(super().read(received), sealed=sealed)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_outcome_says_everything_and_its_leaf_names_nobody(gateway: Gateway, transport: Wire) -> None:
    transport.answers = [person()]
    peer = Peer(ADDRESS, CONNECTION)
    reply = run(gateway, Arrival(Way.SOAP, peer, "/soap", b"asked", deadline=time.monotonic() + 5), Signed())
    assert reply.status == 200
    with gateway.engine.connect() as connection:
        rows = connection.execute(select(log_records).where(log_records.c.kind == "outcome")).all()
        (row,) = rows
        values = {
            each.name: json.loads(each.value)
            for each in connection.execute(select(log_values).where(log_values.c.record_id == row.id))
        }
    leaf = json.loads(row.leaf)
    # Who, from where, by which certificates; for what, by which rule and point of the law.
    assert {name: leaf[name] for name in ("caller", "recipient", "institution", "role", "certificate")} == {
        "caller": "core",
        "recipient": "spolis-core",
        "institution": "90000022632",
        "role": "social worker",
        "certificate": SIGNER,
    }
    assert leaf["tls_certificate"] == hashlib.sha256(CONNECTION).hexdigest()
    assert leaf["instant"].endswith("Z")
    assert (leaf["system"], leaf["operation"], leaf["purpose"], leaf["rule"]) == (
        "pmlp",
        "GetPerson",
        "social-service",
        "p8.1",
    )
    assert leaf["bases"] == sorted(
        {
            right.basis
            for right in gateway.access.rights_of("spolis-core")
            if "pmlp.GetPerson" in right.operations
        }
    )
    # What came of it, by which contract and mapping, and what was given and not given.
    assert (leaf["outcome"], leaf["code"], leaf["attempts"]) == ("ok", None, 1)
    adapter = gateway.adapters["pmlp"]
    assert (leaf["source"], leaf["contract"]) == ("pmlp", adapter.version)
    assert leaf["mapping"]
    assert "given_names" in leaf["given"]
    assert "family[].relation" in leaf["withheld"]
    # Of persons and of the exact bytes commitments alone, with the values beside them.
    assert values.keys() == leaf["commitments"].keys()
    assert values["official"] == "PK:390000-00001"
    assert (values["case"], values["address"], values["subject"]) == ("L-1", ADDRESS, CODE)
    assert values["selection"] == {"person_code": CODE}
    assert values["reply_sha256"] == hashlib.sha256(reply.body).hexdigest()
    assert values["received_sha256"] == [hashlib.sha256(b"the exact bytes of the answer").hexdigest()]
    for part in (CODE, CODE.replace("-", ""), "Ilze", "Paraudziņa", "390000-00001", "L-1", ADDRESS):
        assert part not in row.leaf
    for digest in (values["reply_sha256"], values["received_sha256"][0]):
        assert digest not in row.leaf, "an unsalted digest of a short answer could be guessed"
