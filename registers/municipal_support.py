"""Registers of benefits and payments, and under whose id a service or a child's stay was handed in.

The service and the stay themselves are in `services` and `municipal_placements`, whoever tells them.
Source: p10, p17.3.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Connection, Date, Text

from errors import InvalidRequest
from exchange import Provenance
from mappings.codes import SERVICE_STATUS
from mappings.municipal_support import (
    APPLICATION_KIND,
    BENEFIT_KIND,
    PAYMENT_FORM,
    Benefit,
    PlacementRecord,
    ServiceRecord,
    SupportPayment,
)
from registers.handed_in import current, handed_in, hold, keep, known, register
from registers.history import Exact, Fed, Month, field
from registers.municipal_placements import delete_placement, feed_placement, find_placement
from registers.persons import person_by_code
from registers.services import delete_service, feed_service, find_service

_SOURCE = "municipality"

# Municipality and case number name the service, and the stay, in their own registers.
SERVICE_RECORD = handed_in(
    "municipal",
    "service_record",
    field("municipality", Text(), rule="p10.2"),
    field("case_number", Text(), rule="p10.2"),
    field("application_kind", Text(), rule="p10.3", codes=APPLICATION_KIND),
    field("office", Text(), rule="p10.2", optional=True),
)

BENEFIT = handed_in(
    "municipal",
    "benefit",
    field("municipality", Text(), rule="p10.2"),
    field("office", Text(), rule="p10.2", optional=True),
    field("applied_on", Date(), rule="p10.1"),
    field("application_kind", Text(), rule="p10.3", codes=APPLICATION_KIND),
    field("status", Text(), rule="p10.4", codes=SERVICE_STATUS),
    field("decided_on", Date(), rule="p10.5", optional=True),
    field("means_tested", Boolean(), rule="p10.6"),
    field("kind", Text(), rule="p10.7", codes=BENEFIT_KIND),
    field("refusal_reason", Text(), rule="p10.9", optional=True),
)

PAYMENT = handed_in(
    "municipal",
    "payment",
    field("municipality", Text(), rule="p10.2"),
    field("support_no", Text(), rule="p10.10"),
    field("form", Text(), rule="p10.10.1", codes=PAYMENT_FORM),
    field("paid_for", Month(), rule="p10.10.2"),
    field("amount", Exact(), rule="p10.10.3"),
    field("paid_on", Date(), rule="p10.10.4", optional=True),
)

PLACEMENT_RECORD = handed_in(
    "municipal",
    "placement_record",
    field("municipality", Text(), rule="p10.11"),
    field("case_number", Text(), rule="p10.11"),
)

REGISTERS = (
    register("service-records", SERVICE_RECORD, _SOURCE, "municipality", "case_number"),
    register("benefits", BENEFIT, _SOURCE, "municipality", "kind", "status", order="applied_on"),
    register("support-payments", PAYMENT, _SOURCE, "municipality", "support_no", order="paid_for"),
    register("placement-records", PLACEMENT_RECORD, _SOURCE, "municipality", "case_number"),
)


def feed_service_record(connection: Connection, record: ServiceRecord, provenance: Provenance) -> Fed:
    """Keep a service under its object; one whose case is corrected takes the place of the other.

    Raises: InvalidRequest when the case is kept already and not of this object, and what keeping a service raises.
    """
    service = record.service
    hold(connection, SERVICE_RECORD, record)
    before = current(connection, SERVICE_RECORD, record)
    case = (service.municipality, service.case_number)
    kept = None if before is None else (before.municipality, before.case_number)
    if kept != case and find_service(connection, service) is not None:
        raise InvalidRequest("the case was handed in by another or as another object")
    fed = keep(
        connection,
        SERVICE_RECORD,
        record,
        service.person_code,
        provenance,
        municipality=service.municipality,
        case_number=service.case_number,
    )
    if kept is not None and kept != case:
        fed += delete_service(connection, service.person_code, *kept, provenance)
    return fed + feed_service(connection, service, provenance)


def feed_benefit(connection: Connection, record: Benefit, provenance: Provenance) -> Fed:
    """Keep a benefit."""
    return keep(connection, BENEFIT, record, record.person_code, provenance)


def feed_payment(connection: Connection, record: SupportPayment, provenance: Provenance) -> Fed:
    """Keep what was paid.

    Raises: InvalidRequest when the supplier has handed in no such benefit or service of the person.
    """
    fed = keep(connection, PAYMENT, record, record.person_code, provenance)
    person_id = person_by_code(connection, record.person_code)
    if not known(connection, (BENEFIT, SERVICE_RECORD), record.supplier, record.support_no, person_id):
        raise InvalidRequest("support_no is of no benefit or service of the person")
    return fed


def feed_placement_record(connection: Connection, record: PlacementRecord, provenance: Provenance) -> Fed:
    """Keep a child's stay under its object; one whose case is corrected takes the place of the other.

    Raises: InvalidRequest when the case is kept already and not of this object, and what keeping a stay raises.
    """
    placement = record.placement
    hold(connection, PLACEMENT_RECORD, record)
    before = current(connection, PLACEMENT_RECORD, record)
    case = (placement.municipality, placement.case_number)
    kept = None if before is None else (before.municipality, before.case_number)
    if kept != case and find_placement(connection, placement) is not None:
        raise InvalidRequest("the case was handed in by another or as another object")
    fed = keep(
        connection,
        PLACEMENT_RECORD,
        record,
        placement.person_code,
        provenance,
        municipality=placement.municipality,
        case_number=placement.case_number,
    )
    if kept is not None and kept != case:
        fed += delete_placement(connection, placement.person_code, *kept, provenance)
    return fed + feed_placement(connection, placement, provenance)


FEEDS = {
    ServiceRecord: feed_service_record,
    Benefit: feed_benefit,
    SupportPayment: feed_payment,
    PlacementRecord: feed_placement_record,
}
