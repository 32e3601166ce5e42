"""The service `own-data`: a private person learns what the registers hold of him, or of whom he represents.

A portal of the state asks, which has authenticated the person: he stands in the context as the one who asks. The answer
has one form for all registers, so that a register that is added needs a grant and no new contract.
Source: wsdl/spolis/own-data/v1-0, rule p18.1.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping as Values
from dataclasses import dataclass
from datetime import date

from exchange import Context, Disclosed
from mappings.context import context
from mappings.fields import date as day
from mappings.fields import identifier, many, nested, person_code, text
from mappings.mapping import Mapping
from mappings.services import OwnReading, Service, ServiceOperation
from wsdl import contract

NAMESPACE = contract("spolis/own-data").namespace

# The role of the one who asks: nobody asks here for his office.
ROLE = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOwnDataRequest:
    """Whose data (GetOwnData); without a code, those of the person who asks."""

    context: Context
    person_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldValue:
    """A value (vērtība) as text: a date, an amount, true or false; with its code where it is of a code list."""

    code: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldField:
    """A field (lauks) under the rule by which it is kept; without values where the register holds none."""

    name: str
    rule: str
    rule_text: str
    values: tuple[ToldValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEntry:
    """An entry of a register (ieraksts) as it is in force, who supplied it and since when it stands there."""

    register: str
    source: str
    recorded_on: date
    fields: tuple[ToldField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """The exchange, whose data these are, the entries, and the names of the fields that are withheld."""

    exchange_id: uuid.UUID
    person_code: str
    entries: tuple[ToldEntry, ...]
    withheld: tuple[str, ...]


VALUE = Mapping(
    ToldValue,
    NAMESPACE,
    "Vertiba",
    (
        text("code", "Kods", rule="p18.1", optional=True),
        text("text", "Teksts", rule="p18.1", longest=4000),
    ),
)

FIELD = Mapping(
    ToldField,
    NAMESPACE,
    "Lauks",
    (
        text("name", "Nosaukums", rule="p18.1"),
        text("rule", "Punkts", rule="p18.1"),
        text("rule_text", "PunktaTeksts", rule="p18.1", longest=4000),
        many(nested("values", "Vertibas/Vertiba", VALUE), optional=True),
    ),
)

ENTRY = Mapping(
    ToldEntry,
    NAMESPACE,
    "Ieraksts",
    (
        text("register", "Registrs", rule="p5"),
        text("source", "Avots", rule="p17"),
        day("recorded_on", "Ierakstits", rule="p18.1"),
        many(nested("fields", "Lauki/Lauks", FIELD), minimum=1),
    ),
)

GET_OWN_DATA_REQUEST = Mapping(
    GetOwnDataRequest,
    NAMESPACE,
    "GetOwnData",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p18.1", asked=True, optional=True),
    ),
    request=True,
)

GET_OWN_DATA_ANSWER = Mapping(
    OwnData,
    NAMESPACE,
    "GetOwnDataResponse",
    (
        identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),
        person_code("person_code", "PersonasKods", rule="p18.1"),
        many(nested("entries", "Ieraksti/Ieraksts", ENTRY), optional=True),
        many(text("withheld", "Aizturets", rule="p20", always=True), optional=True),
    ),
)


def _own_data(exchange_id: uuid.UUID, disclosed: Disclosed) -> OwnData:
    given = disclosed.record if isinstance(disclosed.record, dict) else {}
    listed = given.get("entries")
    entries = listed if isinstance(listed, list) else []
    return OwnData(
        exchange_id=exchange_id,
        person_code=str(given["person_code"]),
        entries=tuple(ENTRY.from_json(one) for one in entries if isinstance(one, Values)),
        withheld=disclosed.withheld,
    )


SERVICE = Service(
    name="own-data",
    version="v1-0",
    operations=(
        ServiceOperation(
            name="GetOwnData",
            request=GET_OWN_DATA_REQUEST,
            answer=GET_OWN_DATA_ANSWER,
            via=OwnReading(
                role=ROLE,
                system="pmlp",
                operation="GetPerson",
                arguments={"data_sets": ("REPRESENTATIVES",)},
                kinds=frozenset({"GUARDIAN", "TRUSTEE"}),
            ),
            compose=_own_data,
            once=False,
        ),
    ),
)
