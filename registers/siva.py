"""Registers of long-term care as SIVA hands it in: from the application to the end of the service.

Records of one case agree: a decision is not before its application, a placement not before the grant.
Source: p12.1–p12.8.9, p17.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Protocol

from sqlalchemy import JSON, Column, Connection, Date, Table, Text, func, select

from errors import InvalidRequest
from exchange import Json, Provenance
from mappings.care_applications import SERVICE_KIND, Application, CareDecision, CarePlacement, Representative
from mappings.care_contracts import (
    ABSENCE_KIND,
    CareAbsence,
    CareChange,
    CareContract,
    CareTermination,
    ContractParty,
)
from mappings.codes import ADDRESS_KIND
from mappings.long_term_care import DELETION_REASON, SIVA_RECORD, ServiceRecordDeletion
from registers import supplied
from registers.care_stays import CARE_STAY
from registers.history import Fed, Texts, Value, field, recorded
from registers.persons import person_by_code
from registers.reading import Register

_SCHEMA = "siva"


def _text(name: str, rule: str, *, optional: bool = False) -> Column[Any]:
    return field(name, Text(), rule=rule, optional=optional)


def _date(name: str, rule: str, *, optional: bool = False) -> Column[Any]:
    return field(name, Date(), rule=rule, optional=optional)


def _other_person(prefix: str, name: str, address: str, contact: str) -> tuple[Column[Any], ...]:
    return (
        field(f"{prefix}_given_names", Texts(), rule=name, optional=True),
        _text(f"{prefix}_family_name", name, optional=True),
        _text(f"{prefix}_code", name, optional=True),
        field(f"{prefix}_address_kind", Text(), rule=address, codes=ADDRESS_KIND, optional=True),
        _text(f"{prefix}_address", address, optional=True),
        _text(f"{prefix}_phone", contact, optional=True),
        field(f"{prefix}_contacts", Texts(), rule=contact, optional=True),
    )


APPLICATION = supplied.supplied(
    _SCHEMA,
    "application",
    field("given_names", Texts(), rule="p12.1.1"),
    _text("family_name", "p12.1.1"),
    _date("submitted_on", "p12.1.2"),
    field("service_kind", Text(), rule="p12.1.3", codes=SERVICE_KIND),
    _text("desired_provider", "p12.1.4", optional=True),
    *_other_person("representative", "p12.2.1", "p12.2.2", "p12.2.3"),
    _text("municipality", "p12.3.1", optional=True),
    _text("municipality_address", "p12.3.2", optional=True),
    _text("municipality_phone", "p12.3.3", optional=True),
    field("municipality_contacts", Texts(), rule="p12.3.3", optional=True),
    field("documents", Texts(), rule="p12.4"),
    field("document_requests", JSON(), rule="p12.5"),
)

DECISION = supplied.supplied(
    _SCHEMA,
    "decision",
    _date("granted_on", "p12.6.1", optional=True),
    _text("grant_number", "p12.6.2", optional=True),
    _text("grant_provider", "p12.6.3", optional=True),
    _date("granted_from", "p12.6.4", optional=True),
    _date("queued_on", "p12.7.1", optional=True),
    _text("queue_number", "p12.7.2", optional=True),
    _text("queue_provider", "p12.7.3", optional=True),
    _date("queued_from", "p12.7.4", optional=True),
)

PLACEMENT = supplied.supplied(
    _SCHEMA,
    "placement",
    _date("issued_on", "p12.8.1"),
    _text("number", "p12.8.1"),
    _date("planned_on", "p12.8.1"),
    _text("institution", "p12.8.2"),
    _date("entered_on", "p12.8.2", optional=True),
)

CONTRACT = supplied.supplied(
    _SCHEMA,
    "contract",
    _date("concluded_on", "p12.8.4.1"),
    _text("number", "p12.8.4.2"),
    *_other_person("party", "p12.8.4.3.1", "p12.8.4.3.2", "p12.8.4.3.3"),
)

ABSENCE = supplied.supplied(
    _SCHEMA,
    "absence",
    field("kind", Text(), rule="p12.8.5", codes=ABSENCE_KIND),
    _date("began_on", "p12.8.5"),
    _date("ended_on", "p12.8.5", optional=True),
    _text("reason", "p12.8.5", optional=True),
)

CHANGE = supplied.supplied(
    _SCHEMA,
    "change",
    _date("provider_requested_on", "p12.8.6.1", optional=True),
    _text("provider", "p12.8.6.2", optional=True),
    _text("provider_note", "p12.8.6.3", optional=True),
    _date("kind_requested_on", "p12.8.7.1", optional=True),
    field("kind", Text(), rule="p12.8.7.2", codes=SERVICE_KIND, optional=True),
    _text("kind_note", "p12.8.7.3", optional=True),
    _date("end_requested_on", "p12.8.8", optional=True),
)

TERMINATION = supplied.supplied(
    _SCHEMA,
    "termination",
    _date("decided_on", "p12.8.9.1"),
    _text("number", "p12.8.9.2"),
    _date("effective_on", "p12.8.9.3"),
)

DELETION = supplied.supplied(
    _SCHEMA,
    "deletion",
    field("kind", Text(), rule="p20", codes=SIVA_RECORD),
    field("reason", Text(), rule="p20", codes=DELETION_REASON),
    one_per=("person_id", "supplier", "kind", "record_no"),
)

# By the code list of the records that SIVA may delete.
_TABLES: Mapping[str, Table] = {
    "APPLICATION": APPLICATION,
    "DECISION": DECISION,
    "PLACEMENT": PLACEMENT,
    "CONTRACT": CONTRACT,
    "ABSENCE": ABSENCE,
    "CHANGE": CHANGE,
    "TERMINATION": TERMINATION,
}

# In one case the first is not before the second: (later, earlier).
_NOT_BEFORE: tuple[tuple[Column[Any], Column[Any]], ...] = (
    (DECISION.c.granted_on, APPLICATION.c.submitted_on),
    (DECISION.c.queued_on, APPLICATION.c.submitted_on),
    (PLACEMENT.c.issued_on, APPLICATION.c.submitted_on),
    (PLACEMENT.c.issued_on, DECISION.c.granted_on),
    (CONTRACT.c.concluded_on, DECISION.c.granted_on),
    (CHANGE.c.provider_requested_on, APPLICATION.c.submitted_on),
    (CHANGE.c.kind_requested_on, APPLICATION.c.submitted_on),
    (CHANGE.c.end_requested_on, APPLICATION.c.submitted_on),
    (TERMINATION.c.decided_on, DECISION.c.granted_on),
)


def _register(
    name: str, table: Table, order: str, *criteria: str, valid: tuple[str, str] | None = None
) -> Register:
    known = ("case_no", "record_no", order, *criteria)
    return Register(
        name=name,
        table=table,
        source=_SCHEMA,
        criteria={column: table.c[column] for column in known},
        valid=valid,
        order=(order, "record_no"),
    )


REGISTERS = (
    _register("care-applications", APPLICATION, "submitted_on", "service_kind", "desired_provider"),
    _register("care-decisions", DECISION, "granted_on", "grant_provider", "queued_on", "queue_provider"),
    _register("care-placements", PLACEMENT, "issued_on", "institution", "entered_on"),
    _register("care-contracts", CONTRACT, "concluded_on", "number"),
    _register("care-absences", ABSENCE, "began_on", "kind", "ended_on", valid=("began_on", "ended_on")),
    _register(
        "care-changes", CHANGE, "provider_requested_on", "provider", "kind_requested_on", "end_requested_on"
    ),
    _register("care-terminations", TERMINATION, "effective_on", "decided_on"),
    _register("care-deletions", DELETION, "kind", "reason"),
)


def feed_application(connection: Connection, record: Application, provenance: Provenance) -> Fed:
    """Keep an application, with the names and codes of the people in it as SIVA wrote them."""
    municipality = record.municipality
    requests: list[Json] = [
        {
            "requested_on": one.requested_on.isoformat(),
            "document": one.document,
            "received_on": one.received_on.isoformat() if one.received_on else None,
        }
        for one in record.document_requests
    ]
    values: Mapping[str, Value] = {
        "given_names": record.given_names,
        "family_name": record.family_name,
        "submitted_on": record.submitted_on,
        "service_kind": record.service_kind.code,
        "desired_provider": record.desired_provider,
        **_of(record.representative, "representative"),
        "municipality": municipality.name if municipality else None,
        "municipality_address": municipality.address if municipality else None,
        "municipality_phone": municipality.phone if municipality else None,
        "municipality_contacts": municipality.contacts if municipality else None,
        "documents": record.documents,
        "document_requests": requests,
    }
    return _keep(connection, APPLICATION, record, values, provenance)


def feed_decision(connection: Connection, record: CareDecision, provenance: Provenance) -> Fed:
    """Keep a decision to grant or to queue."""
    grant, queue = record.grant, record.queue
    values: Mapping[str, Value] = {
        "granted_on": grant.decided_on if grant else None,
        "grant_number": grant.number if grant else None,
        "grant_provider": grant.provider if grant else None,
        "granted_from": grant.granted_from if grant else None,
        "queued_on": queue.decided_on if queue else None,
        "queue_number": queue.number if queue else None,
        "queue_provider": queue.provider if queue else None,
        "queued_from": queue.queued_from if queue else None,
    }
    return _keep(connection, DECISION, record, values, provenance)


def feed_placement(connection: Connection, record: CarePlacement, provenance: Provenance) -> Fed:
    """Keep a placement."""
    values: Mapping[str, Value] = {
        "issued_on": record.issued_on,
        "number": record.number,
        "planned_on": record.planned_on,
        "institution": record.institution,
        "entered_on": record.entered_on,
    }
    return _keep(connection, PLACEMENT, record, values, provenance)


def feed_contract(connection: Connection, record: CareContract, provenance: Provenance) -> Fed:
    """Keep a contract, with whoever made it for the person."""
    values: Mapping[str, Value] = {
        "concluded_on": record.concluded_on,
        "number": record.number,
        **_of(record.party, "party"),
    }
    return _keep(connection, CONTRACT, record, values, provenance)


def feed_absence(connection: Connection, record: CareAbsence, provenance: Provenance) -> Fed:
    """Keep an absence.

    Raises: InvalidRequest when the person was in no institution from its first day to its last.
    """
    first, last = record.began_on, record.ended_on or record.began_on

    def within_a_stay() -> None:
        spans = _stays(connection, record.person_code)
        if not any(begin <= first and last <= (end or date.max) for begin, end in spans):
            raise InvalidRequest("began_on, ended_on: the person has no stay on these days")

    values: Mapping[str, Value] = {
        "kind": record.kind.code,
        "began_on": record.began_on,
        "ended_on": record.ended_on,
        "reason": record.reason,
    }
    return _keep(connection, ABSENCE, record, values, provenance, within_a_stay)


def feed_change(connection: Connection, record: CareChange, provenance: Provenance) -> Fed:
    """Keep a request of the person for another provider, another kind or the end."""
    provider, kind, end = record.provider, record.kind, record.end
    values: Mapping[str, Value] = {
        "provider_requested_on": provider.requested_on if provider else None,
        "provider": provider.provider if provider else None,
        "provider_note": provider.note if provider else None,
        "kind_requested_on": kind.requested_on if kind else None,
        "kind": kind.kind.code if kind else None,
        "kind_note": kind.note if kind else None,
        "end_requested_on": end.requested_on if end else None,
    }
    return _keep(connection, CHANGE, record, values, provenance)


def feed_termination(connection: Connection, record: CareTermination, provenance: Provenance) -> Fed:
    """Keep a decision to end the service."""
    values: Mapping[str, Value] = {
        "decided_on": record.decided_on,
        "number": record.number,
        "effective_on": record.effective_on,
    }
    return _keep(connection, TERMINATION, record, values, provenance)


def feed_deletion(connection: Connection, record: ServiceRecordDeletion, provenance: Provenance) -> Fed:
    """End a record that was handed in wrongly, and keep why.

    Raises: NotFound when the supplier has no such record of the person.
    """
    return supplied.delete(connection, _TABLES[record.kind.code], DELETION, record, provenance)


class _OfPerson(supplied.Numbered, Protocol):
    """A record about one person."""

    @property
    def person_code(self) -> str: ...


def _keep(
    connection: Connection,
    table: Table,
    record: _OfPerson,
    values: Mapping[str, Value],
    provenance: Provenance,
    check: Callable[[], None] = lambda: None,
) -> Fed:
    """Raises: InvalidRequest when the record contradicts the others of its case."""

    def agrees() -> None:
        check()
        for later, earlier in _NOT_BEFORE:
            if table in (later.table, earlier.table):
                _in_order(connection, record, later, earlier)

    return supplied.keep(connection, table, record, record.person_code, values, provenance, agrees)


def _in_order(
    connection: Connection, record: supplied.Numbered, later: Column[Any], earlier: Column[Any]
) -> None:
    """Raises: InvalidRequest naming two days of one case that are in the wrong order."""
    first, second = (
        connection.execute(
            select(func.min(column)).where(
                column.table.c.supplier == record.supplier,
                column.table.c.case_no == record.case_no,
                column.table.c.superseded_at.is_(None),
            )
        ).scalar()
        for column in (earlier, later)
    )
    if first is not None and second is not None and second < first:
        names = (f"{c.table.description.removeprefix('siva_')}.{c.name}" for c in (later, earlier))
        raise InvalidRequest(" is before ".join(names))


def _stays(connection: Connection, person_code: str) -> Iterator[tuple[date, date | None]]:
    """When the person was in an institution: as the institutions say or, where none has yet, as SIVA does."""
    person_id = person_by_code(connection, person_code)
    known = connection.execute(
        select(CARE_STAY.c.entered_on, CARE_STAY.c.ended_on).where(
            CARE_STAY.c.person_id == person_id, recorded(CARE_STAY)
        )
    ).all()
    if known:
        yield from ((stay.entered_on, stay.ended_on) for stay in known)
        return
    entered = select(PLACEMENT.c.entered_on).where(
        PLACEMENT.c.person_id == person_id, PLACEMENT.c.entered_on.is_not(None), recorded(PLACEMENT)
    )
    yield from ((begin, None) for begin in connection.execute(entered).scalars())


def _of(person: Representative | ContractParty | None, prefix: str) -> dict[str, Value]:
    return {
        f"{prefix}_given_names": person.given_names if person else None,
        f"{prefix}_family_name": person.family_name if person else None,
        f"{prefix}_code": person.person_code if person else None,
        f"{prefix}_address_kind": person.address_kind.code if person else None,
        f"{prefix}_address": person.address if person else None,
        f"{prefix}_phone": person.phone if person else None,
        f"{prefix}_contacts": person.contacts if person else None,
    }


FEEDS = {
    Application: feed_application,
    CareDecision: feed_decision,
    CarePlacement: feed_placement,
    CareContract: feed_contract,
    CareAbsence: feed_absence,
    CareChange: feed_change,
    CareTermination: feed_termination,
    ServiceRecordDeletion: feed_deletion,
}
