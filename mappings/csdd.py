"""CSDD, the State register of vehicles (Transportlīdzekļu un to vadītāju valsts reģistrs): records and mapping tables.

The contract is modelled. Source: wsdl/csdd/v1-0, rules p9.2.5.7, p17.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange import Context
from mappings.codes import Code, code_list
from mappings.context import context
from mappings.fields import code, integer, many, nested, person_code, text
from mappings.mapping import Mapping
from wsdl import contract

VERSION = "v1-0"
NAMESPACE = contract("csdd", VERSION).namespace

VEHICLE_STATUS = code_list("vehicle_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle (transportlīdzeklis) that a person owns, by its registration plate; `year` is that of manufacture.

    Source: p9.2.5.7.
    """

    plate: str
    make: str
    model: str
    year: int
    status: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class GetVehiclesRequest:
    """Whose vehicles (GetVehicles)."""

    context: Context
    person_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicles:
    """All vehicles of one person on the day of the answer; those that he sold are not told. Source: p9.2.5.7."""

    person_code: str
    vehicles: tuple[Vehicle, ...]


VEHICLE = Mapping(
    Vehicle,
    NAMESPACE,
    "Transportlidzeklis",
    (
        text("plate", "RegistracijasNumurs", rule="p9.2.5.7", column="csdd_vehicle.plate"),
        text("make", "Marka", rule="p9.2.5.7", column="csdd_vehicle.make"),
        text("model", "Modelis", rule="p9.2.5.7", column="csdd_vehicle.model"),
        integer("year", "IzlaidumaGads", rule="p9.2.5.7", column="csdd_vehicle.year"),
        code("status", "Statuss", VEHICLE_STATUS, rule="p9.2.5.7", column="csdd_vehicle.status"),
    ),
)

GET_VEHICLES_REQUEST = Mapping(
    GetVehiclesRequest,
    NAMESPACE,
    "GetVehicles",
    (context(NAMESPACE), person_code("person_code", "PersonasKods", rule="p8.3", asked=True)),
    request=True,
)

# The code repeats what the caller asked: it leaves whatever is granted.
GET_VEHICLES_ANSWER = Mapping(
    Vehicles,
    NAMESPACE,
    "GetVehiclesResponse",
    (
        person_code(
            "person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code", always=True
        ),
        many(nested("vehicles", "Transportlidzekli/Transportlidzeklis", VEHICLE)),
    ),
)


def vehicles_answered(_request: GetVehiclesRequest, answer: Vehicles) -> str:
    """Which field of an answer contradicts itself, or "": a plate stands once."""
    plates = [one.plate for one in answer.vehicles]
    return "" if len(set(plates)) == len(plates) else "vehicles[].plate"
