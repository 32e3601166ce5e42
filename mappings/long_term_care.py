"""State-financed long-term care, as SIVA and the institutions hand it in: what all of its records have, and deletions.

A record has two numbers of its supplier: that of the case, which links records, and its own, by which it is corrected
and deleted. `supplier` is the registered name of the partner who signed; no message carries it.
Code lists that no public source has are modelled: service, absence, care level, impairment, mental health, deletion.
The records are in `care_applications`, `care_contracts` and `institution_care`.
Source: wsdl/spolis/care-stays/v1-0, rules p12, p17.4, p17.13, p20.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.codes import ADDRESS_KIND, Code, CodeList, code_list
from mappings.fields import Field, code, many, person_code, text
from mappings.mapping import Mapping
from wsdl import contract

NAMESPACE = contract("spolis/care-stays").namespace

SIVA_RECORD = code_list("siva_record")
VSAC_RECORD = code_list("vsac_record")
DELETION_REASON = code_list("deletion_reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecordDeletion:
    """A record that SIVA handed in wrongly is deleted (dzēšana). Source: p20."""

    case_no: str
    record_no: str
    person_code: str
    kind: Code
    reason: Code
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareRecordDeletion:
    """A record that an institution handed in wrongly is deleted (dzēšana). Source: p20."""

    case_no: str
    record_no: str
    person_code: str
    kind: Code
    reason: Code
    supplier: str = ""


def numbers(table: str) -> tuple[Field, ...]:
    """The two numbers; they are the supplier's own, so no right is asked for them."""
    return (
        text("case_no", "LietasNumurs", longest=100, rule="p20", column=f"{table}.case_no", always=True),
        text(
            "record_no", "IerakstaNumurs", longest=100, rule="p20", column=f"{table}.record_no", always=True
        ),
    )


def person() -> Field:
    """The person whom a record is about."""
    return person_code(
        "person_code", "PersonasKods", asked=True, rule="p8.3", column="spolis_person_code.code"
    )


def name(element: str, rule: str, table: str, prefix: str = "") -> tuple[Field, ...]:
    """Names, in an element or in the table's own."""
    above = f"{element}/" if element else ""
    return (
        many(
            text(
                "given_names", f"{above}Vards", longest=100, rule=rule, column=f"{table}.{prefix}given_names"
            ),
            minimum=1,
        ),
        text("family_name", f"{above}Uzvards", longest=100, rule=rule, column=f"{table}.{prefix}family_name"),
    )


def residence(rule: str, column: str) -> tuple[Field, ...]:
    """An address, with its kind."""
    return (
        code("address_kind", "Adrese/Veids", ADDRESS_KIND, rule=rule, column=f"{column}_address_kind"),
        text("address", "Adrese/Teksts", rule=rule, column=f"{column}_address"),
    )


def contact(rule: str, column: str) -> tuple[Field, ...]:
    """How somebody is reached."""
    return (
        text("phone", "Talrunis", longest=31, rule=rule, column=f"{column}_phone", optional=True),
        many(
            text("contacts", "SazinasLidzeklis", longest=250, rule=rule, column=f"{column}_contacts"),
            optional=True,
        ),
    )


def _deletion(table: str, kinds: CodeList) -> tuple[Field, ...]:
    return (
        *numbers(table),
        person(),
        code("kind", "Veids", kinds, rule="p20", column=f"{table}.kind"),
        code("reason", "Iemesls", DELETION_REASON, rule="p20", column=f"{table}.reason"),
    )


SERVICE_RECORD_DELETION = Mapping(
    ServiceRecordDeletion, NAMESPACE, "Dzesana", _deletion("siva_deletion", SIVA_RECORD)
)

CARE_RECORD_DELETION = Mapping(
    CareRecordDeletion, NAMESPACE, "Dzesana", _deletion("vsac_deletion", VSAC_RECORD)
)
