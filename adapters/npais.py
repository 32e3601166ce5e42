"""NPAIS, orphan-court decisions and children in out-of-family care, and what it is told of their contacts.

Source: p17.5 for what it gives, p18.3 for what it is told.
"""

from __future__ import annotations

from adapters import Adapter, Notice, Operation, Repeat, Schedule, Sync
from exchange import Arguments
from mappings.contact_reports import CONTACT_REPORT, ContactReport
from mappings.npais import (
    GET_CHILD_PLACEMENT_ANSWER,
    GET_CHILD_PLACEMENT_REQUEST,
    GET_DECISIONS_ANSWER,
    GET_DECISIONS_REQUEST,
    REPORT_CHILD_CONTACT_ANSWER,
    REPORT_CHILD_CONTACT_REQUEST,
    ReportReceipt,
)
from registers.decisions import taken_decisions
from registers.history import Change


def reports(change: Change) -> tuple[Arguments, ...]:
    """What NPAIS is told of a change: the whole report, which takes the place of the one before."""
    after = change.after
    if not isinstance(after, ContactReport) or change.before == after:
        return ()
    return (CONTACT_REPORT.arguments(after),)


def _took_effect(receipt: ReportReceipt) -> bool:
    return receipt.took_effect


ADAPTER = Adapter(
    name="npais",
    version="v1-0",
    operations=(
        Operation(
            "GetDecisions",
            request=GET_DECISIONS_REQUEST,
            answer=GET_DECISIONS_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            sync=Sync(
                schedule=Schedule(hours="3"),
                recipient="spolis-core",
                purpose="child-protection",
                rule="p10.11",
                arguments=lambda day: {"since": day.isoformat()},
                taken=taken_decisions,
            ),
        ),
        Operation(
            "GetChildPlacement",
            request=GET_CHILD_PLACEMENT_REQUEST,
            answer=GET_CHILD_PLACEMENT_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
        ),
        Operation(
            "ReportChildContact",
            request=REPORT_CHILD_CONTACT_REQUEST,
            answer=REPORT_CHILD_CONTACT_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            notice=Notice(
                follows=ContactReport,
                recipient="npais",
                purpose="child-protection",
                rule="p18.3",
                arguments=reports,
                acknowledged=_took_effect,
            ),
        ),
    ),
    quality={
        "contract": "done",
        "operations": "done",
        "rules": "done",
        "faults": "done",
        "retry-safety": "done",
        "time-outs": "done",
        "simulator": "done",
        "own-schema": "done",
        "quirks": "done",
        "runbook": "done",
        "finished": "done",
        "golden-cases": "done",
        "lineage": "done",
        "signed-both-ways": "done",
        "changes-followed": "done",
        "viss-profile": "done",
    },
)
