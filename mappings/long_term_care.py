"""State-financed long-term care, as SIVA and the institutions hand it in: canonical records and mapping tables.

A record has two numbers of its supplier: that of the case, which links records, and its own, by which it is corrected
and deleted. `supplier` is the registered name of the partner who signed; no message carries it.
Code lists that no public source has are modelled: service, absence, care level, impairment, mental health, deletion.
Source: wsdl/spolis/care-stays/v1-0, rules p12, p17.4, p17.13, p20; the stay itself is in mappings/care_stays.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day

from mappings.care_stays import CARE_STAY, CareStay
from mappings.care_stays import problem as stay_problem
from mappings.codes import ADDRESS_KIND, Code, CodeList, code_list
from mappings.fields import Field, boolean, code, date, many, nested, person_code, text
from mappings.mapping import Mapping
from wsdl import contract

NAMESPACE = contract("spolis/care-stays").namespace

SERVICE_KIND = code_list("long_term_service")
ABSENCE_KIND = code_list("absence_kind")
CARE_LEVEL = code_list("care_level")
IMPAIRMENT = code_list("functional_impairment")
MENTAL_HEALTH = code_list("mental_health")
SIVA_RECORD = code_list("siva_record")
VSAC_RECORD = code_list("vsac_record")
DELETION_REASON = code_list("deletion_reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """The legal representative (likumiskais pārstāvis) of an applicant. Source: p12.2."""

    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    address_kind: Code
    address: str
    phone: str | None
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Municipality:
    """The municipality (pašvaldība) that decided that the service is needed. Source: p12.3."""

    name: str
    address: str
    phone: str | None
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRequest:
    """A further document that was asked for (papildu dokumentu pieprasīšana). Source: p12.5."""

    requested_on: day
    document: str
    received_on: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application for the service (iesniegums par pakalpojuma piešķiršanu). Source: p12.1–p12.5."""

    case_no: str
    record_no: str
    given_names: tuple[str, ...]
    family_name: str
    person_code: str
    submitted_on: day
    service_kind: Code
    desired_provider: str | None
    representative: Representative | None
    municipality: Municipality | None
    documents: tuple[str, ...]
    document_requests: tuple[DocumentRequest, ...]
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDecision:
    """The decision to grant the service (lēmums par pakalpojuma piešķiršanu). Source: p12.6."""

    decided_on: day
    number: str
    provider: str
    granted_from: day


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDecision:
    """The decision to put the person in the queue (lēmums par uzņemšanu rindā). Source: p12.7."""

    decided_on: day
    number: str
    provider: str
    queued_from: day


@dataclass(frozen=True, slots=True, kw_only=True)
class CareDecision:
    """A decision on an application: granted or put in the queue, one of the two. Source: p12.6, p12.7."""

    case_no: str
    record_no: str
    person_code: str
    grant: GrantDecision | None
    queue: QueueDecision | None
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlacement:
    """A placement (norīkojums) in an institution, and the day of entering it once that is known.

    Source: p12.8.1, p12.8.2.
    """

    case_no: str
    record_no: str
    person_code: str
    issued_on: day
    number: str
    planned_on: day
    institution: str
    entered_on: day | None
    supplier: str = ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRecord:
    """An actual stay (faktiskā uzturēšanās) as an institution hands it in. Source: p12.8.12–p12.8.14, p15^1.1."""

    case_no: str
    record_no: str
    stay: CareStay
    supplier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfWayHouse:
    """Whether the person is in a half-way house (pusceļa māja), and from when to when. Source: p12.8.15."""

    resident: bool
    began_on: day | None
    ended_on: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CareSet:
    """The care that is set for a person (noteiktā aprūpe): health data, a special category.

    Source: p12.8.10, p12.8.11, p12.8.15.
    """

    case_no: str
    record_no: str
    person_code: str
    care_level: Code | None
    impairments: tuple[Code, ...]
    mental_health: Code | None
    half_way_house: HalfWayHouse | None
    supplier: str = ""


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


