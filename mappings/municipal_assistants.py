"""The state-financed assistant of a person with a disability in a municipality; supplied since 2016-01-01.

Amounts are euro; hours have at most two fraction digits. Code lists that no public source has are modelled: activity,
employment of the assistant. Source: p13, p17.3, p23.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.codes import SEX, Code, code_list
from mappings.fields import boolean, code, date, decimal, many, month, nested, person_code, text
from mappings.mapping import Mapping
from mappings.municipal_records import KINSHIP, NAMESPACE, municipality, object_no, person
from mappings.municipal_reports import (
    Result,
    narrative,
    period,
    period_problem,
    result_table,
    results,
    spent,
)

ACTIVITY = code_list("assistant_activity")
EMPLOYMENT = code_list("assistant_employment")

_ASSISTANT = "municipal_assistant"
_DELIVERY = "municipal_assistant_delivery"
_REPORT = "municipal_assistant_report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """Who assists (asistents). Source: p13.5."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    sex: Code
    kinship: Code
    employment: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantService:
    """That a person asked for an assistant, what was decided, and who assists. Source: p13.1–p13.5."""

    object_no: str
    person_code: str
    municipality: str
    registered_on: day
    decided_on: day | None
    repeated: bool
    transport: bool
    assistant: Assistant | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantDelivery:
    """The service given in a month (sniegtais asistenta pakalpojums). Source: p13.6.

    `service_no` is the sender's own id of the service; `insurance_rate` is a percentage.
    """

    object_no: str
    person_code: str
    service_no: str
    delivered_in: day
    activity: Code
    granted_hours_week: Decimal
    worked_hours_week: Decimal
    worked_hours_month: Decimal
    hour_price: Decimal
    gross_pay: Decimal
    transport_paid: Decimal
    total: Decimal
    contract_number: str
    contract_from: day
    contract_to: day | None
    started_on: day
    insurance_rate: Decimal
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantReport:
    """A report on the service in a municipality, about no person. Source: p13.7, p13.8."""

    object_no: str
    municipality: str
    period_from: day
    period_to: day
    forecast: Decimal
    spent: Decimal
    results: tuple[Result, ...]
    report: str | None
    supplier: str = ""


def service_problem(service: AssistantService) -> str:
    """What is wrong with a service taken by itself, or ""."""
    if service.decided_on is not None and service.decided_on < service.registered_on:
        return "decided_on is before registered_on"
    if service.assistant is not None and service.decided_on is None:
        return "assistant belongs to a service that is decided on"
    return ""


def delivery_problem(delivery: AssistantDelivery) -> str:
    """What is wrong with a month of the service taken by itself, or ""."""
    if delivery.contract_to is not None and delivery.contract_to < delivery.contract_from:
        return "contract_to is before contract_from"
    return ""


ASSISTANT = Mapping(
    Assistant,
    NAMESPACE,
    "Asistents",
    (
        many(
            text(
                "given_names",
                "Vards",
                longest=100,
                rule="p13.5.1",
                column=f"{_ASSISTANT}.assistant_given_names",
            ),
            minimum=1,
        ),
        text(
            "family_name",
            "Uzvards",
            longest=100,
            rule="p13.5.1",
            column=f"{_ASSISTANT}.assistant_family_name",
        ),
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p13.5.1", column=f"{_ASSISTANT}.assistant_code"
        ),
        code("sex", "Dzimums", SEX, rule="p13.5.2", column=f"{_ASSISTANT}.assistant_sex"),
        code("kinship", "Radnieciba", KINSHIP, rule="p13.5.3", column=f"{_ASSISTANT}.assistant_kinship"),
        code(
            "employment",
            "NodarbinatibasVeids",
            EMPLOYMENT,
            rule="p13.5.4",
            column=f"{_ASSISTANT}.assistant_employment",
        ),
    ),
)

