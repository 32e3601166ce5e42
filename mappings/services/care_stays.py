"""The service `care-stays`: state-financed long-term care, handed in by SIVA and the institutions, read by others.

Source: wsdl/spolis/care-stays/v1-0, rules p12, p17.4, p17.13 for the suppliers, p18.7, p18.9, p18.10 for the readers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date as day
from typing import Any

from exchange import Context, Disclosed
from mappings.care_applications import APPLICATION, DECISION, PLACEMENT
from mappings.care_contracts import ABSENCE, CHANGE, CONTRACT, TERMINATION
from mappings.codes import END_REASON, FUNDING_SOURCE, INSTITUTION_KIND, Code
from mappings.context import context
from mappings.fields import code, date, identifier, many, nested, person_code, text
from mappings.institution_care import CARE_SET, STAY_RECORD
from mappings.long_term_care import CARE_RECORD_DELETION, NAMESPACE, SERVICE_RECORD_DELETION
from mappings.mapping import Mapping
from mappings.services import Reading, Service, ServiceOperation, Submission


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
class ReadRequest:
    """Whose stays or placements are read (GetStays, GetPlacements)."""

    context: Context
    person_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStay:
    """A stay (uzturēšanās), as far as it may be told. Source: p12.8.2, p12.8.12–p12.8.14, p15^1.1."""

    institution: str | None = None
    institution_address: str | None = None
    institution_kind: Code | None = None
    region: str | None = None
    entered_on: day | None = None
    funding_source: Code | None = None
    stayed_from: day | None = None
    stayed_to: day | None = None
    ended_on: day | None = None
    end_reason: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPlacement:
    """A placement (norīkojums), as far as it may be told. Source: p12.8.1, p12.8.2."""

    issued_on: day | None = None
    number: str | None = None
    planned_on: day | None = None
    institution: str | None = None
    entered_on: day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStaysAnswer:
    """The exchange, the stays of the person, and the names of the fields that are withheld."""

    exchange_id: uuid.UUID
    stays: tuple[ToldStay, ...]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPlacementsAnswer:
    """The exchange, the placements of the person, and the names of the fields that are withheld."""

    exchange_id: uuid.UUID
    placements: tuple[ToldPlacement, ...]
    withheld: tuple[str, ...]


def _request(operation: str, table: Mapping[Any]) -> Mapping[SubmitRequest]:
    """A request with one record, which is looked at as a whole like the record by itself."""
    own = table.check
    return Mapping(
        SubmitRequest,
        NAMESPACE,
        operation,
        (context(NAMESPACE), nested("record", table.element, table)),
        request=True,
        check=None if own is None else lambda request: own(request.record),
    )


def _answer(operation: str) -> Mapping[SubmitAnswer]:
    return Mapping(
        SubmitAnswer,
        NAMESPACE,
        f"{operation}Response",
        (identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),),
    )


SUBMIT_APPLICATION_REQUEST = _request("SubmitApplication", APPLICATION)
SUBMIT_APPLICATION_ANSWER = _answer("SubmitApplication")
SUBMIT_DECISION_REQUEST = _request("SubmitDecision", DECISION)
SUBMIT_DECISION_ANSWER = _answer("SubmitDecision")
SUBMIT_PLACEMENT_REQUEST = _request("SubmitPlacement", PLACEMENT)
SUBMIT_PLACEMENT_ANSWER = _answer("SubmitPlacement")
SUBMIT_CONTRACT_REQUEST = _request("SubmitContract", CONTRACT)
SUBMIT_CONTRACT_ANSWER = _answer("SubmitContract")
SUBMIT_ABSENCE_REQUEST = _request("SubmitAbsence", ABSENCE)
SUBMIT_ABSENCE_ANSWER = _answer("SubmitAbsence")
SUBMIT_CHANGE_REQUEST = _request("SubmitChange", CHANGE)
SUBMIT_CHANGE_ANSWER = _answer("SubmitChange")
SUBMIT_TERMINATION_REQUEST = _request("SubmitTermination", TERMINATION)
SUBMIT_TERMINATION_ANSWER = _answer("SubmitTermination")
SUBMIT_STAY_REQUEST = _request("SubmitStay", STAY_RECORD)
SUBMIT_STAY_ANSWER = _answer("SubmitStay")
SUBMIT_CARE_REQUEST = _request("SubmitCare", CARE_SET)
SUBMIT_CARE_ANSWER = _answer("SubmitCare")
DELETE_SERVICE_RECORD_REQUEST = _request("DeleteServiceRecord", SERVICE_RECORD_DELETION)
DELETE_SERVICE_RECORD_ANSWER = _answer("DeleteServiceRecord")
DELETE_CARE_RECORD_REQUEST = _request("DeleteCareRecord", CARE_RECORD_DELETION)
DELETE_CARE_RECORD_ANSWER = _answer("DeleteCareRecord")

# The days of one stay are told under each point that names them, as in the notices to SAIS: entering is also 12.8.2,
# the end also 12.8.14.
TOLD_STAY = Mapping(
    ToldStay,
    NAMESPACE,
    "Uzturesanas",
    (
        text(
            "institution",
            "Institucija/Nosaukums",
            rule="p15^1.1",
            column="spolis_care_stay.institution",
            optional=True,
        ),
        text(
            "institution_address",
            "Institucija/Adrese",
            rule="p15^1.1",
            column="spolis_care_stay.institution_address",
            optional=True,
        ),
        code(
            "institution_kind",
            "Institucija/Veids",
            INSTITUTION_KIND,
            rule="p15^1.1",
            column="spolis_care_stay.institution_kind",
            optional=True,
        ),
        text(
            "region", "Institucija/Regions", rule="p15^1.1", column="spolis_care_stay.region", optional=True
        ),
        date(
            "entered_on",
            "IestasanasDatums",
            rule="p12.8.2",
            column="spolis_care_stay.entered_on",
            optional=True,
        ),
        code(
            "funding_source",
            "FinansejumaAvots",
            FUNDING_SOURCE,
            rule="p12.8.12",
            column="spolis_care_stay.funding_source",
            optional=True,
        ),
        date(
            "stayed_from", "UzturasNo", rule="p12.8.13", column="spolis_care_stay.entered_on", optional=True
        ),
        date("stayed_to", "UzturasLidz", rule="p12.8.13", column="spolis_care_stay.ended_on", optional=True),
        date(
            "ended_on",
            "IzbeigsanasDatums",
            rule="p12.8.14",
            column="spolis_care_stay.ended_on",
            optional=True,
        ),
        code(
            "end_reason",
            "IzbeigsanasIemesls",
            END_REASON,
            rule="p12.8.14",
            column="spolis_care_stay.end_reason",
            optional=True,
        ),
    ),
)

TOLD_PLACEMENT = Mapping(
    ToldPlacement,
    NAMESPACE,
    "Norikojums",
    (
        date(
            "issued_on", "DokumentaDatums", rule="p12.8.1", column="siva_placement.issued_on", optional=True
        ),
        text("number", "DokumentaNumurs", rule="p12.8.1", column="siva_placement.number", optional=True),
        date(
            "planned_on",
            "NoraditaisDatums",
            rule="p12.8.1",
            column="siva_placement.planned_on",
            optional=True,
        ),
        text(
            "institution", "Institucija", rule="p12.8.2", column="siva_placement.institution", optional=True
        ),
        date(
            "entered_on",
            "IestasanasDatums",
            rule="p12.8.2",
            column="siva_placement.entered_on",
            optional=True,
        ),
    ),
)


def _reading(operation: str) -> Mapping[ReadRequest]:
    return Mapping(
        ReadRequest,
        NAMESPACE,
        operation,
        (context(NAMESPACE), person_code("person_code", "PersonasKods", rule="p8.3", asked=True)),
        request=True,
    )


GET_STAYS_REQUEST = _reading("GetStays")
GET_STAYS_ANSWER = Mapping(
    GetStaysAnswer,
    NAMESPACE,
    "GetStaysResponse",
    (
        identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),
        many(nested("stays", "Uzturesanas", TOLD_STAY), optional=True),
        many(text("withheld", "Aizturets", rule="p20", always=True), optional=True),
    ),
)
GET_PLACEMENTS_REQUEST = _reading("GetPlacements")
GET_PLACEMENTS_ANSWER = Mapping(
    GetPlacementsAnswer,
    NAMESPACE,
    "GetPlacementsResponse",
    (
        identifier("exchange_id", "ApmainasId", rule="p19.2", always=True),
        many(nested("placements", "Norikojums", TOLD_PLACEMENT), optional=True),
        many(text("withheld", "Aizturets", rule="p20", always=True), optional=True),
    ),
)


def compose_kept(exchange_id: uuid.UUID, _disclosed: Disclosed) -> SubmitAnswer:
    """Our answer to a record: the exchange by which it is kept, and nothing of what it says."""
    return SubmitAnswer(exchange_id=exchange_id)


def compose_stays(exchange_id: uuid.UUID, disclosed: Disclosed) -> GetStaysAnswer:
    """Our answer: the stays as far as they may be told."""
    return GetStaysAnswer(
        exchange_id=exchange_id, stays=_listed(TOLD_STAY, "stays", disclosed), withheld=disclosed.withheld
    )


def compose_placements(exchange_id: uuid.UUID, disclosed: Disclosed) -> GetPlacementsAnswer:
    """Our answer: the placements as far as they may be told."""
    return GetPlacementsAnswer(
        exchange_id=exchange_id,
        placements=_listed(TOLD_PLACEMENT, "placements", disclosed),
        withheld=disclosed.withheld,
    )


def _listed(table: Mapping[Any], name: str, disclosed: Disclosed) -> tuple[Any, ...]:
    record = disclosed.record if isinstance(disclosed.record, dict) else {}
    rows = record.get(name)
    return (
        tuple(table.from_json(row) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    )


def _handed_in(
    request: Mapping[SubmitRequest], answer: Mapping[SubmitAnswer], table: Mapping[Any], source: str
) -> ServiceOperation:
    """An operation that hands in a record; only who handed it in corrects and deletes it."""
    return ServiceOperation(
        name=request.element,
        request=request,
        answer=answer,
        via=Submission("record", table, source, supplier="supplier"),
        compose=compose_kept,
    )


def _read(
    request: Mapping[ReadRequest],
    answer: Mapping[Any],
    reading: Reading,
    compose: Callable[[uuid.UUID, Disclosed], object],
) -> ServiceOperation:
    return ServiceOperation(
        name=request.element,
        request=request,
        answer=answer,
        via=reading,
        arguments={"limit": 200},
        compose=compose,
    )


SERVICE = Service(
    name="care-stays",
    version="v1-0",
    operations=(
        _handed_in(SUBMIT_APPLICATION_REQUEST, SUBMIT_APPLICATION_ANSWER, APPLICATION, "siva"),
        _handed_in(SUBMIT_DECISION_REQUEST, SUBMIT_DECISION_ANSWER, DECISION, "siva"),
        _handed_in(SUBMIT_PLACEMENT_REQUEST, SUBMIT_PLACEMENT_ANSWER, PLACEMENT, "siva"),
        _handed_in(SUBMIT_CONTRACT_REQUEST, SUBMIT_CONTRACT_ANSWER, CONTRACT, "siva"),
        _handed_in(SUBMIT_ABSENCE_REQUEST, SUBMIT_ABSENCE_ANSWER, ABSENCE, "siva"),
        _handed_in(SUBMIT_CHANGE_REQUEST, SUBMIT_CHANGE_ANSWER, CHANGE, "siva"),
        _handed_in(SUBMIT_TERMINATION_REQUEST, SUBMIT_TERMINATION_ANSWER, TERMINATION, "siva"),
        _handed_in(SUBMIT_STAY_REQUEST, SUBMIT_STAY_ANSWER, STAY_RECORD, "vsac"),
        _handed_in(SUBMIT_CARE_REQUEST, SUBMIT_CARE_ANSWER, CARE_SET, "vsac"),
        _handed_in(
            DELETE_SERVICE_RECORD_REQUEST, DELETE_SERVICE_RECORD_ANSWER, SERVICE_RECORD_DELETION, "siva"
        ),
        _handed_in(DELETE_CARE_RECORD_REQUEST, DELETE_CARE_RECORD_ANSWER, CARE_RECORD_DELETION, "vsac"),
        _read(GET_STAYS_REQUEST, GET_STAYS_ANSWER, Reading("care-stays", TOLD_STAY, "stays"), compose_stays),
        _read(
            GET_PLACEMENTS_REQUEST,
            GET_PLACEMENTS_ANSWER,
            Reading("care-placements", TOLD_PLACEMENT, "placements"),
            compose_placements,
        ),
    ),
)
