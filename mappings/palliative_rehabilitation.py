"""Psychosocial rehabilitation of a child in palliative care and of the family, as a provider hands it in.

The child may stand under the provider's own client code where its personal code is not known to the provider.
Source: wsdl/spolis/providers/v1-0, rules p13^1.1–p13^1.9, p17.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal

from mappings.clients import whose_problem
from mappings.codes import END_REASON, FAMILY_RELATION, Code, code_list
from mappings.fields import code, date, decimal, integer, many, nested, text
from mappings.mapping import Mapping
from mappings.provider_records import NAMESPACE, client, names, numbers, person

DECISION = code_list("palliative_decision")
TEAM_ROLE = code_list("palliative_team")


@dataclass(frozen=True, slots=True, kw_only=True)
class PalliativeDecision:
    """A decision (lēmums) to grant or to refuse the service. Source: p13^1.2."""

    decided_on: day
    kind: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMember:
    """A member of the child's family (ģimenes loceklis). Source: p13^1.3."""

    given_names: tuple[str, ...]
    family_name: str
    relation: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMember:
    """A member of the team (komanda) that provides the service. Source: p13^1.4."""

    role: Code
    given_names: tuple[str, ...]
    family_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What was done (veiktā darbība), how often and by which specialist. Source: p13^1.6."""

    done_on: day
    kind: str
    count: int
    specialist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """An interruption (pārtraukšana) of the service; it lasts while `ended_on` is None. Source: p13^1.7."""

    began_on: day
    ended_on: day | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BereavementService:
    """A service to a member of the family after the child's death (sērošanas periods). Source: p13^1.8."""

    given_names: tuple[str, ...]
    family_name: str
    kind: str
    began_on: day
    ended_on: day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PalliativeRehabilitation:
    """The service to a child in palliative care (paliatīvā aprūpe) and to the family. Source: p13^1."""

    case_no: str
    record_no: str
    person_code: str | None
    client_code: str | None
    council_on: day
    decisions: tuple[PalliativeDecision, ...]
    family: tuple[FamilyMember, ...]
    team: tuple[TeamMember, ...]
    began_on: day | None
    ended_on: day | None
    end_reason: Code | None
    activities: tuple[Activity, ...]
    interruptions: tuple[Interruption, ...]
    bereavement: tuple[BereavementService, ...]
    transport_paid: Decimal | None
    supplier: str = ""


def palliative_problem(record: PalliativeRehabilitation) -> str:
    """What is wrong with a record taken by itself, or ""."""
    if wrong := whose_problem(record.person_code, record.client_code):
        return wrong
    if (record.ended_on is None) != (record.end_reason is None):
        return "ended_on and end_reason belong together"
    if record.ended_on is not None and (record.began_on is None or record.ended_on < record.began_on):
        return "ended_on is before began_on"
    for name in ("interruptions", "bereavement"):
        for one in getattr(record, name):
            if one.ended_on is not None and one.ended_on < one.began_on:
                return f"{name}[].ended_on is before began_on"
    return ""


_T = "providers_palliative"
_DECISIONS, _FAMILY, _TEAM = f"{_T}.decisions", f"{_T}.family", f"{_T}.team"
_ACTIVITIES, _INTERRUPTIONS, _BEREAVEMENT = f"{_T}.activities", f"{_T}.interruptions", f"{_T}.bereavement"

PALLIATIVE_DECISION = Mapping(
    PalliativeDecision,
    NAMESPACE,
    "Lemums",
    (
        date("decided_on", "Datums", rule="p13^1.2", column=_DECISIONS),
        code("kind", "Veids", DECISION, rule="p13^1.2", column=_DECISIONS),
    ),
)

FAMILY_MEMBER = Mapping(
    FamilyMember,
    NAMESPACE,
    "GimenesLoceklis",
    (
        *names("p13^1.3", _FAMILY),
        code("relation", "Radnieciba", FAMILY_RELATION, rule="p13^1.3", column=_FAMILY),
    ),
)

TEAM_MEMBER = Mapping(
    TeamMember,
    NAMESPACE,
    "KomandasLoceklis",
    (code("role", "Loma", TEAM_ROLE, rule="p13^1.4", column=_TEAM), *names("p13^1.4", _TEAM)),
)

ACTIVITY = Mapping(
    Activity,
    NAMESPACE,
    "Darbiba",
    (
        date("done_on", "Datums", rule="p13^1.6", column=_ACTIVITIES),
        text("kind", "Veids", longest=250, rule="p13^1.6", column=_ACTIVITIES),
        integer("count", "Skaits", rule="p13^1.6", column=_ACTIVITIES),
        text("specialist", "Specialists", longest=250, rule="p13^1.6", column=_ACTIVITIES),
    ),
)

INTERRUPTION = Mapping(
    Interruption,
    NAMESPACE,
    "Partraukums",
    (
        date("began_on", "SakumaDatums", rule="p13^1.7", column=_INTERRUPTIONS),
        date("ended_on", "BeiguDatums", rule="p13^1.7", column=_INTERRUPTIONS, optional=True),
        text("reason", "Iemesls", rule="p13^1.7", column=_INTERRUPTIONS),
    ),
)

BEREAVEMENT_SERVICE = Mapping(
    BereavementService,
    NAMESPACE,
    "SerosanasPakalpojums",
    (
        *names("p13^1.8.1", _BEREAVEMENT),
        text("kind", "Veids", longest=250, rule="p13^1.8.2", column=_BEREAVEMENT),
        date("began_on", "SakumaDatums", rule="p13^1.8.2", column=_BEREAVEMENT),
        date("ended_on", "BeiguDatums", rule="p13^1.8.2", column=_BEREAVEMENT, optional=True),
    ),
)

PALLIATIVE_REHABILITATION = Mapping(
    PalliativeRehabilitation,
    NAMESPACE,
    "PaliativaAprupe",
    (
        *numbers(_T),
        person(optional=True),
        client(_T),
        date("council_on", "KonsilijaDatums", rule="p13^1.1", column=f"{_T}.council_on"),
        many(nested("decisions", "Lemums", PALLIATIVE_DECISION), minimum=1),
        many(nested("family", "GimenesLoceklis", FAMILY_MEMBER), optional=True),
        many(nested("team", "KomandasLoceklis", TEAM_MEMBER), optional=True),
        date("began_on", "UzsaksanasDatums", rule="p13^1.5", column=f"{_T}.began_on", optional=True),
        date("ended_on", "IzbeigsanasDatums", rule="p13^1.5", column=f"{_T}.ended_on", optional=True),
        code(
            "end_reason",
            "IzbeigsanasIemesls",
            END_REASON,
            rule="p13^1.5",
            column=f"{_T}.end_reason",
            optional=True,
        ),
        many(nested("activities", "Darbiba", ACTIVITY), optional=True),
        many(nested("interruptions", "Partraukums", INTERRUPTION), optional=True),
        many(nested("bereavement", "SerosanasPakalpojums", BEREAVEMENT_SERVICE), optional=True),
        decimal(
            "transport_paid",
            "TransportaKompensacija",
            places=2,
            rule="p13^1.9",
            column=f"{_T}.transport_paid",
            optional=True,
        ),
    ),
    check=palliative_problem,
)
