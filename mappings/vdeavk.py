"""VDEAVK, disability: canonical records and mapping tables.

Source: wsdl/vdeavk/v1-0, rules p8.13.1–p8.13.12, p17.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings import codes
from mappings.codes import Code
from mappings.context import context
from mappings.fields import boolean, code, many, nested, person_code, text
from mappings.fields import date as day
from mappings.mapping import Mapping
from mappings.paging import one_of_two
from wsdl import contract


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


NAMESPACE = contract("vdeavk").namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDisabilityRequest:
    """Which person, on which day (GetDisability); a day left out is today in Riga."""

    context: Context
    person_code: str
    on_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabilityChange:
    """That the data on a person's disability changed on a day (izmaiņa), not what. Source: p8.13."""

    person_code: str
    changed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabilityChanges:
    """A page of changes, oldest first; `cursor` is where to go on, now where there are `more`, else the next time."""

    changes: tuple[DisabilityChange, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChangesRequest:
    """From which day, or from which cursor of an answer before (GetChanges): one of the two."""

    context: Context
    since: date | None
    cursor: str | None


CARE_OPINION = Mapping(
    CareOpinion,
    NAMESPACE,
    "Atzinums",
    (
        day(
            "issued_on",
            "IzsniegsanasDatums",
            rule="p8.13.12",
            column="vdeavk_disability.opinion_issued_on",
        ),
        text("number", "Numurs", rule="p8.13.12", column="vdeavk_disability.opinion_number"),
        day("valid_from", "DerigsNo", rule="p8.13.12", column="vdeavk_disability.opinion_valid_from"),
        day(
            "valid_to",
            "DerigsLidz",
            rule="p8.13.12",
            column="vdeavk_disability.opinion_valid_to",
            optional=True,
        ),
    ),
)

DISABILITY = Mapping(
    Disability,
    NAMESPACE,
    "Invaliditate",
    (
        day("determined_on", "NoteiksanasDatums", rule="p8.13.1", column="vdeavk_disability.determined_on"),
        code("group", "Grupa", codes.DISABILITY_GROUP, rule="p8.13.2", column="vdeavk_disability.group"),
        day(
            "valid_until",
            "NoteiktaLidz",
            rule="p8.13.3",
            column="vdeavk_disability.valid_until",
            optional=True,
        ),
        text("certificate_no", "ApliecibasNumurs", rule="p8.13.4", column="vdeavk_disability.certificate_no"),
        boolean(
            "movement_impairment",
            "KustibuTraucejumi",
            rule="p8.13.5",
            column="vdeavk_disability.movement_impairment",
        ),
        boolean(
            "vision_impairment",
            "RedzesTraucejumi",
            rule="p8.13.6",
            column="vdeavk_disability.vision_impairment",
        ),
        boolean(
            "hearing_impairment",
            "DzirdesTraucejumi",
            rule="p8.13.7",
            column="vdeavk_disability.hearing_impairment",
        ),
        boolean(
            "severe_mental_impairment",
            "SmagiGarigieTraucejumi",
            rule="p8.13.8",
            column="vdeavk_disability.severe_mental_impairment",
        ),
        boolean(
            "other_impairment",
            "CitiTraucejumi",
            rule="p8.13.9",
            column="vdeavk_disability.other_impairment",
        ),
        code("cause", "Celonis", codes.DISABILITY_CAUSE, rule="p8.13.10", column="vdeavk_disability.cause"),
        boolean("special_care", "IpasaKopsana", rule="p8.13.11", column="vdeavk_disability.special_care"),
        nested("opinion", "Atzinums", CARE_OPINION, optional=True),
    ),
)

GET_DISABILITY_REQUEST = Mapping(
    GetDisabilityRequest,
    NAMESPACE,
    "GetDisability",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p8.3", asked=True),
        day("on_date", "Datums", rule="p8.13", default=lambda _taken, today: today),
    ),
    request=True,
)

# Person and day repeat what the caller asked: they leave whatever is granted.
GET_DISABILITY_ANSWER = Mapping(
    DisabilityStatus,
    NAMESPACE,
    "GetDisabilityResponse",
    (
        person_code(
            "person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code", always=True
        ),
        day("on_date", "Datums", rule="p8.13", always=True),
        nested("disability", "Invaliditate", DISABILITY, optional=True),
    ),
)

DISABILITY_CHANGE = Mapping(
    DisabilityChange,
    NAMESPACE,
    "Izmaina",
    (
        person_code("person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code"),
        day("changed_on", "MainitsDatums", rule="p8.13", column="vdeavk_change.changed_on"),
    ),
)

GET_CHANGES_REQUEST = Mapping(
    GetChangesRequest,
    NAMESPACE,
    "GetChanges",
    (
        context(NAMESPACE),
        day("since", "KopsDatuma", rule="p8.13", optional=True),
        text("cursor", "Kursors", rule="p8.13", optional=True, longest=100),
    ),
    request=True,
    check=one_of_two,
)

# Where to go on is said of the answer, not of a person.
GET_CHANGES_ANSWER = Mapping(
    DisabilityChanges,
    NAMESPACE,
    "GetChangesResponse",
    (
        many(nested("changes", "Izmainas/Izmaina", DISABILITY_CHANGE)),
        text("cursor", "Kursors", rule="p8.13", always=True),
        boolean("more", "VelIr", rule="p8.13", always=True),
    ),
)
