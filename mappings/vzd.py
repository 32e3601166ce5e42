"""VZD, the State Address Register (VARIS): canonical records and mapping tables.

Source: wsdl/vzd/v1-0, rule p17.10.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from mappings.codes import Code


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
