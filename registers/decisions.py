"""The register of orphan-court decisions, as NPAIS gives them. Source: p10.11, p17.5."""

from __future__ import annotations

from sqlalchemy import Connection, Date, Text

from exchange import Provenance
from mappings.npais import Decisions
from registers.history import Fed, Values, field, replace, versioned
from registers.persons import person_of
from registers.reading import Register

DECISION = versioned(
    "npais",
    "decision",
    field("number", Text(), rule="p10.11"),
    field("decided_on", Date(), rule="p10.11"),
    field("court", Text(), rule="p10.11"),
    field("kind", Text(), rule="p10.11", codes="decision_kind"),
    field("effective_from", Date(), rule="p10.11"),
    field("effective_to", Date(), rule="p10.11", optional=True),
)

REGISTERS = (
    Register(
        name="decisions",
        table=DECISION,
        source="npais",
        criteria={
            name: DECISION.c[name]
            for name in ("number", "decided_on", "court", "kind", "effective_from", "effective_to")
        },
        valid=("effective_from", "effective_to"),
        order=("decided_on", "number"),
    ),
)


def feed_decisions(connection: Connection, answer: Decisions, provenance: Provenance) -> Fed:
    """Keep the decisions on a child; a decision that NPAIS no longer names is superseded."""
    owner = {"person_id": person_of(connection, answer.person_code, provenance)}
    rows: list[Values] = [
        {
            "number": decision.number,
            "decided_on": decision.decided_on,
            "court": decision.court,
            "kind": decision.kind.code,
            "effective_from": decision.effective_from,
            "effective_to": decision.effective_to,
        }
        for decision in answer.decisions
    ]
    return replace(connection, DECISION, owner, rows, provenance, key=("court", "number"))


FEEDS = {Decisions: feed_decisions}
