"""VDEAVK, the State Medical Commission for disability and work ability. Source: p17.1."""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat
from mappings.vdeavk import (
    GET_CHANGES_ANSWER,
    GET_CHANGES_REQUEST,
    GET_DISABILITY_ANSWER,
    GET_DISABILITY_REQUEST,
)

ADAPTER = Adapter(
    name="vdeavk",
    version="v1-0",
    operations=(
        Operation(
            "GetDisability",
            request=GET_DISABILITY_REQUEST,
            answer=GET_DISABILITY_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
        ),
        Operation(
            "GetChanges", request=GET_CHANGES_REQUEST, answer=GET_CHANGES_ANSWER, repeat=Repeat.DEDUPES
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
        "changes-followed": "todo",
        "viss-profile": "done",
    },
)
