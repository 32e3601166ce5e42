"""Registers that are about no person: providers, their inspections, places of institutions, reports.

An inspection, and what is registered, name a provider by its number; one number is one provider.
Source: p5.1, p5.3–p5.5, p6, p14, p15, p15^1, p17.6, p17.7.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, select

from errors import InvalidRequest
from exchange import Provenance
from mappings.inspections import INSPECTION as INSPECTION_RECORD
from mappings.inspections import Inspection
from mappings.mapping import Mapping
from mappings.provider_records import MINISTRY
from mappings.provider_records import PROVIDER as PROVIDERS
from mappings.provider_register import INSTITUTION_PLACES, InstitutionPlaces, Provider
from mappings.provider_register import PROVIDER as PROVIDER_RECORD
from mappings.service_reports import SERVICE_REPORT as SERVICE_REPORT_RECORD
from mappings.service_reports import ServiceReport
from mappings.statistical_reports import STATISTICAL_REPORT as STATISTICS_RECORD
from mappings.statistical_reports import StatisticalReport
from registers import mapped, supplied
from registers.history import Fed, lock, recorded
from registers.reading import Register


def _table(thing: str, record: Mapping[Any]) -> Table:
    return supplied.supplied("providers", thing, *mapped.columns(record, f"providers_{thing}"), person=False)


PROVIDER = _table("provider", PROVIDER_RECORD)
INSPECTION = _table("inspection", INSPECTION_RECORD)
PLACES = _table("places", INSTITUTION_PLACES)
SERVICE_REPORT = _table("service_report", SERVICE_REPORT_RECORD)
STATISTICS = _table("statistics", STATISTICS_RECORD)


def _register(
    name: str, table: Table, source: str, *criteria: str, valid: tuple[str, str] | None = None
) -> Register:
    known = ("supplier", "case_no", "record_no", *criteria)
    return Register(
        name=name,
        table=table,
        source=source,
        criteria={column: table.c[column] for column in known},
        valid=valid,
        order=(*criteria[:1], "supplier", "record_no"),
    )


REGISTERS = (
    _register(
        "providers",
        PROVIDER,
        MINISTRY,
        "registration_number",
        "company_number",
        "name",
        "kind",
        "registered_on",
        "excluded_on",
        valid=("registered_on", "excluded_on"),
    ),
    _register(
        "inspections",
        INSPECTION,
        MINISTRY,
        "registration_number",
        "inspected_on",
        "service",
        "kind",
        "manner",
    ),
    _register("institution-places", PLACES, MINISTRY, "name", "counted_on", "region", "kind"),
    _register(
        "service-reports",
        SERVICE_REPORT,
        PROVIDERS,
        "violence_period_from",
        "palliative_period_from",
        "oncology_period_from",
        "group_home_period_from",
    ),
    _register(
        "statistical-reports",
        STATISTICS,
        PROVIDERS,
        "municipal_year",
        "long_term_year",
        "children_year",
        "municipal_municipality",
    ),
)


def feed_provider(connection: Connection, record: Provider, provenance: Provenance) -> Fed:
    """Keep a provider.

    Raises: InvalidRequest when its number was handed in under another record number.
    """

    def one_number() -> None:
        lock(connection, [f"{PROVIDER.name} {record.registration_number}"])
        same = select(PROVIDER.c.id).where(
            PROVIDER.c.registration_number == record.registration_number, recorded(PROVIDER)
        )
        if len(connection.execute(same).all()) > 1:
            raise InvalidRequest("registration_number was handed in under another record_no")

    return _keep(connection, PROVIDER, PROVIDER_RECORD, record, provenance, one_number)


def feed_inspection(connection: Connection, record: Inspection, provenance: Provenance) -> Fed:
    """Keep an inspection.

    Raises: InvalidRequest when the provider is not in the register.
    """

    def of_a_provider() -> None:
        known = select(PROVIDER.c.id).where(
            PROVIDER.c.registration_number == record.registration_number, recorded(PROVIDER)
        )
        if connection.execute(known).first() is None:
            raise InvalidRequest("registration_number is of no provider in the register")

    return _keep(connection, INSPECTION, INSPECTION_RECORD, record, provenance, of_a_provider)


def feed_places(connection: Connection, record: InstitutionPlaces, provenance: Provenance) -> Fed:
    """Keep the places of an institution."""
    return _keep(connection, PLACES, INSTITUTION_PLACES, record, provenance)


def feed_service_report(connection: Connection, record: ServiceReport, provenance: Provenance) -> Fed:
    """Keep a report on a service."""
    return _keep(connection, SERVICE_REPORT, SERVICE_REPORT_RECORD, record, provenance)


def feed_statistics(connection: Connection, record: StatisticalReport, provenance: Provenance) -> Fed:
    """Keep a statistical report."""
    return _keep(connection, STATISTICS, STATISTICS_RECORD, record, provenance)


def _keep(
    connection: Connection,
    table: Table,
    mapping: Mapping[Any],
    record: supplied.Numbered,
    provenance: Provenance,
    check: supplied.Check = lambda: None,
) -> Fed:
    values = mapped.values(mapping, record, table.name)
    return supplied.keep_of(connection, table, record, lambda: None, values, provenance, check)


FEEDS = {
    Provider: feed_provider,
    Inspection: feed_inspection,
    InstitutionPlaces: feed_places,
    ServiceReport: feed_service_report,
    StatisticalReport: feed_statistics,
}
