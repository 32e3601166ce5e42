"""What municipalities handed in wrongly and deleted, and why; the versions of the rows stay.

Source: p17.3, p20.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Table

from exchange import Provenance
from mappings.municipal_records import MUNICIPAL_RECORD, MunicipalRecordDeletion
from registers import deinstitutionalisation as community
from registers import municipal_assistants as assistants
from registers import municipal_means as means
from registers import municipal_rehabilitation as rehabilitation
from registers import municipal_support as support
from registers.handed_in import current, delete, deletions, hold, register
from registers.history import Fed
from registers.municipal_placements import delete_placement
from registers.services import delete_service

DELETION = deletions("municipal", MUNICIPAL_RECORD)

# By the code list of the records that a municipality may delete; of several tables the first has the object.
_TABLES: Mapping[str, tuple[Table, ...]] = {
    "STATUS": (means.STATUS,),
    "DECLARATION": (means.DECLARATION, means.DECLARED_PERSON),
    "SURVEY": (means.SURVEY,),
    "SUPPORT_FUND": (means.SUPPORT_FUND,),
    "SERVICE": (support.SERVICE_RECORD,),
    "BENEFIT": (support.BENEFIT,),
    "PAYMENT": (support.PAYMENT,),
    "PLACEMENT": (support.PLACEMENT_RECORD,),
    "ASSESSMENT": (community.ASSESSMENT,),
    "COMMUNITY_SERVICE": (community.SERVICE,),
    "ASSISTANT": (assistants.ASSISTANT,),
    "ASSISTANT_DELIVERY": (assistants.DELIVERY,),
    "ASSISTANT_REPORT": (assistants.REPORT,),
    "VICTIM_SERVICE": (rehabilitation.SERVICE,),
    "VICTIM_REPORT": (rehabilitation.REPORT,),
}

# What ends with the object in a register of its own, by municipality and case number.
_ELSEWHERE: Mapping[str, Callable[[Connection, str, str, str, Provenance], Fed]] = {
    "SERVICE": delete_service,
    "PLACEMENT": delete_placement,
}

REGISTERS = (register("municipal-deletions", DELETION, "municipality", "kind", "reason"),)


def feed_deletion(connection: Connection, record: MunicipalRecordDeletion, provenance: Provenance) -> Fed:
    """End a record that was handed in wrongly, and keep why; a service or a stay ends in its own register too.

    Raises: NotFound when the supplier has no such record of the person.
    """
    tables = _TABLES[record.kind.code]
    hold(connection, tables[0], record)
    before = current(connection, tables[0], record)
    fed = delete(connection, tables, DELETION, record, provenance)
    end = _ELSEWHERE.get(record.kind.code)
    if end is not None and before is not None and record.person_code is not None:
        fed += end(connection, record.person_code, before.municipality, before.case_number, provenance)
    return fed


FEEDS = {MunicipalRecordDeletion: feed_deletion}
