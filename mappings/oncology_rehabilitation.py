"""Psychosocial rehabilitation of a person with cancer, alone or with a relative, as a provider hands it in.

Source: wsdl/spolis/providers/v1-0, rules p13^2.1–p13^2.5, p17.7. The disease is health data, a special category.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import Code, code_list
from mappings.fields import boolean, code, date, many, nested, person_code, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, names, numbers, person

REQUEST_KIND = code_list("oncology_request")
DECISION_KIND = code_list("oncology_decision")
DISABILITY = code_list("oncology_disability")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """What the person asked for (iesniegums) and when. Source: p13^2.1."""

    submitted_on: day
    kind: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDecision:
    """A decision (lēmums) of the provider. Source: p13^2.2."""

    decided_on: day
    number: str
    kind: Code
    end_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Illness:
    """The disease (onkoloģiskā slimība): whether there is one, where, and which disability. Source: p13^2.3."""

    present: bool
    localisation: str | None
    disability: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """The relative (tuvinieks) who gets the service together with the person. Source: p13^2.4."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    birth_date: day


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course (kurss) of the service that the person got. Source: p13^2.5."""

    number: str
    began_on: day
    ended_on: day | None
    with_relative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OncologyRehabilitation:
    """The service to a person with cancer, from request to course. Source: p13^2."""

    case_no: str
    record_no: str
    person_code: str
    requests: tuple[ServiceRequest, ...]
    decisions: tuple[ProviderDecision, ...]
    illness: Illness | None
    relative: Relative | None
    courses: tuple[Course, ...]
    supplier: str = ""


def oncology_problem(record: OncologyRehabilitation) -> str:
    """What is wrong with a record taken by itself, or ""."""
    for decision in record.decisions:
        if (decision.kind.code == "END_EARLY") != (decision.end_reason is not None):
            return "decisions[].end_reason belongs to END_EARLY"
    if record.illness is not None and not record.illness.present and record.illness.localisation is not None:
        return "illness.localisation belongs to an illness"
    for course in record.courses:
        if course.ended_on is not None and course.ended_on < course.began_on:
            return "courses[].ended_on is before began_on"
        if course.with_relative and record.relative is None:
            return "relative is missing where a course was with one"
    return ""


_T = "providers_oncology"
_REQUESTS, _DECISIONS, _COURSES = f"{_T}.requests", f"{_T}.decisions", f"{_T}.courses"

SERVICE_REQUEST = Mapping(
    ServiceRequest,
    NAMESPACE,
    "Iesniegums",
    (
        date("submitted_on", "Datums", rule="p13^2.1", column=_REQUESTS),
        code("kind", "Veids", REQUEST_KIND, rule="p13^2.1", column=_REQUESTS),
    ),
)

PROVIDER_DECISION = Mapping(
    ProviderDecision,
    NAMESPACE,
    "Lemums",
    (
        date("decided_on", "Datums", rule="p13^2.2", column=_DECISIONS),
        text("number", "Numurs", longest=100, rule="p13^2.2", column=_DECISIONS),
        code("kind", "Veids", DECISION_KIND, rule="p13^2.2", column=_DECISIONS),
        text("end_reason", "IzbeigsanasIemesls", rule="p13^2.2", column=_DECISIONS, optional=True),
    ),
)

ILLNESS = Mapping(
    Illness,
    NAMESPACE,
    "Slimiba",
    (
        boolean("present", "Ir", rule="p13^2.3", column=f"{_T}.illness_present"),
        text(
            "localisation",
            "Lokalizacija",
            longest=250,
            rule="p13^2.3",
            column=f"{_T}.illness_localisation",
            optional=True,
        ),
        code("disability", "Invaliditate", DISABILITY, rule="p13^2.3", column=f"{_T}.illness_disability"),
    ),
)

RELATIVE = Mapping(
    Relative,
    NAMESPACE,
    "Tuvinieks",
    (
        *names("p13^2.4", f"{_T}.relative_given_names", family=f"{_T}.relative_family_name"),
        person_code("person_code", "PersonasKods", asked=True, rule="p13^2.4", column=f"{_T}.relative_code"),
        date("birth_date", "DzimsanasDatums", rule="p13^2.4", column=f"{_T}.relative_birth_date"),
    ),
)

COURSE = Mapping(
    Course,
    NAMESPACE,
    "Kurss",
    (
        text("number", "Numurs", longest=50, rule="p13^2.5", column=_COURSES),
        date("began_on", "SakumaDatums", rule="p13^2.5", column=_COURSES),
        date("ended_on", "BeiguDatums", rule="p13^2.5", column=_COURSES, optional=True),
        boolean("with_relative", "ArTuvinieku", rule="p13^2.5", column=_COURSES),
    ),
)

ONCOLOGY_REHABILITATION = Mapping(
    OncologyRehabilitation,
    NAMESPACE,
    "OnkologiskaRehabilitacija",
    (
        *numbers(_T),
        person(),
        many(nested("requests", "Iesniegums", SERVICE_REQUEST), minimum=1),
        many(nested("decisions", "Lemums", PROVIDER_DECISION), optional=True),
        nested("illness", "Slimiba", ILLNESS, optional=True),
        nested("relative", "Tuvinieks", RELATIVE, optional=True),
        many(nested("courses", "Kurss", COURSE), optional=True),
    ),
    check=oncology_problem,
)
