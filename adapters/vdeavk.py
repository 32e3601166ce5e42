"""VDEAVK, the State Medical Commission for disability and work ability. Source: p17.1."""

from __future__ import annotations

from adapters import Adapter, Anew, Cursor, OffDays, Operation, Repeat, Schedule, Sync
from mappings.paging import goes_on, page_end
from mappings.vdeavk import (
    GET_CHANGES_ANSWER,
    GET_CHANGES_REQUEST,
    GET_DISABILITY_ANSWER,
    GET_DISABILITY_REQUEST,
)
from registers.disability import changed_disabilities, taken_changes

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
            "GetChanges",
            request=GET_CHANGES_REQUEST,
            answer=GET_CHANGES_ANSWER,
            repeat=Repeat.DEDUPES,
            answered=goes_on,
            # A commission decides on working days: what it decides on the last one before a holiday is asked for
            # that evening.
            sync=Sync(
                schedule=Schedule(hours="20", off_days=OffDays.SKIPPED),
                recipient="spolis-registers",
                purpose="social-service",
                rule="p8.13",
                arguments=lambda day: {"since": day.isoformat()},
                cursor=Cursor(arguments=lambda cursor: {"cursor": cursor}, ends=page_end),
                taken=taken_changes,
                anew=(Anew("GetDisability", "social-service", "p8.13", changed_disabilities),),
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
