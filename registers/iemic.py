"""The register of what was heard of identity documents, one row for each document. Source: p8.11.6, p17.5.

It is about documents, not persons: whose a document is, the Register of Natural Persons says.
"""

from __future__ import annotations

from sqlalchemy import Connection, Date, Text

from exchange import Provenance
from mappings.codes import DOCUMENT_KIND
from mappings.iemic import DOCUMENT_STATUS, DocumentStatus
from registers.history import Fed, Values, field, lock, replace, versioned
from registers.reading import Register

_DOCUMENT = ("kind", "number", "country")

DOCUMENT = versioned(
    "iemic",
    "document",
    field("kind", Text(), rule="p8.11.1", codes=DOCUMENT_KIND),
    field("number", Text(), rule="p8.11.2"),
    field("country", Text(), rule="p8.11.5"),
    field("checked_on", Date(), rule="p8.11.6"),
    field("status", Text(), rule="p8.11.6", codes=DOCUMENT_STATUS),
    person=False,
    one_per=_DOCUMENT,
)

REGISTERS = (
    Register(
        name="document-checks",
        table=DOCUMENT,
        source="iemic",
        criteria={name: DOCUMENT.c[name] for name in (*_DOCUMENT, "checked_on", "status")},
        order=_DOCUMENT,
    ),
)


def feed_document(connection: Connection, record: DocumentStatus, provenance: Provenance) -> Fed:
    """Keep what was said of a document; what was said of it before is superseded."""
    row: Values = {
        "kind": record.kind.code,
        "number": record.number,
        "country": record.country,
        "checked_on": record.checked_on,
        "status": record.status.code,
    }
    owner = {name: row[name] for name in _DOCUMENT}
    lock(connection, ["iemic_document " + " ".join(str(value) for value in owner.values())])
    return replace(connection, DOCUMENT, owner, [row], provenance, key=_DOCUMENT)


FEEDS = {DocumentStatus: feed_document}