ASSISTANT_SERVICE = Mapping(
    AssistantService,
    NAMESPACE,
    "AsistentaPakalpojums",
    (
        object_no(_ASSISTANT),
        person(),
        municipality(_ASSISTANT, "p13.1"),
        date("registered_on", "RegistracijasDatums", rule="p13.1", column=f"{_ASSISTANT}.registered_on"),
        date("decided_on", "LemumaDatums", rule="p13.2", column=f"{_ASSISTANT}.decided_on", optional=True),
        boolean("repeated", "Atkartoti", rule="p13.3", column=f"{_ASSISTANT}.repeated"),
        boolean("transport", "TransportaKompensacija", rule="p13.4", column=f"{_ASSISTANT}.transport"),
        nested("assistant", "Asistents", ASSISTANT, optional=True),
    ),
    check=service_problem,
)

ASSISTANT_DELIVERY = Mapping(
    AssistantDelivery,
    NAMESPACE,
    "SniegtaisPakalpojums",
    (
        object_no(_DELIVERY),
        person(),
        text("service_no", "PakalpojumaNumurs", longest=100, rule="p13.6", column=f"{_DELIVERY}.service_no"),
        month("delivered_in", "Menesis", rule="p13.6", column=f"{_DELIVERY}.delivered_in"),
        code("activity", "Darbiba", ACTIVITY, rule="p13.6.1", column=f"{_DELIVERY}.activity"),
        decimal(
            "granted_hours_week",
            "PieskirtasStundasNedela",
            places=2,
            rule="p13.6.2",
            column=f"{_DELIVERY}.granted_hours_week",
        ),
        decimal(
            "worked_hours_week",
            "NostradatasStundasNedela",
            places=2,
            rule="p13.6.3",
            column=f"{_DELIVERY}.worked_hours_week",
        ),
        decimal(
            "worked_hours_month",
            "NostradatasStundasMenesi",
            places=2,
            rule="p13.6.4",
            column=f"{_DELIVERY}.worked_hours_month",
        ),
        decimal("hour_price", "StundasCena", places=2, rule="p13.6.5", column=f"{_DELIVERY}.hour_price"),
        decimal("gross_pay", "BrutoAlga", places=2, rule="p13.6.6", column=f"{_DELIVERY}.gross_pay"),
        decimal(
            "transport_paid",
            "SamaksatsParTransportu",
            places=2,
            rule="p13.6.7",
            column=f"{_DELIVERY}.transport_paid",
        ),
        decimal("total", "KopejaSumma", places=2, rule="p13.6.8", column=f"{_DELIVERY}.total"),
        text(
            "contract_number",
            "LigumaNumurs",
            longest=100,
            rule="p13.6.9",
            column=f"{_DELIVERY}.contract_number",
        ),
        date("contract_from", "LigumsNo", rule="p13.6.9", column=f"{_DELIVERY}.contract_from"),
        date("contract_to", "LigumsLidz", rule="p13.6.9", column=f"{_DELIVERY}.contract_to", optional=True),
        date("started_on", "UzsaksanasDatums", rule="p13.6.10", column=f"{_DELIVERY}.started_on"),
        decimal(
            "insurance_rate",
            "IemaksuLikme",
            places=2,
            rule="p13.6.11",
            column=f"{_DELIVERY}.insurance_rate",
        ),
    ),
    check=delivery_problem,
)

RESULT = result_table("p13.7", f"{_REPORT}.results")

ASSISTANT_REPORT = Mapping(
    AssistantReport,
    NAMESPACE,
    "AsistentaParskats",
    (
        object_no(_REPORT),
        municipality(_REPORT, "p13.8"),
        *period(_REPORT, "p13.8"),
        decimal("forecast", "PrognozetaisFinansejums", places=2, rule="p13.7", column=f"{_REPORT}.forecast"),
        spent(_REPORT, "p13.7"),
        results(RESULT),
        narrative(_REPORT, "p13.8"),
    ),
    check=period_problem,
)
