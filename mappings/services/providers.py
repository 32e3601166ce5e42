"""The service `providers`: what the ministry and providers of services hand in, and what the ministry reads of it.

Source: wsdl/spolis/providers/v1-0, rules p17.6 for the ministry, p17.7 for providers, p21 for what is read.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from exchange import Context, Disclosed
from mappings import answers
from mappings.context import context
from mappings.fields import Field, identifier, nested, text
from mappings.group_homes import COFINANCING, GROUP_HOME
from mappings.inspections import INSPECTION, Inspection
from mappings.mapping import Mapping
from mappings.oncology_rehabilitation import ONCOLOGY_REHABILITATION
from mappings.palliative_rehabilitation import PALLIATIVE_REHABILITATION
from mappings.provider_records import (
    MINISTRY,
    MINISTRY_RECORD_DELETION,
    NAMESPACE,
    PROVIDER_RECORD_DELETION,
)
from mappings.provider_records import PROVIDER as PROVIDERS
from mappings.provider_register import INSTITUTION_PLACES, PROVIDER, REGISTRATION_NUMBER, Provider
from mappings.service_reports import SERVICE_REPORT
from mappings.services import Service, ServiceOperation, Submission
from mappings.statistical_reports import STATISTICAL_REPORT
from mappings.violence_rehabilitation import VIOLENCE_REHABILITATION


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """A record that is handed in, or the deletion of one."""

    context: Context
    record: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitAnswer:
    """The exchange by which the record is kept."""

    exchange_id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProvidersRequest:
    """Which provider, by its number in the register of providers or that of the legal person; one is wanted."""

    context: Context
    registration_number: str | None = None
    company_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetInspectionsRequest:
    """Whose inspections, by the number in the register of providers."""

    context: Context
    registration_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """The exchange, the providers as far as they may be told, and the names of the fields that are withheld."""

    exchange_id: uuid.UUID
    rows: tuple[Provider, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspections:
    """The exchange, the inspections as far as they may be told, and the names of the fields that are withheld."""

    exchange_id: uuid.UUID
    rows: tuple[Inspection, ...]
    withheld: tuple[str, ...]


def _kept(exchange_id: uuid.UUID, _disclosed: Disclosed) -> SubmitAnswer:
    """Our answer to a record: the exchange by which it is kept, and nothing of what it says."""
    return SubmitAnswer(exchange_id=exchange_id)


def _handed_in(name: str, table: Mapping[Any], source: str, *, client: str = "") -> ServiceOperation:
    """An operation that hands in a record; only who handed it in corrects and deletes it."""
    own = table.check
    return ServiceOperation(
        name=name,
        request=Mapping(
            SubmitRequest,
            NAMESPACE,
            name,
            (context(NAMESPACE), nested("record", table.element, table)),
            request=True,
            check=None if own is None else lambda request: own(request.record),
        ),
        answer=Mapping(
            SubmitAnswer,
            NAMESPACE,
            f"{name}Response",
            (identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),),
        ),
        via=Submission("record", table, source, supplier="supplier", client=client),
        compose=_kept,
    )


def _number(rule: str, *, optional: bool = False) -> Field:
    return text(
        "registration_number",
        "RegistracijasNumurs",
        pattern=REGISTRATION_NUMBER,
        longest=50,
        rule=rule,
        optional=optional,
    )


GET_PROVIDERS_REQUEST = Mapping(
    GetProvidersRequest,
    NAMESPACE,
    "GetProviders",
    (
        context(NAMESPACE),
        _number("p6", optional=True),
        text("company_number", "UznemumaNumurs", pattern=r"\d{11}", rule="p6", optional=True),
    ),
    request=True,
)
GET_PROVIDERS_ANSWER, _providers = answers.several(
    Providers, NAMESPACE, "GetProvidersResponse", {"rows": ("Sniedzejs", PROVIDER)}
)

GET_INSPECTIONS_REQUEST = Mapping(
    GetInspectionsRequest,
    NAMESPACE,
    "GetInspections",
    (context(NAMESPACE), _number("p14.1.1")),
    request=True,
)
GET_INSPECTIONS_ANSWER, _inspections = answers.several(
    Inspections, NAMESPACE, "GetInspectionsResponse", {"rows": ("Parbaude", INSPECTION)}
)


def _told(
    table: Mapping[Any], compose: Callable[[uuid.UUID, Disclosed], object]
) -> Callable[[uuid.UUID, Disclosed], object]:
    """Our answer, which names withheld fields as its own records have them: the register names its columns."""

    def composed(exchange_id: uuid.UUID, disclosed: Disclosed) -> object:
        withheld = tuple(
            f"rows[].{line.field}"
            for line in table.lineage("")
            if line.column.rpartition(".")[2] in disclosed.withheld
        )
        return compose(exchange_id, replace(disclosed, withheld=withheld))

    return composed


SERVICE = Service(
    name="providers",
    version="v1-0",
    operations=(
        _handed_in("SubmitProvider", PROVIDER, MINISTRY),
        _handed_in("SubmitInspection", INSPECTION, MINISTRY),
        _handed_in("SubmitInstitutionPlaces", INSTITUTION_PLACES, MINISTRY),
        _handed_in("SubmitCofinancing", COFINANCING, MINISTRY),
        _handed_in("DeleteMinistryRecord", MINISTRY_RECORD_DELETION, MINISTRY),
        _handed_in("SubmitViolenceRehabilitation", VIOLENCE_REHABILITATION, PROVIDERS),
        _handed_in(
            "SubmitPalliativeRehabilitation", PALLIATIVE_REHABILITATION, PROVIDERS, client="client_code"
        ),
        _handed_in("SubmitOncologyRehabilitation", ONCOLOGY_REHABILITATION, PROVIDERS),
        _handed_in("SubmitGroupHome", GROUP_HOME, PROVIDERS),
        _handed_in("SubmitServiceReport", SERVICE_REPORT, PROVIDERS),
        _handed_in("SubmitReport", STATISTICAL_REPORT, PROVIDERS),
        _handed_in("DeleteProviderRecord", PROVIDER_RECORD_DELETION, PROVIDERS, client="client_code"),
        ServiceOperation(
            name="GetProviders",
            request=GET_PROVIDERS_REQUEST,
            answer=GET_PROVIDERS_ANSWER,
            via=("registers", "SearchProviders"),
            arguments={"limit": 200},
            compose=_told(PROVIDER, _providers),
        ),
        ServiceOperation(
            name="GetInspections",
            request=GET_INSPECTIONS_REQUEST,
            answer=GET_INSPECTIONS_ANSWER,
            via=("registers", "SearchInspections"),
            arguments={"limit": 200},
            compose=_told(INSPECTION, _inspections),
        ),
    ),
)
