"""SAIS of VSAA: pensions and benefits of persons in state-financed care, and notices of their stays.

Source: p17.12 for what it gives, p18.7 for what it is told.
"""

from __future__ import annotations

from dataclasses import replace

from adapters import Adapter, Notice, Operation, Query, Repeat
from exchange import Arguments
from mappings.care_stays import CareStay
from mappings.sais import (
    GET_CARE_STAY_NOTICE_ANSWER,
    GET_CARE_STAY_NOTICE_REQUEST,
    GET_PAYMENTS_ANSWER,
    GET_PAYMENTS_REQUEST,
    NOTIFY_CARE_STAY_ANSWER,
    NOTIFY_CARE_STAY_REQUEST,
    VERSION,
    NoticeStatus,
    payments_answered,
)
from registers.history import Change


def notices(change: Change) -> tuple[Arguments, ...]:
    """What SAIS is told of a change of a stay, entering before leaving; nothing of a stay that is as it was.

    The contract has no word for a stay that never was: a deleted one is told as left on the day of entering.
    """
    before, after = change.before, change.after
    if after is None and isinstance(before, CareStay):
        return (_arguments(replace(before, ended_on=before.entered_on, end_reason=None), "LEAVE"),)
    if not isinstance(after, CareStay) or before == after:
        return ()
    if after.ended_on is None:
        return (_arguments(after, "ENTER"),)
    known = isinstance(before, CareStay)
    told = () if known and _entered(before) == _entered(after) else (_arguments(after, "ENTER"),)
    return (*told, _arguments(after, "LEAVE"))


def _entered(stay: object) -> Arguments | None:
    return _arguments(stay, "ENTER") if isinstance(stay, CareStay) else None


def _arguments(stay: CareStay, kind: str) -> Arguments:
    told: dict[str, object] = {
        "person_code": stay.person_code,
        "kind": kind,
        "entered_on": stay.entered_on.isoformat(),
        "funding_source": stay.funding_source.code,
        "institution": stay.institution,
        "institution_address": stay.institution_address,
        "region": stay.region,
        "institution_kind": stay.institution_kind.code,
    }
    if kind == "LEAVE" and stay.ended_on is not None:
        told["ended_on"] = stay.ended_on.isoformat()
        told["end_reason"] = stay.end_reason.code if stay.end_reason else None
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _took_effect(status: NoticeStatus) -> bool:
    return status.took_effect


ADAPTER = Adapter(
    name="sais",
    version=VERSION,
    operations=(
        Operation(
            "GetPayments",
            request=GET_PAYMENTS_REQUEST,
            answer=GET_PAYMENTS_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            needs_open_stay="p12.8.13",
            answered=payments_answered,
        ),
        Operation(
            "NotifyCareStay",
            request=NOTIFY_CARE_STAY_REQUEST,
            answer=NOTIFY_CARE_STAY_ANSWER,
            repeat=Repeat.DEDUPES,
            subject="person_code",
            notice=Notice(
                follows=CareStay,
                recipient="vsaa",
                purpose="care-payment",
                rule="p18.7",
                arguments=notices,
                acknowledged=_took_effect,
            ),
            query=Query(
                "GetCareStayNotice",
                arguments=lambda message_id: {"message_id": message_id},
                took_effect=_took_effect,
            ),
        ),
        Operation(
            "GetCareStayNotice",
            request=GET_CARE_STAY_NOTICE_REQUEST,
            answer=GET_CARE_STAY_NOTICE_ANSWER,
            repeat=Repeat.DEDUPES,
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
        "changes-followed": "exempt: payments are asked by month, there is no change feed",
        "viss-profile": "done",
    },
)
