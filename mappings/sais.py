"""SAIS, pensions and benefits of VSAA, and the notices of care stays that it gets: records and mapping tables.

Source: wsdl/sais/v1-1, rules p12.8.3, p12.8.13, p17.12; p18.7 for the notices.
"""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from exchange import Context
from mappings import codes
from mappings.codes import Code
from mappings.context import context
from mappings.fields import boolean, code, decimal, flag, many, month, nested, person_code, text
from mappings.fields import date as day
from mappings.mapping import Mapping
from wsdl import contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A pension or benefit (maksājums) of one month. Amount in euro, two decimals; month as its first day.

    Source: p12.8.3.
    """

    kind: Code
    counts_for_share: bool
    amount: Decimal
    month: date
    paid_on: date | None
    status: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """The payments of one person over months, first and last included. Source: p12.8.3."""

    person_code: str
    from_month: date
    to_month: date
    payments: tuple[Payment, ...]


VERSION = "v1-1"
NAMESPACE = contract("sais", VERSION).namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPaymentsRequest:
    """Which person, over which months (GetPayments); left out, the twelve months that end with this one."""

    context: Context
    person_code: str
    from_month: date
    to_month: date


def _eleven_months_before(taken: abc.Mapping[str, object], today: date) -> date:
    last = taken.get("to_month", today)
    months = (last.year * 12 + last.month - 1 if isinstance(last, date) else 0) - 11
    return date(months // 12, months % 12 + 1, 1)


def _in_order(request: GetPaymentsRequest) -> str:
    return "from_month is after to_month" if request.from_month > request.to_month else ""


PAYMENT = Mapping(
    Payment,
    NAMESPACE,
    "Maksajums",
    (
        code("kind", "Veids", codes.PAYMENT_KIND, rule="p12.8.3", column="sais_payment.kind"),
        flag(
            "counts_for_share",
            of="kind",
            flag="counts_for_share",
            rule="p12.8.3",
            column="sais_payment.counts_for_share",
        ),
        decimal("amount", "Summa", places=2, rule="p12.8.3", column="sais_payment.amount"),
        month("month", "Menesis", rule="p12.8.3", column="sais_payment.month"),
        day("paid_on", "IzmaksasDatums", rule="p12.8.3", column="sais_payment.paid_on", optional=True),
        code("status", "Statuss", codes.PAYMENT_STATUS, rule="p12.8.3", column="sais_payment.status"),
    ),
)

GET_PAYMENTS_REQUEST = Mapping(
    GetPaymentsRequest,
    NAMESPACE,
    "GetPayments",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p8.3", asked=True),
        month("from_month", "NoMenesa", rule="p12.8.3", default=_eleven_months_before),
        month("to_month", "LidzMenesim", rule="p12.8.3", default=lambda _taken, today: today.replace(day=1)),
    ),
    request=True,
    check=_in_order,
)

# Person and months repeat what the caller asked: they leave whatever is granted.
GET_PAYMENTS_ANSWER = Mapping(
    Payments,
    NAMESPACE,
    "GetPaymentsResponse",
    (
        person_code(
            "person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code", always=True
        ),
        month("from_month", "NoMenesa", rule="p12.8.3", always=True),
        month("to_month", "LidzMenesim", rule="p12.8.3", always=True),
        many(nested("payments", "Maksajumi/Maksajums", PAYMENT)),
    ),
)


def payments_answered(request: GetPaymentsRequest, answer: Payments) -> str:
    """Which field of an answer does not belong to the request that it answers, or ""."""
    if (answer.from_month, answer.to_month) != (request.from_month, request.to_month):
        return "from_month, to_month"
    within = all(answer.from_month <= payment.month <= answer.to_month for payment in answer.payments)
    return "" if within else "payments[].month"


@dataclass(frozen=True, slots=True, kw_only=True)
class CareStayNotice:
    """A person entered (ENTER) or left (LEAVE) a care institution (NotifyCareStay).

    The same person, institution and first day are the same stay: a further ENTER takes the place of what was told
    before, an end included. Source: p12.8.2, p12.8.12, p12.8.14, p15^1.1.
    """

    context: Context
    person_code: str
    kind: Code
    entered_on: date
    funding_source: Code
    ended_on: date | None
    end_reason: Code | None
    institution: str
    institution_address: str
    region: str | None
    institution_kind: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStatus:
    """Whether the notice with a MessageID took effect (Apstradats)."""

    message_id: str
    took_effect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCareStayNoticeRequest:
    """Which notice, by its MessageID (GetCareStayNotice)."""

    context: Context
    message_id: str


def _whole(notice: CareStayNotice) -> str:
    leaves = notice.kind.code == "LEAVE"
    if leaves and notice.ended_on is None:
        return "LEAVE needs ended_on"
    if not leaves and (notice.ended_on is not None or notice.end_reason is not None):
        return "ENTER has no end"
    if notice.ended_on is not None and notice.ended_on < notice.entered_on:
        return "ended_on is before entered_on"
    return ""


NOTIFY_CARE_STAY_REQUEST = Mapping(
    CareStayNotice,
    NAMESPACE,
    "NotifyCareStay",
    (
        context(NAMESPACE),
        person_code("person_code", "PersonasKods", rule="p8.3", asked=True),
        code("kind", "Veids", codes.CARE_STAY_NOTICE, rule="p12.8.2"),
        day("entered_on", "IestasanasDatums", rule="p12.8.2"),
        code("funding_source", "FinansejumaAvots", codes.FUNDING_SOURCE, rule="p12.8.12"),
        day("ended_on", "BeiguDatums", rule="p12.8.14", optional=True),
        code("end_reason", "BeiguIemesls", codes.END_REASON, rule="p12.8.14", optional=True),
        text("institution", "Institucija/Nosaukums", rule="p15^1.1"),
        text("institution_address", "Institucija/Adrese", rule="p15^1.1"),
        text("region", "Institucija/Regions", rule="p15^1.1", optional=True),
        code("institution_kind", "Institucija/Veids", codes.INSTITUTION_KIND, rule="p15^1.1"),
    ),
    request=True,
    check=_whole,
)

_NOTICE_STATUS = (
    text("message_id", "ZinojumaId", rule="p19.2", always=True),
    boolean("took_effect", "Apstradats", rule="p19.2", always=True),
)

NOTIFY_CARE_STAY_ANSWER = Mapping(NoticeStatus, NAMESPACE, "NotifyCareStayResponse", _NOTICE_STATUS)

GET_CARE_STAY_NOTICE_REQUEST = Mapping(
    GetCareStayNoticeRequest,
    NAMESPACE,
    "GetCareStayNotice",
    (context(NAMESPACE), text("message_id", "ZinojumaId", rule="p19.2")),
    request=True,
)

GET_CARE_STAY_NOTICE_ANSWER = Mapping(NoticeStatus, NAMESPACE, "GetCareStayNoticeResponse", _NOTICE_STATUS)
