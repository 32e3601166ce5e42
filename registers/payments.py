"""The register of pensions and benefits, as SAIS pays them. Amounts in euro, months by their first day.

Source: p12.8.3, p17.12.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Boolean, Connection, Date, Text

from exchange import Provenance
from mappings.codes import PAYMENT_KIND, PAYMENT_STATUS
from mappings.sais import Payments
from registers.history import Exact, Fed, Month, Values, field, replace, versioned
from registers.persons import person_of
from registers.reading import Register

PAYMENT = versioned(
    "sais",
    "payment",
    field("kind", Text(), rule="p12.8.3", codes=PAYMENT_KIND),
    field("counts_for_share", Boolean(), rule="p12.8.3"),
    field("amount", Exact(), rule="p12.8.3"),
    field("month", Month(), rule="p12.8.3"),
    field("paid_on", Date(), rule="p12.8.3", optional=True),
    field("status", Text(), rule="p12.8.3", codes=PAYMENT_STATUS),
)

REGISTERS = (
    Register(
        name="payments",
        table=PAYMENT,
        source="sais",
        criteria={
            name: PAYMENT.c[name] for name in ("kind", "counts_for_share", "month", "paid_on", "status")
        },
        order=("month", "kind"),
    ),
)


def feed_payments(connection: Connection, answer: Payments, provenance: Provenance) -> Fed:
    """Keep the payments of the months asked about; other months stay as they are."""
    owner = {"person_id": person_of(connection, answer.person_code, provenance)}
    rows: list[Values] = [
        {
            "kind": payment.kind.code,
            "counts_for_share": payment.counts_for_share,
            "amount": payment.amount,
            "month": payment.month,
            "paid_on": payment.paid_on,
            "status": payment.status.code,
        }
        for payment in answer.payments
    ]

    def asked(row: Values) -> bool:
        month = row["month"]
        return isinstance(month, date) and answer.from_month <= month <= answer.to_month

    return replace(connection, PAYMENT, owner, rows, provenance, key=("kind", "month"), within=asked)


FEEDS = {Payments: feed_payments}
