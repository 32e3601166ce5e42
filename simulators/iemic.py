"""IeM IC, the register of invalid documents: CheckDocument.

One in eight documents of Latvia is listed as invalid, by its number alone, so that it stays the same for a seed. Of
documents of other countries only those that are listed are known. Nothing is known of anybody's expiry.
Source: wsdl/iemic/v1-0.
"""

from __future__ import annotations

from collections.abc import Mapping

from exchange import today_in_riga
from simulators.code_lists import DOCUMENT_KINDS
from simulators.control import Mode
from simulators.discovery import Simulator
from simulators.population import Population
from simulators.service import (
    WRONG_REQUEST,
    Call,
    Model,
    application,
    coded,
    mode_of,
    no_such_code,
    refusal,
    shared_types,
)
from wsdl import contract
from wsdl.spyne_compat import Date, ServiceBase, Unicode, rpc

VERSION = "v1-0"
NAMESPACE = contract("iemic", VERSION).namespace
STATUSES: Mapping[str, str] = {
    "INVALID": "Nederīgs",
    "VALID": "Derīgs",
    "UNDETERMINED": "Nav nosakāms",
}
_HOME = "LVA"
_TYPES = shared_types(NAMESPACE)

_kind = coded(_TYPES.code, DOCUMENT_KINDS)
_status = coded(_TYPES.code, STATUSES)


def iemic(population: Population) -> Model:
    """The application of the register of invalid documents; the population's seed says what is listed."""

    class Iemic(ServiceBase):
        @rpc(
            _TYPES.context,
            _TYPES.code,
            Unicode,
            Unicode,
            _in_arg_names={
                "_context": "Konteksts",
                "kind": "Veids",
                "number": "Numurs",
                "country": "Valsts",
            },
            _returns=(_TYPES.code, Unicode, Unicode, Date, _TYPES.code),
            _out_variable_names=("Veids", "Numurs", "Valsts", "ParbaudesDatums", "Statuss"),
        )
        def CheckDocument(call: Call, _context: Model, kind: Model, number: str, country: str) -> Model:
            if kind.Kods not in DOCUMENT_KINDS:
                raise refusal(NAMESPACE, WRONG_REQUEST, "Šāda dokumenta veida reģistrā nav")
            if mode_of(call) is Mode.OTHER_ANSWER:
                number = f"{number[:-1]}{'1' if number.endswith('0') else '0'}"
            unknown = mode_of(call) is Mode.UNKNOWN_CODE
            found = status_of(population, kind.Kods, number, country)
            said = no_such_code(_TYPES.code) if unknown else _status(found)
            return _kind(kind.Kods), number, country, today_in_riga(), said

    return application(Iemic, "Iemic", NAMESPACE)


def status_of(population: Population, kind: str, number: str, country: str) -> str:
    """What the register says of a document."""
    if population.draw("invalid document", kind, number, country) % 8 == 0:
        return "INVALID"
    return "VALID" if country == _HOME else "UNDETERMINED"


SIMULATOR = Simulator(lambda population, _past: iemic(population), VERSION)
