"""The register of children in child-care institutions as municipalities tell it, by SPOLIS core or themselves.

What NPAIS tells of the same stays is kept apart (`placements`). Source: p10.11.1–p10.11.3, p17.3.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, Date, Row, Text, select

from errors import Busy, InvalidRequest
from exchange import Provenance, new_id
from mappings.codes import STOP_REASON
from mappings.municipal_placements import MUNICIPAL_PLACEMENT, MunicipalPlacement, problem
from registers.history import Fed, Values, field, recorded, replace, versioned
from registers.persons import person_of
from registers.placement_conflicts import relist
from registers.reading import Register
from registers.writing import Writable

PLACEMENT = versioned(
    "municipal",
    "placement",
    field("municipality", Text(), rule="p10.11"),
    field("case_number", Text(), rule="p10.11"),
    field("institution", Text(), rule="p10.11"),
    field("entered_on", Date(), rule="p10.11.1"),
    field("stopped_on", Date(), rule="p10.11.2", optional=True),
    field("stop_reason", Text(), rule="p10.11.3", codes=STOP_REASON, optional=True),
    one_per=("municipality", "case_number"),
)

_KEY = ("municipality", "case_number")

REGISTERS = (
    Register(
        name="municipal-placements",
        table=PLACEMENT,
        source="spolis",
        criteria={
            name: PLACEMENT.c[name]
            for name in (
                "municipality",
                "case_number",
                "institution",
                "entered_on",
                "stopped_on",
                "stop_reason",
            )
        },
        valid=("entered_on", "stopped_on"),
        order=("entered_on", "institution"),
    ),
)


def find_placement(connection: Connection, placement: MunicipalPlacement) -> uuid.UUID | None:
    """The id of a placement that is kept already: of the same municipality and case number."""
    kept = _kept(connection, placement)
    return None if kept is None else kept.id


def write_placement(
    connection: Connection, placement: MunicipalPlacement, provenance: Provenance, row_id: uuid.UUID
) -> Fed:
    """Keep a placement under its id, and list where NPAIS says otherwise.

    Raises: InvalidRequest when it contradicts itself or the case is another child's; Busy when it was kept meanwhile
    under another id.
    """
    wrong = problem(placement)
    if wrong:
        raise InvalidRequest(wrong)
    person_id = person_of(connection, placement.person_code, provenance)
    kept = _kept(connection, placement)
    if kept is not None and kept.person_id != person_id:
        raise InvalidRequest("the case is another child's")
    fed = replace(
        connection,
        PLACEMENT,
        {"person_id": person_id},
        [_values(placement)],
        provenance,
        key=_KEY,
        within=lambda _row: False,
        make_id=lambda: row_id,
    )
    if find_placement(connection, placement) != row_id:
        raise Busy("the same placement is being written", retry_after=1)
    return fed + relist(connection, person_id, provenance)


def feed_placement(connection: Connection, placement: MunicipalPlacement, provenance: Provenance) -> Fed:
    """Keep a placement under the id that it has or a new one."""
    row_id = find_placement(connection, placement) or new_id()
    return write_placement(connection, placement, provenance, row_id)


def delete_placement(
    connection: Connection, person_code: str, municipality: str, case_number: str, provenance: Provenance
) -> Fed:
    """End the record of a stay that never was, and list anew where NPAIS says otherwise; its versions stay."""
    key = (municipality, case_number)
    person_id = person_of(connection, person_code, provenance)
    fed = replace(
        connection,
        PLACEMENT,
        {"person_id": person_id},
        [],
        provenance,
        key=_KEY,
        within=lambda row: (row["municipality"], row["case_number"]) == key,
    )
    return fed + relist(connection, person_id, provenance)


def _kept(connection: Connection, placement: MunicipalPlacement) -> Row[Any] | None:
    return connection.execute(
        select(PLACEMENT).where(
            PLACEMENT.c.municipality == placement.municipality,
            PLACEMENT.c.case_number == placement.case_number,
            recorded(PLACEMENT),
        )
    ).first()


def _values(placement: MunicipalPlacement) -> Values:
    return {
        "municipality": placement.municipality,
        "case_number": placement.case_number,
        "institution": placement.institution,
        "entered_on": placement.entered_on,
        "stopped_on": placement.stopped_on,
        "stop_reason": placement.stop_reason.code if placement.stop_reason else None,
    }


FEEDS = {MunicipalPlacement: feed_placement}

WRITES = {
    "municipal-placements": Writable(
        table=MUNICIPAL_PLACEMENT,
        rule="p10.11",
        find=find_placement,
        write=write_placement,
        identity="the same municipality and case number are the same placement",
    )
}
