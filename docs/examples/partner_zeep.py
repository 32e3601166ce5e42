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
        soap = etree.QName(envelope).namespace
        signature = envelope.find(f"{{{soap}}}Header/{{{WSSE}}}Security/{{{DS}}}Signature")
        if signature is None:
            raise ValueError("the answer is not signed")
        signed = {element.get(ID): element for element in envelope.iter() if element.get(ID)}
        body = envelope.find(f"{{{soap}}}Body")
        covered = [reference.get("URI")[1:] for reference in signature.iter(f"{{{DS}}}Reference")]
        if body.get(ID) not in covered:
            raise ValueError("the answer's Body is not signed")
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(self.gateway, xmlsec.KeyFormat.CERT_PEM)
        for reference in covered:
            context.register_id(signed[reference], "Id", WSU)
        context.verify(signature)
        return envelope


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
