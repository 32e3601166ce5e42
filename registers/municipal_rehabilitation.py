"""Registers of the rehabilitation of adult victims of violence as municipalities hand it in, and of reports on it.

Source: p11^1, p17.3.
"""

from __future__ import annotations

from sqlalchemy import JSON, Connection, Date, Integer, Text

from exchange import Provenance
from mappings.municipal_rehabilitation import (
    COST,
    GIVEN,
    GRANTED,
    PROVIDER,
    RESULT,
    VictimReport,
    VictimService,
)
from registers.handed_in import handed_in, keep, listed, register
from registers.history import Exact, Fed, field

_SOURCE = "municipality"

SERVICE = handed_in(
    "municipal",
    "victim_service",
    field("municipality", Text(), rule="p11^1"),
    field("granted", JSON(), rule="p11^1.1"),
    field("given", JSON(), rule="p11^1.2"),
    field("costs", JSON(), rule="p11^1.3"),
    field("transport_paid", Exact(), rule="p11^1.4", optional=True),
    field("granted_on", Date(), rule="p11^1.5"),
    field("started_on", Date(), rule="p11^1.5", optional=True),
    field("ended_on", Date(), rule="p11^1.5", optional=True),
    field("providers", JSON(), rule="p11^1.8"),
)

REPORT = handed_in(
    "municipal",
    "victim_report",
    field("municipality", Text(), rule="p11^1.10"),
    field("period_from", Date(), rule="p11^1.10"),
    field("period_to", Date(), rule="p11^1.10"),
    field("queued", Integer(), rule="p11^1.6"),
    field("queued_urgently", Integer(), rule="p11^1.6"),
    field("total_cost", Exact(), rule="p11^1.7"),
    field("spent", Exact(), rule="p11^1.9"),
    field("results", JSON(), rule="p11^1.9"),
    field("report", Text(), rule="p11^1.10", optional=True),
    person=False,
)

REGISTERS = (
    register(
        "victim-services",
        SERVICE,
        _SOURCE,
        "municipality",
        "started_on",
        order="granted_on",
        valid=("started_on", "ended_on"),
    ),
    register("victim-reports", REPORT, _SOURCE, "municipality", "period_to", order="period_from"),
)


def feed_service(connection: Connection, record: VictimService, provenance: Provenance) -> Fed:
    """Keep the rehabilitation of a victim."""
    return keep(
        connection,
        SERVICE,
        record,
        record.person_code,
        provenance,
        granted=listed(GRANTED, record.granted),
        given=listed(GIVEN, record.given),
        costs=listed(COST, record.costs),
        providers=listed(PROVIDER, record.providers),
    )


def feed_report(connection: Connection, record: VictimReport, provenance: Provenance) -> Fed:
    """Keep a report, which is about no person."""
    return keep(connection, REPORT, record, None, provenance, results=listed(RESULT, record.results))


FEEDS = {VictimService: feed_service, VictimReport: feed_report}
