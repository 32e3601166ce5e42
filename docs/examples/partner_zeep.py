"""Call the gateway's `persons` service from plain zeep: signed both ways, nothing of the gateway imported.

    pip install "zeep[xmlsec]"
    python partner_zeep.py --wsdl https://gateway.example/soap/persons/v1-0?wsdl --key me.key --certificate me.pem \
        --gateway gateway.pem --rule p8.1 --purpose social-service 320000-00001

zeep's own BinarySignature signs with SHA-1 unless told otherwise, adds no Timestamp, and verifies answers with *your*
certificate; the class below mends the three.
"""

from __future__ import annotations

import argparse
import uuid
from datetime import UTC, datetime, timedelta

import requests
import xmlsec
import zeep
from lxml import etree
from zeep.wsse.signature import BinarySignature
from zeep.wsse.utils import get_security_header

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
WSA = "http://www.w3.org/2005/08/addressing"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
METHODS = {f"http://www.w3.org/2001/04/xmldsig-more#{kind}-sha256" for kind in ("rsa", "ecdsa")}
ID = f"{{{WSU}}}Id"


class GatewaySignature(BinarySignature):
    """Signs Timestamp and Body with SHA-256 and checks that the gateway signed the answer."""

    def __init__(self, key: str, certificate: str, gateway: str) -> None:
        super().__init__(
            key,
            certificate,
            signature_method=xmlsec.Transform.RSA_SHA256,
            digest_method=xmlsec.Transform.SHA256,
        )
        self.gateway = gateway

    def apply(self, envelope, headers):
        security = get_security_header(envelope)
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", nsmap={"wsu": WSU})
        now = datetime.now(UTC)
        for name, instant in (("Created", now), ("Expires", now + timedelta(minutes=5))):
            etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        return super().apply(envelope, headers)

    def verify(self, envelope):
        # By their places: zeep reads the first Body that it finds, so there must be one, and it must be the signed one.
        soap = etree.QName(envelope).namespace
        header = only(envelope, f"{{{soap}}}Header")
        security = only(header, f"{{{WSSE}}}Security")
        signature = only(security, f"{{{DS}}}Signature")
        timestamp = only(security, f"{{{WSU}}}Timestamp")
        parts = [only(envelope, f"{{{soap}}}Body"), timestamp, *header.iterchildren(f"{{{WSA}}}*")]
        ids = [element.get(ID) for element in envelope.iter("*") if element.get(ID)]
        if len(set(ids)) != len(ids):
            raise ValueError("the answer has the same Id twice")
        if {f"#{part.get(ID)}" for part in parts} != {
            one.get("URI") for one in signature.iter(f"{{{DS}}}Reference")
        }:
            raise ValueError("Body, Timestamp or an addressing header of the answer is not signed")
        if {one.get("Algorithm") for one in signature.iter(f"{{{DS}}}Transform")} != {EXCLUSIVE}:
            raise ValueError("the answer has a transform that is not exclusive canonicalisation")
        if signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}SignatureMethod").get("Algorithm") not in METHODS:
            raise ValueError("the answer is signed with another algorithm")
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(self.gateway, xmlsec.KeyFormat.CERT_PEM)
        for part in parts:
            context.register_id(part, "Id", WSU)
        context.verify(signature)
        created = datetime.fromisoformat(timestamp.findtext(f"{{{WSU}}}Created"))
        if abs(datetime.now(UTC) - created) > timedelta(minutes=5):
            raise ValueError("the answer is not fresh")
        return envelope


def only(parent, tag):
    """The one child of its name; two would be one too many."""
    found = parent.findall(tag)
    if len(found) != 1:
        raise ValueError(f"the answer has {len(found)} {etree.QName(tag).localname}, not one")
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("code", help="personal code, with or without the dash")
    parser.add_argument("--wsdl", required=True)
    parser.add_argument("--key", required=True, help="your private key, PEM")
    parser.add_argument(
        "--certificate", required=True, help="your certificate, PEM, registered with the gateway"
    )
    parser.add_argument("--gateway", required=True, help="the gateway's certificate, PEM")
    parser.add_argument("--authority", help="CA of the gateway's TLS certificate")
    parser.add_argument("--tls", action="store_true", help="present your certificate in TLS too")
    parser.add_argument("--purpose", default="social-service")
    parser.add_argument("--rule", default="p8.1")
    parser.add_argument("--environment", default="test")
    options = parser.parse_args()

    session = requests.Session()
    session.verify = options.authority or True
    if options.tls:
        session.cert = (options.certificate, options.key)
    client = zeep.Client(
        options.wsdl,
        wsse=GatewaySignature(options.key, options.certificate, options.gateway),
        transport=zeep.Transport(session=session),
    )
    answer = client.service.GetPerson(
        Konteksts={
            "Merkis": options.purpose,
            "Tiesibas": options.rule,
            "Darbinieks": {
                "Identifikators": "PK:390000-00001",
                "Iestade": "90000000001",
                "Loma": "social worker",
            },
            "PieprasijumaId": str(uuid.uuid4()),
            "Vide": options.environment,
        },
        PersonasKods=options.code,
    )
    print(answer)


if __name__ == "__main__":
    main()
