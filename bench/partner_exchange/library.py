"""The plain library stack: signxml, a zeep client and SQLAlchemy in a WSGI application under gunicorn.

    gunicorn -k gthread "bench.partner_exchange.library:application('KEYS', 'sqlite:///FILE', PMLP_PORT)"

The same legs, checks and commits as the others. Where a library has a quicker way that is as safe, it is taken:
the schema check of signatures is off, schemas and zeep clients are kept by each thread.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import sqlalchemy as sa
import zeep
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier
from zeep.wsa import WsAddressingPlugin

from bench.partner_exchange import envelopes, messages
from bench.partner_exchange.envelopes import DS, ID, SOAP, WSA, WSSE, WSU, Element, Refused, Signer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WSDL = Path(__file__).parents[2] / "wsdl"
metadata = sa.MetaData()
records = sa.Table(
    "records",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("exchange_id", "kind", "instant", "leaf")),
)
payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("exchange_id", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("digest", sa.LargeBinary),
    sa.Column("content", sa.LargeBinary),
)
answered = sa.Table(
    "answered",
    metadata,
    sa.Column("caller", sa.String, primary_key=True),
    sa.Column("message_id", sa.String, primary_key=True),
    sa.Column("content", sa.LargeBinary),
    sa.Column("exchange_id", sa.String),
)
partners = sa.Table(
    "partners",
    metadata,
    sa.Column("fingerprint", sa.String, primary_key=True),
    sa.Column("name", sa.String),
)
_local = threading.local()


class Database:
    """SQLAlchemy over SQLite, with one writer at a time, so that no thread sleeps until SQLite lets it in."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, pool_size=20, connect_args={"isolation_level": None})
        self._lock = threading.Lock()

        @sa.event.listens_for(self._engine, "connect")
        def _pragmas(connection: Any, _record: object) -> None:
            for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
                connection.execute(line)

        @sa.event.listens_for(self._engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        metadata.create_all(self._engine)

    def add_partner(self, fingerprint: str, name: str) -> None:
        """Register whose certificate it is."""
        with self._engine.begin() as connection:
            connection.execute(partners.insert().values(fingerprint=fingerprint, name=name))

    def partner(self, fingerprint: str) -> str:
        """Raises: Refused."""
        with self._engine.begin() as connection:
            name = connection.scalar(sa.select(partners.c.name).where(partners.c.fingerprint == fingerprint))
        if name is None:
            raise Refused("partner")
        return str(name)

    def answered(self, caller: str, message_id: str) -> bool:
        """Whether the message was answered before."""
        same = (answered.c.caller == caller) & (answered.c.message_id == message_id)
        with self._engine.begin() as connection:
            return connection.scalar(sa.select(answered.c.exchange_id).where(same)) is not None

    def commit(
        self, exchange_id: str, kind: str, kept: Sequence[tuple[str, bytes]], *message: Mapping[str, object]
    ) -> None:
        """One record, and the exact bytes that belong to it."""
        rows = [
            {
                "exchange_id": exchange_id,
                "name": name,
                "digest": hashlib.sha256(content).digest(),
                "content": content,
            }
            for name, content in kept
        ]
        digests = [hashlib.sha256(content).hexdigest() for _, content in kept]
        record = {
            "id": str(uuid.uuid4()),
            "exchange_id": exchange_id,
            "kind": kind,
            "instant": datetime.now(UTC).isoformat(),
            "leaf": json.dumps({"exchange": exchange_id, "kind": kind, "digests": digests}),
        }
        with self._lock, self._engine.begin() as connection:
            connection.execute(records.insert(), record)
            connection.execute(payloads.insert(), rows)
            if message:
                connection.execute(answered.insert(), [dict(row) for row in message])


def sign(root: Element, signer: Signer) -> None:
    """Timestamp, Body and addressing headers of an envelope, in its place."""
    header, body = root.find(f"{{{SOAP}}}Header"), root.find(f"{{{SOAP}}}Body")
    addressing = [child for child in header if child.tag.startswith(f"{{{WSA}}}")]
    security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU, "ds": DS})
    timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
    now = datetime.now(UTC)
    for name, instant in (("Created", now), ("Expires", now + timedelta(minutes=5))):
        etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    token = etree.SubElement(
        security,
        f"{{{WSSE}}}BinarySecurityToken",
        {"EncodingType": envelopes.BASE64, "ValueType": envelopes.X509_V3, ID: "Token"},
    )
    token.text = signer.token
    parts = [timestamp, body, *addressing]
    for number, part in enumerate(parts):
        part.set(ID, f"Part-{number}")
    key_info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    holder = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(holder, f"{{{WSSE}}}Reference", {"URI": "#Token", "ValueType": envelopes.X509_V3})
    library = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    references = [f"#Part-{number}" for number in range(len(parts))]
    security.append(library.sign(root, key=signer.key, key_info=key_info, reference_uri=references))


