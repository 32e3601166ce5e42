"""Reports on children as they are handed over to municipal social services: in their order, each version once.

The contracts with municipal systems have no operation for it, so a report is a document, in JSON for programs and as
a text in Latvian for officials. A corrected report is handed over again and names the document that it replaces.
Source: P9, P10; p10.11.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from errors import InvalidRequest, NotFound
from exchange import Json, Provenance, instant_text, new_id
from mappings.contact_reports import CONTACT_REPORT
from registers.contact_reports import REPORT, report_of
from registers.history import lock, provenance_columns, recorded, source_values
from registers.persons import codes_of
from storage import Instant, identifier, metadata


class HandoverState(StrEnum):
    """How far a report has come on its way to the social service."""

    PREPARED = "prepared"  # on record here, not yet handed over
    HANDED_OVER = "handed_over"
    ACKNOWLEDGED = "acknowledged"


# No person stands here: the report's row says who the child is, also when two persons turn out to be one.
HANDOVER = Table(
    "childcare_handover",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("report_id", identifier(), nullable=False),
    Column(
        "report_version_id",
        identifier(),
        ForeignKey("childcare.childcare_report.version_id"),
        nullable=False,
    ),
    Column("municipality", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("handed_at", Instant),
    Column("reference", Text),
    Column("acknowledged_at", Instant),
    Column("recorded_at", Instant, nullable=False),
    *provenance_columns(),
    Index("uq_childcare_handover_report_version_id", "report_version_id", unique=True),
    Index("uq_childcare_handover_municipality_number", "municipality", "number", unique=True),
    Index("ix_childcare_handover_state", "state"),
    schema="childcare",
)


def waiting(connection: Connection) -> Sequence[Row[Any]]:
    """The reports, as they are now, that were not yet prepared for anybody, in the order in which they came."""
    prepared_before = select(HANDOVER.c.id).where(HANDOVER.c.report_version_id == REPORT.c.version_id)
    query = select(REPORT).where(recorded(REPORT), ~prepared_before.exists())
    return connection.execute(query.order_by(REPORT.c.recorded_at, REPORT.c.version_id)).all()


def prepare(
    connection: Connection, version_id: uuid.UUID, municipality: str, provenance: Provenance
) -> Row[Any] | None:
    """Put a report on record for a municipality; None when it was before, or was corrected meanwhile.

    Numbers are given in the order of preparing, without a gap for each municipality.
    """
    lock(connection, [f"childcare handover {municipality}"])
    row = connection.execute(
        select(REPORT).where(REPORT.c.version_id == version_id, recorded(REPORT))
    ).first()
    before = select(HANDOVER.c.id).where(HANDOVER.c.report_version_id == version_id)
    if row is None or connection.execute(before).first() is not None:
        return None
    last = select(func.coalesce(func.max(HANDOVER.c.number), 0)).where(
        HANDOVER.c.municipality == municipality
    )
    number = connection.execute(last).scalar_one() + 1
    earlier = select(func.max(HANDOVER.c.number)).where(
        HANDOVER.c.municipality == municipality, HANDOVER.c.report_id == row.id
    )
    handover_id = new_id()
    report = report_of(codes_of(connection, row.person_id)[0], row)
    document: dict[str, Json] = {
        "version": 1,
        "id": str(handover_id),
        "to": municipality,
        "number": number,
        "replaces": connection.execute(earlier).scalar(),
        "made_at": instant_text(provenance.recorded_at),
        "report_id": str(row.id),
        "report": CONTACT_REPORT.json(report),
    }
    connection.execute(
        insert(HANDOVER).values(
            id=handover_id,
            report_id=row.id,
            report_version_id=version_id,
            municipality=municipality,
            number=number,
            state=HandoverState.PREPARED.value,
            document=document,
            recorded_at=provenance.recorded_at,
            **source_values(provenance),
        )
    )
    return one(connection, handover_id)


def prepared(connection: Connection, municipality: str = "") -> Sequence[Row[Any]]:
    """What was not yet handed over, by municipality and number."""
    return listed(connection, (HandoverState.PREPARED,), municipality)


def listed(
    connection: Connection,
    states: Sequence[HandoverState],
    municipality: str = "",
    limit: int | None = None,
) -> Sequence[Row[Any]]:
    """What is in these states, by municipality and number."""
    query = select(HANDOVER).where(HANDOVER.c.state.in_([state.value for state in states]))
    if municipality:
        query = query.where(HANDOVER.c.municipality == municipality)
    ordered = query.order_by(HANDOVER.c.municipality, HANDOVER.c.number)
    return connection.execute(ordered.limit(limit)).all()


def under_way(connection: Connection) -> dict[tuple[str, HandoverState], int]:
    """How many reports the social services do not have yet, by municipality and state."""
    rows = connection.execute(
        select(HANDOVER.c.municipality, HANDOVER.c.state, func.count())
        .where(HANDOVER.c.state != HandoverState.ACKNOWLEDGED.value)
        .group_by(HANDOVER.c.municipality, HANDOVER.c.state)
    )
    return {(municipality, HandoverState(state)): number for municipality, state, number in rows}


def handed_over(connection: Connection, handover_id: uuid.UUID, reference: str, now: datetime) -> bool:
    """Note that a report was handed over; False when that stands there already."""
    mine = update(HANDOVER).where(
        HANDOVER.c.id == handover_id, HANDOVER.c.state == HandoverState.PREPARED.value
    )
    values = {"state": HandoverState.HANDED_OVER.value, "handed_at": now, "reference": reference}
    return bool(connection.execute(mine.values(**values)).rowcount)


def acknowledge(connection: Connection, handover_id: uuid.UUID, now: datetime) -> None:
    """Note that the social service has the report.

    Raises: NotFound, InvalidRequest when it was not handed over, or was acknowledged before.
    """
    found = one(connection, handover_id)
    if found.state != HandoverState.HANDED_OVER:
        raise InvalidRequest(f"the report is {found.state}; only one that was handed over is acknowledged")
    mine = update(HANDOVER).where(HANDOVER.c.id == handover_id)
    connection.execute(mine.values(state=HandoverState.ACKNOWLEDGED.value, acknowledged_at=now))


def one(connection: Connection, handover_id: uuid.UUID) -> Row[Any]:
    """A hand-over by its id.

    Raises: NotFound.
    """
    found = connection.execute(select(HANDOVER).where(HANDOVER.c.id == handover_id)).first()
    if found is None:
        raise NotFound("hand-over of a report")
    return found


def child_of(connection: Connection, handover: Row[Any]) -> uuid.UUID:
    """The child whom a report that is handed over is about."""
    version = select(REPORT.c.person_id).where(REPORT.c.version_id == handover.report_version_id)
    found: uuid.UUID = connection.execute(version).scalar_one()
    return found
