"""The register of children in out-of-family care, as NPAIS gives it when asked or hands it in.

What municipalities tell of the same stays is kept apart (`municipal-placements`); where they differ is listed.
Source: p10.11.1–p10.11.3, p17.5.
"""

from __future__ import annotations

from sqlalchemy import Connection, Date, Text

from exchange import Provenance
from mappings.codes import STOP_REASON
from mappings.court_decisions import DeliveredPlacement
from mappings.npais import Placement, Placements
from registers.history import Fed, Values, field, replace, versioned
from registers.persons import person_of
from registers.placement_conflicts import relist
from registers.reading import Register

PLACEMENT = versioned(
    "npais",
    "placement",
    field("institution", Text(), rule="p10.11"),
    field("entered_on", Date(), rule="p10.11.1"),
    field("stopped_on", Date(), rule="p10.11.2", optional=True),
    field("stop_reason", Text(), rule="p10.11.3", codes=STOP_REASON, optional=True),
)

_KEY = ("institution", "entered_on")

REGISTERS = (
    Register(
        name="placements",
        table=PLACEMENT,
        source="npais",
        criteria={
            name: PLACEMENT.c[name] for name in ("institution", "entered_on", "stopped_on", "stop_reason")
        },
        valid=("entered_on", "stopped_on"),
        order=("entered_on", "institution"),
    ),
)


def feed_placements(connection: Connection, answer: Placements, provenance: Provenance) -> Fed:
    """Keep the placements of a child; a placement that NPAIS no longer names is superseded."""
    owner = {"person_id": person_of(connection, answer.person_code, provenance)}
    rows = [_values(placement) for placement in answer.placements]
    fed = replace(connection, PLACEMENT, owner, rows, provenance, key=_KEY)
    return fed + relist(connection, owner["person_id"], provenance)


def feed_delivery(connection: Connection, placement: DeliveredPlacement, provenance: Provenance) -> Fed:
    """Keep a placement that was handed in; the same institution and day of entering are the same placement.

    Of other placements of the child it says nothing: none ends.
    """
    owner = {"person_id": person_of(connection, placement.person_code, provenance)}
    rows = [_values(placement)]
    fed = replace(connection, PLACEMENT, owner, rows, provenance, key=_KEY, within=lambda _row: False)
    return fed + relist(connection, owner["person_id"], provenance)


def _values(placement: Placement | DeliveredPlacement) -> Values:
    return {
        "institution": placement.institution,
        "entered_on": placement.entered_on,
        "stopped_on": placement.stopped_on,
        "stop_reason": placement.stop_reason.code if placement.stop_reason else None,
    }


FEEDS = {Placements: feed_placements, DeliveredPlacement: feed_delivery}
