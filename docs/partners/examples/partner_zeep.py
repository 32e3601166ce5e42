"""Call the gateway's `persons` service from plain zeep: signed both ways, nothing of the gateway imported.

    pip install "zeep[xmlsec]"
    python partner_zeep.py --wsdl https://gateway.example/soap/persons/v1-0?wsdl --key me.key --certificate me.pem \
        --gateway gateway.pem --rule p8.1 --purpose social-service 320000-00001

zeep's own BinarySignature signs with SHA-1 unless told otherwise, adds no Timestamp, signs no addressing header, and
verifies answers with *your* certificate; so the class below signs and verifies with xmlsec, which zeep uses itself.
"""

from __future__ import annotations

import argparse
import base64
import ssl
import sys
import uuid
from datetime import UTC, datetime, timedelta

import requests
import xmlsec
import zeep
from lxml import etree
from zeep.wsse.utils import get_security_header

OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSU = f"{OASIS}wssecurity-utility-1.0.xsd"
WSSE = f"{OASIS}wssecurity-secext-1.0.xsd"
X509 = f"{OASIS}x509-token-profile-1.0#X509v3"
BASE64 = f"{OASIS}soap-message-security-1.0#Base64Binary"
DS = "http://www.w3.org/2000/09/xmldsig#"
WSA = "http://www.w3.org/2005/08/addressing"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
FAULT = "urn:spolis:gateway:fault:v1-0"
METHODS = {
    "rsa": xmlsec.constants.TransformRsaSha256,
    "ec": xmlsec.constants.TransformEcdsaSha256,
}
ID = f"{{{WSU}}}Id"
TRIES = 3


class Message:
    """One message and its answer, as zeep's `wsse`: made once for a request, and the same when it is sent again."""

    def __init__(self, key: str, certificate: str, gateway: str, key_type: str = "rsa") -> None:
        self.id = f"urn:uuid:{uuid.uuid4()}"
        self.key = xmlsec.Key.from_file(key, xmlsec.KeyFormat.PEM)
        with open(certificate, encoding="ascii") as file:
            self.token = base64.b64encode(ssl.PEM_cert_to_DER_cert(file.read())).decode()
        self.gateway = gateway
        self.method = METHODS[key_type]

    def apply(self, envelope, headers):
        """Add MessageID, Timestamp and token, and sign Body, Timestamp and every addressing header."""
        security = get_security_header(envelope)
        header = security.getparent()
        etree.SubElement(header, f"{{{WSA}}}MessageID", nsmap={"wsa": WSA}).text = self.id
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", nsmap={"wsu": WSU})
        now = datetime.now(UTC)
        for name, instant in (("Created", now), ("Expires", now + timedelta(minutes=5))):
            etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        token = etree.SubElement(
            security, f"{{{WSSE}}}BinarySecurityToken", ValueType=X509, EncodingType=BASE64
        )
        token.text = self.token
        token.set(ID, "token")

        signature = xmlsec.template.create(envelope, xmlsec.constants.TransformExclC14N, self.method, ns="ds")
        security.append(signature)
        context = xmlsec.SignatureContext()
        context.key = self.key
        body = only(envelope, f"{{{etree.QName(envelope).namespace}}}Body")
        for number, part in enumerate([body, timestamp, *header.iterchildren(f"{{{WSA}}}*")]):
            part.set(ID, f"signed-{number}")
            context.register_id(part, "Id", WSU)
            reference = xmlsec.template.add_reference(
                signature, xmlsec.constants.TransformSha256, uri=f"#signed-{number}"
            )
            xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        named = etree.SubElement(
            xmlsec.template.ensure_key_info(signature), f"{{{WSSE}}}SecurityTokenReference"
        )
        etree.SubElement(named, f"{{{WSSE}}}Reference", URI="#token", ValueType=X509)
        context.sign(signature)
        return envelope, headers

    def verify(self, envelope):
        """Check that the gateway signed what zeep will read, now, and in answer to this message."""
        # By their places: zeep reads the first Body that it finds, so there must be one, and it must be the signed one.
        soap = etree.QName(envelope).namespace
        header = only(envelope, f"{{{soap}}}Header")
        security = only(header, f"{{{WSSE}}}Security")
        signature = only(security, f"{{{DS}}}Signature")
        timestamp = only(security, f"{{{WSU}}}Timestamp")
        parts = [only(envelope, f"{{{soap}}}Body"), timestamp, *header.iterchildren(f"{{{WSA}}}*")]
        ids = [value for element in envelope.iter("*") for name, value in element.items() if is_id(name)]
        if len(set(ids)) != len(ids):
            raise ValueError("the answer has the same Id twice")
        info = only(signature, f"{{{DS}}}SignedInfo")
        if {f"#{part.get(ID)}" for part in parts} != {
            one.get("URI") for one in info.iter(f"{{{DS}}}Reference")
        }:
            raise ValueError("Body, Timestamp or an addressing header of the answer is not signed")
        if {one.get("Algorithm") for one in info.iter(f"{{{DS}}}Transform")} != {EXCLUSIVE}:
            raise ValueError("the answer has a transform that is not exclusive canonicalisation")
        if {one.get("Algorithm") for one in info.iter(f"{{{DS}}}DigestMethod")} != {SHA256}:
            raise ValueError("the answer is digested with another algorithm")
        if only(info, f"{{{DS}}}SignatureMethod").get("Algorithm") not in {
            method.href for method in METHODS.values()
        }:
            raise ValueError("the answer is signed with another algorithm")
        context = xmlsec.SignatureContext()
        # The key is the one that the gateway gave us, whatever the message says of itself.
        context.key = xmlsec.Key.from_file(self.gateway, xmlsec.KeyFormat.CERT_PEM)
        for part in parts:
            context.register_id(part, "Id", WSU)
        context.verify(signature)
        created = datetime.fromisoformat(timestamp.findtext(f"{{{WSU}}}Created"))
        if abs(datetime.now(UTC) - created) > timedelta(minutes=5):
            raise ValueError("the answer is not fresh")
        # A Fault says to what it relates when the gateway got as far as believing the request.
        related = [one.text for one in header.iterchildren(f"{{{WSA}}}RelatesTo")]
        if related != [self.id] and (related or parts[0].find(f"{{{soap}}}Fault") is None):
            raise ValueError("the answer is to another message")
        return envelope


