"""The service `addresses`: agencies resolve a code of the State Address Register, and search as people write.

Source: wsdl/spolis/addresses/v1-0, rules p17.10, p18.3.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from exchange import Context
from mappings import answers
from mappings.context import context
from mappings.fields import integer, text
from mappings.mapping import Mapping
from mappings.services import Service, ServiceOperation
from mappings.vzd import REGISTERED_ADDRESS, RegisteredAddress
from wsdl import contract

NAMESPACE = contract("spolis/addresses").namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveCodeRequest:
    """Which object of the register (ResolveCode)."""

    context: Context
    varis_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAddressRequest:
    """Which text, and how many addresses at most (SearchAddress); left out, ten."""

    context: Context
    text: str
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The addresses that match, best first."""

    exchange_id: uuid.UUID
    addresses: tuple[RegisteredAddress, ...]
    withheld: tuple[str, ...]


RESOLVE_CODE_REQUEST = Mapping(
    ResolveCodeRequest,
    NAMESPACE,
    "ResolveCode",
    (context(NAMESPACE), text("varis_code", "AdresesKods", rule="p17.10", pattern=r"\d{9}")),
    request=True,
)

SEARCH_ADDRESS_REQUEST = Mapping(
    SearchAddressRequest,
    NAMESPACE,
    "SearchAddress",
    (
        context(NAMESPACE),
        text("text", "Teksts", rule="p17.10", shortest=2, longest=200),
        integer("limit", "Skaits", rule="p17.10", least=1, most=100, optional=True),
    ),
    request=True,
)

RESOLVE_CODE_ANSWER, _address = answers.one(NAMESPACE, "ResolveCodeResponse", "Adrese", REGISTERED_ADDRESS)
SEARCH_ADDRESS_ANSWER, _matches = answers.several(
    Matches, NAMESPACE, "SearchAddressResponse", {"addresses": ("Adreses/Adrese", REGISTERED_ADDRESS)}
)

SERVICE = Service(
    name="addresses",
    version="v1-0",
    operations=(
        ServiceOperation(
            name="ResolveCode",
            request=RESOLVE_CODE_REQUEST,
            answer=RESOLVE_CODE_ANSWER,
            via=("vzd", "ResolveCode"),
            compose=_address,
        ),
        ServiceOperation(
            name="SearchAddress",
            request=SEARCH_ADDRESS_REQUEST,
            answer=SEARCH_ADDRESS_ANSWER,
            via=("vzd", "SearchAddress"),
            compose=_matches,
        ),
    ),
)
