"""CSDD, the register of vehicles: vehicles of a person, to compare a declaration of means with.

Source: p17.9 for who supplies, p9.2.5.7 for what.
"""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat
from mappings.csdd import GET_VEHICLES_ANSWER, GET_VEHICLES_REQUEST, VERSION, vehicles_answered

ADAPTER = Adapter(
    name="csdd",
    version=VERSION,
    operations=(
        Operation(
            "GetVehicles",
            request=GET_VEHICLES_REQUEST,
            answer=GET_VEHICLES_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            answered=vehicles_answered,
        ),
    ),
    quality={
        "contract": "done",
        "operations": "done",
        "rules": "done",
        "golden-cases": "done",
        "faults": "done",
        "retry-safety": "done",
        "time-outs": "done",
        "signed-both-ways": "done",
        "simulator": "done",
        "lineage": "done",
        "own-schema": "done",
        "quirks": "done",
        "runbook": "done",
        "finished": "done",
        "changes-followed": "exempt: asked only while a declaration of means is judged, there is no change feed",
        "viss-profile": "done",
    },
)
