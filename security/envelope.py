"""An envelope as we write one: the addressing headers, and a Body with one element.

Source: SOAP 1.1, SOAP 1.2 part 1, WS-Addressing 1.0 (SOAP binding).
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from security.profile import WSA
from security.xml import Element

ANONYMOUS = f"{WSA}/anonymous"

# Headers that hold an endpoint reference and not a plain address.
_ENDPOINTS = frozenset({"ReplyTo", "FaultTo"})


def addressed(soap: str, headers: Mapping[str, str], payload: Element) -> Element:
    """An unsigned envelope of the SOAP namespace `soap`, with addressing headers by their names.

    The payload moves into it.
    """
    envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap, "wsa": WSA})
    header = etree.SubElement(envelope, f"{{{soap}}}Header")
    for name, address in headers.items():
        element = etree.SubElement(header, f"{{{WSA}}}{name}")
        if name in _ENDPOINTS:
            element = etree.SubElement(element, f"{{{WSA}}}Address")
        element.text = address
    etree.SubElement(envelope, f"{{{soap}}}Body").append(payload)
    return envelope
