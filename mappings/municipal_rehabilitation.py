"""State-financed rehabilitation of adult victims of violence, as municipal social services hand it in.

Amounts are euro. Code lists that no public source has are modelled: kind of service, profession and form of work of a
specialist. Source: p11^1, p17.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.codes import Code, code_list
from mappings.fields import code, date, decimal, integer, many, nested, text
from mappings.mapping import Mapping
from mappings.municipal_records import NAMESPACE, municipality, object_no, person
from mappings.municipal_reports import (
    Result,
    narrative,
    period,
    period_problem,
    result_table,
    results,
    spent,
)

VICTIM_SERVICE = code_list("victim_service")
PROFESSION = code_list("rehabilitation_profession")
FORM = code_list("specialist_form")

_SERVICE = "municipal_victim_service"
_REPORT = "municipal_victim_report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much of a kind of service: consultations and days. Source: p11^1.1 granted, p11^1.2 given."""

    kind: Code
    consultations: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a kind of service cost. Source: p11^1.3."""

    kind: Code
    consultation_price: Decimal | None
    day_price: Decimal | None
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who gives the service: an institution, or a specialist of a provider. Source: p11^1.8."""

    name: str
    given_names: tuple[str, ...]
    family_name: str | None
    profession: Code | None
    form: Code | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VictimService:
    """The rehabilitation of a victim (vardarbībā cietuša pilngadīga persona). Source: p11^1.1–p11^1.5, p11^1.8."""

    object_no: str
    person_code: str
    municipality: str
    granted: tuple[Extent, ...]
    given: tuple[Extent, ...]
    costs: tuple[Cost, ...]
    transport_paid: Decimal | None
    granted_on: day
    started_on: day | None
    ended_on: day | None
    providers: tuple[Provider, ...]
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VictimReport:
    """A report on the service in a municipality, about no person. Source: p11^1.6, p11^1.7, p11^1.9, p11^1.10."""

    object_no: str
    municipality: str
    period_from: day
    period_to: day
    queued: int
    queued_urgently: int
    total_cost: Decimal
    spent: Decimal
    results: tuple[Result, ...]
    report: str | None
    supplier: str = ""


def service_problem(service: VictimService) -> str:
    """What is wrong with a service taken by itself, or ""."""
    if service.started_on is not None and service.started_on < service.granted_on:
        return "started_on is before granted_on"
    if service.ended_on is not None and (service.started_on is None or service.ended_on < service.started_on):
        return "ended_on is before started_on"
    for one in service.providers:
        if (
            len(
                {bool(one.given_names), *(v is not None for v in (one.family_name, one.profession, one.form))}
            )
            > 1
        ):
            return "providers[] names a specialist as a whole or none"
    return ""


def report_problem(report: VictimReport) -> str:
    """What is wrong with a report taken by itself, or ""."""
    if report.queued_urgently > report.queued:
        return "queued_urgently is more than queued"
    return period_problem(report)


def _extent(element: str, rule: str, column: str) -> Mapping[Extent]:
    return Mapping(
        Extent,
        NAMESPACE,
        element,
        (
            code("kind", "PakalpojumaVeids", VICTIM_SERVICE, rule=rule, column=column),
            integer("consultations", "KonsultacijuSkaits", most=999_999, rule=rule, column=column),
            integer("days", "DienuSkaits", most=999_999, rule=rule, column=column),
        ),
    )


GRANTED = _extent("PieskirtaisApjoms", "p11^1.1", f"{_SERVICE}.granted")
GIVEN = _extent("SniegtaisApjoms", "p11^1.2", f"{_SERVICE}.given")

COST = Mapping(
    Cost,
    NAMESPACE,
    "Izmaksas",
    (
        code("kind", "PakalpojumaVeids", VICTIM_SERVICE, rule="p11^1.3", column=f"{_SERVICE}.costs"),
        decimal(
            "consultation_price",
            "KonsultacijasCena",
            places=2,
            rule="p11^1.3",
            column=f"{_SERVICE}.costs",
            optional=True,
        ),
        decimal(
            "day_price", "DienasCena", places=2, rule="p11^1.3", column=f"{_SERVICE}.costs", optional=True
        ),
        decimal("total", "KopejasIzmaksas", places=2, rule="p11^1.3", column=f"{_SERVICE}.costs"),
    ),
)

_PROVIDERS = f"{_SERVICE}.providers"
PROVIDER = Mapping(
    Provider,
    NAMESPACE,
    "PakalpojumaSniedzejs",
    (
        text("name", "SniedzejaNosaukums", longest=250, rule="p11^1.8", column=_PROVIDERS),
        many(text("given_names", "Vards", longest=100, rule="p11^1.8", column=_PROVIDERS), optional=True),
        text("family_name", "Uzvards", longest=100, rule="p11^1.8", column=_PROVIDERS, optional=True),
        code("profession", "Profesija", PROFESSION, rule="p11^1.8", column=_PROVIDERS, optional=True),
        code("form", "DarbibasForma", FORM, rule="p11^1.8", column=_PROVIDERS, optional=True),
    ),
)

VICTIM_SERVICE_RECORD = Mapping(
    VictimService,
    NAMESPACE,
    "CietusasPersonasRehabilitacija",
    (
        object_no(_SERVICE),
        person(),
        municipality(_SERVICE, "p11^1"),
        many(nested("granted", "PieskirtaisApjoms", GRANTED), minimum=1),
        many(nested("given", "SniegtaisApjoms", GIVEN), optional=True),
        many(nested("costs", "Izmaksas", COST), optional=True),
        decimal(
            "transport_paid",
            "SamaksatsParTransportu",
            places=2,
            rule="p11^1.4",
            column=f"{_SERVICE}.transport_paid",
            optional=True,
        ),
        date("granted_on", "PieskirsanasDatums", rule="p11^1.5", column=f"{_SERVICE}.granted_on"),
        date(
            "started_on",
            "UzsaksanasDatums",
            rule="p11^1.5",
            column=f"{_SERVICE}.started_on",
            optional=True,
        ),
        date(
            "ended_on",
            "PabeigsanasDatums",
            rule="p11^1.5",
            column=f"{_SERVICE}.ended_on",
            optional=True,
        ),
        many(nested("providers", "PakalpojumaSniedzejs", PROVIDER), optional=True),
    ),
    check=service_problem,
)

RESULT = result_table("p11^1.9", f"{_REPORT}.results")

VICTIM_REPORT = Mapping(
    VictimReport,
    NAMESPACE,
    "RehabilitacijasParskats",
    (
        object_no(_REPORT),
        municipality(_REPORT, "p11^1.10"),
        *period(_REPORT, "p11^1.10"),
        integer("queued", "PersonasRinda", most=999_999, rule="p11^1.6", column=f"{_REPORT}.queued"),
        integer(
            "queued_urgently",
            "PersonasRindaSteidzami",
            most=999_999,
            rule="p11^1.6",
            column=f"{_REPORT}.queued_urgently",
        ),
        decimal(
            "total_cost", "KopejasIzmaksasPerioda", places=2, rule="p11^1.7", column=f"{_REPORT}.total_cost"
        ),
        spent(_REPORT, "p11^1.9"),
        results(RESULT),
        narrative(_REPORT, "p11^1.10"),
    ),
    check=report_problem,
)
