"""The stay and the care that is set, as institutions hand them in; the stay itself is in mappings/care_stays.py.

Source: wsdl/spolis/care-stays/v1-0, rules p12.8.10–p12.8.15, p17.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.care_stays import CARE_STAY, CareStay
from mappings.care_stays import problem as stay_problem
from mappings.codes import Code, code_list
from mappings.fields import boolean, code, date, many, nested
from mappings.long_term_care import NAMESPACE, numbers, person
from mappings.mapping import Mapping

CARE_LEVEL = code_list("care_level")
IMPAIRMENT = code_list("functional_impairment")
MENTAL_HEALTH = code_list("mental_health")


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRecord:
    """An actual stay (faktiskā uzturēšanās) as an institution hands it in. Source: p12.8.12–p12.8.14, p15^1.1."""

    case_no: str
    record_no: str
    stay: CareStay
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfWayHouse:
    """Whether the person is in a half-way house (pusceļa māja), and from when to when. Source: p12.8.15."""

    resident: bool
    began_on: day | None
    ended_on: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CareSet:
    """The care that is set for a person (noteiktā aprūpe): health data, a special category.

    Source: p12.8.10, p12.8.11, p12.8.15.
    """

    case_no: str
    record_no: str
    person_code: str
    care_level: Code | None
    impairments: tuple[Code, ...]
    mental_health: Code | None
    half_way_house: HalfWayHouse | None
    supplier: str = ""


def care_problem(care: CareSet) -> str:
    """What is wrong with the care that is set, taken by itself, or ""."""
    if not (care.care_level or care.impairments or care.mental_health or care.half_way_house):
        return "care_level, impairments, mental_health or half_way_house is wanted"
    house = care.half_way_house
    if house is None:
        return ""
    if house.resident and house.began_on is None:
        return "half_way_house.began_on is missing"
    if house.ended_on is not None and (house.began_on is None or house.ended_on < house.began_on):
        return "half_way_house.ended_on is before began_on"
    return ""


STAY_RECORD = Mapping(
    StayRecord,
    NAMESPACE,
    "UzturesanasIeraksts",
    (*numbers("vsac_stay"), nested("stay", "Uzturesanas", CARE_STAY)),
    check=lambda record: stay_problem(record.stay),
)

HALF_WAY_HOUSE = Mapping(
    HalfWayHouse,
    NAMESPACE,
    "PuscelaMaja",
    (
        boolean("resident", "Atrodas", rule="p12.8.15", column="vsac_care.half_way_resident"),
        date(
            "began_on",
            "SakumaDatums",
            rule="p12.8.15",
            column="vsac_care.half_way_began_on",
            optional=True,
        ),
        date(
            "ended_on",
            "BeiguDatums",
            rule="p12.8.15",
            column="vsac_care.half_way_ended_on",
            optional=True,
        ),
    ),
)

CARE_SET = Mapping(
    CareSet,
    NAMESPACE,
    "Aprupe",
    (
        *numbers("vsac_care"),
        person(),
        code(
            "care_level",
            "AprupesLimenis",
            CARE_LEVEL,
            rule="p12.8.10",
            column="vsac_care.care_level",
            optional=True,
        ),
        many(
            code(
                "impairments",
                "FunkcionalaisTraucejums",
                IMPAIRMENT,
                rule="p12.8.11",
                column="vsac_care.impairments",
            ),
            optional=True,
        ),
        code(
            "mental_health",
            "PsihiskaVeseliba",
            MENTAL_HEALTH,
            rule="p12.8.11",
            column="vsac_care.mental_health",
            optional=True,
        ),
        nested("half_way_house", "PuscelaMaja", HALF_WAY_HOUSE, optional=True),
    ),
    check=care_problem,
)
