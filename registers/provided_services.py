"""Registers of state-financed services to persons, as providers and the ministry hand them in, and of what is deleted.

Source: p11^2, p13^1, p13^2, p13^3, p17.6, p17.7, p20.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Index, Table, Text

from exchange import Provenance
from mappings.group_homes import COFINANCING as COFINANCING_RECORD
from mappings.group_homes import GROUP_HOME as GROUP_HOME_RECORD
from mappings.group_homes import Cofinancing, GroupHome
from mappings.mapping import Mapping
from mappings.oncology_rehabilitation import ONCOLOGY_REHABILITATION, OncologyRehabilitation
from mappings.palliative_rehabilitation import PALLIATIVE_REHABILITATION, PalliativeRehabilitation
from mappings.provider_records import (
    DELETION_REASON,
    MINISTRY,
    MINISTRY_RECORD,
    PROVIDER,
    PROVIDER_RECORD,
    MinistryRecordDeletion,
    ProviderRecordDeletion,
)
from mappings.violence_rehabilitation import VIOLENCE_REHABILITATION, ViolenceRehabilitation
from registers import mapped, provider_clients, providers, supplied
from registers.history import Fed, field
from registers.persons import person_by_code, person_of
from registers.reading import Register
from storage import identifier

_SCHEMA = "providers"


def _table(thing: str, record: Mapping[Any]) -> Table:
    return supplied.supplied(_SCHEMA, thing, *mapped.columns(record, f"{_SCHEMA}_{thing}"))


def _deletions(thing: str, *more: Column[Any]) -> Table:
    """What was deleted, whether it was about a person or not."""
    table = supplied.supplied(
        _SCHEMA,
        thing,
        Column("person_id", identifier(), ForeignKey("spolis.spolis_person.id")),
        *more,
        field("reason", Text(), rule="p20", codes=DELETION_REASON),
        person=False,
        one_per=("supplier", "kind", "record_no"),
    )
    Index(None, table.c.person_id, table.c.recorded_at)
    return table


VIOLENCE = _table("violence", VIOLENCE_REHABILITATION)
PALLIATIVE = _table("palliative", PALLIATIVE_REHABILITATION)
ONCOLOGY = _table("oncology", ONCOLOGY_REHABILITATION)
GROUP_HOME = _table("group_home", GROUP_HOME_RECORD)
COFINANCING = _table("cofinancing", COFINANCING_RECORD)
MINISTRY_DELETION = _deletions("ministry_deletion", field("kind", Text(), rule="p20", codes=MINISTRY_RECORD))
DELETION = _deletions(
    "deletion",
    field("client_code", Text(), rule="p7.1", optional=True),
    field("kind", Text(), rule="p20", codes=PROVIDER_RECORD),
)

# By the code lists of the records that the ministry and a provider may delete.
_OF_MINISTRY = {
    "PROVIDER": providers.PROVIDER,
    "INSPECTION": providers.INSPECTION,
    "PLACES": providers.PLACES,
    "COFINANCING": COFINANCING,
}
_OF_PROVIDER = {
    "VIOLENCE": VIOLENCE,
    "PALLIATIVE": PALLIATIVE,
    "ONCOLOGY": ONCOLOGY,
    "GROUP_HOME": GROUP_HOME,
    "SERVICE_REPORT": providers.SERVICE_REPORT,
    "STATISTICS": providers.STATISTICS,
}


def _register(
    name: str, table: Table, source: str, order: str, *criteria: str, valid: tuple[str, str] | None = None
) -> Register:
    known = ("supplier", "case_no", "record_no", order, *criteria)
    return Register(
        name=name,
        table=table,
        source=source,
        criteria={column: table.c[column] for column in known},
        valid=valid,
        order=(order, "supplier", "record_no"),
    )


REGISTERS = (
    _register(
        "violence-rehabilitation",
        VIOLENCE,
        PROVIDER,
        "granted_on",
        "began_on",
        "completed_on",
        valid=("began_on", "completed_on"),
    ),
    _register(
        "palliative-rehabilitation",
        PALLIATIVE,
        PROVIDER,
        "council_on",
        "client_code",
        "began_on",
        "ended_on",
        "end_reason",
        valid=("began_on", "ended_on"),
    ),
    _register("oncology-rehabilitation", ONCOLOGY, PROVIDER, "case_no", "illness_disability"),
    _register(
        "group-homes",
        GROUP_HOME,
        PROVIDER,
        "decided_on",
        "municipality",
        "registration_number",
        "began_on",
        "ended_on",
        valid=("began_on", "ended_on"),
    ),
    _register(
        "group-home-cofinancing",
        COFINANCING,
        MINISTRY,
        "decided_on",
        "financed_from",
        "financed_to",
        valid=("financed_from", "financed_to"),
    ),
    _register("ministry-deletions", MINISTRY_DELETION, MINISTRY, "kind", "reason"),
    _register("provider-deletions", DELETION, PROVIDER, "kind", "reason", "client_code"),
)


def feed_violence(connection: Connection, record: ViolenceRehabilitation, provenance: Provenance) -> Fed:
    """Keep the service to an adult who used violence."""
    values = mapped.values(VIOLENCE_REHABILITATION, record, VIOLENCE.name)
    return supplied.keep(connection, VIOLENCE, record, record.person_code, values, provenance)


def feed_palliative(connection: Connection, record: PalliativeRehabilitation, provenance: Provenance) -> Fed:
    """Keep the service to a child in palliative care, who may be known by the provider's code alone."""

    def whose() -> uuid.UUID:
        if record.client_code is not None:
            return provider_clients.client_of(connection, record.supplier, record.client_code, provenance)
        return person_of(connection, record.person_code or "", provenance)

    values = mapped.values(PALLIATIVE_REHABILITATION, record, PALLIATIVE.name)
    return supplied.keep_of(connection, PALLIATIVE, record, whose, values, provenance)