def application_problem(application: Application) -> str:
    """What is wrong with an application taken by itself, or ""."""
    for one in application.document_requests:
        if one.received_on is not None and one.received_on < one.requested_on:
            return "document_requests[].received_on is before requested_on"
    return ""


def decision_problem(decision: CareDecision) -> str:
    """What is wrong with a decision taken by itself, or ""."""
    return "" if (decision.grant is None) != (decision.queue is None) else "grant or queue is wanted"


def placement_problem(placement: CarePlacement) -> str:
    """What is wrong with a placement taken by itself, or ""."""
    if placement.planned_on < placement.issued_on:
        return "planned_on is before issued_on"
    if placement.entered_on is not None and placement.entered_on < placement.issued_on:
        return "entered_on is before issued_on"
    return ""


def absence_problem(absence: CareAbsence) -> str:
    """What is wrong with an absence taken by itself, or ""."""
    ends_early = absence.ended_on is not None and absence.ended_on < absence.began_on
    return "ended_on is before began_on" if ends_early else ""


def change_problem(change: CareChange) -> str:
    """What is wrong with a request of the person taken by itself, or ""."""
    asked = [one for one in (change.provider, change.kind, change.end) if one is not None]
    return "" if len(asked) == 1 else "provider, kind or end is wanted"


def care_problem(care: CareSet) -> str:
    """What is wrong with the care that is set, taken by itself, or ""."""
    if not (care.care_level or care.impairments or care.mental_health or care.half_way_house):
        return "care_level, impairments, mental_health or half_way_house is wanted"
    house = care.half_way_house
    if house is None:
        return ""
    if house.resident and house.began_on is None:
        return "half_way_house.began_on is missing"
    if house.ended_on is not None and (house.began_on is None or house.ended_on < house.began_on):
        return "half_way_house.ended_on is before began_on"
    return ""


def _numbers(table: str) -> tuple[Field, ...]:
    """The two numbers; they are the supplier's own, so no right is asked for them."""
    return (
        text("case_no", "LietasNumurs", longest=100, rule="p20", column=f"{table}.case_no", always=True),
        text(
            "record_no", "IerakstaNumurs", longest=100, rule="p20", column=f"{table}.record_no", always=True
        ),
    )


def _person() -> Field:
    return person_code(
        "person_code", "PersonasKods", asked=True, rule="p8.3", column="spolis_person_code.code"
    )


def _name(element: str, rule: str, table: str, prefix: str = "") -> tuple[Field, ...]:
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


def _residence(rule: str, column: str) -> tuple[Field, ...]:
    return (
        code("address_kind", "Adrese/Veids", ADDRESS_KIND, rule=rule, column=f"{column}_address_kind"),
        text("address", "Adrese/Teksts", rule=rule, column=f"{column}_address"),
    )


def _contact(rule: str, column: str) -> tuple[Field, ...]:
    return (
        text("phone", "Talrunis", longest=31, rule=rule, column=f"{column}_phone", optional=True),
        many(
            text("contacts", "SazinasLidzeklis", longest=250, rule=rule, column=f"{column}_contacts"),
            optional=True,
        ),
    )


REPRESENTATIVE = Mapping(
    Representative,
    NAMESPACE,
    "Parstavis",
    (
        *_name("", "p12.2.1", "siva_application", "representative_"),
        person_code(
            "person_code",
            "PersonasKods",
            asked=True,
            rule="p12.2.1",
            column="siva_application.representative_code",
        ),
        *_residence("p12.2.2", "siva_application.representative"),
        *_contact("p12.2.3", "siva_application.representative"),
    ),
)

MUNICIPALITY = Mapping(
    Municipality,
    NAMESPACE,
    "Pasvaldiba",
    (
        text("name", "Nosaukums", longest=250, rule="p12.3.1", column="siva_application.municipality"),
        text("address", "Adrese", rule="p12.3.2", column="siva_application.municipality_address"),
        *_contact("p12.3.3", "siva_application.municipality"),
    ),
)

