"""Deinstitutionalisation: assessments with their support plans, the regions' plans, and community-based services.

An assessment comes from a planning region or a municipality, each by its own service. Who may read is told the content
under the same rules. Code lists that no public source has are modelled: target group; the services are those of
`municipal_service`. Source: p10^1, p17.3, p17.11, p18.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import FUNDING_SOURCE, MUNICIPAL_SERVICE, Code, code_list
from mappings.fields import Field, code, date, many, text
from mappings.mapping import Mapping
from mappings.municipal_records import NAMESPACE as MUNICIPAL
from mappings.municipal_records import deletion_fields, municipality, object_no, person
from wsdl import contract

NAMESPACE = contract("spolis/deinstitutionalisation").namespace

TARGET_GROUP = code_list("support_target_group")
REGION = code_list("planning_region")
REGION_RECORD = code_list("region_record")

_ASSESSMENT = "community_assessment"
_PLAN = "community_plan"
_SERVICE = "community_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """An individual assessment (individuālais izvērtējums) and the support plan made of it. Source: p10^1.1."""

    object_no: str
    person_code: str
    municipality: str
    target_group: Code
    assessed_on: day
    assessor: str
    needs: str
    planned_on: day | None
    planned_services: tuple[Code, ...]
    planned_until: day | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """What the plan of a planning region (deinstitucionalizācijas plāns) provides for a person. Source: p10^1.2."""

    object_no: str
    person_code: str
    region: Code
    number: str
    approved_on: day
    target_group: Code
    municipality: str
    services: tuple[Code, ...]
    starts_on: day
    ends_on: day | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunityService:
    """A community-based service (sabiedrībā balstīts sociālais pakalpojums) that a person gets. Source: p10^1.3."""

    object_no: str
    person_code: str
    municipality: str
    target_group: Code
    service: Code
    provider: str
    funding_source: Code
    started_on: day
    ended_on: day | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRecordDeletion:
    """A record that a planning region handed in wrongly is deleted (dzēšana). Source: p20."""

    object_no: str
    person_code: str
    kind: Code
    reason: Code
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAssessment:
    """An assessment, as far as it may be told. Source: p10^1.1."""

    municipality: str | None = None
    target_group: Code | None = None
    assessed_on: day | None = None
    assessor: str | None = None
    needs: str | None = None
    planned_on: day | None = None
    planned_services: tuple[Code, ...] = ()
    planned_until: day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPlan:
    """What a region's plan provides, as far as it may be told. Source: p10^1.2."""

    region: Code | None = None
    number: str | None = None
    approved_on: day | None = None
    target_group: Code | None = None
    municipality: str | None = None
    services: tuple[Code, ...] = ()
    starts_on: day | None = None
    ends_on: day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldService:
    """A community-based service, as far as it may be told. Source: p10^1.3."""

    municipality: str | None = None
    target_group: Code | None = None
    service: Code | None = None
    provider: str | None = None
    funding_source: Code | None = None
    started_on: day | None = None
    ended_on: day | None = None


def assessment_problem(assessment: Assessment) -> str:
    """What is wrong with an assessment taken by itself, or ""."""
    if (assessment.planned_on is None) == bool(assessment.planned_services):
        return "planned_on and planned_services belong together"
    if assessment.planned_on is not None and assessment.planned_on < assessment.assessed_on:
        return "planned_on is before assessed_on"
    if assessment.planned_until is not None and (
        assessment.planned_on is None or assessment.planned_until < assessment.planned_on
    ):
        return "planned_until is before planned_on"
    return ""


def plan_problem(plan: RegionPlan) -> str:
    """What is wrong with a region's plan taken by itself, or ""."""
    ends_early = plan.ends_on is not None and plan.ends_on < plan.starts_on
    return "ends_on is before starts_on" if ends_early else ""


def community_problem(service: CommunityService) -> str:
    """What is wrong with a community-based service taken by itself, or ""."""
    ends_early = service.ended_on is not None and service.ended_on < service.started_on
    return "ended_on is before started_on" if ends_early else ""


def _group(table: str, rule: str) -> Field:
    return code("target_group", "Merkgrupa", TARGET_GROUP, rule=rule, column=f"{table}.target_group")


