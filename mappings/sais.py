"""SAIS, pensions and benefits of VSAA: canonical records and mapping tables.

Source: wsdl/sais/v1-0, rules p12.8.3, p12.8.13, p17.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from mappings.codes import Code


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
