"""A provider's report on a state-financed service over a period: queue, money and results, about no single person.

Source: wsdl/spolis/providers/v1-0, rules p11^2.6, p11^2.7, p11^2.9, p11^2.10, p13^1.10, p13^2.6, p13^3.8, p17.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.fields import Field, date, decimal, integer, many, nested, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class MunicipalUse:
    """Money spent, euro, and persons served in one municipality. Source: p11^2.9."""

    municipality: str
    spent: Decimal
    persons: int
    completed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolenceReport:
    """On rehabilitation of persons who used violence. Source: p11^2.6, p11^2.7, p11^2.9, p11^2.10."""

    period_from: day
    period_to: day
    waiting: int
    waiting_urgently: int
    total_cost: Decimal
    municipalities: tuple[MunicipalUse, ...]
    account: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A result (rezultatīvais rādītājs): what was planned and what was reached."""

    indicator: str
    planned: int
    reached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Money spent on a service, euro, and what came of it (finanšu izlietojums un rezultatīvie rādītāji)."""

    period_from: day
    period_to: day
    spent: Decimal
    persons: int
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReport:
    """A report (pārskats) on one of the four services."""

    case_no: str
    record_no: str
    violence: ViolenceReport | None
    palliative: Use | None
    oncology: Use | None
    group_home: Use | None
    supplier: str = ""


def report_problem(report: ServiceReport) -> str:
    """What is wrong with a report taken by itself, or ""."""
    given = {
        name: part
        for name in ("violence", "palliative", "oncology", "group_home")
        if (part := getattr(report, name)) is not None
    }
    if len(given) != 1:
        return "violence, palliative, oncology or group_home is wanted, one of the four"
    for name, part in given.items():
        if part.period_to < part.period_from:
            return f"{name}.period_to is before period_from"
    if report.violence is not None and report.violence.waiting_urgently > report.violence.waiting:
        return "violence.waiting_urgently is more than waiting"
    return ""


_T = "providers_service_report"


def _period(rule: str, prefix: str) -> tuple[Field, ...]:
    return (
        date("period_from", "PeriodsNo", rule=rule, column=f"{_T}.{prefix}_period_from"),
        date("period_to", "PeriodsLidz", rule=rule, column=f"{_T}.{prefix}_period_to"),
    )


_MUNICIPALITIES = f"{_T}.violence_municipalities"
MUNICIPAL_USE = Mapping(
    MunicipalUse,
    NAMESPACE,
    "Pasvaldiba",
    (
        text("municipality", "Nosaukums", longest=250, rule="p11^2.9", column=_MUNICIPALITIES),
        decimal("spent", "Izlietots", places=2, rule="p11^2.9", column=_MUNICIPALITIES),
        integer("persons", "PersonuSkaits", rule="p11^2.9", column=_MUNICIPALITIES),
        integer("completed", "PabeigusoSkaits", rule="p11^2.9", column=_MUNICIPALITIES),
    ),
)

VIOLENCE_REPORT = Mapping(
    ViolenceReport,
    NAMESPACE,
    "VardarbibasMazinasana",
    (
        *_period("p11^2.7", "violence"),
        integer("waiting", "Rinda", rule="p11^2.6", column=f"{_T}.violence_waiting"),
        integer(
            "waiting_urgently", "RindaSteidzami", rule="p11^2.6", column=f"{_T}.violence_waiting_urgently"
        ),
        decimal(
            "total_cost", "KopejasIzmaksas", places=2, rule="p11^2.7", column=f"{_T}.violence_total_cost"
        ),
        many(nested("municipalities", "Pasvaldiba", MUNICIPAL_USE), optional=True),
        text("account", "Parskats", rule="p11^2.10", column=f"{_T}.violence_account", optional=True),
    ),
)


def _use(element: str, rule: str, prefix: str) -> Mapping[Use]:
    results = f"{_T}.{prefix}_results"
    result = Mapping(
        Result,
        NAMESPACE,
        "Rezultats",
        (
            text("indicator", "Raditajs", longest=250, rule=rule, column=results),
            integer("planned", "Planots", rule=rule, column=results),
            integer("reached", "Sasniegts", rule=rule, column=results),
        ),
    )
    return Mapping(
        Use,
        NAMESPACE,
        element,
        (
            *_period(rule, prefix),
            decimal("spent", "Izlietots", places=2, rule=rule, column=f"{_T}.{prefix}_spent"),
            integer("persons", "PersonuSkaits", rule=rule, column=f"{_T}.{prefix}_persons"),
            many(nested("results", "Rezultats", result), optional=True),
        ),
    )


SERVICE_REPORT = Mapping(
    ServiceReport,
    NAMESPACE,
    "PakalpojumaParskats",
    (
        *numbers(_T),
        nested("violence", "VardarbibasMazinasana", VIOLENCE_REPORT, optional=True),
        nested(
            "palliative",
            "PaliativaAprupe",
            _use("PaliativaAprupe", "p13^1.10", "palliative"),
            optional=True,
        ),
        nested(
            "oncology",
            "OnkologiskaRehabilitacija",
            _use("OnkologiskaRehabilitacija", "p13^2.6", "oncology"),
            optional=True,
        ),
        nested("group_home", "GrupuMaja", _use("GrupuMaja", "p13^3.8", "group_home"), optional=True),
    ),
    check=report_problem,
)
