"""The register of providers of social services and the places of institutions, as the ministry hands them in.

Source: wsdl/spolis/providers/v1-0, rules p6, p15^1, p17.6. Point 6 names no fields; these are those of the rules on
registering providers, as far as they are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import INSTITUTION_KIND, MUNICIPAL_SERVICE, Code, code_list
from mappings.fields import code, date, integer, many, nested, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, numbers

PROVIDER_KIND = code_list("provider_kind")
REGISTRATION_NUMBER = r"[A-Za-z0-9/.\-]{1,50}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredService:
    """A service (pakalpojums) that a provider is registered for, and where. Source: p6."""

    service: Code
    place_address: str
    client_group: str
    places: int | None
    registered_on: day
    excluded_on: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider of social services (sociālo pakalpojumu sniedzējs), from registration to exclusion. Source: p6."""

    case_no: str
    record_no: str
    registration_number: str
    company_number: str | None
    name: str
    kind: Code
    legal_address: str
    phone: str | None
    email: str | None
    registered_on: day
    decision_number: str | None
    excluded_on: day | None
    exclusion_reason: str | None
    services: tuple[RegisteredService, ...]
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionPlaces:
    """A care centre or contract organisation, and its state-financed places on a day. Source: p15^1."""

    case_no: str
    record_no: str
    name: str
    address: str
    region: str
    kind: Code
    client_group: str
    counted_on: day
    places: int
    residents: int
    free: int
    supplier: str = ""


def provider_problem(provider: Provider) -> str:
    """What is wrong with a provider taken by itself, or ""."""
    if provider.excluded_on is None and provider.exclusion_reason is not None:
        return "exclusion_reason belongs to excluded_on"
    if provider.excluded_on is not None and provider.excluded_on < provider.registered_on:
        return "excluded_on is before registered_on"
    for one in provider.services:
        if one.registered_on < provider.registered_on:
            return "services[].registered_on is before registered_on"
        if one.excluded_on is not None and one.excluded_on < one.registered_on:
            return "services[].excluded_on is before registered_on"
    return ""


def places_problem(institution: InstitutionPlaces) -> str:
    """What is wrong with places taken by themselves, or ""."""
    return "free is more than places" if institution.free > institution.places else ""


_T = "providers_provider"
_SERVICES = f"{_T}.services"
REGISTERED_SERVICE = Mapping(
    RegisteredService,
    NAMESPACE,
    "Pakalpojums",
    (
        # The services are those of the municipal list: one list, so that what one person gets can be put side by side.
        code("service", "Veids", MUNICIPAL_SERVICE, rule="p6", column=_SERVICES),
        text("place_address", "SniegsanasVieta", rule="p6", column=_SERVICES),
        text("client_group", "KlientuGrupa", longest=250, rule="p6", column=_SERVICES),
        integer("places", "VietuSkaits", rule="p6", column=_SERVICES, optional=True),
        date("registered_on", "RegistretsNo", rule="p6", column=_SERVICES),
        date("excluded_on", "IzslegtsNo", rule="p6", column=_SERVICES, optional=True),
    ),
)

PROVIDER = Mapping(
    Provider,
    NAMESPACE,
    "Sniedzejs",
    (
        *numbers(_T),
        text(
            "registration_number",
            "RegistracijasNumurs",
            pattern=REGISTRATION_NUMBER,
            longest=50,
            rule="p6",
            column=f"{_T}.registration_number",
        ),
        text(
            "company_number",
            "UznemumaNumurs",
            pattern=r"\d{11}",
            rule="p6",
            column=f"{_T}.company_number",
            optional=True,
        ),
        text("name", "Nosaukums", longest=250, rule="p6", column=f"{_T}.name"),
        code("kind", "Veids", PROVIDER_KIND, rule="p6", column=f"{_T}.kind"),
        text("legal_address", "JuridiskaAdrese", rule="p6", column=f"{_T}.legal_address"),
        text("phone", "Talrunis", longest=31, rule="p6", column=f"{_T}.phone", optional=True),
        text("email", "Epasts", longest=250, rule="p6", column=f"{_T}.email", optional=True),
        date("registered_on", "RegistretsNo", rule="p6", column=f"{_T}.registered_on"),
        text(
            "decision_number",
            "LemumaNumurs",
            longest=100,
            rule="p6",
            column=f"{_T}.decision_number",
            optional=True,
        ),
        date("excluded_on", "IzslegtsNo", rule="p6", column=f"{_T}.excluded_on", optional=True),
        text(
            "exclusion_reason",
            "IzslegsanasIemesls",
            rule="p6",
            column=f"{_T}.exclusion_reason",
            optional=True,
        ),
        many(nested("services", "Pakalpojums", REGISTERED_SERVICE), minimum=1),
    ),
    check=provider_problem,
)

_P = "providers_places"
INSTITUTION_PLACES = Mapping(
    InstitutionPlaces,
    NAMESPACE,
    "Institucija",
    (
        *numbers(_P),
        text("name", "Nosaukums", longest=250, rule="p15^1.1", column=f"{_P}.name"),
        text("address", "Adrese", rule="p15^1.1", column=f"{_P}.address"),
        text("region", "Regions", longest=250, rule="p15^1.1", column=f"{_P}.region"),
        code("kind", "Veids", INSTITUTION_KIND, rule="p15^1.1", column=f"{_P}.kind"),
        text("client_group", "SanemejuGrupa", longest=250, rule="p15^1.2", column=f"{_P}.client_group"),
        date("counted_on", "UzskaitesDatums", rule="p15^1.3", column=f"{_P}.counted_on"),
        integer("places", "VietuSkaits", rule="p15^1.3", column=f"{_P}.places"),
        integer("residents", "SanemejuSkaits", rule="p15^1.3", column=f"{_P}.residents"),
        integer("free", "BrivoVietuSkaits", rule="p15^1.3", column=f"{_P}.free"),
    ),
    check=places_problem,
)
