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


def _request(name: str, table: Mapping[Any]) -> Mapping[SubmitRequest]:
    """A request with one record, which is looked at as a whole like the record by itself."""
    own = table.check
    return Mapping(
        SubmitRequest,
        NAMESPACE,
        name,
        (context(NAMESPACE), nested("record", table.element, table)),
        request=True,
        check=None if own is None else lambda request: own(request.record),
    )


def _answer(name: str) -> Mapping[SubmitAnswer]:
    return Mapping(
        SubmitAnswer,
        NAMESPACE,
        f"{name}Response",
        (identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),),
    )


SUBMIT_PROVIDER_REQUEST = _request("SubmitProvider", PROVIDER)
SUBMIT_PROVIDER_ANSWER = _answer("SubmitProvider")
SUBMIT_INSPECTION_REQUEST = _request("SubmitInspection", INSPECTION)
SUBMIT_INSPECTION_ANSWER = _answer("SubmitInspection")
SUBMIT_INSTITUTION_PLACES_REQUEST = _request("SubmitInstitutionPlaces", INSTITUTION_PLACES)
SUBMIT_INSTITUTION_PLACES_ANSWER = _answer("SubmitInstitutionPlaces")
SUBMIT_COFINANCING_REQUEST = _request("SubmitCofinancing", COFINANCING)
SUBMIT_COFINANCING_ANSWER = _answer("SubmitCofinancing")
DELETE_MINISTRY_RECORD_REQUEST = _request("DeleteMinistryRecord", MINISTRY_RECORD_DELETION)
DELETE_MINISTRY_RECORD_ANSWER = _answer("DeleteMinistryRecord")
SUBMIT_VIOLENCE_REHABILITATION_REQUEST = _request("SubmitViolenceRehabilitation", VIOLENCE_REHABILITATION)
SUBMIT_VIOLENCE_REHABILITATION_ANSWER = _answer("SubmitViolenceRehabilitation")
SUBMIT_PALLIATIVE_REHABILITATION_REQUEST = _request(
    "SubmitPalliativeRehabilitation", PALLIATIVE_REHABILITATION
)
SUBMIT_PALLIATIVE_REHABILITATION_ANSWER = _answer("SubmitPalliativeRehabilitation")
SUBMIT_ONCOLOGY_REHABILITATION_REQUEST = _request("SubmitOncologyRehabilitation", ONCOLOGY_REHABILITATION)
SUBMIT_ONCOLOGY_REHABILITATION_ANSWER = _answer("SubmitOncologyRehabilitation")
SUBMIT_GROUP_HOME_REQUEST = _request("SubmitGroupHome", GROUP_HOME)
SUBMIT_GROUP_HOME_ANSWER = _answer("SubmitGroupHome")
SUBMIT_SERVICE_REPORT_REQUEST = _request("SubmitServiceReport", SERVICE_REPORT)
SUBMIT_SERVICE_REPORT_ANSWER = _answer("SubmitServiceReport")
SUBMIT_REPORT_REQUEST = _request("SubmitReport", STATISTICAL_REPORT)
SUBMIT_REPORT_ANSWER = _answer("SubmitReport")
DELETE_PROVIDER_RECORD_REQUEST = _request("DeleteProviderRecord", PROVIDER_RECORD_DELETION)
DELETE_PROVIDER_RECORD_ANSWER = _answer("DeleteProviderRecord")


def _handed_in(
    request: Mapping[SubmitRequest],
    answer: Mapping[SubmitAnswer],
    table: Mapping[Any],
    source: str,
    *,
    client: str = "",
) -> ServiceOperation:
    """An operation that hands in a record; only who handed it in corrects and deletes it."""
    return ServiceOperation(
        name=request.element,
        request=request,
        answer=answer,
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
        _handed_in(SUBMIT_PROVIDER_REQUEST, SUBMIT_PROVIDER_ANSWER, PROVIDER, MINISTRY),
        _handed_in(SUBMIT_INSPECTION_REQUEST, SUBMIT_INSPECTION_ANSWER, INSPECTION, MINISTRY),
        _handed_in(
            SUBMIT_INSTITUTION_PLACES_REQUEST, SUBMIT_INSTITUTION_PLACES_ANSWER, INSTITUTION_PLACES, MINISTRY
        ),
        _handed_in(SUBMIT_COFINANCING_REQUEST, SUBMIT_COFINANCING_ANSWER, COFINANCING, MINISTRY),
        _handed_in(
            DELETE_MINISTRY_RECORD_REQUEST, DELETE_MINISTRY_RECORD_ANSWER, MINISTRY_RECORD_DELETION, MINISTRY
        ),
        _handed_in(
            SUBMIT_VIOLENCE_REHABILITATION_REQUEST,
            SUBMIT_VIOLENCE_REHABILITATION_ANSWER,
            VIOLENCE_REHABILITATION,
            PROVIDERS,
        ),
        _handed_in(
            SUBMIT_PALLIATIVE_REHABILITATION_REQUEST,
            SUBMIT_PALLIATIVE_REHABILITATION_ANSWER,
            PALLIATIVE_REHABILITATION,
            PROVIDERS,
            client="client_code",
        ),
        _handed_in(
            SUBMIT_ONCOLOGY_REHABILITATION_REQUEST,
            SUBMIT_ONCOLOGY_REHABILITATION_ANSWER,
            ONCOLOGY_REHABILITATION,
            PROVIDERS,
        ),
        _handed_in(SUBMIT_GROUP_HOME_REQUEST, SUBMIT_GROUP_HOME_ANSWER, GROUP_HOME, PROVIDERS),
        _handed_in(SUBMIT_SERVICE_REPORT_REQUEST, SUBMIT_SERVICE_REPORT_ANSWER, SERVICE_REPORT, PROVIDERS),
        _handed_in(SUBMIT_REPORT_REQUEST, SUBMIT_REPORT_ANSWER, STATISTICAL_REPORT, PROVIDERS),
        _handed_in(
            DELETE_PROVIDER_RECORD_REQUEST,
            DELETE_PROVIDER_RECORD_ANSWER,
            PROVIDER_RECORD_DELETION,
            PROVIDERS,
            client="client_code",
        ),
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
