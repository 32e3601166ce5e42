"""IeM IC, the register of invalid documents (Nederīgo dokumentu reģistrs): canonical records and mapping tables.

The contract is modelled. Source: wsdl/iemic/v1-0, rules p8.11.1, p8.11.2, p8.11.5, p8.11.6, p17.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings.codes import DOCUMENT_KIND, Code, code_list
from mappings.context import context
from mappings.fields import code, text
from mappings.fields import date as day
from mappings.mapping import Mapping
from wsdl import contract

VERSION = "v1-0"
NAMESPACE = contract("iemic", VERSION).namespace

DOCUMENT_STATUS = code_list("document_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDocumentRequest:
    """Which document is asked about (CheckDocument); without a country, one of Latvia."""

    context: Context
    kind: Code
    number: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentStatus:
    """What the register says of an identity document (dokumenta aktuālais statuss) on a day.

    `VALID` says that it is not listed as invalid. A document whose term is over is not listed either: its expiry is
    p8.11.4, which the Register of Natural Persons holds. Source: p8.11.6.
    """

    kind: Code
    number: str
    country: str
    checked_on: date
    status: Code


CHECK_DOCUMENT_REQUEST = Mapping(
    CheckDocumentRequest,
    NAMESPACE,
    "CheckDocument",
    (
        context(NAMESPACE),
        code("kind", "Veids", DOCUMENT_KIND, rule="p8.11.1"),
        text("number", "Numurs", rule="p8.11.2", pattern=r"[A-Z0-9\-]{3,20}"),
        text(
            "country",
            "Valsts",
            rule="p8.11.5",
            pattern=r"[A-Z]{3}",
            default=lambda _taken, _today: "LVA",
        ),
    ),
    request=True,
)

# Kind, number and country repeat what the caller asked: they leave whatever is granted.
CHECK_DOCUMENT_ANSWER = Mapping(
    DocumentStatus,
    NAMESPACE,
    "CheckDocumentResponse",
    (
        code("kind", "Veids", DOCUMENT_KIND, rule="p8.11.1", column="iemic_document.kind", always=True),
        text("number", "Numurs", rule="p8.11.2", column="iemic_document.number", always=True),
        text("country", "Valsts", rule="p8.11.5", column="iemic_document.country", always=True),
        day("checked_on", "ParbaudesDatums", rule="p8.11.6", column="iemic_document.checked_on"),
        code("status", "Statuss", DOCUMENT_STATUS, rule="p8.11.6", column="iemic_document.status"),
    ),
)
