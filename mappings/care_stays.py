"""Stays in long-term care, as SPOLIS core and providers report them: canonical record and mapping table.

Source: p12.8.12–p12.8.14, p15^1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import END_REASON, FUNDING_SOURCE, INSTITUTION_KIND, Code
from mappings.fields import code, date, person_code, text
from mappings.mapping import Mapping

NAMESPACE = "urn:spolis:gateway:care-stays:v1-0"


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
    entered_on: day
    funding_source: Code
    ended_on: day | None = None
    end_reason: Code | None = None


def problem(stay: CareStay) -> str:
    """What is wrong with a stay taken by itself, or ""."""
    if stay.ended_on is not None and stay.ended_on < stay.entered_on:
        return "ended_on is before entered_on"
    if stay.end_reason is not None and stay.ended_on is None:
        return "end_reason needs ended_on"
    return ""


CARE_STAY = Mapping(
    CareStay,
    NAMESPACE,
    "Uzturesanas",
    (
        person_code("person_code", "PersonasKods", asked=True, rule="p8.3", column="spolis_person_code.code"),
        text("institution", "Institucija/Nosaukums", rule="p15^1.1", column="spolis_care_stay.institution"),
        text(
            "institution_address",
            "Institucija/Adrese",
            rule="p15^1.1",
            column="spolis_care_stay.institution_address",
        ),
        code(
            "institution_kind",
            "Institucija/Veids",
            INSTITUTION_KIND,
            rule="p15^1.1",
            column="spolis_care_stay.institution_kind",
        ),
        text(
            "region",
            "Institucija/Regions",
            rule="p15^1.1",
            column="spolis_care_stay.region",
            optional=True,
        ),
        date("entered_on", "IestasanasDatums", rule="p12.8.13", column="spolis_care_stay.entered_on"),
        code(
            "funding_source",
            "FinansejumaAvots",
            FUNDING_SOURCE,
            rule="p12.8.12",
            column="spolis_care_stay.funding_source",
        ),
        date("ended_on", "BeiguDatums", rule="p12.8.13", column="spolis_care_stay.ended_on", optional=True),
        code(
            "end_reason",
            "BeiguIemesls",
            END_REASON,
            rule="p12.8.14",
            column="spolis_care_stay.end_reason",
            optional=True,
        ),
    ),
    check=problem,
)
