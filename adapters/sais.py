"""SAIS of VSAA, pensions and benefits of persons in state-financed care. Source: p17.12."""

from __future__ import annotations

from adapters import Adapter, Operation, Repeat
from mappings.sais import GET_PAYMENTS_ANSWER, GET_PAYMENTS_REQUEST

ADAPTER = Adapter(
    name="sais",
    version="v1-0",
    operations=(
        Operation(
            "GetPayments",
            request=GET_PAYMENTS_REQUEST,
            answer=GET_PAYMENTS_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            needs_open_stay="p12.8.13",
        ),
    ),
    quality={
        "contract": "done",
        "golden-cases": "done",
        "lineage": "done",
        "signed-both-ways": "done",
        "changes-followed": "exempt: payments are asked by month, there is no change feed",
        "viss-profile": "todo",
    },
)
