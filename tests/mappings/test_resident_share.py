"""The resident's share: what stays, what is paid, to the cent, by the month's own rule."""

from __future__ import annotations

import dataclasses
import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ConfigurationError, InvalidRequest
from mappings.codes import PAYMENT_KIND, PAYMENT_STATUS
from mappings.resident_share import least_percent, lines, resident_share
from mappings.sais import Payment

MONTHS = [date(2019, 11, 1), date(2019, 12, 1), date(2020, 1, 1), date(2026, 5, 1)]
months = st.sampled_from(MONTHS)
euro = st.decimals(0, 5000, places=2).map(lambda value: value + 0)


def payment(kind: str, amount: str | Decimal, month: date = MONTHS[3], status: str = "PAID") -> Payment:
    return Payment(
        kind=PAYMENT_KIND[kind],
        counts_for_share=PAYMENT_KIND.flags["counts_for_share"][kind],
        amount=Decimal(amount),
        month=month,
        paid_on=None,
        status=PAYMENT_STATUS[status],
    )


payments = st.lists(
    st.builds(
        payment,
        st.sampled_from([code.code for code in PAYMENT_KIND]),
        euro,
        months,
        st.sampled_from([code.code for code in PAYMENT_STATUS]),
    ),
    max_size=8,
)


@given(payments, months, st.none() | euro)
def test_what_is_counted_is_paid_or_stays_and_enough_of_it_stays(
    made: list[Payment], month: date, cost: Decimal | None
) -> None:
    found = resident_share(made, month, cost)
    assert found.share + found.stays == found.counted
    assert found.share >= 0
    percent = 10 if month < date(2020, 1, 1) else 15
    assert found.stays * 100 >= found.counted * percent
    assert cost is None or found.share <= cost
    if cost is None or cost > found.share:  # what stays is no more than a cent above the least
        assert (found.stays - Decimal("0.01")) * 100 < found.counted * percent or found.counted == 0
    for value in (found.counted, found.share, found.stays):
        assert value == value.quantize(Decimal("0.01"))


@given(payments, months, st.none() | euro, st.randoms(use_true_random=False))
def test_only_what_counts_and_is_due_in_the_month_matters_in_any_order(
    made: list[Payment], month: date, cost: Decimal | None, chance: random.Random
) -> None:
    relevant = [
        one
        for one in made
        if one.month == month and one.counts_for_share and one.status.code in ("PAID", "GRANTED")
    ]
    shuffled = chance.sample(made, len(made))
    found = resident_share(shuffled, month, cost)
    assert found == resident_share(relevant, month, cost)
    assert found.counted == sum((one.amount for one in relevant), Decimal(0))


@given(payments, months, euro, euro)
def test_who_gets_more_keeps_no_less(made: list[Payment], month: date, more: Decimal, cost: Decimal) -> None:
    before = resident_share(made, month, cost)
    after = resident_share([*made, payment("OLD_AGE_PENSION", more, month)], month, cost)
    assert after.stays >= before.stays
    assert after.share >= before.share


def test_by_example() -> None:
    pension = [payment("OLD_AGE_PENSION", "400.01"), payment("PENSION_SUPPLEMENT", "30.00")]
    others = [
        payment("TRANSPORT_COMPENSATION", "79.68"),
        payment("FOREIGN_PENSION", "90.00", status="RETURNED"),
    ]
    found = resident_share([*pension, *others], date(2026, 5, 20))
    assert (found.month, found.counted) == (date(2026, 5, 1), Decimal("430.01"))
    assert (found.stays, found.share) == (Decimal("64.51"), Decimal("365.50"))
    cheap = resident_share(pension, date(2026, 5, 1), Decimal("200.00"))
    assert (cheap.share, cheap.stays) == (Decimal("200.00"), Decimal("230.01"))
    earlier = [dataclasses.replace(one, month=date(2019, 12, 1)) for one in pension]
    assert resident_share(earlier, date(2019, 12, 1)).stays == Decimal("43.01")
    assert resident_share([], date(2026, 5, 1)).share == 0


def test_the_rule_changes_with_the_month() -> None:
    assert [least_percent(month) for month in MONTHS] == [10, 10, 15, 15]
    assert least_percent(date(1991, 1, 1)) == 10


def test_a_cost_is_not_negative() -> None:
    with pytest.raises(InvalidRequest, match="cost"):
        resident_share([], date(2026, 5, 1), Decimal("-0.01"))


HEADS = "from_month\tpercent\twhat\n"


@pytest.mark.parametrize(
    "content",
    [
        "percent\n",
        HEADS,
        HEADS + "2020-01\t15\tx\n",
        HEADS + "\t10\tx\n\t15\tx\n",
        HEADS + "\t10\tx\n2021-01\t15\tx\n2020-01\t20\tx\n",
        HEADS + "\t101\tx\n",
        HEADS + "\ten\tx\n",
        HEADS + "\t10\n",
        HEADS + "\t10\tx\n2020-13\t15\tx\n",
    ],
)
def test_a_file_that_is_not_right_is_named_with_its_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "share.tsv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"share\.tsv"):
        lines(path)
