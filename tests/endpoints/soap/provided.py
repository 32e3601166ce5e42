"""Invented records of the ministry and of providers, one of each kind, about whom and under which number is wished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from lxml import etree

from mappings import provider_records, provider_register
from mappings.codes import END_REASON, FAMILY_RELATION, INSTITUTION_KIND, MUNICIPAL_SERVICE, SEX
from mappings.group_homes import CAME_FROM, Cofinancing, DayAmount, GroupHome, ProviderChange
from mappings.inspections import (
    CONFORMITY,
    INSPECTION_KIND,
    INSPECTION_MANNER,
    Inspection,
    Recommendation,
    Requirement,
)
from mappings.oncology_rehabilitation import (
    DECISION_KIND,
    DISABILITY,
    REQUEST_KIND,
    Course,
    Illness,
    OncologyRehabilitation,
    ProviderDecision,
    Relative,
    ServiceRequest,
)
from mappings.palliative_rehabilitation import (
    DECISION,
    TEAM_ROLE,
    Activity,
    BereavementService,
    FamilyMember,
    Interruption,
    PalliativeDecision,
    PalliativeRehabilitation,
    TeamMember,
)
from mappings.provider_register import InstitutionPlaces, Provider, RegisteredService
from mappings.service_reports import MunicipalUse, ServiceReport, ViolenceReport
from mappings.services import Submission
from mappings.services.providers import SERVICE
from mappings.statistical_reports import Figure, Form, StatisticalReport
from mappings.violence_rehabilitation import (
    CONTRACT_KIND,
    PROFESSION,
    VIOLENCE_SERVICE,
    SessionCost,
    Sessions,
    Specialist,
    ViolenceRehabilitation,
)
from tests.registers.invented import day


def body(operation: str, record: object) -> str:
    """The element of a record as it stands in a request."""
    own = SERVICE.operation(operation)
    assert own is not None
    assert isinstance(own.via, Submission)
    return str(etree.tostring(own.via.table.write(record), encoding="unicode"))


def provider(number: str, **more: Any) -> Provider:
    known: dict[str, Any] = {
        "case_no": number,
        "record_no": f"{number}-1",
        "registration_number": number,
        "company_number": "40003000000",
        "name": "SIA Paraugs",
        "kind": provider_register.PROVIDER_KIND["MERCHANT"],
        "legal_address": "Krasta iela 1, Rīga",
        "phone": "+371 20000000",
        "email": None,
        "registered_on": day("2020-03-01"),
        "decision_number": "12/3",
        "excluded_on": None,
        "exclusion_reason": None,
        "services": (
            RegisteredService(
                service=MUNICIPAL_SERVICE["GROUP_HOME"],
                place_address="Skolas iela 3, Talsi",
                client_group="Personas ar garīga rakstura traucējumiem",
                places=12,
                registered_on=day("2020-03-01"),
                excluded_on=None,
            ),
        ),
    }
    return Provider(**known | more)


def inspection(number: str, **more: Any) -> Inspection:
    known: dict[str, Any] = {
        "case_no": number,
        "record_no": f"{number}-2",
        "provider": "SIA Paraugs",
        "registration_number": number,
        "place_address": "Skolas iela 3, Talsi",
        "service": MUNICIPAL_SERVICE["GROUP_HOME"],
        "inspected_on": day("2026-02-10"),
        "kind": INSPECTION_KIND["PLANNED"],
        "manner": INSPECTION_MANNER["ON_SITE"],
        "inspectors": ("Ilze Paraudziņa",),
        "requirement_groups": ("Personāls", "Telpas"),
        "requirements": (
            Requirement(
                code="P1", text="Darbinieki ir apmācīti", conclusion=CONFORMITY["PARTLY"], remark="Divi nav"
            ),
            Requirement(
                code="T2", text="Telpas ir pieejamas", conclusion=CONFORMITY["CONFORMS"], remark=None
            ),
        ),
        "recommendations": (
            Recommendation(
                requirement_code="P1", description="Apmācīt", due_on=day("2026-06-01"), account=None
            ),
        ),
    }
    return Inspection(**known | more)


def palliative(number: str, person: str | None, client: str | None = None) -> PalliativeRehabilitation:
    return PalliativeRehabilitation(
        case_no=number,
        record_no=f"{number}-6",
        person_code=person,
        client_code=client,
        council_on=day("2026-01-05"),
        decisions=(PalliativeDecision(decided_on=day("2026-01-08"), kind=DECISION["GRANT"]),),
        family=(
            FamilyMember(given_names=("Ilze",), family_name="Paraudziņa", relation=FAMILY_RELATION["PARENT"]),
        ),
        team=(TeamMember(role=TEAM_ROLE["CHAPLAIN"], given_names=("Jānis",), family_name="Paraugs"),),
        began_on=day("2026-01-10"),
        ended_on=day("2026-03-01"),
        end_reason=END_REASON["DEATH"],
        activities=(Activity(done_on=day("2026-01-12"), kind="Saruna", count=2, specialist="Jānis Paraugs"),),
        interruptions=(Interruption(began_on=day("2026-02-01"), ended_on=None, reason="Slimnīca"),),
        bereavement=(
            BereavementService(
                given_names=("Ilze",),
                family_name="Paraudziņa",
                kind="Atbalsts",
                began_on=day("2026-03-05"),
                ended_on=None,
            ),
        ),
        transport_paid=Decimal("12.30"),
    )


def group_home(number: str, person: str) -> GroupHome:
    return GroupHome(
        case_no=number,
        record_no=f"{number}-8",
        person_code=person,
        decided_on=day("2026-01-05"),
        decision_number="7-1",
        municipality="Talsu novads",
        provider="SIA Paraugs",
        registration_number=number,
        contract_on=day("2026-01-20"),
        contract_number="L-5",
        began_on=day("2026-02-01"),
        came_from=CAME_FROM["CARE_INSTITUTION"],
        ended_on=None,
        end_reason=None,
        changes=(
            ProviderChange(changed_on=day("2026-04-01"), provider="SIA Cits", registration_number="C-1"),
        ),
        prices=(DayAmount(amount=Decimal("31.50"), valid_from=day("2026-02-01"), valid_to=None),),
        cofinancing=(DayAmount(amount=Decimal("10.00"), valid_from=day("2026-02-01"), valid_to=None),),
    )


def _places(number: str, _person: str) -> InstitutionPlaces:
    return InstitutionPlaces(
        case_no=number,
        record_no=f"{number}-3",
        name="VSAC Paraugs",
        address="Skolas iela 3, Talsi",
        region="Kurzeme",
        kind=INSTITUTION_KIND["STATE_CARE_CENTRE"],
        client_group="Pilngadīgas personas",
        counted_on=day("2026-05-01"),
        places=100,
        residents=97,
        free=3,
    )


def _cofinancing(number: str, person: str) -> Cofinancing:
    return Cofinancing(
        case_no=number,
        record_no=f"{number}-4",
        person_code=person,
        decided_on=day("2026-01-25"),
        number="LM-9",
        financed_from=day("2026-02-01"),
        financed_to=None,
    )


def _violence(number: str, person: str) -> ViolenceRehabilitation:
    consultation = VIOLENCE_SERVICE["CONSULTATION"]
    return ViolenceRehabilitation(
        case_no=number,
        record_no=f"{number}-5",
        person_code=person,
        granted=(Sessions(kind=consultation, count=10),),
        provided=(Sessions(kind=consultation, count=4),),
        costs=(SessionCost(kind=consultation, price=Decimal("30.00"), total=Decimal("120.00")),),
        transport_paid=Decimal("8.00"),
        granted_on=day("2026-01-05"),
        began_on=day("2026-01-12"),
        completed_on=None,
        specialists=(
            Specialist(
                given_names=("Anna",),
                family_name="Paraudziņa",
                person_code="321234-56789",
                sex=SEX["F"],
                profession=PROFESSION["PSYCHOLOGIST"],
                municipality="Talsu novads",
                contract_kind=CONTRACT_KIND["SERVICES"],
                of_social_service=False,
                trained=True,
            ),
        ),
    )


def _oncology(number: str, person: str) -> OncologyRehabilitation:
    return OncologyRehabilitation(
        case_no=number,
        record_no=f"{number}-7",
        person_code=person,
        requests=(ServiceRequest(submitted_on=day("2026-01-05"), kind=REQUEST_KIND["APPLY"]),),
        decisions=(
            ProviderDecision(
                decided_on=day("2026-01-09"), number="3", kind=DECISION_KIND["GRANT"], end_reason=None
            ),
        ),
        illness=Illness(present=True, localisation="C50", disability=DISABILITY["FIRST"]),
        relative=Relative(
            given_names=("Ilze",),
            family_name="Paraudziņa",
            person_code="321234-56790",
            birth_date=day("1980-02-03"),
        ),
        courses=(
            Course(number="1", began_on=day("2026-02-01"), ended_on=day("2026-02-10"), with_relative=True),
        ),
    )


def _service_report(number: str, _person: str) -> ServiceReport:
    return ServiceReport(
        case_no=number,
        record_no=f"{number}-9",
        violence=ViolenceReport(
            period_from=day("2026-01-01"),
            period_to=day("2026-03-31"),
            waiting=7,
            waiting_urgently=2,
            total_cost=Decimal("900.00"),
            municipalities=(
                MunicipalUse(municipality="Talsu novads", spent=Decimal("900.00"), persons=3, completed=1),
            ),
            account="Pakalpojums sniegts plānotajā apjomā",
        ),
        palliative=None,
        oncology=None,
        group_home=None,
    )


def _statistics(number: str, _person: str) -> StatisticalReport:
    figures = (Figure(row="1010", column="A", value=Decimal("12.00")),)
    return StatisticalReport(
        case_no=number,
        record_no=f"{number}-10",
        municipal=Form(year=2026, month=4, municipality="Talsu novads", figures=figures),
        long_term=None,
        children=None,
    )


# By operation: who hands it in, the register, its word in the list of deletions, a right record.
Make = Callable[[str, str], Any]
EVERY: Mapping[str, tuple[str, str, str, Make]] = {
    "SubmitProvider": ("ministry", "providers", "PROVIDER", lambda number, _: provider(number)),
    "SubmitInspection": ("ministry", "inspections", "INSPECTION", lambda number, _: inspection(number)),
    "SubmitInstitutionPlaces": ("ministry", "institution-places", "PLACES", _places),
    "SubmitCofinancing": ("ministry", "group-home-cofinancing", "COFINANCING", _cofinancing),
    "SubmitViolenceRehabilitation": ("provider", "violence-rehabilitation", "VIOLENCE", _violence),
    "SubmitPalliativeRehabilitation": ("provider", "palliative-rehabilitation", "PALLIATIVE", palliative),
    "SubmitOncologyRehabilitation": ("provider", "oncology-rehabilitation", "ONCOLOGY", _oncology),
    "SubmitGroupHome": ("provider", "group-homes", "GROUP_HOME", group_home),
    "SubmitServiceReport": ("provider", "service-reports", "SERVICE_REPORT", _service_report),
    "SubmitReport": ("provider", "statistical-reports", "STATISTICS", _statistics),
}


def corrected(operation: str, record: Any) -> Any:
    """The same record with another content."""
    changes: dict[str, Any] = {
        "SubmitProvider": {"name": "SIA Cits nosaukums"},
        "SubmitInspection": {"inspectors": ("Anna Paraudziņa", "Ilze Paraudziņa")},
        "SubmitInstitutionPlaces": {"residents": 98, "free": 2},
        "SubmitCofinancing": {"number": "LM-10"},
        "SubmitViolenceRehabilitation": {"completed_on": day("2026-04-01")},
        "SubmitPalliativeRehabilitation": {"interruptions": ()},
        "SubmitOncologyRehabilitation": {"illness": None},
        "SubmitGroupHome": {"changes": ()},
    }
    if operation == "SubmitServiceReport":
        return replace(record, violence=replace(record.violence, waiting=8))
    if operation == "SubmitReport":
        figures = (*record.municipal.figures, Figure(row="1020", column="A", value=Decimal("1.00")))
        return replace(record, municipal=replace(record.municipal, figures=figures))
    return replace(record, **changes[operation])


def deletion(operation: str, record: Any) -> str:
    """The deletion of a record, as its supplier asks for it."""
    supplier, _, kind, _ = EVERY[operation]
    known: dict[str, Any] = {
        "case_no": record.case_no,
        "record_no": record.record_no,
        "person_code": getattr(record, "person_code", None),
        "reason": provider_records.DELETION_REASON["SENT_TWICE"],
    }
    if supplier == "ministry":
        deleted = provider_records.MinistryRecordDeletion(
            **known, kind=provider_records.MINISTRY_RECORD[kind]
        )
        return body("DeleteMinistryRecord", deleted)
    client = getattr(record, "client_code", None)
    of_provider = provider_records.ProviderRecordDeletion(
        **known, client_code=client, kind=provider_records.PROVIDER_RECORD[kind]
    )
    return body("DeleteProviderRecord", of_provider)