_REQUESTS = "siva_application.document_requests"
DOCUMENT_REQUEST = Mapping(
    DocumentRequest,
    NAMESPACE,
    "PapilduPieprasijums",
    (
        date("requested_on", "PieprasijumaDatums", rule="p12.5", column=_REQUESTS),
        text("document", "Dokuments", longest=250, rule="p12.5", column=_REQUESTS),
        date("received_on", "SanemsanasDatums", rule="p12.5", column=_REQUESTS, optional=True),
    ),
)

APPLICATION = Mapping(
    Application,
    NAMESPACE,
    "Iesniegums",
    (
        *_numbers("siva_application"),
        *_name("Iesniedzejs", "p12.1.1", "siva_application"),
        person_code(
            "person_code",
            "Iesniedzejs/PersonasKods",
            asked=True,
            rule="p12.1.1",
            column="spolis_person_code.code",
        ),
        date("submitted_on", "IesniegsanasDatums", rule="p12.1.2", column="siva_application.submitted_on"),
        code(
            "service_kind",
            "PakalpojumaVeids",
            SERVICE_KIND,
            rule="p12.1.3",
            column="siva_application.service_kind",
        ),
        text(
            "desired_provider",
            "VelamaisSniedzejs",
            longest=250,
            rule="p12.1.4",
            column="siva_application.desired_provider",
            optional=True,
        ),
        nested("representative", "Parstavis", REPRESENTATIVE, optional=True),
        nested("municipality", "Pasvaldiba", MUNICIPALITY, optional=True),
        many(
            text("documents", "Dokuments", longest=250, rule="p12.4", column="siva_application.documents"),
            optional=True,
        ),
        many(nested("document_requests", "PapilduPieprasijums", DOCUMENT_REQUEST), optional=True),
    ),
    check=application_problem,
)

GRANT_DECISION = Mapping(
    GrantDecision,
    NAMESPACE,
    "Pieskirsana",
    (
        date("decided_on", "Datums", rule="p12.6.1", column="siva_decision.granted_on"),
        text("number", "Numurs", longest=100, rule="p12.6.2", column="siva_decision.grant_number"),
        text("provider", "Sniedzejs", longest=250, rule="p12.6.3", column="siva_decision.grant_provider"),
        date("granted_from", "PieskirtsNo", rule="p12.6.4", column="siva_decision.granted_from"),
    ),
)

QUEUE_DECISION = Mapping(
    QueueDecision,
    NAMESPACE,
    "Rinda",
    (
        date("decided_on", "Datums", rule="p12.7.1", column="siva_decision.queued_on"),
        text("number", "Numurs", longest=100, rule="p12.7.2", column="siva_decision.queue_number"),
        text("provider", "Sniedzejs", longest=250, rule="p12.7.3", column="siva_decision.queue_provider"),
        date("queued_from", "UznemtsNo", rule="p12.7.4", column="siva_decision.queued_from"),
    ),
)

DECISION = Mapping(
    CareDecision,
    NAMESPACE,
    "Lemums",
    (
        *_numbers("siva_decision"),
        _person(),
        nested("grant", "Pieskirsana", GRANT_DECISION, optional=True),
        nested("queue", "Rinda", QUEUE_DECISION, optional=True),
    ),
    check=decision_problem,
)

PLACEMENT = Mapping(
    CarePlacement,
    NAMESPACE,
    "Norikojums",
    (
        *_numbers("siva_placement"),
        _person(),
        date("issued_on", "Dokuments/Datums", rule="p12.8.1", column="siva_placement.issued_on"),
        text("number", "Dokuments/Numurs", longest=100, rule="p12.8.1", column="siva_placement.number"),
        date("planned_on", "Dokuments/NoraditaisDatums", rule="p12.8.1", column="siva_placement.planned_on"),
        text("institution", "Institucija", longest=250, rule="p12.8.2", column="siva_placement.institution"),
        date(
            "entered_on",
            "IestasanasDatums",
            rule="p12.8.2",
            column="siva_placement.entered_on",
            optional=True,
        ),
    ),
    check=placement_problem,
)

