"""VZD, the State Address Register. Source: p17.10."""

from __future__ import annotations

from adapters import Adapter, Edition, OffDays, Operation, Repeat, Schedule
from mappings.vzd import (
    GET_CHILDREN_ANSWER,
    GET_CHILDREN_REQUEST,
    GET_HISTORY_ANSWER,
    GET_HISTORY_REQUEST,
    RESOLVE_CODE_ANSWER,
    RESOLVE_CODE_REQUEST,
    SEARCH_ADDRESS_ANSWER,
    SEARCH_ADDRESS_REQUEST,
    children_answered,
    same_object,
)
from registers import varis

ADAPTER = Adapter(
    name="vzd",
    version="v1-0",
    operations=(
        Operation(
            "ResolveCode", request=RESOLVE_CODE_REQUEST, answer=RESOLVE_CODE_ANSWER, repeat=Repeat.DEDUPES
        ),
        Operation(
            "SearchAddress",
            request=SEARCH_ADDRESS_REQUEST,
            answer=SEARCH_ADDRESS_ANSWER,
            repeat=Repeat.DEDUPES,
        ),
        Operation(
            "GetChildren",
            request=GET_CHILDREN_REQUEST,
            answer=GET_CHILDREN_ANSWER,
            repeat=Repeat.DEDUPES,
            answered=children_answered,
        ),
        Operation(
            "GetHistory",
            request=GET_HISTORY_REQUEST,
            answer=GET_HISTORY_ANSWER,
            repeat=Repeat.DEDUPES,
            answered=same_object,
            kept=False,  # the editions have it whole: one object's past beside them would be a second truth
        ),
    ),
    # An edition comes out every day. One that cannot be taken waits for a person, so it is loaded when there is one.
    edition=Edition(
        schedule=Schedule(hours="4", off_days=OffDays.SKIPPED),
        act="addresses load",
        look=varis.look,
        loaded=varis.is_loaded,
        load=varis.load,
        taken=varis.taken,
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