def verify(root: Element, authority: x509.Certificate) -> envelopes.Opened:
    """Believe an envelope: chain, signature over every part in use, freshness. Raises: Refused."""
    header, body = root.find(f"{{{SOAP}}}Header"), root.find(f"{{{SOAP}}}Body")
    if header is None or body is None or len(root) != 2 or len(body) != 1:
        raise Refused("no envelope of Header and Body")
    security = envelopes.only(header, f"{{{WSSE}}}Security")
    timestamp = envelopes.only(security, f"{{{WSU}}}Timestamp")
    certificate = envelopes.chained(envelopes.only(security, f"{{{WSSE}}}BinarySecurityToken"), authority)
    addressing = [child for child in header if child.tag.startswith(f"{{{WSA}}}")]
    parts = [timestamp, body, *addressing]
    try:
        results = XMLVerifier().verify(
            root,
            x509_cert=certificate,
            validate_schema=False,
            expect_config=SignatureConfiguration(
                require_x509=True,
                location=f"./{{{SOAP}}}Header/{{{WSSE}}}Security/",
                expect_references=len(parts),
                signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
                digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
            ),
        )
    except (SignXMLException, ValueError) as error:
        raise Refused("signature") from error
    if not isinstance(results, list):
        raise Refused("a part is not signed")
    signed = {result.signed_data for result in results}
    canonical = {part: envelopes.canonical(part) for part in parts}
    if signed != set(canonical.values()):
        raise Refused("a part is not signed, or more is")
    envelopes.fresh(timestamp)
    told = {etree.QName(child).localname: child.text or "" for child in addressing}
    return envelopes.Opened(body[0], told, certificate, hashlib.sha256(envelopes.canonical(body[0])).digest())


class Signatures:
    """zeep's hook: signs what leaves, verifies what comes."""

    def __init__(self, signer: Signer, authority: x509.Certificate) -> None:
        self._signer = signer
        self._authority = authority
        self._asked = ""

    def apply(self, envelope: Element, headers: Any) -> tuple[Element, Any]:
        """Sign the request, and remember its id."""
        sign(envelope, self._signer)
        self._asked = envelope.findtext(f"{{{SOAP}}}Header/{{{WSA}}}MessageID")
        return envelope, headers

    def verify(self, envelope: Element) -> None:
        """Raises: Refused."""
        opened = verify(envelope, self._authority)
        if opened.addressing.get("RelatesTo") != self._asked:
            raise Refused("RelatesTo")
        check("pmlp/v1-0/pmlp.xsd", opened.payload)


class Transport(zeep.Transport):
    """zeep's own, with the attempt on record before it leaves; what came back is kept."""

    def __init__(self, database: Database) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # zeep types only a part of itself
        self.session.trust_env = False
        self._database = database
        self.exchange_id = ""
        self.received = b""

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Any:
        """Commit, then send."""
        self._database.commit(self.exchange_id, "attempt", [("sent", message)])
        response = super().post(address, message, headers)  # type: ignore[no-untyped-call] # as above
        self.received = response.content
        return response