_ASSESSED = (
    municipality(_ASSESSMENT, "p10^1.1"),
    _group(_ASSESSMENT, "p10^1.1"),
    date("assessed_on", "IzvertesanasDatums", rule="p10^1.1", column=f"{_ASSESSMENT}.assessed_on"),
    text("assessor", "Izvertetajs", longest=250, rule="p10^1.1", column=f"{_ASSESSMENT}.assessor"),
    text("needs", "Vajadzibas", rule="p10^1.1", column=f"{_ASSESSMENT}.needs"),
    date(
        "planned_on",
        "AtbalstaPlanaDatums",
        rule="p10^1.1",
        column=f"{_ASSESSMENT}.planned_on",
        optional=True,
    ),
    many(
        code(
            "planned_services",
            "AtbalstaPlanaPakalpojums",
            MUNICIPAL_SERVICE,
            rule="p10^1.1",
            column=f"{_ASSESSMENT}.planned_services",
        ),
        optional=True,
    ),
    date(
        "planned_until",
        "AtbalstaPlansLidz",
        rule="p10^1.1",
        column=f"{_ASSESSMENT}.planned_until",
        optional=True,
    ),
)

_PLANNED = (
    code("region", "PlanosanasRegions", REGION, rule="p10^1.2", column=f"{_PLAN}.region"),
    text("number", "PlanaNumurs", longest=100, rule="p10^1.2", column=f"{_PLAN}.number"),
    date("approved_on", "ApstiprinasanasDatums", rule="p10^1.2", column=f"{_PLAN}.approved_on"),
    _group(_PLAN, "p10^1.2"),
    municipality(_PLAN, "p10^1.2"),
    many(
        code(
            "services", "PlanotaisPakalpojums", MUNICIPAL_SERVICE, rule="p10^1.2", column=f"{_PLAN}.services"
        ),
        minimum=1,
    ),
    date("starts_on", "SakumaDatums", rule="p10^1.2", column=f"{_PLAN}.starts_on"),
    date("ends_on", "BeiguDatums", rule="p10^1.2", column=f"{_PLAN}.ends_on", optional=True),
)

_SERVED = (
    municipality(_SERVICE, "p10^1.3"),
    _group(_SERVICE, "p10^1.3"),
    code("service", "PakalpojumaVeids", MUNICIPAL_SERVICE, rule="p10^1.3", column=f"{_SERVICE}.service"),
    text("provider", "Sniedzejs", longest=250, rule="p10^1.3", column=f"{_SERVICE}.provider"),
    code(
        "funding_source",
        "FinansejumaAvots",
        FUNDING_SOURCE,
        rule="p10^1.3",
        column=f"{_SERVICE}.funding_source",
    ),
    date("started_on", "SakumaDatums", rule="p10^1.3", column=f"{_SERVICE}.started_on"),
    date("ended_on", "BeiguDatums", rule="p10^1.3", column=f"{_SERVICE}.ended_on", optional=True),
)

_WHOSE_ASSESSMENT = (object_no(_ASSESSMENT), person(), *_ASSESSED)
REGION_ASSESSMENT = Mapping(Assessment, NAMESPACE, "Izvertejums", _WHOSE_ASSESSMENT, check=assessment_problem)
MUNICIPAL_ASSESSMENT = Mapping(
    Assessment, MUNICIPAL, "Izvertejums", _WHOSE_ASSESSMENT, check=assessment_problem
)
REGION_PLAN = Mapping(
    RegionPlan,
    NAMESPACE,
    "RegionaPlans",
    (object_no(_PLAN), person(), *_PLANNED),
    check=plan_problem,
)
COMMUNITY_SERVICE = Mapping(
    CommunityService,
    MUNICIPAL,
    "SabiedribaBalstitsPakalpojums",
    (object_no(_SERVICE), person(), *_SERVED),
    check=community_problem,
)
REGION_RECORD_DELETION = Mapping(
    RegionRecordDeletion,
    NAMESPACE,
    "Dzesana",
    deletion_fields("community_deletion", REGION_RECORD, person()),
)

TOLD_ASSESSMENT = Mapping(ToldAssessment, NAMESPACE, "IzvertejumaZinas", _ASSESSED).given(
    NAMESPACE, "IzvertejumaZinas"
)
TOLD_PLAN = Mapping(ToldPlan, NAMESPACE, "PlanaZinas", _PLANNED).given(NAMESPACE, "PlanaZinas")
TOLD_SERVICE = Mapping(ToldService, NAMESPACE, "PakalpojumaZinas", _SERVED).given(
    NAMESPACE, "PakalpojumaZinas"
)
