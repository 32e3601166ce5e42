"""IeM IC, the register of invalid documents: whether an identity document was declared invalid. Source: p17.5."""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat
from mappings.iemic import CHECK_DOCUMENT_ANSWER, CHECK_DOCUMENT_REQUEST, VERSION

ADAPTER = Adapter(
    name="iemic",
    version=VERSION,
    operations=(
        Operation(
            "CheckDocument",
            request=CHECK_DOCUMENT_REQUEST,
            answer=CHECK_DOCUMENT_ANSWER,
            repeat=Repeat.DEDUPES,
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
        "changes-followed": "exempt: documents are asked about one by one, there is no change feed",
        "viss-profile": "done",
    },
)
