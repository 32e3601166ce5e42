"""The register of addresses, as the State Address Register (VARIS) has them. It is about places, not persons.

Source: p17.10.
"""

from __future__ import annotations

from sqlalchemy import JSON, Connection, Date, Text

from exchange import Json, Provenance
from mappings.codes import ADDRESS_STATUS, ADDRESS_TYPE
from mappings.vzd import AddressChildren, AddressMatches, RegisteredAddress
from registers.history import Exact, Fed, Values, field, lock, replace, versioned
from registers.reading import Register

ADDRESS = versioned(
    "vzd",
    "address",
    field("varis_code", Text(), rule="p17.10"),
    field("kind", Text(), rule="p17.10", codes=ADDRESS_TYPE),
    field("status", Text(), rule="p17.10", codes=ADDRESS_STATUS),
    field("text", Text(), rule="p17.10"),
    field("postcode", Text(), rule="p17.10", optional=True),
    field("atvk", Text(), rule="p17.10", optional=True),
    field("valid_from", Date(), rule="p17.10"),
    field("valid_to", Date(), rule="p17.10", optional=True),
    field("north", Exact(), rule="p17.10", optional=True),
    field("east", Exact(), rule="p17.10", optional=True),
    field("chain", JSON(), rule="p17.10"),
    person=False,
    one_per=("varis_code",),
)

REGISTERS = (
    Register(
        name="addresses",
        table=ADDRESS,
        source="vzd",
        criteria={
            name: ADDRESS.c[name]
            for name in ("varis_code", "kind", "status", "text", "postcode", "atvk", "valid_from", "valid_to")
        },
        valid=("valid_from", "valid_to"),
        order=("varis_code",),
    ),
)


def feed_address(connection: Connection, address: RegisteredAddress, provenance: Provenance) -> Fed:
    """Keep one address."""
    return _feed(connection, (address,), provenance)


def feed_matches(connection: Connection, matches: AddressMatches, provenance: Provenance) -> Fed:
    """Keep the addresses found; a search says nothing of those it did not find."""
    return _feed(connection, matches.addresses, provenance)


def feed_children(connection: Connection, children: AddressChildren, provenance: Provenance) -> Fed:
    """Keep the addresses of a page of children; it says nothing of those on other pages."""
    return _feed(connection, children.addresses, provenance)


def _feed(connection: Connection, addresses: tuple[RegisteredAddress, ...], provenance: Provenance) -> Fed:
    found = {address.varis_code: address for address in addresses}
    lock(connection, [f"vzd_address {code}" for code in found])
    fed = Fed()
    for code, address in sorted(found.items()):
        row = _values(address)
        fed += replace(connection, ADDRESS, {"varis_code": code}, [row], provenance, key=("varis_code",))
    return fed


def _values(address: RegisteredAddress) -> Values:
    chain: list[Json] = [
        {
            "varis_code": part.varis_code,
            "kind": {"code": part.kind.code, "text_lv": part.kind.text_lv, "text_en": part.kind.text_en},
            "name": part.name,
        }
        for part in address.chain
    ]
    return {
        "varis_code": address.varis_code,
        "kind": address.kind.code,
        "status": address.status.code,
        "text": address.text,
        "postcode": address.postcode,
        "atvk": address.atvk,
        "valid_from": address.valid_from,
        "valid_to": address.valid_to,
        "north": address.north,
        "east": address.east,
        "chain": chain,
    }


FEEDS = {
    RegisteredAddress: feed_address,
    AddressMatches: feed_matches,
    AddressChildren: feed_children,
}
