"""NPAIS, orphan-court decisions and children in out-of-family care. Source: p17.5."""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat
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
        "golden-cases": "done",
        "lineage": "done",
        "signed-both-ways": "done",
        "changes-followed": "todo",
        "viss-profile": "todo",
    },
)
