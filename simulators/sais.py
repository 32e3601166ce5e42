"""SAIS, pensions and benefits of VSAA: GetPayments.

Source: wsdl/sais/v1-0.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal as Euro

from exchange import today_in_riga
from simulators import code_lists
from simulators.benefits import payments
from simulators.control import Mode
from simulators.population import Population
from simulators.service import (
    WRONG_REQUEST,
    Call,
    Model,
    application,
    coded,
    many,
    mode_of,
    no_such_code,
    refusal,
    shared_types,
    subject,
)
from wsdl import contract
from wsdl.spyne_compat import ComplexModel, Date, Decimal, ServiceBase, Unicode, rpc

NAMESPACE = contract("sais").namespace
MOST_MONTHS = 120
_TYPES = shared_types(NAMESPACE)

_kind = coded(_TYPES.code, code_lists.PAYMENT_KINDS)
_status = coded(_TYPES.code, code_lists.PAYMENT_STATUSES)


class MaksajumsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Veids = _TYPES.code
    Summa = Decimal
    Menesis = Unicode
    IzmaksasDatums = Date
    Statuss = _TYPES.code


class MaksajumiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Maksajums = many(MaksajumsStructure)


def sais(population: Population, today: Callable[[], date] = today_in_riga) -> Model:
    """The application of SAIS over a population; payments are made up to `today`."""

    class Sais(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            Unicode,
            Unicode,
            _in_arg_names={
                "_context": "Konteksts",
                "code": "PersonasKods",
                "from_month": "NoMenesa",
                "to_month": "LidzMenesim",
            },
            _returns=(Unicode, Unicode, Unicode, MaksajumiStructure),
            _out_variable_names=("PersonasKods", "NoMenesa", "LidzMenesim", "Maksajumi"),
        )
        def GetPayments(
            call: Call, _context: Model, code: str, from_month: str, to_month: str
        ) -> tuple[str, str, str, Model]:
            first, last = _month(from_month), _month(to_month)
            months = (last.year - first.year) * 12 + last.month - first.month + 1
            if not 1 <= months <= MOST_MONTHS:
                raise refusal(
                    NAMESPACE, WRONG_REQUEST, f"No 1 līdz {MOST_MONTHS} mēnešiem, pirmais pirms pēdējā"
                )
            person = subject(call, population, NAMESPACE, code)
            made = [
                MaksajumsStructure(
                    Veids=_kind(payment.kind),
                    Summa=payment.amount,
                    Menesis=f"{payment.month:%Y-%m}",
                    IzmaksasDatums=payment.paid_on,
                    Statuss=_status(payment.status),
                )
                for payment in payments(population, person, first, last, today=today())
            ]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                kind = no_such_code(_TYPES.code)
                made.append(
                    MaksajumsStructure(
                        Veids=kind, Summa=Euro("1.00"), Menesis=to_month, Statuss=_status("GRANTED")
                    )
                )
            return person.code, from_month, to_month, MaksajumiStructure(Maksajums=made)

    return application(Sais, "Sais", NAMESPACE)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:  # the schema allows the year 0000
        raise refusal(NAMESPACE, WRONG_REQUEST, "Nav tāda mēneša") from error
