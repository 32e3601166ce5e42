"""NPAIS, orphan-court decisions, children in out-of-family care and what it is told of them: records and tables.

Source: wsdl/npais/v1-0, rules p10.11.1–p10.11.3, p17.5; p18.3 for the reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings import codes
from mappings.codes import Code
from mappings.contact_reports import LONGEST, Contact, ContactReport
from mappings.contact_reports import problem as wrong_report
from mappings.context import context
from mappings.fields import boolean, code, many, nested, person_code, text, under
from mappings.fields import date as day
from mappings.mapping import Mapping
from wsdl import contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision of an orphan court (bāriņtiesas lēmums) on the child of this code. Source: p10.11."""

    person_code: str
    number: str
    decided_on: date
    court: str
    kind: Code
    effective_from: date
    effective_to: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The decisions on one child, or of all courts since a day, oldest first. Source: p10.11."""

    person_code: str | None
    since: date | None = None
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A stay of a child in out-of-family care (bērnu aprūpes iestādes pakalpojums). Source: p10.11.1–p10.11.3."""

    institution: str
    entered_on: date
    stopped_on: date | None
    stop_reason: Code | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """The placements of one child, oldest first. Source: p10.11."""

    person_code: str
    placements: tuple[Placement, ...]


NAMESPACE = contract("npais").namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDecisionsRequest:
    """Which child, or since which day (GetDecisions): one of the two."""

    context: Context
    person_code: str | None
    since: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChildPlacementRequest:
    """Which child (GetChildPlacement)."""

    context: Context
    person_code: str


def _one_of_two(request: GetDecisionsRequest) -> str:
    both = (request.person_code is None) == (request.since is None)
    return "either person_code or since is wanted" if both else ""


# The regulation names the stay alone (10.11); decisions are modelled under the same point.
DECISION = Mapping(
    Decision,
    NAMESPACE,
    "Lemums",
    (
        person_code("person_code", "PersonasKods", rule="p10.11", column="spolis_person_code.code"),
        text("number", "Numurs", rule="p10.11", column="npais_decision.number"),
        day("decided_on", "Datums", rule="p10.11", column="npais_decision.decided_on"),
        text("court", "Barintiesa", rule="p10.11", column="npais_decision.court"),
        code("kind", "Veids", codes.DECISION_KIND, rule="p10.11", column="npais_decision.kind"),
        day("effective_from", "SpekaNo", rule="p10.11", column="npais_decision.effective_from"),
        day("effective_to", "SpekaLidz", rule="p10.11", column="npais_decision.effective_to", optional=True),
    ),
)

PLACEMENT = Mapping(
    Placement,
    NAMESPACE,
    "Ievietosana",
    (
        text("institution", "Iestade", rule="p10.11", column="npais_placement.institution"),
        day("entered_on", "IestasanasDatums", rule="p10.11.1", column="npais_placement.entered_on"),
        day(
            "stopped_on",
            "PartrauksanasDatums",
            rule="p10.11.2",
            column="npais_placement.stopped_on",
            optional=True,
        ),
        code(
            "stop_reason",
            "PartrauksanasIemesls",
            codes.STOP_REASON,
            rule="p10.11.3",
            column="npais_placement.stop_reason",
            optional=True,
        ),
    ),
)

GET_DECISIONS_REQUEST = Mapping(
    GetDecisionsRequest,
    NAMESPACE,
    "GetDecisions",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p10.11", asked=True, optional=True),
        day("since", "KopsDatuma", rule="p10.11", optional=True),
    ),
    request=True,
    check=_one_of_two,
)

# Child and day repeat what the caller asked: they leave whatever is granted.
GET_DECISIONS_ANSWER = Mapping(
    Decisions,
    NAMESPACE,
    "GetDecisionsResponse",
    (
        person_code(
            "person_code",
            "PersonasKods",
            rule="p10.11",
            column="spolis_person_code.code",
            optional=True,
            always=True,
        ),
        day("since", "KopsDatuma", rule="p10.11", optional=True, always=True),
        many(nested("decisions", "Lemumi/Lemums", DECISION)),
    ),
)

GET_CHILD_PLACEMENT_REQUEST = Mapping(
    GetChildPlacementRequest,
    NAMESPACE,
    "GetChildPlacement",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p10.11", asked=True),
    ),
    request=True,
)

GET_CHILD_PLACEMENT_ANSWER = Mapping(
    Placements,
    NAMESPACE,
    "GetChildPlacementResponse",
    (
        person_code(
            "person_code", "PersonasKods", rule="p10.11", column="spolis_person_code.code", always=True
        ),
        many(nested("placements", "Ievietosanas/Ievietosana", PLACEMENT)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportChildContactRequest(ContactReport):
    """A report on a child as it is told to NPAIS (ReportChildContact). Source: p10.11."""

    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceipt:
    """Whether the message with a MessageID took effect (Apstradats)."""

    message_id: str
    took_effect: bool


TOLD_CONTACT = Mapping(
    Contact,
    NAMESPACE,
    "Kontakts",
    (
        code("with_whom", "ArKo", codes.CONTACT_PERSON, rule="p10.11"),
        code("kind", "Veids", codes.CONTACT_KIND, rule="p10.11"),
        day("held_on", "Datums", rule="p10.11"),
        text("remark", "Piezime", rule="p10.11", optional=True),
    ),
)

REPORT_CHILD_CONTACT_REQUEST = Mapping(
    ReportChildContactRequest,
    NAMESPACE,
    "ReportChildContact",
    (
        context(NAMESPACE),
        *under(
            "Zinojums",
            (
                person_code("person_code", "PersonasKods", rule="p10.11", asked=True),
                text("institution", "Iestade", rule="p10.11"),
                day("period_from", "PeriodsNo", rule="p10.11"),
                day("period_to", "PeriodsLidz", rule="p10.11"),
                day("made_on", "SagatavotsDatums", rule="p10.11"),
                text("author", "Autors", rule="p10.11"),
                many(nested("contacts", "Kontakti/Kontakts", TOLD_CONTACT), optional=True),
                text("cooperation", "SadarbibaArIestadi", rule="p10.11", longest=LONGEST),
                text("physical_development", "FiziskaAttistiba", rule="p10.11", longest=LONGEST),
                text("psychosocial_development", "PsihosocialaAttistiba", rule="p10.11", longest=LONGEST),
            ),
        ),
    ),
    request=True,
    check=wrong_report,
)

REPORT_CHILD_CONTACT_ANSWER = Mapping(
    ReportReceipt,
    NAMESPACE,
    "ReportChildContactResponse",
    (
        text("message_id", "ZinojumaId", rule="p19.2", always=True),
        boolean("took_effect", "Apstradats", rule="p19.2", always=True),
    ),
)
