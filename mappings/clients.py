"""Persons whom a supplier knows by a code of its own: a client may have no personal code, as a child in rehabilitation.

In the exchange log such a person stands as supplier and code, since two suppliers may use one code for two persons.
"""

from __future__ import annotations

from mappings.person_code import is_personal_code

# No slash: it parts supplier and code.
CLIENT_CODE = r"[A-Za-z0-9._\-]{1,50}"


def client_subject(supplier: str, client_code: str) -> str:
    """How a client stands in the exchange log, and how an auditor asks for him: `rehabilitacija/K-17`."""
    return f"{supplier}/{client_code}"


def whose_problem(person_code: str | None, client_code: str | None) -> str:
    """What is wrong with how a record names its person, or ""; one of the two codes is wanted."""
    if (person_code is None) == (client_code is None):
        return "person_code or client_code is wanted, one of the two"
    if client_code is not None and is_personal_code(client_code):
        return "client_code has the form of a personal code"
    return ""
