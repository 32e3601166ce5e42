"""The Land register of the Court Administration: real estate of a person, to compare a declaration of means with.

Source: p17.8 for who supplies, p9.2.5.6 for what.
"""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat
from mappings.landreg import GET_PROPERTIES_ANSWER, GET_PROPERTIES_REQUEST, VERSION, properties_answered

ADAPTER = Adapter(
    name="landreg",
    version=VERSION,
    operations=(
        Operation(
            "GetProperties",
            request=GET_PROPERTIES_REQUEST,
            answer=GET_PROPERTIES_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            answered=properties_answered,
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
