"""PMLP, the Register of Natural Persons: identity, family, documents, addresses, and whose changes it tells.

Source: p17.2.
"""

from __future__ import annotations

from adapters import Adapter, Anew, Cursor, Operation, Repeat, Schedule, Selection, Sync
from mappings.paging import goes_on, page_end
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
from registers.person_changes import changed_families, changed_sets, taken_changes

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
            "GetChanges",
            request=GET_CHANGES_REQUEST,
            answer=GET_CHANGES_ANSWER,
            repeat=Repeat.DEDUPES,
            answered=goes_on,
            # The register works every day: people move and die on holidays too.
            sync=Sync(
                schedule=Schedule(hours="5"),
                recipient="spolis-registers",
                purpose="social-service",
                rule="p17.2",
                arguments=lambda day: {"since": day.isoformat()},
                cursor=Cursor(arguments=lambda cursor: {"cursor": cursor}, ends=page_end),
                taken=taken_changes,
                anew=(
                    Anew("GetPersonSet", "social-service", "p8.3", changed_sets),
                    Anew("GetPersonSet", "family-assessment", "p9.2.5.1", changed_families),
                ),
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
