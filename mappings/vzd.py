"""VZD, the State Address Register (VARIS): canonical records and mapping tables.

Source: wsdl/vzd/v1-0, rule p17.10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from exchange import Context
from mappings import codes
from mappings.codes import Code
from mappings.context import context
from mappings.fields import boolean, code, decimal, integer, many, nested, text, under
from mappings.fields import date as day
from mappings.mapping import Mapping
from wsdl import contract


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPart:
    """One link of an address chain (adresācijas objekts), from the object itself up to the municipality or city."""

    varis_code: str
    kind: Code
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAddress:
    """An object of the State Address Register with its full address (STD) and chain. Source: p17.10."""

    varis_code: str
    kind: Code
    status: Code
    text: str
    postcode: str | None
    atvk: str | None
    valid_from: date
    valid_to: date | None
    north: Decimal | None
    east: Decimal | None
    chain: tuple[AddressPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMatches:
    """The addresses that match a search, best first, at most as many as asked. Source: p17.10."""

    text: str
    addresses: tuple[RegisteredAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChildren:
    """What stands directly under an object, in the order of the register; `more`: not all of it. Source: p17.10."""

    varis_code: str
    addresses: tuple[RegisteredAddress, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSpan:
    """A full address over a span of days, both counted in; None: not known since when, or still. Source: p17.10."""

    valid_from: date | None
    valid_to: date | None
    text: str
    status: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """An object that came after a deleted one (pēctecis), and why. Source: p17.10."""

    varis_code: str
    text: str
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressHistory:
    """The addresses of an object, oldest first, and what came after it. Source: p17.10."""

    varis_code: str
    spans: tuple[AddressSpan, ...]
    successors: tuple[Successor, ...]


NAMESPACE = contract("vzd").namespace
_CODE = r"\d{9}"


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
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChildrenRequest:
    """Under which object, `ended` ones too, how many at most and from where on (GetChildren); left out, 100 from 0."""

    context: Context
    varis_code: str
    ended: bool
    limit: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetHistoryRequest:
    """The history of which object (GetHistory)."""

    context: Context
    varis_code: str


ADDRESS_PART = Mapping(
    AddressPart,
    NAMESPACE,
    "Posms",
    (
        text("varis_code", "AdresesKods", rule="p17.10", column="vzd_address.chain"),
        code("kind", "Veids", codes.ADDRESS_TYPE, rule="p17.10", column="vzd_address.chain"),
        text("name", "Nosaukums", rule="p17.10", column="vzd_address.chain"),
    ),
)

_ADDRESS = (
    text("varis_code", "AdresesKods", rule="p17.10", column="vzd_address.varis_code"),
    code("kind", "Veids", codes.ADDRESS_TYPE, rule="p17.10", column="vzd_address.kind"),
    code("status", "Statuss", codes.ADDRESS_STATUS, rule="p17.10", column="vzd_address.status"),
    text("text", "PilnaAdrese", rule="p17.10", column="vzd_address.text"),
    text("postcode", "PastaIndekss", rule="p17.10", column="vzd_address.postcode", optional=True),
    text("atvk", "Atvk", rule="p17.10", column="vzd_address.atvk", optional=True),
    day("valid_from", "SpekaNo", rule="p17.10", column="vzd_address.valid_from"),
    day("valid_to", "SpekaLidz", rule="p17.10", column="vzd_address.valid_to", optional=True),
    decimal("north", "Platums", places=6, rule="p17.10", column="vzd_address.north", optional=True),
    decimal("east", "Garums", places=6, rule="p17.10", column="vzd_address.east", optional=True),
    many(nested("chain", "Kede/Posms", ADDRESS_PART)),
)

REGISTERED_ADDRESS = Mapping(RegisteredAddress, NAMESPACE, "Adrese", _ADDRESS)

RESOLVE_CODE_REQUEST = Mapping(
    ResolveCodeRequest,
    NAMESPACE,
    "ResolveCode",
    (
        context(NAMESPACE),
        text("varis_code", "AdresesKods", rule="p17.10", pattern=_CODE),
    ),
    request=True,
)

RESOLVE_CODE_ANSWER = Mapping(RegisteredAddress, NAMESPACE, "ResolveCodeResponse", under("Adrese", _ADDRESS))

SEARCH_ADDRESS_REQUEST = Mapping(
    SearchAddressRequest,
    NAMESPACE,
    "SearchAddress",
    (
        context(NAMESPACE),
        text("text", "Teksts", rule="p17.10", shortest=2, longest=200),
        integer("limit", "Skaits", rule="p17.10", least=1, most=100, default=lambda _taken, _today: 10),
    ),
    request=True,
)

SEARCH_ADDRESS_ANSWER = Mapping(
    AddressMatches,
    NAMESPACE,
    "SearchAddressResponse",
    (
        text("text", "Teksts", rule="p17.10", always=True),
        many(nested("addresses", "Adreses/Adrese", REGISTERED_ADDRESS)),
    ),
)

GET_CHILDREN_REQUEST = Mapping(
    GetChildrenRequest,
    NAMESPACE,
    "GetChildren",
    (
        context(NAMESPACE),
        text("varis_code", "AdresesKods", rule="p17.10", pattern=_CODE),
        boolean("ended", "ArIzbeigtiem", rule="p17.10", default=lambda _taken, _today: False),
        integer("limit", "Skaits", rule="p17.10", least=1, most=100, default=lambda _taken, _today: 100),
        integer("offset", "Izlaist", rule="p17.10", most=9_999_999, default=lambda _taken, _today: 0),
    ),
    request=True,
)

GET_CHILDREN_ANSWER = Mapping(
    AddressChildren,
    NAMESPACE,
    "GetChildrenResponse",
    (
        text("varis_code", "AdresesKods", rule="p17.10", always=True),
        many(nested("addresses", "Adreses/Adrese", REGISTERED_ADDRESS)),
        boolean("more", "VelIr", rule="p17.10", always=True),
    ),
)

ADDRESS_SPAN = Mapping(
    AddressSpan,
    NAMESPACE,
    "Laikposms",
    (
        day("valid_from", "SpekaNo", rule="p17.10", optional=True),
        day("valid_to", "SpekaLidz", rule="p17.10", optional=True),
        text("text", "PilnaAdrese", rule="p17.10"),
        code("status", "Statuss", codes.ADDRESS_STATUS, rule="p17.10"),
    ),
)

SUCCESSOR = Mapping(
    Successor,
    NAMESPACE,
    "Pectecis",
    (
        text("varis_code", "AdresesKods", rule="p17.10"),
        text("text", "PilnaAdrese", rule="p17.10"),
        code("reason", "Iemesls", codes.SUCCESSION_REASON, rule="p17.10"),
    ),
)

GET_HISTORY_REQUEST = Mapping(
    GetHistoryRequest,
    NAMESPACE,
    "GetHistory",
    (context(NAMESPACE), text("varis_code", "AdresesKods", rule="p17.10", pattern=_CODE)),
    request=True,
)

GET_HISTORY_ANSWER = Mapping(
    AddressHistory,
    NAMESPACE,
    "GetHistoryResponse",
    (
        text("varis_code", "AdresesKods", rule="p17.10", always=True),
        many(nested("spans", "Laikposmi/Laikposms", ADDRESS_SPAN), minimum=1),
        many(nested("successors", "Pecteci/Pectecis", SUCCESSOR), optional=True),
    ),
)


def same_object(
    request: GetChildrenRequest | GetHistoryRequest, answer: AddressChildren | AddressHistory
) -> str:
    """Which field of an answer does not belong to the request that it answers, or ""."""
    return "" if request.varis_code == answer.varis_code else "varis_code"


def children_answered(request: GetChildrenRequest, answer: AddressChildren) -> str:
    """The same of children, of which there are no more than asked for."""
    return same_object(request, answer) or ("addresses" if len(answer.addresses) > request.limit else "")
