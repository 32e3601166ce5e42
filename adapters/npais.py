"""NPAIS, orphan-court decisions and children in out-of-family care. Source: p17.5."""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat, Sync
from mappings.npais import (
    GET_CHILD_PLACEMENT_ANSWER,
    GET_CHILD_PLACEMENT_REQUEST,
    GET_DECISIONS_ANSWER,
    GET_DECISIONS_REQUEST,
)

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
                hours="3",
                recipient="spolis-core",
                purpose="child-protection",
                rule="p10.11",
                arguments=lambda last: {"since": last.isoformat()},
            ),
        ),
        Operation(
            "GetChildPlacement",
            request=GET_CHILD_PLACEMENT_REQUEST,
            answer=GET_CHILD_PLACEMENT_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
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
        "viss-profile": "todo",
    },
)