def is_id(name):
    """Whether an attribute is an Id of some kind."""
    return etree.QName(name).localname.lower() == "id"


def only(parent, tag):
    """The one child of its name; two would be one too many."""
    found = parent.findall(tag)
    if len(found) != 1:
        raise ValueError(f"the answer has {len(found)} {etree.QName(tag).localname}, not one")
    return found[0]


def ask(client, service, message, request):
    """Send a message until it is answered: the same MessageID and Body each time, so that it has one effect."""
    left = TRIES
    while True:
        left -= 1
        # zeep asks it to sign the request and to verify the answer, also when the answer is a Fault.
        client.wsse = message
        try:
            return service.GetPerson(**request)
        except (requests.ConnectionError, requests.Timeout, zeep.exceptions.TransportError):
            # Whether the gateway did it is not known: only the same message may be sent.
            if not left:
                raise
        except zeep.exceptions.Fault as fault:
            again = fault.detail is not None and fault.detail.findtext(f".//{{{FAULT}}}AtkartotVar")
            if again != "true" or not left:
                raise


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("codes", nargs="+", help="personal codes, with or without the dash")
    parser.add_argument("--wsdl", required=True)
    parser.add_argument("--key", required=True, help="your private key for signing, PEM")
    parser.add_argument("--certificate", required=True, help="its certificate, registered with the gateway")
    parser.add_argument("--key-type", choices=METHODS, default="rsa")
    parser.add_argument("--gateway", required=True, help="the gateway's certificate for signing, PEM")
    parser.add_argument("--authority", help="CA of the gateway's TLS certificate")
    parser.add_argument("--tls-key", help="your private key for TLS, PEM")
    parser.add_argument("--tls-certificate", help="your certificate for TLS, PEM")
    parser.add_argument("--soap", choices=("1.1", "1.2"), default="1.1")
    parser.add_argument("--purpose", default="social-service")
    parser.add_argument("--rule", default="p8.1")
    parser.add_argument("--environment", default="test")
    options = parser.parse_args()

    session = requests.Session()
    session.verify = options.authority or True
    # Or requests puts REQUESTS_CA_BUNDLE of the environment above the authority given here.
    session.trust_env = not options.authority
    if options.tls_certificate:
        session.cert = (options.tls_certificate, options.tls_key)
    client = zeep.Client(options.wsdl, transport=zeep.Transport(session=session, operation_timeout=60))
    service = client.bind("PersonsService", f"PersonsSoap{options.soap.replace('.', '')}")
    failed = 0
    for code in options.codes:
        message = Message(options.key, options.certificate, options.gateway, options.key_type)
        context = {
            "Merkis": options.purpose,
            "Tiesibas": options.rule,
            "Darbinieks": {
                "Identifikators": "PK:390000-00001",
                "Iestade": "90000000001",
                "Loma": "social worker",
            },
            "PieprasijumaId": str(uuid.uuid4()),
            "Vide": options.environment,
        }
        try:
            print(ask(client, service, message, {"Konteksts": context, "PersonasKods": code}))
        except zeep.exceptions.Fault as fault:
            kods = fault.detail.findtext(f".//{{{FAULT}}}Kods") if fault.detail is not None else None
            print(f"{fault.code}: {kods}: {fault.message}", file=sys.stderr)
            failed += 1
        except (ValueError, xmlsec.Error) as error:
            print(f"the answer is refused: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
