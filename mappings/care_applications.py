"""The way into state-financed long-term care, as SIVA hands it in: application, decision, placement.

Source: wsdl/spolis/care-stays/v1-0, rules p12, p17.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import Code, code_list
from mappings.fields import code, date, many, nested, person_code, text
from mappings.long_term_care import NAMESPACE, contact, name, numbers, person, residence
from mappings.mapping import Mapping

SERVICE_KIND = code_list("long_term_service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """The legal representative (likumiskais pārstāvis) of an applicant. Source: p12.2."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    address_kind: Code
    address: str
    phone: str | None
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Municipality:
    """The municipality (pašvaldība) that decided that the service is needed. Source: p12.3."""

    name: str
    address: str
    phone: str | None
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRequest:
    """A further document that was asked for (papildu dokumentu pieprasīšana). Source: p12.5."""

    requested_on: day
    document: str
    received_on: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application for the service (iesniegums par pakalpojuma piešķiršanu). Source: p12.1–p12.5."""

    case_no: str
    record_no: str
    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    submitted_on: day
    service_kind: Code
    desired_provider: str | None
    representative: Representative | None
    municipality: Municipality | None
    documents: tuple[str, ...]
    document_requests: tuple[DocumentRequest, ...]
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDecision:
    """The decision to grant the service (lēmums par pakalpojuma piešķiršanu). Source: p12.6."""

    decided_on: day
    number: str
    provider: str
    granted_from: day


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDecision:
    """The decision to put the person in the queue (lēmums par uzņemšanu rindā). Source: p12.7."""

    decided_on: day
    number: str
    provider: str
    queued_from: day


@dataclass(frozen=True, slots=True, kw_only=True)
class CareDecision:
    """A decision on an application: granted or put in the queue, one of the two. Source: p12.6, p12.7."""

    case_no: str
    record_no: str
    person_code: str
    grant: GrantDecision | None
    queue: QueueDecision | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlacement:
    """A placement (norīkojums) in an institution, and the day of entering it once that is known.

    Source: p12.8.1, p12.8.2.
    """

    case_no: str
    record_no: str
    person_code: str
    issued_on: day
    number: str
    planned_on: day
    institution: str
    entered_on: day | None
    supplier: str = ""


def application_problem(application: Application) -> str:
    """What is wrong with an application taken by itself, or ""."""
    for one in application.document_requests:
        if one.received_on is not None and one.received_on < one.requested_on:
            return "document_requests[].received_on is before requested_on"
    return ""


def decision_problem(decision: CareDecision) -> str:
    """What is wrong with a decision taken by itself, or ""."""
    return "" if (decision.grant is None) != (decision.queue is None) else "grant or queue is wanted"


def placement_problem(placement: CarePlacement) -> str:
    """What is wrong with a placement taken by itself, or ""."""
    if placement.planned_on < placement.issued_on:
        return "planned_on is before issued_on"
    if placement.entered_on is not None and placement.entered_on < placement.issued_on:
        return "entered_on is before issued_on"
    return ""


REPRESENTATIVE = Mapping(
    Representative,
    NAMESPACE,
    "Parstavis",
    (
        *name("", "p12.2.1", "siva_application", "representative_"),
        person_code(
            "person_code",
            "PersonasKods",
            asked=True,
            rule="p12.2.1",
            column="siva_application.representative_code",
        ),
        *residence("p12.2.2", "siva_application.representative"),
        *contact("p12.2.3", "siva_application.representative"),
    ),
)

MUNICIPALITY = Mapping(
    Municipality,
    NAMESPACE,
    "Pasvaldiba",
    (
        text("name", "Nosaukums", longest=250, rule="p12.3.1", column="siva_application.municipality"),
        text("address", "Adrese", rule="p12.3.2", column="siva_application.municipality_address"),
        *contact("p12.3.3", "siva_application.municipality"),
    ),
)


_REQUESTS = "siva_application.document_requests"

DOCUMENT_REQUEST = Mapping(
    DocumentRequest,
    NAMESPACE,
    "PapilduPieprasijums",
    (
        date("requested_on", "PieprasijumaDatums", rule="p12.5", column=_REQUESTS),
        text("document", "Dokuments", longest=250, rule="p12.5", column=_REQUESTS),
        date("received_on", "SanemsanasDatums", rule="p12.5", column=_REQUESTS, optional=True),
    ),
)

APPLICATION = Mapping(
    Application,
    NAMESPACE,
    "Iesniegums",
    (
        *numbers("siva_application"),
        *name("Iesniedzejs", "p12.1.1", "siva_application"),
        person_code(
            "person_code",
            "Iesniedzejs/PersonasKods",
            asked=True,
            rule="p12.1.1",
            column="spolis_person_code.code",
        ),
        date("submitted_on", "IesniegsanasDatums", rule="p12.1.2", column="siva_application.submitted_on"),
        code(
            "service_kind",
            "PakalpojumaVeids",
            SERVICE_KIND,
            rule="p12.1.3",
            column="siva_application.service_kind",
        ),
        text(
            "desired_provider",
            "VelamaisSniedzejs",
            longest=250,
            rule="p12.1.4",
            column="siva_application.desired_provider",
            optional=True,
        ),
        nested("representative", "Parstavis", REPRESENTATIVE, optional=True),
        nested("municipality", "Pasvaldiba", MUNICIPALITY, optional=True),
        many(
            text("documents", "Dokuments", longest=250, rule="p12.4", column="siva_application.documents"),
            optional=True,
        ),
        many(nested("document_requests", "PapilduPieprasijums", DOCUMENT_REQUEST), optional=True),
    ),
    check=application_problem,
)

GRANT_DECISION = Mapping(
    GrantDecision,
    NAMESPACE,
    "Pieskirsana",
    (
        date("decided_on", "Datums", rule="p12.6.1", column="siva_decision.granted_on"),
        text("number", "Numurs", longest=100, rule="p12.6.2", column="siva_decision.grant_number"),
        text("provider", "Sniedzejs", longest=250, rule="p12.6.3", column="siva_decision.grant_provider"),
        date("granted_from", "PieskirtsNo", rule="p12.6.4", column="siva_decision.granted_from"),
    ),
)

QUEUE_DECISION = Mapping(
    QueueDecision,
    NAMESPACE,
    "Rinda",
    (
        date("decided_on", "Datums", rule="p12.7.1", column="siva_decision.queued_on"),
        text("number", "Numurs", longest=100, rule="p12.7.2", column="siva_decision.queue_number"),
        text("provider", "Sniedzejs", longest=250, rule="p12.7.3", column="siva_decision.queue_provider"),
        date("queued_from", "UznemtsNo", rule="p12.7.4", column="siva_decision.queued_from"),
    ),
)

DECISION = Mapping(
    CareDecision,
    NAMESPACE,
    "Lemums",
    (
        *numbers("siva_decision"),
        person(),
        nested("grant", "Pieskirsana", GRANT_DECISION, optional=True),
        nested("queue", "Rinda", QUEUE_DECISION, optional=True),
    ),
    check=decision_problem,
)

PLACEMENT = Mapping(
    CarePlacement,
    NAMESPACE,
    "Norikojums",
    (
        *numbers("siva_placement"),
        person(),
        date("issued_on", "Dokuments/Datums", rule="p12.8.1", column="siva_placement.issued_on"),
        text("number", "Dokuments/Numurs", longest=100, rule="p12.8.1", column="siva_placement.number"),
        date("planned_on", "Dokuments/NoraditaisDatums", rule="p12.8.1", column="siva_placement.planned_on"),
        text("institution", "Institucija", longest=250, rule="p12.8.2", column="siva_placement.institution"),
        date(
            "entered_on",
            "IestasanasDatums",
            rule="p12.8.2",
            column="siva_placement.entered_on",
            optional=True,
        ),
    ),
    check=placement_problem,
)
