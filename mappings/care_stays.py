"""Stays in long-term care, as SPOLIS core and providers report them: canonical record and mapping table.

Source: p12.8.12–p12.8.14, p15^1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mappings.codes import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class CareStay:
    """A stay (faktiskā uzturēšanās) in a state care centre or contract organisation; open while `ended_on` is None.

    Source: p12.8.12–p12.8.14, p15^1.1.
    """

    person_code: str
    institution: str
    institution_address: str
    institution_kind: Code
    region: str | None = None
    entered_on: date
    funding_source: Code
    ended_on: date | None = None
    end_reason: Code | None = None
