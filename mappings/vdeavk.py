"""VDEAVK, disability: canonical records and mapping tables.

Source: wsdl/vdeavk/v1-0, rules p8.13.1–p8.13.12, p17.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mappings.codes import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOpinion:
    """An opinion on the need of special care (atzinums par īpašas kopšanas nepieciešamību). Source: p8.13.12."""

    issued_on: date
    number: str
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disability:
    """A disability (invaliditāte) in force on a day; `valid_until` None is indefinite. Source: p8.13."""

    determined_on: date
    group: Code
    valid_until: date | None
    certificate_no: str
    movement_impairment: bool
    vision_impairment: bool
    hearing_impairment: bool
    severe_mental_impairment: bool
    other_impairment: bool
    cause: Code
    special_care: bool
    opinion: CareOpinion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabilityStatus:
    """What VDEAVK holds of one person on one day; `disability` None says that there is none. Source: p8.13."""

    person_code: str
    on_date: date
    disability: Disability | None
