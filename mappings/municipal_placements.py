"""Children in child-care institutions as municipalities tell it: canonical record and mapping table.

Source: p10.11.1–p10.11.3, p17.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import STOP_REASON, Code
from mappings.fields import code, date, person_code, text
from mappings.mapping import Mapping

NAMESPACE = "urn:spolis:gateway:municipal-placements:v1-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class MunicipalPlacement:
    """A child's stay in an institution (bērnu aprūpes iestādes pakalpojums), as of the municipality's decision.

    Source: p10.11.1–p10.11.3.
    """

    person_code: str
    municipality: str
    case_number: str
    institution: str
    entered_on: day
    stopped_on: day | None = None
    stop_reason: Code | None = None


def problem(placement: MunicipalPlacement) -> str:
    """What is wrong with a placement taken by itself, or ""."""
    if placement.stopped_on is not None and placement.stopped_on < placement.entered_on:
        return "stopped_on is before entered_on"
    if placement.stop_reason is not None and placement.stopped_on is None:
        return "stop_reason needs stopped_on"
    return ""


MUNICIPAL_PLACEMENT = Mapping(
    MunicipalPlacement,
    NAMESPACE,
    "Ievietosana",
    (
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p10.11", column="spolis_person_code.code"
        ),
        text("municipality", "Pasvaldiba", rule="p10.11", column="municipal_placement.municipality"),
        text("case_number", "LietasNumurs", rule="p10.11", column="municipal_placement.case_number"),
        text("institution", "Iestade", rule="p10.11", column="municipal_placement.institution"),
        date("entered_on", "IestasanasDatums", rule="p10.11.1", column="municipal_placement.entered_on"),
        date(
            "stopped_on",
            "PartrauksanasDatums",
            rule="p10.11.2",
            column="municipal_placement.stopped_on",
            optional=True,
        ),
        code(
            "stop_reason",
            "PartrauksanasIemesls",
            STOP_REASON,
            rule="p10.11.3",
            column="municipal_placement.stop_reason",
            optional=True,
        ),
    ),
    check=problem,
)
