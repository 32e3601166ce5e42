"""The Land register (Valsts vienotā datorizētā zemesgrāmata) of the Court Administration: records and mapping tables.

The contract is modelled. Source: wsdl/landreg/v1-0, rules p9.2.5.6, p17.8.
"""

from __future__ import annotations

from dataclasses import dataclass

from exchange import Context
from mappings.context import context
from mappings.fields import many, nested, person_code, text
from mappings.mapping import Mapping
from wsdl import contract

VERSION = "v1-0"
NAMESPACE = contract("landreg", VERSION).namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """Real estate (nekustamais īpašums) of which a person owns the whole or a share, a common fraction: `1/2`.

    Source: p9.2.5.6.
    """

    cadastre_no: str
    folio_no: str
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPropertiesRequest:
    """Whose real estate (GetProperties)."""

    context: Context
    person_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """All real estate of one person on the day of the answer; what he owned before is not told. Source: p9.2.5.6."""

    person_code: str
    properties: tuple[Property, ...]


PROPERTY = Mapping(
    Property,
    NAMESPACE,
    "Ipasums",
    (
        text("cadastre_no", "KadastraNumurs", rule="p9.2.5.6", column="landreg_property.cadastre_no"),
        text("folio_no", "NodalijumaNumurs", rule="p9.2.5.6", column="landreg_property.folio_no"),
        text("share", "DomajamaDala", rule="p9.2.5.6", column="landreg_property.share"),
    ),
)

GET_PROPERTIES_REQUEST = Mapping(
    GetPropertiesRequest,
    NAMESPACE,
    "GetProperties",
    (context(NAMESPACE), person_code("person_code", "PersonasKods", rule="p8.3", asked=True)),
    request=True,
)

# The code repeats what the caller asked: it leaves whatever is granted.
GET_PROPERTIES_ANSWER = Mapping(
    Properties,
    NAMESPACE,
    "GetPropertiesResponse",
    (
        person_code(
            "person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code", always=True
        ),
        many(nested("properties", "Ipasumi/Ipasums", PROPERTY)),
    ),
)


def properties_answered(_request: GetPropertiesRequest, answer: Properties) -> str:
    """Which field of an answer contradicts itself, or "": one property stands once, and no share is over the whole."""
    cadastre = [one.cadastre_no for one in answer.properties]
    if len(set(cadastre)) != len(cadastre):
        return "properties[].cadastre_no"
    return "properties[].share" if any(_over(one.share) for one in answer.properties) else ""


def _over(share: str) -> bool:
    part, _, whole = share.partition("/")
    return int(part) > int(whole)
