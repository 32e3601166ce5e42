"""PMLP, the Register of Natural Persons: identity, family, documents, addresses, and whose changes it tells.

Source: p17.2.
"""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat, Selection
from mappings.pmlp import (
    DATA_SETS,
    GET_PERSON_ANSWER,
    GET_PERSON_REQUEST,
    GET_PERSON_SET_ANSWER,
    GET_PERSON_SET_REQUEST,
    set_answered,
)
from mappings.pmlp_changes import (
    GET_CHANGES_ANSWER,
    GET_CHANGES_REQUEST,
    SUBSCRIBE_ANSWER,
    SUBSCRIBE_REQUEST,
    UNSUBSCRIBE_ANSWER,
    UNSUBSCRIBE_REQUEST,
    nobody_followed,
    subscriptions_answered,
)

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
        Operation(
            "GetPersonSet",
            request=GET_PERSON_SET_REQUEST,
            answer=GET_PERSON_SET_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_codes",
            selection=Selection("data_sets", DATA_SETS),
            answered=set_answered,
        ),
        # Who is followed already is followed, who is not is not: sent again, they change nothing more.
        Operation(
            "Subscribe",
            request=SUBSCRIBE_REQUEST,
            answer=SUBSCRIBE_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_codes",
            answered=subscriptions_answered,
            once=True,
        ),
        Operation(
            "Unsubscribe",
            request=UNSUBSCRIBE_REQUEST,
            answer=UNSUBSCRIBE_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_codes",
            answered=nobody_followed,
            once=True,
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
