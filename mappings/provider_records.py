"""What every record has that the ministry or a provider of services hands in: its numbers, its person, its deletion.

A record has two numbers of its supplier: that of the case, which links records, and its own, by which it is corrected
and deleted. `supplier` is the registered name of the partner who signed; no message carries it.
Code lists that no public source has are modelled.
Source: wsdl/spolis/providers/v1-0, rules p17.6, p17.7, p20.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.clients import CLIENT_CODE, whose_problem
from mappings.codes import Code, CodeList, code_list
from mappings.fields import Field, code, many, person_code, text
from mappings.mapping import Mapping
from wsdl import contract

NAMESPACE = contract("spolis/providers").namespace

# Who supplies: the sources of access.d and of provenance.
MINISTRY = "ministry"
PROVIDER = "provider"

MINISTRY_RECORD = code_list("ministry_record")
PROVIDER_RECORD = code_list("provider_record")
DELETION_REASON = code_list("deletion_reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class MinistryRecordDeletion:
    """A record that the ministry handed in wrongly is deleted (dzēšana). Source: p20."""

    case_no: str
    record_no: str
    person_code: str | None
    kind: Code
    reason: Code
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRecordDeletion:
    """A record that a provider handed in wrongly is deleted (dzēšana). Source: p20."""

    case_no: str
    record_no: str
    person_code: str | None
    client_code: str | None
    kind: Code
    reason: Code
    supplier: str = ""


def ministry_deletion_problem(deletion: MinistryRecordDeletion) -> str:
    """What is wrong with a deletion taken by itself, or ""; a record about a person is deleted with the person."""
    return _deletion_problem(MINISTRY_RECORD, deletion.kind, deletion.person_code, None)


def provider_deletion_problem(deletion: ProviderRecordDeletion) -> str:
    """What is wrong with a deletion taken by itself, or ""; a record about a person is deleted with the person."""
    return _deletion_problem(PROVIDER_RECORD, deletion.kind, deletion.person_code, deletion.client_code)


def _deletion_problem(kinds: CodeList, kind: Code, person: str | None, client: str | None) -> str:
    if kinds.flags["of_person"][kind.code]:
        return whose_problem(person, client)
    return "" if person is None and client is None else "such a record is about no person"


def numbers(table: str) -> tuple[Field, ...]:
    """The two numbers; they are the supplier's own, so no right is asked for them."""
    return (
        text("case_no", "LietasNumurs", longest=100, rule="p20", column=f"{table}.case_no", always=True),
        text(
            "record_no", "IerakstaNumurs", longest=100, rule="p20", column=f"{table}.record_no", always=True
        ),
    )


def person(*, optional: bool = False) -> Field:
    """The personal code of whom a record is about."""
    return person_code(
        "person_code",
        "PersonasKods",
        asked=True,
        rule="p8.3",
        column="spolis_person_code.code",
        optional=optional,
    )


def client(table: str) -> Field:
    """The provider's own code of a client, where the client's personal code is not known to it."""
    return text(
        "client_code",
        "KlientaKods",
        pattern=CLIENT_CODE,
        longest=50,
        rule="p7.1",
        column=f"{table}.client_code",
        optional=True,
    )


def names(rule: str, column: str, *, family: str = "") -> tuple[Field, ...]:
    """Given names and family name of another person; `column` holds both, or `family` has one of its own."""
    return (
        many(text("given_names", "Vards", longest=100, rule=rule, column=column), minimum=1),
        text("family_name", "Uzvards", longest=100, rule=rule, column=family or column),
    )


def _deleted(table: str, kinds: CodeList) -> tuple[Field, ...]:
    return (
        code("kind", "Veids", kinds, rule="p20", column=f"{table}.kind"),
        code("reason", "Iemesls", DELETION_REASON, rule="p20", column=f"{table}.reason"),
    )


_MINISTRY_TABLE = "providers_ministry_deletion"
MINISTRY_RECORD_DELETION = Mapping(
    MinistryRecordDeletion,
    NAMESPACE,
    "Dzesana",
    (*numbers(_MINISTRY_TABLE), person(optional=True), *_deleted(_MINISTRY_TABLE, MINISTRY_RECORD)),
    check=ministry_deletion_problem,
)

_PROVIDER_TABLE = "providers_deletion"
PROVIDER_RECORD_DELETION = Mapping(
    ProviderRecordDeletion,
    NAMESPACE,
    "Dzesana",
    (
        *numbers(_PROVIDER_TABLE),
        person(optional=True),
        client(_PROVIDER_TABLE),
        *_deleted(_PROVIDER_TABLE, PROVIDER_RECORD),
    ),
    check=provider_deletion_problem,
)
