"""Registers of the means of persons as municipalities hand them in: status, declaration, survey, support fund.

Source: p9, p17.3.
"""

from __future__ import annotations

from sqlalchemy import JSON, Connection, Date, Text

from exchange import Provenance
from mappings.municipal_declarations import (
    EMPLOYMENT_STATUS,
    INCOME_KIND,
    MAINTENANCE_CONTRACT,
    MOVABLE,
    REAL_ESTATE,
    Declaration,
)
from mappings.municipal_means import MEANS_STATUS, WORKER, HomeSurvey, MeansStatus, SupportFundStatus
from mappings.municipal_records import KINSHIP
from registers.handed_in import handed_in, keep, keep_several, listed, register
from registers.history import Exact, Fed, Texts, Values, field

_SOURCE = "municipality"

STATUS = handed_in(
    "municipal",
    "status",
    field("municipality", Text(), rule="p9.1.2"),
    field("status", Text(), rule="p9.1.1", codes=MEANS_STATUS),
    field("decided_on", Date(), rule="p9.1.3"),
    field("decision_number", Text(), rule="p9.1.3"),
    field("valid_from", Date(), rule="p9.1.4"),
    field("valid_to", Date(), rule="p9.1.5"),
)

DECLARATION = handed_in(
    "municipal",
    "declaration",
    field("given_names", Texts(), rule="p9.2.1"),
    field("family_name", Text(), rule="p9.2.1"),
    field("municipality", Text(), rule="p9.2.3"),
    field("submitted_on", Date(), rule="p9.2.2"),
    field("office", Text(), rule="p9.2.3"),
    field("average_income", Exact(), rule="p9.2.4"),
    field("household_income", Exact(), rule="p9.2.4"),
)

# The person of such a row is who declares; whom the declaration names stands in it by name and code.
DECLARED_PERSON = handed_in(
    "municipal",
    "declared_person",
    field("given_names", Texts(), rule="p9.2.5.1"),
    field("family_name", Text(), rule="p9.2.5.1"),
    field("member_code", Text(), rule="p9.2.5.1"),
    field("kinship", Text(), rule="p9.2.5.2", codes=KINSHIP),
    field("employment", Text(), rule="p9.2.5.3", codes=EMPLOYMENT_STATUS),
    field("average_income", Exact(), rule="p9.2.5.4"),
    field("income_kinds", Texts(), rule="p9.2.5.5", codes=INCOME_KIND),
    field("real_estate", JSON(), rule="p9.2.5.6"),
    field("movables", JSON(), rule="p9.2.5.7"),
    field("maintenance_contracts", JSON(), rule="p9.2.5.8"),
    also_by=("member_code",),
)

SURVEY = handed_in(
    "municipal",
    "survey",
    field("municipality", Text(), rule="p9.3"),
    field("address", Text(), rule="p9.3.1"),
    field("surveyed_on", Date(), rule="p9.3.2"),
    field("workers", JSON(), rule="p9.3.3"),
    field("reason", Text(), rule="p9.3.4"),
)

SUPPORT_FUND = handed_in(
    "municipal",
    "support_fund",
    field("municipality", Text(), rule="p9.4"),
    field("valid_from", Date(), rule="p9.4"),
    field("valid_to", Date(), rule="p9.4"),
)

REGISTERS = (
    register(
        "means-statuses",
        STATUS,
        _SOURCE,
        "municipality",
        "status",
        "valid_to",
        order="valid_from",
        valid=("valid_from", "valid_to"),
    ),
    register("means-declarations", DECLARATION, _SOURCE, "municipality", order="submitted_on"),
    register("declared-persons", DECLARED_PERSON, _SOURCE, "kinship", "employment"),
    register("home-surveys", SURVEY, _SOURCE, "municipality", order="surveyed_on"),
    register(
        "support-fund-statuses",
        SUPPORT_FUND,
        _SOURCE,
        "municipality",
        "valid_to",
        order="valid_from",
        valid=("valid_from", "valid_to"),
    ),
)


def feed_status(connection: Connection, record: MeansStatus, provenance: Provenance) -> Fed:
    """Keep the status of a needy or low-income person."""
    return keep(connection, STATUS, record, record.person_code, provenance)


def feed_declaration(connection: Connection, record: Declaration, provenance: Provenance) -> Fed:
    """Keep a declaration, and the persons whom it names."""
    fed = keep(connection, DECLARATION, record, record.person_code, provenance)
    rows: list[Values] = [
        {
            "given_names": member.given_names,
            "family_name": member.family_name,
            "member_code": member.person_code,
            "kinship": member.kinship.code,
            "employment": member.employment.code,
            "average_income": member.average_income,
            "income_kinds": tuple(kind.code for kind in member.income_kinds),
            "real_estate": listed(REAL_ESTATE, member.real_estate),
            "movables": listed(MOVABLE, member.movables),
            "maintenance_contracts": listed(MAINTENANCE_CONTRACT, member.maintenance_contracts),
        }
        for member in record.members
    ]
    return fed + keep_several(
        connection, DECLARED_PERSON, record, record.person_code, rows, provenance, key="member_code"
    )


def feed_survey(connection: Connection, record: HomeSurvey, provenance: Provenance) -> Fed:
    """Keep a survey of the home."""
    workers = listed(WORKER, record.workers)
    return keep(connection, SURVEY, record, record.person_code, provenance, workers=workers)


def feed_support_fund(connection: Connection, record: SupportFundStatus, provenance: Provenance) -> Fed:
    """Keep that the income allows support of the fund."""
    return keep(connection, SUPPORT_FUND, record, record.person_code, provenance)


FEEDS = {
    MeansStatus: feed_status,
    Declaration: feed_declaration,
    HomeSurvey: feed_survey,
    SupportFundStatus: feed_support_fund,
}
