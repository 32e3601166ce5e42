"""The Land register: GetProperties.

Two adults in three own a house, one in five a piece of forest. Couples own half of the same house each. Children own
nothing.
Source: wsdl/landreg/v1-0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulators.discovery import Simulator
from simulators.households import SPOUSES
from simulators.population import Person, Population
from simulators.service import Call, Model, application, many, shared_types, subject
from wsdl import contract
from wsdl.spyne_compat import ComplexModel, ServiceBase, Unicode, rpc

VERSION = "v1-0"
NAMESPACE = contract("landreg", VERSION).namespace
_OF_AGE = 2007  # born before: an adult in every year in which the population holds
_TYPES = shared_types(NAMESPACE)


class IpasumsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    KadastraNumurs = Unicode
    NodalijumaNumurs = Unicode
    DomajamaDala = Unicode


class IpasumiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Ipasums = many(IpasumsStructure)


@dataclass(frozen=True, slots=True)
class Property:
    """Real estate of a person, or a share of it."""

    cadastre_no: str
    folio_no: str
    share: str


def landreg(population: Population) -> Model:
    """The application of the Land register over a population."""

    class Landreg(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "code": "PersonasKods"},
            _returns=(Unicode, IpasumiStructure),
            _out_variable_names=("PersonasKods", "Ipasumi"),
        )
        def GetProperties(call: Call, _context: Model, code: str) -> tuple[str, Model]:
            person = subject(call, population, NAMESPACE, code)
            owned = [
                IpasumsStructure(
                    KadastraNumurs=one.cadastre_no, NodalijumaNumurs=one.folio_no, DomajamaDala=one.share
                )
                for one in properties(population, person)
            ]
            return person.code, IpasumiStructure(Ipasums=owned)

    return application(Landreg, "Landreg", NAMESPACE)


def properties(population: Population, person: Person) -> tuple[Property, ...]:
    """What a person owns; the seed alone decides."""
    return tuple(_owned(population, person)) if person.birth_date.year < _OF_AGE else ()


def _owned(population: Population, person: Person) -> Iterator[Property]:
    couple = next((pair for pair in SPOUSES if person.slot in pair), None)
    # A couple is drawn as one: both own half of the same house.
    draw = population.draw("house", person.block, couple[0] if couple else person.slot)
    if draw % 3:
        yield Property(_cadastre(draw), f"{10_000 + draw % 89_999}", "1/2" if couple else "1/1")
    forest = population.draw("forest", person.index)
    if forest % 5 == 0:
        yield Property(_cadastre(forest), f"{100_000_000 + forest % 899_999_999}", "1/1")


def _cadastre(draw: int) -> str:
    return f"{10_000_000_000 + draw % 89_999_999_999}"


SIMULATOR = Simulator(lambda population, _past: landreg(population), VERSION)
