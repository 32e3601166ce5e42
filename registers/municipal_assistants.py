"""Registers of the state-financed assistant as municipalities hand it in: the service, its months, and reports.

Source: p13, p17.3.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Connection, Date, Text

from errors import InvalidRequest
from exchange import Provenance
from mappings.codes import SEX
from mappings.municipal_assistants import (
    ACTIVITY,
    EMPLOYMENT,
    RESULT,
    AssistantDelivery,
    AssistantReport,
    AssistantService,
)
from mappings.municipal_records import KINSHIP
from registers.handed_in import handed_in, keep, known, listed, register
from registers.history import Exact, Fed, Month, Texts, field
from registers.persons import person_by_code

_SOURCE = "municipality"

ASSISTANT = handed_in(
    "municipal",
    "assistant",
    field("municipality", Text(), rule="p13.1"),
    field("registered_on", Date(), rule="p13.1"),
    field("decided_on", Date(), rule="p13.2", optional=True),
    field("repeated", Boolean(), rule="p13.3"),
    field("transport", Boolean(), rule="p13.4"),
    field("assistant_given_names", Texts(), rule="p13.5.1", optional=True),
    field("assistant_family_name", Text(), rule="p13.5.1", optional=True),
    field("assistant_code", Text(), rule="p13.5.1", optional=True),
    field("assistant_sex", Text(), rule="p13.5.2", codes=SEX, optional=True),
    field("assistant_kinship", Text(), rule="p13.5.3", codes=KINSHIP, optional=True),
    field("assistant_employment", Text(), rule="p13.5.4", codes=EMPLOYMENT, optional=True),
)

DELIVERY = handed_in(
    "municipal",
    "assistant_delivery",
    field("service_no", Text(), rule="p13.6"),
    field("delivered_in", Month(), rule="p13.6"),
    field("activity", Text(), rule="p13.6.1", codes=ACTIVITY),
    field("granted_hours_week", Exact(), rule="p13.6.2"),
    field("worked_hours_week", Exact(), rule="p13.6.3"),
    field("worked_hours_month", Exact(), rule="p13.6.4"),
    field("hour_price", Exact(), rule="p13.6.5"),
    field("gross_pay", Exact(), rule="p13.6.6"),
    field("transport_paid", Exact(), rule="p13.6.7"),
    field("total", Exact(), rule="p13.6.8"),
    field("contract_number", Text(), rule="p13.6.9"),
    field("contract_from", Date(), rule="p13.6.9"),
    field("contract_to", Date(), rule="p13.6.9", optional=True),
    field("started_on", Date(), rule="p13.6.10"),
    field("insurance_rate", Exact(), rule="p13.6.11"),
)

REPORT = handed_in(
    "municipal",
    "assistant_report",
    field("municipality", Text(), rule="p13.8"),
    field("period_from", Date(), rule="p13.8"),
    field("period_to", Date(), rule="p13.8"),
    field("forecast", Exact(), rule="p13.7"),
    field("spent", Exact(), rule="p13.7"),
    field("results", JSON(), rule="p13.7"),
    field("report", Text(), rule="p13.8", optional=True),
    person=False,
)

REGISTERS = (
    register("assistants", ASSISTANT, _SOURCE, "municipality", "decided_on", order="registered_on"),
    register("assistant-deliveries", DELIVERY, _SOURCE, "service_no", "activity", order="delivered_in"),
    register("assistant-reports", REPORT, _SOURCE, "municipality", "period_to", order="period_from"),
)


def feed_service(connection: Connection, record: AssistantService, provenance: Provenance) -> Fed:
    """Keep the service, with the name and code of the assistant as the municipality wrote them."""
    one = record.assistant
    return keep(
        connection,
        ASSISTANT,
        record,
        record.person_code,
        provenance,
        assistant_given_names=one.given_names if one else None,
        assistant_family_name=one.family_name if one else None,
        assistant_code=one.person_code if one else None,
        assistant_sex=one.sex.code if one else None,
        assistant_kinship=one.kinship.code if one else None,
        assistant_employment=one.employment.code if one else None,
    )


def feed_delivery(connection: Connection, record: AssistantDelivery, provenance: Provenance) -> Fed:
    """Keep a month of the service.

    Raises: InvalidRequest when the supplier has handed in no such service of the person.
    """
    fed = keep(connection, DELIVERY, record, record.person_code, provenance)
    person_id = person_by_code(connection, record.person_code)
    if not known(connection, (ASSISTANT,), record.supplier, record.service_no, person_id):
        raise InvalidRequest("service_no is of no assistant service of the person")
    return fed


def feed_report(connection: Connection, record: AssistantReport, provenance: Provenance) -> Fed:
    """Keep a report, which is about no person."""
    return keep(connection, REPORT, record, None, provenance, results=listed(RESULT, record.results))


FEEDS = {AssistantService: feed_service, AssistantDelivery: feed_delivery, AssistantReport: feed_report}
