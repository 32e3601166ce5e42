"""Benefits and services of municipalities, their payment, and children in institutions, as municipalities hand them in.

The service itself is the record that SPOLIS core writes too (`municipal_services`), so that checks see every provider.
Code lists that no public source has are modelled. Source: p10, p17.3, p23.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings import municipal_placements, municipal_services
from mappings.codes import SERVICE_STATUS, Code, code_list
from mappings.fields import Field, boolean, code, date, decimal, month, nested, text
from mappings.mapping import Mapping
from mappings.municipal_placements import MUNICIPAL_PLACEMENT, MunicipalPlacement
from mappings.municipal_records import NAMESPACE, municipality, object_no, person
from mappings.municipal_services import SERVICE as SERVICE_OF_CORE
from mappings.municipal_services import MunicipalService

APPLICATION_KIND = code_list("application_kind")
BENEFIT_KIND = code_list("benefit_kind")
PAYMENT_FORM = code_list("payment_form")

_DECIDED = ("GRANTED", "REFUSED")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """A service (sociālais pakalpojums) under the municipality's id of it. Source: p10.1–p10.5, p10.8, p10.9."""

    object_no: str
    application_kind: Code
    office: str | None
    service: MunicipalService
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """A benefit (sociālais pabalsts) that somebody applied for, and what became of it. Source: p10.1–p10.7, p10.9."""

    object_no: str
    person_code: str
    municipality: str
    office: str | None
    applied_on: day
    application_kind: Code
    status: Code
    decided_on: day | None
    means_tested: bool
    kind: Code
    refusal_reason: str | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportPayment:
    """What was paid of a benefit or for a service (izmaksa, apmaksa) for a month, in euro. Source: p10.10.

    `support_no` is the sender's own id of the benefit or service.
    """

    object_no: str
    person_code: str
    municipality: str
    support_no: str
    form: Code
    paid_for: day
    amount: Decimal
    paid_on: day | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRecord:
    """A child's stay in an institution under the municipality's id of it. Source: p10.11."""

    object_no: str
    placement: MunicipalPlacement
    supplier: str = ""


def service_problem(record: ServiceRecord) -> str:
    """What is wrong with a service taken by itself, or ""."""
    if record.application_kind.code != "SERVICE":
        return "application_kind of a service is SERVICE"
    return municipal_services.problem(record.service)


def benefit_problem(benefit: Benefit) -> str:
    """What is wrong with a benefit taken by itself, or ""."""
    if benefit.application_kind.code != "BENEFIT":
        return "application_kind of a benefit is BENEFIT"
    if (benefit.decided_on is None) == (benefit.status.code in _DECIDED):
        return "decided_on belongs to a benefit that is granted or refused"
    if benefit.decided_on is not None and benefit.decided_on < benefit.applied_on:
        return "decided_on is before applied_on"
    if (benefit.refusal_reason is None) == (benefit.status.code == "REFUSED"):
        return "refusal_reason belongs to a benefit that is refused"
    return ""


def _application(table: str) -> Field:
    return code(
        "application_kind",
        "IesniegumaVeids",
        APPLICATION_KIND,
        rule="p10.3",
        column=f"{table}.application_kind",
    )


def _office(table: str) -> Field:
    return text("office", "Iestade", longest=250, rule="p10.2", column=f"{table}.office", optional=True)


SERVICE = Mapping(
    MunicipalService,
    NAMESPACE,
    "Pakalpojums",
    SERVICE_OF_CORE.fields,
    check=municipal_services.problem,
)

SERVICE_RECORD = Mapping(
    ServiceRecord,
    NAMESPACE,
    "PakalpojumaIeraksts",
    (
        object_no("municipal_service_record"),
        _application("municipal_service_record"),
        _office("municipal_service_record"),
        nested("service", "Pakalpojums", SERVICE),
    ),
    check=service_problem,
)

BENEFIT = Mapping(
    Benefit,
    NAMESPACE,
    "Pabalsts",
    (
        object_no("municipal_benefit"),
        person(),
        municipality("municipal_benefit", "p10.2"),
        _office("municipal_benefit"),
        date("applied_on", "IesniegumaDatums", rule="p10.1", column="municipal_benefit.applied_on"),
        _application("municipal_benefit"),
        code("status", "Statuss", SERVICE_STATUS, rule="p10.4", column="municipal_benefit.status"),
        date(
            "decided_on",
            "LemumaDatums",
            rule="p10.5",
            column="municipal_benefit.decided_on",
            optional=True,
        ),
        boolean("means_tested", "IenakumuTestets", rule="p10.6", column="municipal_benefit.means_tested"),
        code("kind", "PabalstaVeids", BENEFIT_KIND, rule="p10.7", column="municipal_benefit.kind"),
        text(
            "refusal_reason",
            "AtteikumaIemesls",
            rule="p10.9",
            column="municipal_benefit.refusal_reason",
            optional=True,
        ),
    ),
    check=benefit_problem,
)

PAYMENT = Mapping(
    SupportPayment,
    NAMESPACE,
    "Izmaksa",
    (
        object_no("municipal_payment"),
        person(),
        municipality("municipal_payment", "p10.2"),
        text(
            "support_no", "AtbalstaNumurs", longest=100, rule="p10.10", column="municipal_payment.support_no"
        ),
        code("form", "PieskirsanasVeids", PAYMENT_FORM, rule="p10.10.1", column="municipal_payment.form"),
        month("paid_for", "Menesis", rule="p10.10.2", column="municipal_payment.paid_for"),
        decimal("amount", "Summa", places=2, rule="p10.10.3", column="municipal_payment.amount"),
        date("paid_on", "IzpildesDatums", rule="p10.10.4", column="municipal_payment.paid_on", optional=True),
    ),
)

PLACEMENT = Mapping(
    MunicipalPlacement,
    NAMESPACE,
    "Ievietosana",
    MUNICIPAL_PLACEMENT.fields,
    check=municipal_placements.problem,
)

PLACEMENT_RECORD = Mapping(
    PlacementRecord,
    NAMESPACE,
    "IevietosanasIeraksts",
    (object_no("municipal_placement_record"), nested("placement", "Ievietosana", PLACEMENT)),
    check=lambda record: municipal_placements.problem(record.placement),
)
