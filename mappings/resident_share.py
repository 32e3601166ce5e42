"""What a resident of long-term care pays of its cost, and what of the pension stays with him: `resident_share.tsv`.

Each line holds from its month on until the next: at least so many per cent stay. Which kinds of payment count, and
which payments are due, say the code lists `payment_kind` and `payment_status`. Source: p12.8.3.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from errors import ConfigurationError, InvalidRequest
from mappings.codes import PAYMENT_KIND, PAYMENT_STATUS
from mappings.sais import Payment

FILE = Path(__file__).parent / "resident_share.tsv"
_HEADS = ["from_month", "percent", "what"]
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Least:
    """What stays at least, in per cent, of the months from one on (its first day; None: always)."""

    from_month: date | None
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentShare:
    """A month in euro: what `counted` of its payments, what of that is paid for care, and what stays.

    `share` and `stays` make up `counted`. Source: p12.8.3.
    """

    month: date
    counted: Decimal
    share: Decimal
    stays: Decimal


def resident_share(
    payments: Iterable[Payment], month: date, cost: Decimal | None = None, path: Path = FILE
) -> ResidentShare:
    """The resident's own share of the cost of care in a month, from that month's payments in any order.

    At least the per cent of the month stay, rounded up to a cent; above that no more is paid than the care costs.
    Without `cost` the share is the most that may be asked.
    Raises: InvalidRequest when the cost is negative.
    """
    if cost is not None and cost < 0:
        raise InvalidRequest("the cost of care is not negative")
    first = month.replace(day=1)
    counted = sum((payment.amount for payment in payments if _counts(payment, first)), Decimal("0.00"))
    kept = (counted * least_percent(first, path) / 100).quantize(_CENT, ROUND_CEILING)
    share = counted - kept if cost is None else min(counted - kept, cost)
    return ResidentShare(month=first, counted=counted, share=share, stays=counted - share)


def least_percent(month: date, path: Path = FILE) -> Decimal:
    """How many per cent stay at least in a month."""
    return [line.percent for line in lines(path) if line.from_month is None or line.from_month <= month][-1]


@cache
def lines(path: Path = FILE) -> tuple[Least, ...]:
    """Every line, the oldest first, which has no month.

    Raises: ConfigurationError naming file and line.
    """
    found: list[Least] = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        for row in rows:
            line = _line(row, f"{path.name}, line {rows.line_num}")
            before = found[-1].from_month if found else None
            in_order = line.from_month is None if not found else line.from_month is not None
            if not in_order or (before and line.from_month and line.from_month <= before):
                raise ConfigurationError(
                    f"{path.name}, line {rows.line_num}: the first line has no month, each other a later one"
                )
            found.append(line)
    if not found:
        raise ConfigurationError(f"{path.name}: says nothing")
    return tuple(found)


def _line(row: list[str], where: str) -> Least:
    try:
        month, percent, _what = row
        line = Least(date.fromisoformat(f"{month}-01") if month else None, Decimal(percent))
    except (ValueError, InvalidOperation) as error:
        raise ConfigurationError(f"{where}: a month, per cent and what they are are wanted") from error
    if not 0 <= line.percent <= 100:
        raise ConfigurationError(f"{where}: from 0 to 100 per cent")
    return line


def _counts(payment: Payment, month: date) -> bool:
    kind, status = payment.kind.code, payment.status.code
    return (
        payment.month == month
        and PAYMENT_KIND.flags["counts_for_share"][kind]
        and PAYMENT_STATUS.flags["due"][status]
    )
