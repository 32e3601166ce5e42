"""The floor: the same exchange by hand, lxml, `cryptography` and sqlite3, with the same legs, checks and commits.

python -m bench.partner_exchange.floor KEYS DATABASE PMLP_PORT
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes
from lxml import etree

from bench.partner_exchange import envelopes, messages, serving

TABLES = """
CREATE TABLE records (id TEXT PRIMARY KEY, exchange_id TEXT, kind TEXT, instant TEXT, leaf TEXT);
CREATE TABLE payloads (exchange_id TEXT, name TEXT, digest BLOB, content BLOB, PRIMARY KEY (exchange_id, name));
CREATE TABLE answered (caller TEXT, message_id TEXT, content BLOB, exchange_id TEXT,
                       PRIMARY KEY (caller, message_id));
CREATE TABLE partners (fingerprint TEXT PRIMARY KEY, name TEXT);
"""
WSDL = Path(__file__).parents[2] / "wsdl"
Payload = tuple[str, bytes]


class Database:
    """One connection, one writer at a time; a commit has reached the disk when it returns."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._lock = threading.Lock()
        for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
            self._connection.execute(line)
        self._connection.executescript(TABLES)

    def add_partner(self, fingerprint: str, name: str) -> None:
        """Register whose certificate it is."""
        self._connection.execute("INSERT INTO partners VALUES (?, ?)", (fingerprint, name))

    def partner(self, fingerprint: str) -> str:
        """Raises: Refused."""
        with self._lock:
            row = self._connection.execute(
                "SELECT name FROM partners WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
        if row is None:
            raise envelopes.Refused("partner")
        return str(row[0])

    def answered(self, caller: str, message_id: str) -> bool:
        """Whether the message was answered before."""
        with self._lock:
            found = self._connection.execute(
                "SELECT 1 FROM answered WHERE caller = ? AND message_id = ?", (caller, message_id)
            ).fetchone()
        return found is not None

    def commit(
        self, exchange_id: str, kind: str, payloads: Sequence[Payload], answered: tuple[object, ...] = ()
    ) -> None:
        """One record, and the exact bytes that belong to it."""
        instant = datetime.now(UTC).isoformat()
        digests = [hashlib.sha256(content).digest() for _, content in payloads]
        leaf = json.dumps({"exchange": exchange_id, "kind": kind, "digests": [d.hex() for d in digests]})
        rows = [
            (exchange_id, name, digest, content)
            for (name, content), digest in zip(payloads, digests, strict=True)
        ]
        with self._lock:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            try:
                run(
                    "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
                    (str(uuid.uuid4()), exchange_id, kind, instant, leaf),
                )
                self._connection.executemany("INSERT INTO payloads VALUES (?, ?, ?, ?)", rows)
                if answered:
                    run("INSERT INTO answered VALUES (?, ?, ?, ?)", (*answered, exchange_id))
                run("COMMIT")
            except BaseException:
                run("ROLLBACK")
                raise


class Floor:
    """The exchange; schemas and connections are each thread's own."""

    def __init__(self, keys: Path, database: Database, pmlp: int) -> None:
        self._signer = envelopes.Signer.load(keys, "gateway")
        self._authority = envelopes.load_certificate(keys, "authority")
        self._database = database
        self._pmlp = pmlp
        self._local = threading.local()

    def answer(self, request: bytes) -> tuple[int, bytes]:
        """One exchange: 200 and the signed answer, or 500."""
        try:
            return 200, self._exchange(request)
        except envelopes.Refused as error:
            print(f"refused: {error}", file=sys.stderr, flush=True)
            return 500, b""

    def _exchange(self, request: bytes) -> bytes:
        exchange_id = str(uuid.uuid4())
        self._database.commit(exchange_id, "opened", [("request", request)])
        asked = envelopes.verify(request, self._authority)
        caller = self._database.partner(asked.certificate.fingerprint(hashes.SHA256()).hex())
        self._check("spolis/persons/v1-0/persons.xsd", asked.payload)
        purpose = asked.payload.findtext("{*}Konteksts/{*}Merkis")
        if purpose not in messages.PURPOSES or self._database.answered(caller, asked.addressing["MessageID"]):
            raise envelopes.Refused("purpose, or answered before")
        code = asked.payload.findtext("{*}PersonasKods")
        message_id = f"urn:uuid:{exchange_id}"
        body = messages.asked_of_pmlp(code, exchange_id)
        self._check("pmlp/v1-0/pmlp.xsd", etree.fromstring(body))
        sent = envelopes.sign(self._signer, body, messages.PMLP_GET_PERSON, message_id=message_id)
        self._database.commit(exchange_id, "attempt", [("sent", sent)])
        status, received = self._client().post(sent)
        told = envelopes.verify(received, self._authority)
        if status != 200 or told.addressing.get("RelatesTo") != message_id:
            raise envelopes.Refused("RelatesTo")
        self._check("pmlp/v1-0/pmlp.xsd", told.payload)
        person = told.payload.find("{*}Persona")
        given, family = (escape(person.findtext(name)) for name in ("{*}Vards", "{*}Uzvards"))
        body = messages.told(exchange_id, given, family, code)
        self._check("spolis/persons/v1-0/persons.xsd", etree.fromstring(body))
        action, related = f"{messages.GET_PERSON}Response", asked.addressing["MessageID"]
        reply = envelopes.sign(self._signer, body, action, related)
        kept = [("received", received), ("answer", body.encode()), ("reply", reply)]
        self._database.commit(exchange_id, "outcome", kept, (caller, related, asked.body_digest))
        return reply

    def _check(self, schema: str, element: envelopes.Element) -> None:
        compiled = self._local.__dict__.setdefault("schemas", {})
        if schema not in compiled:
            compiled[schema] = etree.XMLSchema(file=str(WSDL / schema))
        if not compiled[schema].validate(element):
            raise envelopes.Refused(schema)

    def _client(self) -> serving.Client:
        if not hasattr(self._local, "client"):
            self._local.client = serving.Client(self._pmlp, "/pmlp/v1-0", messages.PMLP_GET_PERSON)
        client: serving.Client = self._local.client
        return client


def main(keys: Path, database: str, pmlp: int) -> None:
    """Serve until the process is ended."""
    kept = Database(database)
    kept.add_partner(
        envelopes.load_certificate(keys, "partner").fingerprint(hashes.SHA256()).hex(), "partner"
    )
    serving.serve(Floor(keys, kept, pmlp).answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
