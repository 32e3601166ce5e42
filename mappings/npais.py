"""NPAIS, orphan-court decisions and children in out-of-family care: canonical records and mapping tables.

Source: wsdl/npais/v1-0, rules p10.11.1–p10.11.3, p17.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings import codes
from mappings.codes import Code
from mappings.context import context
from mappings.fields import code, many, nested, person_code, text
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
