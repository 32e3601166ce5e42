"""PMLP, the Register of Natural Persons: canonical records and mapping tables.

Source: wsdl/pmlp/v1-0, rules p8.1–p8.12, p17.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mappings.codes import Code


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
    """A family member (ģimenes loceklis): a data set of its own, with its own purpose. Source: p9.2.5.1."""

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
