"""What NPAIS hands in of orphan-court decisions and placements: canonical records and mapping tables.

A delivery is a partial statement: of what it does not name it says nothing. Source: p10.11.1–p10.11.3, p17.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mappings import codes
from mappings.codes import Code
from mappings.fields import code, many, nested, person_code, text
from mappings.fields import date as day
from mappings.mapping import Mapping
from mappings.npais import Decision

NAMESPACE = "urn:spolis:gateway:decisions:v1-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredDecisions:
    """Decisions (bāriņtiesas lēmumi) that are handed in together, on one child or several. Source: p10.11."""

    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnulledDecision:
    """A decision (atcelts lēmums) that is in force no more, as if it had not been made. Source: p10.11."""

    person_code: str
    number: str
    court: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredPlacement:
    """A stay of one child in out-of-family care (ievietošana). Source: p10.11.1–p10.11.3."""

    person_code: str
    institution: str
    entered_on: date
    stopped_on: date | None = None
    stop_reason: Code | None = None


def decisions_problem(delivery: DeliveredDecisions) -> str:
    """What is wrong with decisions that are handed in together, or ""."""
    named = [(one.person_code, one.court, one.number) for one in delivery.decisions]
    if len(set(named)) != len(named):
        return "a decision on one child stands twice"
    if any(
        one.effective_to is not None and one.effective_to < one.effective_from for one in delivery.decisions
    ):
        return "effective_to is before effective_from"
    return ""


def placement_problem(placement: DeliveredPlacement) -> str:
    """What is wrong with a placement taken by itself, or ""."""
    if (placement.stopped_on is None) != (placement.stop_reason is None):
        return "stopped_on and stop_reason go together"
    if placement.stopped_on is not None and placement.stopped_on < placement.entered_on:
        return "stopped_on is before entered_on"
    return ""


_CHILD = person_code(
    "person_code", "PersonasKods", asked=True, rule="p10.11", column="spolis_person_code.code"
)

DECISION = Mapping(
    Decision,
    NAMESPACE,
    "Lemums",
    (
        _CHILD,
        text("number", "Numurs", rule="p10.11", column="npais_decision.number", longest=50),
        day("decided_on", "Datums", rule="p10.11", column="npais_decision.decided_on"),
        text("court", "Barintiesa", rule="p10.11", column="npais_decision.court", longest=250),
        code("kind", "Veids", codes.DECISION_KIND, rule="p10.11", column="npais_decision.kind"),
        day("effective_from", "SpekaNo", rule="p10.11", column="npais_decision.effective_from"),
        day("effective_to", "SpekaLidz", rule="p10.11", column="npais_decision.effective_to", optional=True),
    ),
)

DELIVERED_DECISIONS = Mapping(
    DeliveredDecisions,
    NAMESPACE,
    "Lemumi",
    (many(nested("decisions", "Lemums", DECISION), minimum=1),),
    check=decisions_problem,
)

ANNULLED_DECISION = Mapping(
    AnnulledDecision,
    NAMESPACE,
    "AtceltaisLemums",
    (
        _CHILD,
        text("number", "Numurs", rule="p10.11", column="npais_decision.number", longest=50),
        text("court", "Barintiesa", rule="p10.11", column="npais_decision.court", longest=250),
    ),
)

DELIVERED_PLACEMENT = Mapping(
    DeliveredPlacement,
    NAMESPACE,
    "Ievietosana",
    (
        _CHILD,
        text("institution", "Iestade", rule="p10.11", column="npais_placement.institution", longest=250),
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
    check=placement_problem,
)
