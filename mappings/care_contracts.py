"""Long-term care under way, as SIVA hands it in: contract, absences, what the person asks to be changed, the end.

Source: wsdl/spolis/care-stays/v1-0, rules p12, p17.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.care_applications import SERVICE_KIND
from mappings.codes import Code, code_list
from mappings.fields import code, date, nested, person_code, text
from mappings.long_term_care import NAMESPACE, contact, name, numbers, person, residence
from mappings.mapping import Mapping

ABSENCE_KIND = code_list("absence_kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractParty:
    """Another person who makes the contract (cita persona, kas slēdz līgumu). Source: p12.8.4.3."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    address_kind: Code
    address: str
    phone: str | None
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CareContract:
    """The contract (līgums) with the person who is taken in. Source: p12.8.4."""

    case_no: str
    record_no: str
    person_code: str
    concluded_on: day
    number: str
    party: ContractParty | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareAbsence:
    """An absence (prombūtne) from the institution; it lasts while `ended_on` is None. Source: p12.8.5."""

    case_no: str
    record_no: str
    person_code: str
    kind: Code
    began_on: day
    ended_on: day | None
    reason: str | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRequest:
    """A request for another provider (sniedzēja maiņa). Source: p12.8.6."""

    requested_on: day
    provider: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRequest:
    """A request for another kind of service (veida maiņa). Source: p12.8.7."""

    requested_on: day
    kind: Code
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRequest:
    """A request to end the service (pakalpojuma izbeigšana). Source: p12.8.8."""

    requested_on: day


@dataclass(frozen=True, slots=True, kw_only=True)
class CareChange:
    """What the person asks for: another provider, another kind or the end, one of the three.

    Source: p12.8.6–p12.8.8.
    """

    case_no: str
    record_no: str
    person_code: str
    provider: ProviderRequest | None
    kind: KindRequest | None
    end: EndRequest | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareTermination:
    """The decision to end the service (lēmums par pakalpojuma izbeigšanu); after a death it is made later.

    Source: p12.8.9.
    """

    case_no: str
    record_no: str
    person_code: str
    decided_on: day
    number: str
    effective_on: day
    supplier: str = ""


def absence_problem(absence: CareAbsence) -> str:
    """What is wrong with an absence taken by itself, or ""."""
    ends_early = absence.ended_on is not None and absence.ended_on < absence.began_on
    return "ended_on is before began_on" if ends_early else ""


def change_problem(change: CareChange) -> str:
    """What is wrong with a request of the person taken by itself, or ""."""
    asked = [one for one in (change.provider, change.kind, change.end) if one is not None]
    return "" if len(asked) == 1 else "provider, kind or end is wanted"


CONTRACT_PARTY = Mapping(
    ContractParty,
    NAMESPACE,
    "Sledzejs",
    (
        *name("", "p12.8.4.3.1", "siva_contract", "party_"),
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p12.8.4.3.1", column="siva_contract.party_code"
        ),
        *residence("p12.8.4.3.2", "siva_contract.party"),
        *contact("p12.8.4.3.3", "siva_contract.party"),
    ),
)

CONTRACT = Mapping(
    CareContract,
    NAMESPACE,
    "Ligums",
    (
        *numbers("siva_contract"),
        person(),
        date("concluded_on", "Datums", rule="p12.8.4.1", column="siva_contract.concluded_on"),
        text("number", "Numurs", longest=100, rule="p12.8.4.2", column="siva_contract.number"),
        nested("party", "Sledzejs", CONTRACT_PARTY, optional=True),
    ),
)

ABSENCE = Mapping(
    CareAbsence,
    NAMESPACE,
    "Prombutne",
    (
        *numbers("siva_absence"),
        person(),
        code("kind", "Veids", ABSENCE_KIND, rule="p12.8.5", column="siva_absence.kind"),
        date("began_on", "SakumaDatums", rule="p12.8.5", column="siva_absence.began_on"),
        date("ended_on", "BeiguDatums", rule="p12.8.5", column="siva_absence.ended_on", optional=True),
        text("reason", "Iemesls", rule="p12.8.5", column="siva_absence.reason", optional=True),
    ),
    check=absence_problem,
)

PROVIDER_REQUEST = Mapping(
    ProviderRequest,
    NAMESPACE,
    "SniedzejaMaina",
    (
        date("requested_on", "Datums", rule="p12.8.6.1", column="siva_change.provider_requested_on"),
        text("provider", "Sniedzejs", longest=250, rule="p12.8.6.2", column="siva_change.provider"),
        text("note", "CitaInformacija", rule="p12.8.6.3", column="siva_change.provider_note", optional=True),
    ),
)

KIND_REQUEST = Mapping(
    KindRequest,
    NAMESPACE,
    "VeidaMaina",
    (
        date("requested_on", "Datums", rule="p12.8.7.1", column="siva_change.kind_requested_on"),
        code("kind", "PakalpojumaVeids", SERVICE_KIND, rule="p12.8.7.2", column="siva_change.kind"),
        text("note", "CitaInformacija", rule="p12.8.7.3", column="siva_change.kind_note", optional=True),
    ),
)

END_REQUEST = Mapping(
    EndRequest,
    NAMESPACE,
    "Izbeigsana",
    (date("requested_on", "Datums", rule="p12.8.8", column="siva_change.end_requested_on"),),
)

CHANGE = Mapping(
    CareChange,
    NAMESPACE,
    "Izmaina",
    (
        *numbers("siva_change"),
        person(),
        nested("provider", "SniedzejaMaina", PROVIDER_REQUEST, optional=True),
        nested("kind", "VeidaMaina", KIND_REQUEST, optional=True),
        nested("end", "Izbeigsana", END_REQUEST, optional=True),
    ),
    check=change_problem,
)

TERMINATION = Mapping(
    CareTermination,
    NAMESPACE,
    "Izbeigsana",
    (
        *numbers("siva_termination"),
        person(),
        date("decided_on", "Datums", rule="p12.8.9.1", column="siva_termination.decided_on"),
        text("number", "Numurs", longest=100, rule="p12.8.9.2", column="siva_termination.number"),
        date("effective_on", "SpekaNo", rule="p12.8.9.3", column="siva_termination.effective_on"),
    ),
)
