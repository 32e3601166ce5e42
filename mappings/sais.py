"""SAIS, pensions and benefits of VSAA: canonical records and mapping tables.

Source: wsdl/sais/v1-0, rules p12.8.3, p12.8.13, p17.12.
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
from mappings.fields import code, decimal, flag, many, month, nested, person_code
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


NAMESPACE = contract("sais").namespace


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
