"""The service `deinstitutionalisation`: planning regions hand in assessments and plans, and read what there is.

Source: wsdl/spolis/deinstitutionalisation/v1-0, rules p10^1, p17.11, p18.5, p20.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from exchange import Context
from mappings.answers import several
from mappings.context import context
from mappings.deinstitutionalisation import (
    NAMESPACE,
    REGION_ASSESSMENT,
    REGION_PLAN,
    REGION_RECORD_DELETION,
    TOLD_ASSESSMENT,
    TOLD_PLAN,
    TOLD_SERVICE,
    ToldAssessment,
    ToldPlan,
    ToldService,
)
from mappings.fields import person_code
from mappings.mapping import Mapping
from mappings.services import Reading, Service, ServiceOperation
from mappings.supplying import handed_in

SOURCE = "planning-region"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """Whose assessments, plans or services are read."""

    context: Context
    person_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAssessmentsAnswer:
    """The exchange, the assessments of the person, and the names of the fields that are withheld."""

    exchange_id: uuid.UUID
    assessments: tuple[ToldAssessment, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRegionPlansAnswer:
    """The exchange, what the regions' plans provide for the person, and the names of the fields withheld."""

    exchange_id: uuid.UUID
    plans: tuple[ToldPlan, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCommunityServicesAnswer:
    """The exchange, the community-based services of the person, and the names of the fields withheld."""

    exchange_id: uuid.UUID
    services: tuple[ToldService, ...]
    withheld: tuple[str, ...]


def _read(
    operation: str, answer_type: Any, register: str, name: str, table: Mapping[Any]
) -> ServiceOperation:
    answer, compose = several(answer_type, NAMESPACE, f"{operation}Response", {name: (table.element, table)})
    return ServiceOperation(
        name=operation,
        request=Mapping(
            ReadRequest,
            NAMESPACE,
            operation,
            (context(NAMESPACE), person_code("person_code", "PersonasKods", rule="p8.3", asked=True)),
            request=True,
        ),
        answer=answer,
        via=Reading(register, table, name),
        arguments={"limit": 200},
        compose=compose,
    )


SERVICE = Service(
    name="deinstitutionalisation",
    version="v1-0",
    operations=(
        handed_in(NAMESPACE, "SubmitAssessment", REGION_ASSESSMENT, SOURCE),
        handed_in(NAMESPACE, "SubmitRegionPlan", REGION_PLAN, SOURCE),
        handed_in(NAMESPACE, "DeleteRegionRecord", REGION_RECORD_DELETION, SOURCE),
        _read("GetAssessments", GetAssessmentsAnswer, "support-assessments", "assessments", TOLD_ASSESSMENT),
        _read("GetRegionPlans", GetRegionPlansAnswer, "region-plans", "plans", TOLD_PLAN),
        _read(
            "GetCommunityServices",
            GetCommunityServicesAnswer,
            "community-services",
            "services",
            TOLD_SERVICE,
        ),
    ),
)
