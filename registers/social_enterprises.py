"""The register of social enterprises, written by SPOLIS core. It is about legal persons.

An enterprise has one status at a time; what was decided before stays in its history. Source: p5.7, p6^1, p17^1.
"""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, Date, Text, select

from errors import Busy, InvalidRequest
from exchange import Provenance, new_id
from mappings.social_enterprises import SOCIAL_ENTERPRISE as RECORD
from mappings.social_enterprises import STATUS, SocialEnterprise, problem
from registers.history import Fed, Values, field, lock, recorded, replace, versioned
from registers.reading import Register
from registers.writing import Writable

SOCIAL_ENTERPRISE = versioned(
    "enterprises",
    "social_enterprise",
    field("registration_number", Text(), rule="p6^1"),
    field("name", Text(), rule="p6^1"),
    field("status", Text(), rule="p6^1", codes=STATUS),
    field("decided_on", Date(), rule="p6^1"),
    field("decision_number", Text(), rule="p6^1"),
    field("valid_from", Date(), rule="p6^1", optional=True),
    field("valid_to", Date(), rule="p6^1", optional=True),
    person=False,
    one_per=("registration_number",),
)

REGISTERS = (
    Register(
        name="social-enterprises",
        table=SOCIAL_ENTERPRISE,
        source="spolis",
        criteria={
            name: SOCIAL_ENTERPRISE.c[name]
            for name in (
                "registration_number",
                "name",
                "status",
                "decided_on",
                "decision_number",
                "valid_from",
                "valid_to",
            )
        },
        valid=("valid_from", "valid_to"),
        order=("registration_number",),
        followed=True,
    ),
)


def find_social_enterprise(connection: Connection, enterprise: SocialEnterprise) -> uuid.UUID | None:
    """The id of an enterprise that is kept already: of the same registration number."""
    table = SOCIAL_ENTERPRISE
    found: uuid.UUID | None = connection.execute(
        select(table.c.id).where(
            table.c.registration_number == enterprise.registration_number, recorded(table)
        )
    ).scalar()
    return found


def write_social_enterprise(
    connection: Connection, enterprise: SocialEnterprise, provenance: Provenance, row_id: uuid.UUID
) -> Fed:
    """Keep an enterprise under its id; the same registration number is the same enterprise.

    Raises: InvalidRequest when the record contradicts itself; Busy when it was kept meanwhile under another id.
    """
    wrong = problem(enterprise)
    if wrong:
        raise InvalidRequest(wrong)
    lock(connection, [f"enterprises_social_enterprise {enterprise.registration_number}"])
    fed = replace(
        connection,
        SOCIAL_ENTERPRISE,
        {"registration_number": enterprise.registration_number},
        [_values(enterprise)],
        provenance,
        key=("registration_number",),
        make_id=lambda: row_id,
    )
    if find_social_enterprise(connection, enterprise) != row_id:
        raise Busy("the same enterprise is being written", retry_after=1)
    return fed


def feed_social_enterprise(
    connection: Connection, enterprise: SocialEnterprise, provenance: Provenance
) -> Fed:
    """Keep an enterprise under the id that it has or a new one."""
    row_id = find_social_enterprise(connection, enterprise) or new_id()
    return write_social_enterprise(connection, enterprise, provenance, row_id)


def _values(enterprise: SocialEnterprise) -> Values:
    return {
        "registration_number": enterprise.registration_number,
        "name": enterprise.name,
        "status": enterprise.status.code,
        "decided_on": enterprise.decided_on,
        "decision_number": enterprise.decision_number,
        "valid_from": enterprise.valid_from,
        "valid_to": enterprise.valid_to,
    }


FEEDS = {SocialEnterprise: feed_social_enterprise}
WRITES = {
    "social-enterprises": Writable(
        table=RECORD,
        rule="p6^1",
        find=find_social_enterprise,
        write=write_social_enterprise,
        identity="the same registration number is the same enterprise",
    )
}
