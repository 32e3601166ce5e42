"""Persons whom a provider knows by a client code of its own: one provider and one code are one person.

The person is as any other of the registers, but has no personal code until somebody gives one. Source: p7.1, p17.7.
"""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, Text, insert, select

from exchange import Provenance, new_id
from mappings.clients import client_subject
from registers.history import field, lock, recorded, replace, source_values, versioned
from registers.persons import PERSON, hold_person

CLIENT = versioned(
    "providers",
    "client",
    field("supplier", Text(), rule="p17"),
    field("client_code", Text(), rule="p7.1"),
    one_per=("supplier", "client_code"),
)


def client_by_code(connection: Connection, supplier: str, client_code: str) -> uuid.UUID | None:
    """The person whom a supplier knows by this code, or None."""
    found: uuid.UUID | None = connection.execute(
        select(CLIENT.c.person_id).where(
            CLIENT.c.supplier == supplier, CLIENT.c.client_code == client_code, recorded(CLIENT)
        )
    ).scalar()
    return found


def client_of(connection: Connection, supplier: str, client_code: str, provenance: Provenance) -> uuid.UUID:
    """The person whom a supplier knows by this code, made when there is none, and held until the transaction ends."""
    lock(connection, [f"providers_client {supplier} {client_code}"])
    known = client_by_code(connection, supplier, client_code)
    if known is not None:
        hold_person(connection, known)
        return known
    person_id = new_id()
    origin = {**source_values(provenance), "recorded_at": provenance.recorded_at}
    connection.execute(insert(PERSON).values(id=person_id, **origin))
    row = {"supplier": supplier, "client_code": client_code}
    replace(connection, CLIENT, {"person_id": person_id}, [row], provenance, key=())
    return person_id


def clients_of(connection: Connection, person_id: uuid.UUID) -> tuple[str, ...]:
    """By which suppliers and codes a person is known, as the exchange log has them."""
    rows = connection.execute(
        select(CLIENT.c.supplier, CLIENT.c.client_code).where(
            CLIENT.c.person_id == person_id, recorded(CLIENT)
        )
    ).all()
    return tuple(client_subject(row.supplier, row.client_code) for row in rows)
