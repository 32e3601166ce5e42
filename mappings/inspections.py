"""Inspections of providers (sociālo pakalpojumu sniedzēju pārbaudes), as the ministry hands them in.

Source: wsdl/spolis/providers/v1-0, rules p14, p17.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import MUNICIPAL_SERVICE, Code, code_list
from mappings.fields import code, date, many, nested, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, numbers
from mappings.provider_register import REGISTRATION_NUMBER

INSPECTION_KIND = code_list("inspection_kind")
INSPECTION_MANNER = code_list("inspection_manner")
CONFORMITY = code_list("conformity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A requirement (prasība) that was looked at, and what was found. Source: p14.2."""

    code: str
    text: str
    conclusion: Code
    remark: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What was recommended (ieteikums) on a requirement, until when, and what came of it. Source: p14.3."""

    requirement_code: str
    description: str
    due_on: day
    account: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """An inspection of a provider (pārbaude) with its requirements and recommendations. Source: p14."""

    case_no: str
    record_no: str
    provider: str
    registration_number: str
    place_address: str
    service: Code
    inspected_on: day
    kind: Code
    manner: Code
    inspectors: tuple[str, ...]
    requirement_groups: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    recommendations: tuple[Recommendation, ...]
    supplier: str = ""


def inspection_problem(inspection: Inspection) -> str:
    """What is wrong with an inspection taken by itself, or ""."""
    codes = [one.code for one in inspection.requirements]
    if len(set(codes)) < len(codes):
        return "requirements[].code stands twice"
    for one in inspection.recommendations:
        if one.requirement_code not in codes:
            return "recommendations[].requirement_code is of no requirement"
        if one.due_on < inspection.inspected_on:
            return "recommendations[].due_on is before inspected_on"
    return ""


_T = "providers_inspection"
_REQUIREMENTS = f"{_T}.requirements"
_RECOMMENDATIONS = f"{_T}.recommendations"

REQUIREMENT = Mapping(
    Requirement,
    NAMESPACE,
    "Prasiba",
    (
        text("code", "PrasibasKods", longest=50, rule="p14.2.1", column=_REQUIREMENTS),
        text("text", "Teksts", rule="p14.2.2", column=_REQUIREMENTS),
        code("conclusion", "Secinajums", CONFORMITY, rule="p14.2.3", column=_REQUIREMENTS),
        text("remark", "Piezime", rule="p14.2.3", column=_REQUIREMENTS, optional=True),
    ),
)

RECOMMENDATION = Mapping(
    Recommendation,
    NAMESPACE,
    "Ieteikums",
    (
        text("requirement_code", "PrasibasKods", longest=50, rule="p14.3.1", column=_RECOMMENDATIONS),
        text("description", "Apraksts", rule="p14.3.2", column=_RECOMMENDATIONS),
        date("due_on", "Termins", rule="p14.3.3", column=_RECOMMENDATIONS),
        text("account", "IzpildesParskats", rule="p14.3.4", column=_RECOMMENDATIONS, optional=True),
    ),
)

INSPECTION = Mapping(
    Inspection,
    NAMESPACE,
    "Parbaude",
    (
        *numbers(_T),
        text("provider", "Sniedzejs", longest=250, rule="p14.1.1", column=f"{_T}.provider"),
        text(
            "registration_number",
            "RegistracijasNumurs",
            pattern=REGISTRATION_NUMBER,
            longest=50,
            rule="p14.1.1",
            column=f"{_T}.registration_number",
        ),
        text("place_address", "SniegsanasVieta", rule="p14.1.2", column=f"{_T}.place_address"),
        code("service", "Pakalpojums", MUNICIPAL_SERVICE, rule="p14.1.3", column=f"{_T}.service"),
        date("inspected_on", "Datums", rule="p14.1.4.1", column=f"{_T}.inspected_on"),
        code("kind", "Veids", INSPECTION_KIND, rule="p14.1.4.2", column=f"{_T}.kind"),
        code("manner", "VeiksanasVeids", INSPECTION_MANNER, rule="p14.1.4.3", column=f"{_T}.manner"),
        many(
            text("inspectors", "Veicejs", longest=250, rule="p14.1.4.4", column=f"{_T}.inspectors"), minimum=1
        ),
        many(
            text(
                "requirement_groups",
                "PrasibuGrupa",
                longest=250,
                rule="p14.1.4.5",
                column=f"{_T}.requirement_groups",
            ),
            minimum=1,
        ),
        many(nested("requirements", "Prasiba", REQUIREMENT), minimum=1),
        many(nested("recommendations", "Ieteikums", RECOMMENDATION), optional=True),
    ),
    check=inspection_problem,
)
