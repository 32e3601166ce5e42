"""CSDD, the register of vehicles: GetVehicles.

Half of all adults own a vehicle, some two; one in four is not in traffic. Children own none.
Source: wsdl/csdd/v1-0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.control import Mode
from simulators.discovery import Simulator
from simulators.population import Person, Population
from simulators.service import (
    Call,
    Model,
    application,
    coded,
    many,
    mode_of,
    no_such_code,
    shared_types,
    subject,
)
from wsdl import contract
from wsdl.spyne_compat import ComplexModel, Integer, ServiceBase, Unicode, rpc

VERSION = "v1-0"
NAMESPACE = contract("csdd", VERSION).namespace
STATUSES: Mapping[str, str] = {
    "REGISTERED": "Reģistrēts",
    "SUSPENDED": "Reģistrācija pārtraukta",
    "DEREGISTERED": "Noņemts no uzskaites",
}
_MAKES = (("VOLVO", "V70"), ("VW", "GOLF"), ("AUDI", "A4"), ("TOYOTA", "YARIS"), ("ŠKODA", "OCTAVIA"))
_LETTERS = "ABCDEFGHJKLMNOPRSTUV"
_OF_AGE = 2007  # born before: an adult in every year in which the population holds
_TYPES = shared_types(NAMESPACE)

_status = coded(_TYPES.code, STATUSES)


class TransportlidzeklisStructure(ComplexModel):
    __namespace__ = NAMESPACE
    RegistracijasNumurs = Unicode
    Marka = Unicode
    Modelis = Unicode
    IzlaidumaGads = Integer
    Statuss = _TYPES.code


class TransportlidzekliStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Transportlidzeklis = many(TransportlidzeklisStructure)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle of a person."""

    plate: str
    make: str
    model: str
    year: int
    status: str


def csdd(population: Population) -> Model:
    """The application of the register of vehicles over a population."""

    class Csdd(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "code": "PersonasKods"},
            _returns=(Unicode, TransportlidzekliStructure),
            _out_variable_names=("PersonasKods", "Transportlidzekli"),
        )
        def GetVehicles(call: Call, _context: Model, code: str) -> tuple[str, Model]:
            person = subject(call, population, NAMESPACE, code)
            owned = [_transportlidzeklis(one) for one in vehicles(population, person)]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                owned = owned or [_transportlidzeklis(_made(population, person, 0))]
                owned[0].Statuss = no_such_code(_TYPES.code)
            return person.code, TransportlidzekliStructure(Transportlidzeklis=owned)

    return application(Csdd, "Csdd", NAMESPACE)


def vehicles(population: Population, person: Person) -> tuple[Vehicle, ...]:
    """What a person owns; the seed alone decides."""
    if person.birth_date.year >= _OF_AGE:
        return ()
    owned = (0, 0, 1, 2)[population.draw("vehicles", person.index) % 4]
    return tuple(_made(population, person, number) for number in range(owned))


def _made(population: Population, person: Person, number: int) -> Vehicle:
    draw = population.draw("vehicle", person.index, number)
    make, model = _MAKES[draw % len(_MAKES)]
    # The place in the population makes the plate: no two are the same.
    place = person.index * 2 + number
    letters = "".join(_LETTERS[place // 10_000 // 20**power % 20] for power in (1, 0))
    status = ("REGISTERED", "REGISTERED", "REGISTERED", "SUSPENDED")[draw % 4]
    return Vehicle(f"{letters}{place % 10_000:04d}", make, model, 1998 + draw % 26, status)


def _transportlidzeklis(vehicle: Vehicle) -> Model:
    return TransportlidzeklisStructure(
        RegistracijasNumurs=vehicle.plate,
        Marka=vehicle.make,
        Modelis=vehicle.model,
        IzlaidumaGads=vehicle.year,
        Statuss=_status(vehicle.status),
    )


SIMULATOR = Simulator(lambda population, _past: csdd(population), VERSION)
