"""Registers of deinstitutionalisation: assessments, what the regions' plans provide, and community-based services.

Assessments come from planning regions and municipalities; whose a row is says its source. Source: p10^1, p17.3, p17.11.
"""

from __future__ import annotations

from sqlalchemy import Connection, Date, Text

from exchange import Provenance
from mappings.codes import FUNDING_SOURCE, MUNICIPAL_SERVICE
from mappings.deinstitutionalisation import (
    REGION,
    REGION_RECORD,
    TARGET_GROUP,
    Assessment,
    CommunityService,
    RegionPlan,
    RegionRecordDeletion,
)
from registers.handed_in import delete, deletions, handed_in, keep, register
from registers.history import Fed, Texts, field

_SCHEMA = "community"

ASSESSMENT = handed_in(
    _SCHEMA,
    "assessment",
    field("municipality", Text(), rule="p10^1.1"),
    field("target_group", Text(), rule="p10^1.1", codes=TARGET_GROUP),
    field("assessed_on", Date(), rule="p10^1.1"),
    field("assessor", Text(), rule="p10^1.1"),
    field("needs", Text(), rule="p10^1.1"),
    field("planned_on", Date(), rule="p10^1.1", optional=True),
    field("planned_services", Texts(), rule="p10^1.1", codes=MUNICIPAL_SERVICE),
    field("planned_until", Date(), rule="p10^1.1", optional=True),
)

PLAN = handed_in(
    _SCHEMA,
    "plan",
    field("region", Text(), rule="p10^1.2", codes=REGION),
    field("number", Text(), rule="p10^1.2"),
    field("approved_on", Date(), rule="p10^1.2"),
    field("target_group", Text(), rule="p10^1.2", codes=TARGET_GROUP),
    field("municipality", Text(), rule="p10^1.2"),
    field("services", Texts(), rule="p10^1.2", codes=MUNICIPAL_SERVICE),
    field("starts_on", Date(), rule="p10^1.2"),
    field("ends_on", Date(), rule="p10^1.2", optional=True),
)

SERVICE = handed_in(
    _SCHEMA,
    "service",
    field("municipality", Text(), rule="p10^1.3"),
    field("target_group", Text(), rule="p10^1.3", codes=TARGET_GROUP),
    field("service", Text(), rule="p10^1.3", codes=MUNICIPAL_SERVICE),
    field("provider", Text(), rule="p10^1.3"),
    field("funding_source", Text(), rule="p10^1.3", codes=FUNDING_SOURCE),
    field("started_on", Date(), rule="p10^1.3"),
    field("ended_on", Date(), rule="p10^1.3", optional=True),
)

DELETION = deletions(_SCHEMA, REGION_RECORD)

# By the code list of the records that a planning region may delete.
_TABLES = {"ASSESSMENT": ASSESSMENT, "PLAN": PLAN}

REGISTERS = (
    register(
        "support-assessments",
        ASSESSMENT,
        "planning-region",
        "municipality",
        "target_group",
        order="assessed_on",
    ),
    register(
        "region-plans",
        PLAN,
        "planning-region",
        "region",
        "number",
        "target_group",
        order="approved_on",
        valid=("starts_on", "ends_on"),
    ),
    register(
        "community-services",
        SERVICE,
        "municipality",
        "municipality",
        "target_group",
        "service",
        order="started_on",
        valid=("started_on", "ended_on"),
    ),
    register("region-deletions", DELETION, "planning-region", "kind", "reason"),
)


def feed_assessment(connection: Connection, record: Assessment, provenance: Provenance) -> Fed:
    """Keep an assessment with the support plan made of it."""
    return keep(connection, ASSESSMENT, record, record.person_code, provenance)


def feed_plan(connection: Connection, record: RegionPlan, provenance: Provenance) -> Fed:
    """Keep what a region's plan provides for a person."""
    return keep(connection, PLAN, record, record.person_code, provenance)


def feed_community_service(connection: Connection, record: CommunityService, provenance: Provenance) -> Fed:
    """Keep a community-based service."""
    return keep(connection, SERVICE, record, record.person_code, provenance)


def feed_deletion(connection: Connection, record: RegionRecordDeletion, provenance: Provenance) -> Fed:
    """End a record that a planning region handed in wrongly, and keep why.

    Raises: NotFound when the supplier has no such record of the person.
    """
    return delete(connection, (_TABLES[record.kind.code],), DELETION, record, provenance)


FEEDS = {
    Assessment: feed_assessment,
    RegionPlan: feed_plan,
    CommunityService: feed_community_service,
    RegionRecordDeletion: feed_deletion,
}
