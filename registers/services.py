"""The register of services that municipalities provide, written by SPOLIS core or handed in by municipalities.

A person does not get the same service from two providers at once. Source: p10.1–p10.9, p17.3.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Boolean, Connection, Date, Row, Text, select

from errors import Busy, InvalidRequest
from exchange import Provenance, new_id
from mappings.codes import FUNDING_SOURCE, MUNICIPAL_SERVICE, SERVICE_PROVIDER, SERVICE_STATUS, Code
from mappings.municipal_services import SERVICE as RECORD
from mappings.municipal_services import MunicipalService, problem
from registers.care_stays import overlap
from registers.history import Fed, Value, Values, field, recorded, replace, versioned
from registers.persons import person_of
from registers.reading import Register
from registers.writing import Writable

SERVICE = versioned(
    "municipal",
    "service",
    field("municipality", Text(), rule="p10.2"),
    field("case_number", Text(), rule="p10.2"),
    field("applied_on", Date(), rule="p10.1"),
    field("status", Text(), rule="p10.4", codes=SERVICE_STATUS),
    field("decided_on", Date(), rule="p10.5", optional=True),
    field("service", Text(), rule="p10.8.1", codes=MUNICIPAL_SERVICE),
    field("provider", Text(), rule="p10.8.1", optional=True),
    field("provider_kind", Text(), rule="p10.8.2", codes=SERVICE_PROVIDER, optional=True),
    field("funding_source", Text(), rule="p10.8.3", codes=FUNDING_SOURCE, optional=True),
    field("state_support", Boolean(), rule="p10.8.4"),
    field("deinstitutionalisation", Boolean(), rule="p10.8.5"),
    field("refusal_reason", Text(), rule="p10.9", optional=True),
    field("started_on", Date(), rule="p10.8.1", optional=True),
    field("ended_on", Date(), rule="p10.8.1", optional=True),
    one_per=("municipality", "case_number"),
)

_KEY = ("municipality", "case_number")
_FIELDS = tuple(each.name for each in RECORD.fields if each.name != "person_code")

REGISTERS = (
    Register(
        name="services",
        table=SERVICE,
        source="spolis",
        criteria={
            name: SERVICE.c[name]
            for name in ("municipality", "case_number", "applied_on", "status", "service", "provider_kind")
        },
        valid=("started_on", "ended_on"),
        order=("applied_on", "case_number"),
    ),
)


def find_service(connection: Connection, service: MunicipalService) -> uuid.UUID | None:
    """The id of a service that is kept already: of the same municipality and case number."""
    kept = _kept(connection, service)
    return None if kept is None else kept.id


def write_service(
    connection: Connection, service: MunicipalService, provenance: Provenance, row_id: uuid.UUID
) -> Fed:
    """Keep a service under its id; the same municipality and case number are the same service.

    Raises: InvalidRequest when the record contradicts itself, is of another person than before, or when another
    provider gives the person the same service on the same days; Busy when it was kept meanwhile under another id.
    """
    wrong = problem(service)
    if wrong:
        raise InvalidRequest(wrong)
    person_id = person_of(connection, service.person_code, provenance)
    kept = _kept(connection, service)
    if kept is not None and kept.person_id != person_id:
        raise InvalidRequest("the case is another person's")
    others = connection.execute(
        select(SERVICE).where(
            SERVICE.c.person_id == person_id,
            SERVICE.c.service == service.service.code,
            SERVICE.c.started_on.is_not(None),
            recorded(SERVICE),
        )
    ).all()
    for other in others:
        if (
            service.started_on is not None
            and tuple(getattr(other, name) for name in _KEY) != (service.municipality, service.case_number)
            and other.provider != service.provider
            and overlap((other.started_on, other.ended_on), (service.started_on, service.ended_on))
        ):
            raise InvalidRequest("another provider gives the person this service on these days")
    fed = replace(
        connection,
        SERVICE,
        {"person_id": person_id},
        [_values(service)],
        provenance,
        key=_KEY,
        within=lambda _row: False,
        make_id=lambda: row_id,
    )
    if find_service(connection, service) != row_id:
        raise Busy("the same service is being written", retry_after=1)
    return fed


def feed_service(connection: Connection, service: MunicipalService, provenance: Provenance) -> Fed:
    """Keep a service under the id that it has or a new one."""
    return write_service(connection, service, provenance, find_service(connection, service) or new_id())


def delete_service(
    connection: Connection, person_code: str, municipality: str, case_number: str, provenance: Provenance
) -> Fed:
    """End the record of a service that never was; its versions stay. Nothing happens where there is none."""
    key = (municipality, case_number)
    return replace(
        connection,
        SERVICE,
        {"person_id": person_of(connection, person_code, provenance)},
        [],
        provenance,
        key=_KEY,
        within=lambda row: (row["municipality"], row["case_number"]) == key,
    )


def _kept(connection: Connection, service: MunicipalService) -> Row[Any] | None:
    return connection.execute(
        select(SERVICE).where(
            SERVICE.c.municipality == service.municipality,
            SERVICE.c.case_number == service.case_number,
            recorded(SERVICE),
        )
    ).first()


def _values(service: MunicipalService) -> Values:
    values: dict[str, Value] = {}
    for name in _FIELDS:
        value = getattr(service, name)
        values[name] = value.code if isinstance(value, Code) else value
    return values


FEEDS = {MunicipalService: feed_service}

WRITES = {
    "services": Writable(
        table=RECORD,
        rule="p10.8",
        find=find_service,
        write=write_service,
        identity="the same municipality and case number are the same service",
    )
}
