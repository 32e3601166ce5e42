"""What the five systems have in common: context and codes of their contracts, faults, and how a call is told to lie.

Every contract has a namespace of its own, so the shared types are made once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from simulators.control import Mode
from simulators.population import Person, Population
from wsdl.spyne_compat import Application, ComplexModel, Fault, ServiceBase, Soap11, Unicode

# The keys in the WSGI environment by which an operation learns the mode and the MessageID, and tells its effect.
MODE = "simulator.mode"
MESSAGE_ID = "simulator.message_id"
EFFECT = "simulator.effect"
BEFORE_EFFECT = "simulator.before_effect"
NO_SUCH_CODE = "NAV_SARAKSTA"
NOT_FOUND = "NAV_ATRASTS"
NO_RIGHT = "NAV_TIESIBU"
WRONG_REQUEST = "NEPAREIZS_PIEPRASIJUMS"
INTERNAL = "IEKSEJA_KLUDA"

Model = Any  # a class that Spyne makes from what is declared, or an instance of one
Call = Any  # the context that Spyne hands to an operation in place of self


@dataclass(frozen=True, slots=True)
class SharedTypes:
    """The types that each contract has in its own namespace."""

    context: Model
    code: Model
    codes: Model  # the same, any number of times


def shared_types(namespace: str) -> SharedTypes:
    """Context (Konteksts) and code with its text (KlasifikatoraVertiba) in a namespace."""

    class DarbinieksStructure(ComplexModel):
        __namespace__ = namespace
        Identifikators = Unicode
        Iestade = Unicode
        Loma = Unicode

    class KontekstsStructure(ComplexModel):
        __namespace__ = namespace
        Merkis = Unicode
        Tiesibas = Unicode
        Darbinieks = DarbinieksStructure
        Lieta = Unicode
        PieprasijumaId = Unicode
        Vide = Unicode

    class KlasifikatoraVertibaStructure(ComplexModel):
        __namespace__ = namespace
        Kods = Unicode
        Nosaukums = Unicode

    return SharedTypes(KontekstsStructure, KlasifikatoraVertibaStructure, many(KlasifikatoraVertibaStructure))


def many(model: Model) -> Model:
    """The same type, any number of times."""
    return model.customize(max_occurs="unbounded")


def coded(code: Model, texts: Mapping[str, str]) -> Callable[[str], Model]:
    """A maker of codes of one list, each with its text."""

    def make(value: str) -> Model:
        return code(Kods=value, Nosaukums=texts[value])

    return make


def no_such_code(code: Model) -> Model:
    """A code that the contract's schema allows and no list has."""
    return code(Kods=NO_SUCH_CODE, Nosaukums="Klasifikatorā nav tādas vērtības")


def application(service: type[ServiceBase], name: str, namespace: str) -> Model:
    """A Spyne application that speaks SOAP 1.1 in the contract's namespace."""
    return Application([service], tns=namespace, name=name, in_protocol=Soap11(), out_protocol=Soap11())


def error_detail(namespace: str, code: str, text: str) -> Model:
    """The detail of a fault: `Kluda` with `Kods` and `Apraksts`."""
    detail = etree.Element(f"{{{namespace}}}Kluda", nsmap={None: namespace})
    etree.SubElement(detail, f"{{{namespace}}}Kods").text = code
    etree.SubElement(detail, f"{{{namespace}}}Apraksts").text = text
    return detail


def refusal(namespace: str, code: str, text: str) -> Fault:
    """A fault of the caller, to be raised."""
    return Fault("Client", text, detail=error_detail(namespace, code, text))


def mode_of(call: Call) -> Mode:
    """How this call is to be answered."""
    mode: Mode = call.transport.req_env.get(MODE, Mode.OK)
    return mode


def message_of(call: Call) -> str:
    """The signed MessageID of this call, or "" where it has none."""
    return str(call.transport.req_env.get(MESSAGE_ID) or "")


def note_effect(call: Call, effect: str) -> None:
    """Tell the journal what this call did, where that is not that it read."""
    call.transport.req_env[EFFECT] = effect


def take_effect(call: Call) -> None:
    """Wait, in mode late_effect: what follows is the effect of this call, whether its caller is still there or not."""
    call.transport.req_env[BEFORE_EFFECT]()


def subject(call: Call, population: Population, namespace: str, code: str) -> Person:
    """The person asked about; in mode other_answer somebody else of the same part in another community.

    Raises: Fault NAV_ATRASTS for an unknown code.
    """
    person = population.by_code(code.replace("-", ""))
    if person is None:
        raise refusal(namespace, NOT_FOUND, "Persona ar šādu kodu nav atrasta")
    return population.other(person) if mode_of(call) is Mode.OTHER_ANSWER else person
