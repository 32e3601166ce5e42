"""Social services that municipalities provide: canonical record and mapping table.

Source: p10.1–p10.5, p10.8, p10.9, p17.3. Days of the service itself are modelled under p10.8.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.codes import FUNDING_SOURCE, MUNICIPAL_SERVICE, SERVICE_PROVIDER, SERVICE_STATUS, Code
from mappings.fields import boolean, code, date, person_code, text
from mappings.mapping import Mapping

NAMESPACE = "urn:spolis:gateway:persons:v1-0"

_DECIDED = ("GRANTED", "REFUSED")


@dataclass(frozen=True, slots=True, kw_only=True)
class MunicipalService:
    """A service (sociālais pakalpojums) that somebody applied for at a municipality, and what became of it.

    `case_number` is the municipality's own number, by which it corrects the record. Source: p10.1–p10.9.
    """

    person_code: str
    municipality: str
    case_number: str
    applied_on: day
    status: Code
    decided_on: day | None = None
    service: Code
    provider: str | None = None
    provider_kind: Code | None = None
    funding_source: Code | None = None
    state_support: bool = False
    deinstitutionalisation: bool = False
    refusal_reason: str | None = None
    started_on: day | None = None
    ended_on: day | None = None


def problem(service: MunicipalService) -> str:
    """What is wrong with a service taken by itself, or ""."""
    if (service.decided_on is None) == (service.status.code in _DECIDED):
        return "decided_on belongs to a service that is granted or refused"
    if service.decided_on is not None and service.decided_on < service.applied_on:
        return "decided_on is before applied_on"
    if (service.refusal_reason is None) == (service.status.code == "REFUSED"):
        return "refusal_reason belongs to a service that is refused"
    if service.status.code == "GRANTED" and None in (service.provider, service.provider_kind):
        return "a service that is granted names provider and provider_kind"
    if service.started_on is not None and service.status.code != "GRANTED":
        return "started_on belongs to a service that is granted"
    if service.ended_on is not None and (service.started_on is None or service.ended_on < service.started_on):
        return "ended_on is before started_on"
    return ""


SERVICE = Mapping(
    MunicipalService,
    NAMESPACE,
    "Pakalpojums",
    (
        person_code("person_code", "PersonasKods", asked=True, rule="p8.3", column="spolis_person_code.code"),
        text("municipality", "Pasvaldiba", rule="p10.2", column="municipal_service.municipality"),
        text("case_number", "LietasNumurs", rule="p10.2", column="municipal_service.case_number"),
        date("applied_on", "IesniegumaDatums", rule="p10.1", column="municipal_service.applied_on"),
        code("status", "Statuss", SERVICE_STATUS, rule="p10.4", column="municipal_service.status"),
        date(
            "decided_on",
            "LemumaDatums",
            rule="p10.5",
            column="municipal_service.decided_on",
            optional=True,
        ),
        code(
            "service",
            "PakalpojumaVeids",
            MUNICIPAL_SERVICE,
            rule="p10.8.1",
            column="municipal_service.service",
        ),
        text(
            "provider",
            "Sniedzejs",
            rule="p10.8.1",
            column="municipal_service.provider",
            optional=True,
        ),
        code(
            "provider_kind",
            "Nodrosinatajs",
            SERVICE_PROVIDER,
            rule="p10.8.2",
            column="municipal_service.provider_kind",
            optional=True,
        ),
        code(
            "funding_source",
            "FinansejumaAvots",
            FUNDING_SOURCE,
            rule="p10.8.3",
            column="municipal_service.funding_source",
            optional=True,
        ),
        boolean(
            "state_support",
            "ValstsAtbalsts",
            rule="p10.8.4",
            column="municipal_service.state_support",
            default=lambda _taken, _today: False,
        ),
        boolean(
            "deinstitutionalisation",
            "Deinstitucionalizacija",
            rule="p10.8.5",
            column="municipal_service.deinstitutionalisation",
            default=lambda _taken, _today: False,
        ),
        text(
            "refusal_reason",
            "AtteikumaIemesls",
            rule="p10.9",
            column="municipal_service.refusal_reason",
            optional=True,
        ),
        date(
            "started_on",
            "SakumaDatums",
            rule="p10.8.1",
            column="municipal_service.started_on",
            optional=True,
        ),
        date("ended_on", "BeiguDatums", rule="p10.8.1", column="municipal_service.ended_on", optional=True),
    ),
    check=problem,
)
