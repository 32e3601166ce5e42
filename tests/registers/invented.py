"""Invented records and provenance for the tests of the registers."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, timedelta

from exchange import Provenance, new_id
from mappings.codes import Code
from mappings.pmlp import Person

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def code(value: str) -> Code:
    return Code(value, f"{value} latviski", f"{value} in English")


def person_code() -> str:
    """A code of the new form, which says nothing of the person."""
    digits = "32" + "".join(secrets.choice("0123456789") for _ in range(9))
    return f"{digits[:6]}-{digits[6:]}"


def provenance(minutes: int = 0, source: str = "pmlp") -> Provenance:
    """An exchange so many minutes after noon."""
    return Provenance(
        exchange_id=new_id(),
        source=source,
        contract_version="v1-0",
        mapping_version="m1",
        recorded_at=NOON + timedelta(minutes=minutes),
    )


def minimal(
    of: str, family_name: str = "Bērziņa", given_names: tuple[str, ...] = ("Anna", "Marija")
) -> Person:
    """What the data set of name and code says."""
    return Person(
        given_names=given_names, family_name=family_name, person_code=of, data_sets=("NAME_AND_CODE",)
    )


def day(text: str) -> date:
    return date.fromisoformat(text)
