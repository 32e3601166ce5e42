"""The register of vehicles, as CSDD tells it while a declaration of means is judged. Source: p9.2.5.7, p17.9."""

from __future__ import annotations

from sqlalchemy import Connection, Integer, Text

from exchange import Provenance
from mappings.csdd import VEHICLE_STATUS, Vehicles
from registers.history import Fed, Values, field, replace, versioned
from registers.persons import person_of
from registers.reading import Register

VEHICLE = versioned(
    "csdd",
    "vehicle",
    field("plate", Text(), rule="p9.2.5.7"),
    field("make", Text(), rule="p9.2.5.7"),
    field("model", Text(), rule="p9.2.5.7"),
    field("year", Integer(), rule="p9.2.5.7"),
    field("status", Text(), rule="p9.2.5.7", codes=VEHICLE_STATUS),
)

REGISTERS = (
    Register(
        name="vehicles",
        table=VEHICLE,
        source="csdd",
        criteria={name: VEHICLE.c[name] for name in ("plate", "status")},
        order=("plate",),
    ),
)


def feed_vehicles(connection: Connection, answer: Vehicles, provenance: Provenance) -> Fed:
    """Keep what the register says of a person; what he does not own any more is superseded."""
    owner = {"person_id": person_of(connection, answer.person_code, provenance)}
    rows: list[Values] = [
        {
            "plate": one.plate,
            "make": one.make,
            "model": one.model,
            "year": one.year,
            "status": one.status.code,
        }
        for one in answer.vehicles
    ]
    return replace(connection, VEHICLE, owner, rows, provenance, key=("plate",))


FEEDS = {Vehicles: feed_vehicles}
