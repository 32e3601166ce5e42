"""The register of orphan-court decisions, as NPAIS gives them. Source: p10.11, p17.5."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, Date, Text

from errors import AnswerMismatch
from exchange import Provenance
from mappings.codes import DECISION_KIND
from mappings.npais import Decisions
from registers.history import Fed, Values, field, replace, versioned
from registers.persons import person_by_code, person_of
from registers.reading import Register

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
        key=("court", "number"),
        within=lambda _row: complete,
    )


FEEDS = {Decisions: feed_decisions}
