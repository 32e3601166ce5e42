"""PMLP, the Register of Natural Persons: identity, family, documents, addresses. Source: p17.2."""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat, Selection
from mappings.pmlp import DATA_SETS, GET_PERSON_ANSWER, GET_PERSON_REQUEST

ADAPTER = Adapter(
    name="pmlp",
    version="v1-0",
    operations=(
        Operation(
            "GetPerson",
            request=GET_PERSON_REQUEST,
            answer=GET_PERSON_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            selection=Selection("data_sets", DATA_SETS),
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
        "viss-profile": "todo",
    },
)
