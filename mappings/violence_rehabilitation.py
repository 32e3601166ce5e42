"""Rehabilitation of an adult who used violence, as a provider hands it in; the case's own data, not the reports.

Source: wsdl/spolis/providers/v1-0, rules p11^2.1–p11^2.5, p11^2.8, p17.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.codes import SEX, Code, code_list
from mappings.fields import boolean, code, date, decimal, integer, many, nested, person_code, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, names, numbers, person

VIOLENCE_SERVICE = code_list("violence_service")
PROFESSION = code_list("specialist_profession")
CONTRACT_KIND = code_list("specialist_contract")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """How many consultations or group sessions of a kind. Source: p11^2.1, p11^2.2."""

    kind: Code
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCost:
    """The price of one session of a kind and what all of them cost, euro. Source: p11^2.3."""

    kind: Code
    price: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialist:
    """A specialist (speciālists) who provides the service. Source: p11^2.8."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    sex: Code
    profession: Code
    municipality: str
    contract_kind: Code
    of_social_service: bool
    trained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolenceRehabilitation:
    """The service (pakalpojums vardarbību veikušai personai): granted, provided and paid. Source: p11^2."""

    case_no: str
    record_no: str
    person_code: str
    granted: tuple[Sessions, ...]
    provided: tuple[Sessions, ...]
    costs: tuple[SessionCost, ...]
    transport_paid: Decimal | None
    granted_on: day
    began_on: day | None
    completed_on: day | None
    specialists: tuple[Specialist, ...]
    supplier: str = ""


def violence_problem(record: ViolenceRehabilitation) -> str:
    """What is wrong with a record taken by itself, or ""."""
    if record.began_on is not None and record.began_on < record.granted_on:
        return "began_on is before granted_on"
    if record.completed_on is not None and (record.began_on is None or record.completed_on < record.began_on):
        return "completed_on is before began_on"
    if record.provided and record.began_on is None:
        return "began_on is missing where something was provided"
    return ""


_T = "providers_violence"


def _sessions(element: str, rule: str, column: str) -> Mapping[Sessions]:
    return Mapping(
        Sessions,
        NAMESPACE,
        element,
        (
            code("kind", "Veids", VIOLENCE_SERVICE, rule=rule, column=column),
            integer("count", "Skaits", rule=rule, column=column),
        ),
    )


_COSTS = f"{_T}.costs"
SESSION_COST = Mapping(
    SessionCost,
    NAMESPACE,
    "Izmaksas",
    (
        code("kind", "Veids", VIOLENCE_SERVICE, rule="p11^2.3", column=_COSTS),
        decimal("price", "Cena", places=2, rule="p11^2.3", column=_COSTS),
        decimal("total", "KopejasIzmaksas", places=2, rule="p11^2.3", column=_COSTS),
    ),
)

_SPECIALISTS = f"{_T}.specialists"
SPECIALIST = Mapping(
    Specialist,
    NAMESPACE,
    "Specialists",
    (
        *names("p11^2.8", _SPECIALISTS),
        person_code("person_code", "PersonasKods", asked=True, rule="p11^2.8", column=_SPECIALISTS),
        code("sex", "Dzimums", SEX, rule="p11^2.8", column=_SPECIALISTS),
        code("profession", "Profesija", PROFESSION, rule="p11^2.8", column=_SPECIALISTS),
        text("municipality", "Novads", longest=250, rule="p11^2.8", column=_SPECIALISTS),
        code("contract_kind", "LigumaVeids", CONTRACT_KIND, rule="p11^2.8", column=_SPECIALISTS),
        boolean("of_social_service", "SocialaDienestaDarbinieks", rule="p11^2.8", column=_SPECIALISTS),
        boolean("trained", "Apmacits", rule="p11^2.8", column=_SPECIALISTS),
    ),
)

VIOLENCE_REHABILITATION = Mapping(
    ViolenceRehabilitation,
    NAMESPACE,
    "VardarbibasMazinasana",
    (
        *numbers(_T),
        person(),
        many(nested("granted", "Pieskirts", _sessions("Pieskirts", "p11^2.1", f"{_T}.granted")), minimum=1),
        many(nested("provided", "Sniegts", _sessions("Sniegts", "p11^2.2", f"{_T}.provided")), optional=True),
        many(nested("costs", "Izmaksas", SESSION_COST), optional=True),
        decimal(
            "transport_paid",
            "TransportaKompensacija",
            places=2,
            rule="p11^2.4",
            column=f"{_T}.transport_paid",
            optional=True,
        ),
        date("granted_on", "PieskirsanasDatums", rule="p11^2.5", column=f"{_T}.granted_on"),
        date("began_on", "UzsaksanasDatums", rule="p11^2.5", column=f"{_T}.began_on", optional=True),
        date("completed_on", "PabeigsanasDatums", rule="p11^2.5", column=f"{_T}.completed_on", optional=True),
        many(nested("specialists", "Specialists", SPECIALIST), optional=True),
    ),
    check=violence_problem,
)
