"""The register of orphan-court decisions, as NPAIS gives them when asked or hands them in. Source: p10.11, p17.5."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, Date, Text, select

from errors import AnswerMismatch, NotFound
from exchange import Provenance
from mappings.codes import DECISION_KIND
from mappings.court_decisions import AnnulledDecision, DeliveredDecisions
from mappings.npais import Decision, Decisions
from registers.history import Fed, Values, field, recorded, replace, versioned
from registers.persons import person_by_code, person_of
from registers.reading import Register
from registers.taken import Taken, taken

DECISION = versioned(
    "npais",
    "decision",
    field("number", Text(), rule="p10.11"),
    field("decided_on", Date(), rule="p10.11"),
    field("court", Text(), rule="p10.11"),
    field("kind", Text(), rule="p10.11", codes=DECISION_KIND),
    field("effective_from", Date(), rule="p10.11"),
    field("effective_to", Date(), rule="p10.11", optional=True),
)

# Several children may stand in one decision: within a child, court and number name it.
_KEY = ("court", "number")

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
    """Keep the decisions on one child, or those of a period on any child.

    Of a child asked about, a decision that NPAIS no longer names is superseded. Asked about a period, NPAIS says
    nothing of the decisions that it leaves out: none ends.
    Raises: AnswerMismatch when the answer on one child holds a decision on another.
    """
    children = {decision.person_code for decision in answer.decisions}
    if answer.person_code is None:
        fed = Fed()
        for code in sorted(children):
            owner = person_of(connection, code, provenance)
            fed += _keep(connection, owner, answer, {code}, provenance, complete=False)
        return fed
    owner = person_of(connection, answer.person_code, provenance)
    if any(person_by_code(connection, code) != owner for code in children):
        raise AnswerMismatch("decisions[].person_code")
    return _keep(connection, owner, answer, children, provenance, complete=True)


def _keep(
    connection: Connection,
    owner: uuid.UUID,
    answer: Decisions,
    codes: set[str],
    provenance: Provenance,
    *,
    complete: bool,
) -> Fed:
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
        if decision.person_code in codes
    ]
    return replace(
        connection,
        DECISION,
        {"person_id": owner},
        rows,
        provenance,
        key=_KEY,
        within=lambda _row: complete,
    )


def feed_delivery(connection: Connection, delivery: DeliveredDecisions, provenance: Provenance) -> Fed:
    """Keep decisions that were handed in; the same court and number with other content correct what is kept.

    Of decisions that it does not name a delivery says nothing: none ends.
    """
    return feed_decisions(connection, Decisions(person_code=None, decisions=delivery.decisions), provenance)


def annul(connection: Connection, annulled: AnnulledDecision, provenance: Provenance) -> Fed:
    """End a decision on a child; its versions stay. A decision that is annulled already stays so.

    Raises: NotFound when there never was such a decision on the child.
    """
    if person_by_code(connection, annulled.person_code) is None:
        raise NotFound("decision")
    owner = {"person_id": person_of(connection, annulled.person_code, provenance)}
    named = (annulled.court, annulled.number)
    ever = select(DECISION.c.id).where(
        DECISION.c.person_id == owner["person_id"],
        DECISION.c.court == annulled.court,
        DECISION.c.number == annulled.number,
    )
    if connection.execute(ever.limit(1)).first() is None:
        raise NotFound("decision")
    return replace(
        connection,
        DECISION,
        owner,
        [],
        provenance,
        key=_KEY,
        within=lambda row: (row["court"], row["number"]) == named,
    )


def taken_decisions(connection: Connection, answer: Decisions) -> Taken:
    """How many decisions of an answer are kept, once it was fed; every child becomes known by one."""

    def held(decision: Decision) -> bool:
        kept = select(DECISION.c.version_id).where(
            DECISION.c.person_id == person_by_code(connection, decision.person_code),
            DECISION.c.court == decision.court,
            DECISION.c.number == decision.number,
            recorded(DECISION),
        )
        return connection.execute(kept.limit(1)).first() is not None

    return taken(answer.decisions, held)


FEEDS = {Decisions: feed_decisions, DeliveredDecisions: feed_delivery, AnnulledDecision: annul}