CONTRACT_PARTY = Mapping(
    ContractParty,
    NAMESPACE,
    "Sledzejs",
    (
        *_name("", "p12.8.4.3.1", "siva_contract", "party_"),
        person_code(
            "person_code", "PersonasKods", asked=True, rule="p12.8.4.3.1", column="siva_contract.party_code"
        ),
        *_residence("p12.8.4.3.2", "siva_contract.party"),
        *_contact("p12.8.4.3.3", "siva_contract.party"),
    ),
)

CONTRACT = Mapping(
    CareContract,
    NAMESPACE,
    "Ligums",
    (
        *_numbers("siva_contract"),
        _person(),
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
        *_numbers("siva_absence"),
        _person(),
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
        *_numbers("siva_change"),
        _person(),
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
        *_numbers("siva_termination"),
        _person(),
        date("decided_on", "Datums", rule="p12.8.9.1", column="siva_termination.decided_on"),
        text("number", "Numurs", longest=100, rule="p12.8.9.2", column="siva_termination.number"),
        date("effective_on", "SpekaNo", rule="p12.8.9.3", column="siva_termination.effective_on"),
    ),
)

STAY_RECORD = Mapping(
    StayRecord,
    NAMESPACE,
    "UzturesanasIeraksts",
    (*_numbers("vsac_stay"), nested("stay", "Uzturesanas", CARE_STAY)),
    check=lambda record: stay_problem(record.stay),
)

HALF_WAY_HOUSE = Mapping(
    HalfWayHouse,
    NAMESPACE,
    "PuscelaMaja",
    (
        boolean("resident", "Atrodas", rule="p12.8.15", column="vsac_care.half_way_resident"),
        date(
            "began_on",
            "SakumaDatums",
            rule="p12.8.15",
            column="vsac_care.half_way_began_on",
            optional=True,
        ),
        date(
            "ended_on",
            "BeiguDatums",
            rule="p12.8.15",
            column="vsac_care.half_way_ended_on",
            optional=True,
        ),
    ),
)

CARE_SET = Mapping(
    CareSet,
    NAMESPACE,
    "Aprupe",
    (
        *_numbers("vsac_care"),
        _person(),
        code(
            "care_level",
            "AprupesLimenis",
            CARE_LEVEL,
            rule="p12.8.10",
            column="vsac_care.care_level",
            optional=True,
        ),
        many(
            code(
                "impairments",
                "FunkcionalaisTraucejums",
                IMPAIRMENT,
                rule="p12.8.11",
                column="vsac_care.impairments",
            ),
            optional=True,
        ),
        code(
            "mental_health",
            "PsihiskaVeseliba",
            MENTAL_HEALTH,
            rule="p12.8.11",
            column="vsac_care.mental_health",
            optional=True,
        ),
        nested("half_way_house", "PuscelaMaja", HALF_WAY_HOUSE, optional=True),
    ),
    check=care_problem,
)


def _deletion(table: str, kinds: CodeList) -> tuple[Field, ...]:
    return (
        *_numbers(table),
        _person(),
        code("kind", "Veids", kinds, rule="p20", column=f"{table}.kind"),
        code("reason", "Iemesls", DELETION_REASON, rule="p20", column=f"{table}.reason"),
    )


SERVICE_RECORD_DELETION = Mapping(
    ServiceRecordDeletion, NAMESPACE, "Dzesana", _deletion("siva_deletion", SIVA_RECORD)
)
CARE_RECORD_DELETION = Mapping(
    CareRecordDeletion, NAMESPACE, "Dzesana", _deletion("vsac_deletion", VSAC_RECORD)
)
