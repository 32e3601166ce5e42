"""PMLP, the Register of Natural Persons: canonical records and mapping tables.

Source: wsdl/pmlp/v1-0, rules p8.1–p8.12, p17.2.
"""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings import codes
from mappings.codes import Code
from mappings.context import context
from mappings.fields import boolean, code, key, many, nested, person_code, text, under
from mappings.fields import date as day
from mappings.mapping import Mapping
from wsdl import contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """A guardian, trustee or foster family (aizbildnis, aizgādnis, audžuģimene) of a person. Source: p8.9."""

    person_code: str
    kind: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An identity document (personu apliecinošs dokuments). Source: p8.11.1–p8.11.5."""

    kind: Code
    number: str
    issued_on: date
    valid_to: date | None
    country: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A declared, registered or indicated address (dzīvesvietas adrese); text as PMLP keeps it. Source: p8.12."""

    kind: Code
    varis_code: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMember:
    """A family member (ģimenes loceklis): a data set of its own, with its own purpose. Source: p9.2.5.1, p9.2.5.2."""

    relation: Code
    person_code: str
    given_names: tuple[str, ...]
    family_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A resident (fiziska persona) as far as the data sets asked for describe it; what was not asked is None or ().

    Source: p8.1–p8.12.
    """

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    birth_date: date | None = None
    sex: Code | None = None
    nationality: str | None = None
    nationality_kind: Code | None = None
    deceased: bool | None = None
    death_date: date | None = None
    capacity_restricted: bool | None = None
    capacity_review_date: date | None = None
    registry_status: Code | None = None
    representatives: tuple[Representative, ...] = ()
    documents: tuple[Document, ...] = ()
    addresses: tuple[Address, ...] = ()
    family: tuple[FamilyMember, ...] = ()
    data_sets: tuple[str, ...] = ()


NAMESPACE = contract("pmlp").namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPersonRequest:
    """Which person, and which data sets of that person (GetPerson)."""

    context: Context
    person_code: str
    data_sets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEntry:
    """What PMLP has of one code of a set; `person` is there exactly where the person was found. Source: p8.3."""

    asked_code: str
    found: bool
    person: Person | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSet:
    """Several persons by the same data sets, one entry for each code that was asked for. Source: p8.1–p8.12."""

    data_sets: tuple[str, ...]
    entries: tuple[PersonEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPersonSetRequest:
    """Which persons, at most `MOST_PERSONS`, and which data sets of each of them (GetPersonSet)."""

    context: Context
    person_codes: tuple[str, ...]
    data_sets: tuple[str, ...]


# The most persons of one request: it bounds the answer, whose entries are as many.
MOST_PERSONS = 100


def bounded(person_codes: tuple[str, ...]) -> str:
    """What is wrong with the persons of one request, or ""."""
    if len(person_codes) > MOST_PERSONS:
        return f"at most {MOST_PERSONS} person_codes in one request; ask for the others in another"
    return "" if len(set(person_codes)) == len(person_codes) else "a code stands twice in person_codes"


# What each data set holds, by rule. A data set is worth asking for where any of its rules is granted.
DATA_SETS: abc.Mapping[str, tuple[str, ...]] = {
    "NAME_AND_CODE": ("p8.1", "p8.2", "p8.3"),
    "IDENTITY": ("p8.4", "p8.5", "p8.6", "p8.7", "p8.8", "p8.10"),
    "REPRESENTATIVES": ("p8.9",),
    "DOCUMENTS": ("p8.11.1", "p8.11.2", "p8.11.3", "p8.11.4", "p8.11.5"),
    "ADDRESSES": ("p8.12",),
    "FAMILY": ("p9.2.5.1", "p9.2.5.2"),
}

REPRESENTATIVE = Mapping(
    Representative,
    NAMESPACE,
    "Parstavis",
    (
        person_code("person_code", "PersonasKods", rule="p8.9", column="pmlp_representative.person_code"),
        code("kind", "Veids", codes.REPRESENTATIVE_KIND, rule="p8.9", column="pmlp_representative.kind"),
    ),
)

DOCUMENT = Mapping(
    Document,
    NAMESPACE,
    "Dokuments",
    (
        code("kind", "Veids", codes.DOCUMENT_KIND, rule="p8.11.1", column="pmlp_document.kind"),
        text("number", "Numurs", rule="p8.11.2", column="pmlp_document.number"),
        day("issued_on", "IzdosanasDatums", rule="p8.11.3", column="pmlp_document.issued_on"),
        day("valid_to", "DerigsLidz", rule="p8.11.4", column="pmlp_document.valid_to", optional=True),
        text("country", "IzdevejaValsts", rule="p8.11.5", column="pmlp_document.country"),
        text("authority", "Izdevejiestade", rule="p8.11.5", column="pmlp_document.authority"),
    ),
)

ADDRESS = Mapping(
    Address,
    NAMESPACE,
    "Adrese",
    (
        code("kind", "Veids", codes.ADDRESS_KIND, rule="p8.12", column="pmlp_address.kind"),
        text("varis_code", "AdresesKods", rule="p8.12", column="pmlp_address.varis_code", optional=True),
        text("text", "Teksts", rule="p8.12", column="pmlp_address.text"),
    ),
)

# Who a family member is (9.2.5.1) and how related (9.2.5.2) are two points of the regulation.
FAMILY_MEMBER = Mapping(
    FamilyMember,
    NAMESPACE,
    "GimenesLoceklis",
    (
        code("relation", "Radnieciba", codes.FAMILY_RELATION, rule="p9.2.5.2", column="pmlp_family.relation"),
        person_code("person_code", "PersonasKods", rule="p9.2.5.1", column="pmlp_family.person_code"),
        many(text("given_names", "Vards", rule="p9.2.5.1", column="pmlp_family.given_names"), minimum=1),
        text("family_name", "Uzvards", rule="p9.2.5.1", column="pmlp_family.family_name"),
    ),
)

_PERSON = (
    many(text("given_names", "Vards", rule="p8.1", column="pmlp_identity.given_names"), minimum=1),
    text("family_name", "Uzvards", rule="p8.2", column="pmlp_identity.family_name"),
    person_code("person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code"),
    day("birth_date", "DzimsanasDatums", rule="p8.4", column="pmlp_particulars.birth_date", optional=True),
    code("sex", "Dzimums", codes.SEX, rule="p8.5", column="pmlp_particulars.sex", optional=True),
    text(
        "nationality",
        "ValstiskaPiederiba",
        rule="p8.6",
        column="pmlp_particulars.nationality",
        optional=True,
    ),
    code(
        "nationality_kind",
        "ValstiskasPiederibasVeids",
        codes.NATIONALITY_KIND,
        rule="p8.6",
        column="pmlp_particulars.nationality_kind",
        optional=True,
    ),
    boolean("deceased", "Miris", rule="p8.7", column="pmlp_particulars.deceased", optional=True),
    day("death_date", "MirsanasDatums", rule="p8.7", column="pmlp_particulars.death_date", optional=True),
    boolean(
        "capacity_restricted",
        "RicibspejaIerobezota",
        rule="p8.8",
        column="pmlp_particulars.capacity_restricted",
        optional=True,
    ),
    day(
        "capacity_review_date",
        "RicibspejasParskatisanasDatums",
        rule="p8.8",
        column="pmlp_particulars.capacity_review_date",
        optional=True,
    ),
    code(
        "registry_status",
        "TiesiskaisStatuss",
        codes.REGISTRY_STATUS,
        rule="p8.10",
        column="pmlp_particulars.registry_status",
        optional=True,
    ),
    many(nested("representatives", "Parstavji/Parstavis", REPRESENTATIVE), optional=True),
    many(nested("documents", "Dokumenti/Dokuments", DOCUMENT), optional=True),
    many(nested("addresses", "Adreses/Adrese", ADDRESS), optional=True),
    many(nested("family", "Gimene/GimenesLoceklis", FAMILY_MEMBER), optional=True),
)

PERSON = Mapping(Person, NAMESPACE, "Persona", _PERSON)

GET_PERSON_REQUEST = Mapping(
    GetPersonRequest,
    NAMESPACE,
    "GetPerson",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p8.3", asked=True),
        many(key("data_sets", "DatuKopas/DatuKopa", codes.DATA_SET, rule="p17.2"), minimum=1),
    ),
    request=True,
)

GET_PERSON_ANSWER = Mapping(
    Person,
    NAMESPACE,
    "GetPersonResponse",
    (
        many(key("data_sets", "DatuKopas/DatuKopa", codes.DATA_SET, rule="p17.2", always=True), minimum=1),
        *under("Persona", _PERSON),
    ),
)

PERSON_CODES = many(
    person_code("person_codes", "PersonasKodi/PersonasKods", rule="p8.3", asked=True), minimum=1
)

# The code repeats what the caller asked: it leaves whatever is granted.
PERSON_ENTRY = Mapping(
    PersonEntry,
    NAMESPACE,
    "Ieraksts",
    (
        person_code(
            "asked_code", "PrasitaisKods", rule="p8.3", column="spolis_person_code.code", always=True
        ),
        boolean("found", "Atrasts", rule="p8.3", column="spolis_person_code.code"),
        nested("person", "Persona", PERSON, optional=True),
    ),
)

GET_PERSON_SET_REQUEST = Mapping(
    GetPersonSetRequest,
    NAMESPACE,
    "GetPersonSet",
    (
        context(NAMESPACE),
        PERSON_CODES,
        many(key("data_sets", "DatuKopas/DatuKopa", codes.DATA_SET, rule="p17.2"), minimum=1),
    ),
    request=True,
    check=lambda request: bounded(request.person_codes),
)

GET_PERSON_SET_ANSWER = Mapping(
    PersonSet,
    NAMESPACE,
    "GetPersonSetResponse",
    (
        many(key("data_sets", "DatuKopas/DatuKopa", codes.DATA_SET, rule="p17.2", always=True), minimum=1),
        many(nested("entries", "Ieraksti/Ieraksts", PERSON_ENTRY), minimum=1),
    ),
)


def set_answered(request: GetPersonSetRequest, answer: PersonSet) -> str:
    """Which field of an answer does not belong to the request that it answers, or ""."""
    if sorted(entry.asked_code for entry in answer.entries) != sorted(request.person_codes):
        return "entries[].asked_code"
    return "entries[].person" if any(e.found != (e.person is not None) for e in answer.entries) else ""
