"""The service `persons`: what a recipient may learn of a person, by data set, with disability and with services.

Source: wsdl/spolis/persons/v1-0, rules p8.1–p8.13, p10.8, p12.8, p18.3.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings import answers, codes
from mappings.care_stays import CARE_STAY, CareStay
from mappings.context import context
from mappings.fields import date as day
from mappings.fields import key, many, person_code
from mappings.mapping import Mapping
from mappings.municipal_services import SERVICE as MUNICIPAL_SERVICE
from mappings.municipal_services import MunicipalService
from mappings.pmlp import PERSON
from mappings.services import Service, ServiceOperation
from mappings.vdeavk import GET_DISABILITY_ANSWER
from wsdl import contract

NAMESPACE = contract("spolis/persons").namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPersonRequest:
    """Which person, and which data sets (GetPerson); none named, name and code alone."""

    context: Context
    person_code: str
    data_sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDisabilityRequest:
    """Which person, on which day (GetDisability); a day left out is today in Riga."""

    context: Context
    person_code: str
    on_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetServicesRequest:
    """Which person (GetServices)."""

    context: Context
    person_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonServices:
    """The services of a person: stays in state-financed care, and what municipalities gave, refused or postponed."""

    exchange_id: uuid.UUID
    state: tuple[CareStay, ...]
    municipal: tuple[MunicipalService, ...]
    withheld: tuple[str, ...]


_WHO = (context(NAMESPACE), person_code("person_code", "PersonasKods", rule="p8.3", asked=True))

GET_PERSON_REQUEST = Mapping(
    GetPersonRequest,
    NAMESPACE,
    "GetPerson",
    (*_WHO, many(key("data_sets", "DatuKopas/DatuKopa", codes.DATA_SET, rule="p17.2"), optional=True)),
    request=True,
)

GET_DISABILITY_REQUEST = Mapping(
    GetDisabilityRequest,
    NAMESPACE,
    "GetDisability",
    (*_WHO, day("on_date", "Datums", rule="p8.13", optional=True)),
    request=True,
)

GET_SERVICES_REQUEST = Mapping(GetServicesRequest, NAMESPACE, "GetServices", _WHO, request=True)

GET_PERSON_ANSWER, _person = answers.one(NAMESPACE, "GetPersonResponse", "Persona", PERSON)
DISABILITY_ANSWER, _disability = answers.one(
    NAMESPACE, "GetDisabilityResponse", "Stavoklis", GET_DISABILITY_ANSWER
)
GET_SERVICES_ANSWER, _services = answers.several(
    PersonServices,
    NAMESPACE,
    "GetServicesResponse",
    {
        "state": ("ValstsPakalpojumi/Uzturesanas", CARE_STAY),
        "municipal": ("PasvaldibuPakalpojumi/Pakalpojums", MUNICIPAL_SERVICE),
    },
)

SERVICE = Service(
    name="persons",
    version="v1-0",
    operations=(
        ServiceOperation(
            name="GetPerson",
            request=GET_PERSON_REQUEST,
            answer=GET_PERSON_ANSWER,
            via=("pmlp", "GetPerson"),
            arguments={"data_sets": ("NAME_AND_CODE",)},
            compose=_person,
        ),
        ServiceOperation(
            name="GetDisability",
            request=GET_DISABILITY_REQUEST,
            answer=DISABILITY_ANSWER,
            via=("vdeavk", "GetDisability"),
            compose=_disability,
        ),
        ServiceOperation(
            name="GetServices",
            request=GET_SERVICES_REQUEST,
            answer=GET_SERVICES_ANSWER,
            via=("registers", "ListServices"),
            compose=_services,
        ),
    ),
)
