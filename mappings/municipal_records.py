"""What every record of a municipality or planning region has: the sender's own id of the object, and how it is deleted.

By `object_no` a sender corrects and deletes what it handed in. `supplier` is the registered name of the partner who
signed; no message carries it. The municipality whose record it is stands in it by its code of administrative
territories (ATVK): one system may hand in for several. Source: p2, p17.3, p17.11, p20.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.codes import Code, CodeList, code_list
from mappings.fields import Field, code, person_code, text
from mappings.long_term_care import DELETION_REASON
from mappings.mapping import Mapping
from wsdl import contract

NAMESPACE = contract("spolis/municipal").namespace
ATVK = r"[0-9]{7}"

KINSHIP = code_list("kinship")
MUNICIPAL_RECORD = code_list("municipal_record")

# Records of a municipality that are about no person.
REPORTS = ("ASSISTANT_REPORT", "VICTIM_REPORT")


@dataclass(frozen=True, slots=True, kw_only=True)
class MunicipalRecordDeletion:
    """A record that was handed in wrongly is deleted (dzēšana); a report is of no person. Source: p20."""

    object_no: str
    person_code: str | None
    kind: Code
    reason: Code
    supplier: str = ""


def deletion_problem(deletion: MunicipalRecordDeletion) -> str:
    """What is wrong with a deletion taken by itself, or ""."""
    if (deletion.person_code is None) != (deletion.kind.code in REPORTS):
        return "person_code belongs to every record but a report"
    return ""


def object_no(table: str) -> Field:
    """The sender's own id of the object; no right is asked for it."""
    return text(
        "object_no", "ObjektaNumurs", longest=100, rule="p20", column=f"{table}.object_no", always=True
    )


def municipality(table: str, rule: str) -> Field:
    """Whose record it is, by the code of administrative territories (ATVK)."""
    return text("municipality", "Pasvaldiba", pattern=ATVK, rule=rule, column=f"{table}.municipality")


def person(*, optional: bool = False) -> Field:
    """The person whom the record is about."""
    return person_code(
        "person_code",
        "PersonasKods",
        asked=True,
        rule="p8.3",
        column="spolis_person_code.code",
        optional=optional,
    )


def deletion_fields(table: str, kinds: CodeList, whom: Field) -> tuple[Field, ...]:
    """The fields of a deletion, kept in the table of deletions."""
    return (
        object_no(table),
        whom,
        code("kind", "Veids", kinds, rule="p20", column=f"{table}.kind"),
        code("reason", "Iemesls", DELETION_REASON, rule="p20", column=f"{table}.reason"),
    )


MUNICIPAL_RECORD_DELETION = Mapping(
    MunicipalRecordDeletion,
    NAMESPACE,
    "Dzesana",
    deletion_fields("municipal_deletion", MUNICIPAL_RECORD, person(optional=True)),
    check=deletion_problem,
)
