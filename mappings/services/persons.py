"""The service `persons`: name and code of a person, the minimal data set of PMLP.

Source: wsdl/spolis/persons/v1-0, rules p8.1–p8.3, p18.3.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from exchange import Context, Disclosed
from mappings.context import context
from mappings.fields import identifier, many, nested, person_code, text
from mappings.mapping import Mapping
from mappings.services import Service, ServiceOperation
from wsdl import contract

NAMESPACE = contract("spolis/persons").namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPersonRequest:
    """Which person (GetPerson)."""

    context: Context
    person_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """Name and code of a person (Persona), as far as they may be given. Source: p8.1–p8.3."""

    given_names: tuple[str, ...] = ()
    family_name: str | None = None
    person_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPersonAnswer:
    """The exchange, the person unless everything is withheld, and the names of the fields that are."""

    exchange_id: uuid.UUID
    person: Name | None
    withheld: tuple[str, ...]


NAME = Mapping(
    Name,
    NAMESPACE,
    "Persona",
    (
        many(text("given_names", "Vards", rule="p8.1"), optional=True),
        text("family_name", "Uzvards", rule="p8.2", optional=True),
        person_code("person_code", "PersonasKods", rule="p8.3", optional=True),
    ),
)

GET_PERSON_REQUEST = Mapping(
    GetPersonRequest,
    NAMESPACE,
    "GetPerson",
    (context(NAMESPACE), person_code("person_code", "PersonasKods", rule="p8.3", asked=True)),
    request=True,
)

GET_PERSON_ANSWER = Mapping(
    GetPersonAnswer,
    NAMESPACE,
    "GetPersonResponse",
    (
        identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),
        nested("person", "Persona", NAME, optional=True),
        many(text("withheld", "Aizturets", rule="p20", always=True), optional=True),
    ),
)


def compose(exchange_id: uuid.UUID, disclosed: Disclosed) -> GetPersonAnswer:
    """Our answer: of PMLP's record only what this contract has, and of the withheld fields only those."""
    names = [field.name for field in NAME.fields]
    record = disclosed.record if isinstance(disclosed.record, dict) else {}
    given = {name: record[name] for name in names if name in record}
    return GetPersonAnswer(
        exchange_id=exchange_id,
        person=NAME.from_json(given) if given else None,
        withheld=tuple(name for name in names if name in disclosed.withheld),
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
            compose=compose,
        ),
    ),
)