def feed_oncology(connection: Connection, record: OncologyRehabilitation, provenance: Provenance) -> Fed:
    """Keep the service to a person with cancer."""
    values = mapped.values(ONCOLOGY_REHABILITATION, record, ONCOLOGY.name)
    return supplied.keep(connection, ONCOLOGY, record, record.person_code, values, provenance)


def feed_group_home(connection: Connection, record: GroupHome, provenance: Provenance) -> Fed:
    """Keep the service of a group home."""
    values = mapped.values(GROUP_HOME_RECORD, record, GROUP_HOME.name)
    return supplied.keep(connection, GROUP_HOME, record, record.person_code, values, provenance)


def feed_cofinancing(connection: Connection, record: Cofinancing, provenance: Provenance) -> Fed:
    """Keep a decision of the ministry to co-finance a group home."""
    values = mapped.values(COFINANCING_RECORD, record, COFINANCING.name)
    return supplied.keep(connection, COFINANCING, record, record.person_code, values, provenance)


def feed_ministry_deletion(
    connection: Connection, record: MinistryRecordDeletion, provenance: Provenance
) -> Fed:
    """End a record that the ministry handed in wrongly, and keep why.

    Raises: NotFound when there is no such record of it.
    """
    table = _OF_MINISTRY[record.kind.code]
    whose = _known(connection, record.person_code)
    return supplied.delete_of(connection, table, MINISTRY_DELETION, record, whose, provenance)


def feed_deletion(connection: Connection, record: ProviderRecordDeletion, provenance: Provenance) -> Fed:
    """End a record that a provider handed in wrongly, and keep why.

    Raises: NotFound when the provider has no such record.
    """

    def client() -> uuid.UUID | None:
        return provider_clients.client_by_code(connection, record.supplier, record.client_code or "")

    whose = _known(connection, record.person_code) if record.client_code is None else client
    more = {"client_code": record.client_code}
    table = _OF_PROVIDER[record.kind.code]
    return supplied.delete_of(connection, table, DELETION, record, whose, provenance, more)


def _known(connection: Connection, code: str | None) -> Callable[[], uuid.UUID | None]:
    return lambda: None if code is None else person_by_code(connection, code)


FEEDS = {
    ViolenceRehabilitation: feed_violence,
    PalliativeRehabilitation: feed_palliative,
    OncologyRehabilitation: feed_oncology,
    GroupHome: feed_group_home,
    Cofinancing: feed_cofinancing,
    MinistryRecordDeletion: feed_ministry_deletion,
    ProviderRecordDeletion: feed_deletion,
}
