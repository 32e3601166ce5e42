"""The register of real estate, as the Land register tells it while a declaration of means is judged.

Source: p9.2.5.6, p17.8.
"""

from __future__ import annotations

from sqlalchemy import Connection, Text

from exchange import Provenance
from mappings.landreg import Properties
from registers.history import Fed, Values, field, replace, versioned
from registers.persons import person_of
from registers.reading import Register

PROPERTY = versioned(
    "landreg",
    "property",
    field("cadastre_no", Text(), rule="p9.2.5.6"),
    field("folio_no", Text(), rule="p9.2.5.6"),
    field("share", Text(), rule="p9.2.5.6"),
)

REGISTERS = (
    Register(
        name="properties",
        table=PROPERTY,
        source="landreg",
        criteria={name: PROPERTY.c[name] for name in ("cadastre_no", "folio_no")},
        order=("cadastre_no",),
    ),
)


def feed_properties(connection: Connection, answer: Properties, provenance: Provenance) -> Fed:
    """Keep what the register says of a person; what he does not own any more is superseded."""
    owner = {"person_id": person_of(connection, answer.person_code, provenance)}
    rows: list[Values] = [
        {"cadastre_no": one.cadastre_no, "folio_no": one.folio_no, "share": one.share}
        for one in answer.properties
    ]
    return replace(connection, PROPERTY, owner, rows, provenance, key=("cadastre_no",))


FEEDS = {Properties: feed_properties}