def check(schema: str, element: Element) -> None:
    """By the schema, compiled once in each thread. Raises: Refused."""
    compiled = _local.__dict__.setdefault("schemas", {})
    if schema not in compiled:
        compiled[schema] = etree.XMLSchema(file=str(WSDL / schema))
    if not compiled[schema].validate(element):
        raise Refused(schema)


class Pmlp:
    """A zeep client of one thread."""

    def __init__(self, database: Database, signer: Signer, authority: x509.Certificate, port: int) -> None:
        self._transport = Transport(database)
        client = zeep.Client(  # type: ignore[no-untyped-call] # as above
            str(WSDL / "pmlp/v1-0/pmlp.wsdl"),
            transport=self._transport,
            wsse=Signatures(signer, authority),
            plugins=[WsAddressingPlugin()],
        )
        self._service = client.create_service(  # type: ignore[no-untyped-call] # as above
            f"{{{messages.PMLP}}}PmlpSoap11Binding", f"http://127.0.0.1:{port}/pmlp/v1-0"
        )

    def person(self, exchange_id: str, code: str) -> tuple[Any, bytes]:
        """The person, and the bytes in which it came."""
        self._transport.exchange_id = exchange_id
        body = etree.fromstring(messages.asked_of_pmlp(code, exchange_id))
        check("pmlp/v1-0/pmlp.xsd", body)
        answer = self._service.GetPerson(**_values(body))
        return answer.Persona, self._transport.received


def _values(element: Element) -> dict[str, Any]:
    return {etree.QName(child).localname: _values(child) if len(child) else child.text for child in element}


def application(keys: str, url: str, pmlp: int) -> WSGIApplication:
    """The WSGI application: one signed exchange for each POST."""
    database, folder = Database(url), Path(keys)
    signer, authority = Signer.load(folder, "gateway"), envelopes.load_certificate(folder, "authority")
    certificate = envelopes.load_certificate(folder, "partner")
    database.add_partner(certificate.fingerprint(hashes.SHA256()).hex(), "partner")

    def exchange(request: bytes) -> bytes:
        exchange_id = str(uuid.uuid4())
        database.commit(exchange_id, "opened", [("request", request)])
        asked = verify(envelopes.parse(request), authority)
        caller = database.partner(asked.certificate.fingerprint(hashes.SHA256()).hex())
        check("spolis/persons/v1-0/persons.xsd", asked.payload)
        related = asked.addressing["MessageID"]
        purpose = asked.payload.findtext("{*}Konteksts/{*}Merkis")
        if purpose not in messages.PURPOSES or database.answered(caller, related):
            raise Refused("purpose, or answered before")
        code = asked.payload.findtext("{*}PersonasKods")
        if not hasattr(_local, "pmlp"):
            _local.pmlp = Pmlp(database, signer, authority, pmlp)
        person, received = _local.pmlp.person(exchange_id, code)
        body = messages.told(exchange_id, escape(person.Vards[0]), escape(person.Uzvards), code)
        root = _envelope(body, related)
        check("spolis/persons/v1-0/persons.xsd", root[1][0])
        sign(root, signer)
        reply = etree.tostring(root)
        message = {
            "caller": caller,
            "message_id": related,
            "content": asked.body_digest,
            "exchange_id": exchange_id,
        }
        kept = [("received", received), ("answer", body.encode()), ("reply", reply)]
        database.commit(exchange_id, "outcome", kept, message)
        return bytes(reply)

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, body = "200 OK", exchange(environ["wsgi.input"].read())
        except Refused as error:
            print(f"refused: {error}", file=sys.stderr, flush=True)
            status, body = "500 Internal Server Error", b""
        start_response(
            status, [("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(body)))]
        )
        return [body]

    return respond


def _envelope(body: str, relates_to: str) -> Element:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    for name, text in (
        ("Action", f"{messages.GET_PERSON}Response"),
        ("MessageID", f"urn:uuid:{uuid.uuid4()}"),
        ("RelatesTo", relates_to),
    ):
        etree.SubElement(header, f"{{{WSA}}}{name}").text = text
    etree.SubElement(root, f"{{{SOAP}}}Body").append(etree.fromstring(body))
    return root
