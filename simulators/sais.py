"""SAIS, pensions and benefits of VSAA: GetPayments, and what it is told of care stays.

Source: wsdl/sais/v1-1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal as Euro

from exchange import today_in_riga
from simulators import code_lists
from simulators.benefits import payments
from simulators.care_stays import EFFECT, CareStays, recalled
from simulators.control import Mode
from simulators.discovery import Simulator
from simulators.journal import NOTHING
from simulators.population import Population
from simulators.service import (
    NOT_FOUND,
    WRONG_REQUEST,
    Call,
    Model,
    application,
    coded,
    many,
    message_of,
    mode_of,
    no_such_code,
    note_effect,
    refusal,
    shared_types,
    subject,
    take_effect,
)
from wsdl import contract
from wsdl.spyne_compat import Boolean, ComplexModel, Date, Decimal, ServiceBase, Unicode, rpc

VERSION = "v1-1"
NAMESPACE = contract("sais", VERSION).namespace
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


class InstitucijaStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Nosaukums = Unicode
    Adrese = Unicode
    Regions = Unicode
    Veids = _TYPES.code


def sais(
    population: Population,
    today: Callable[[], date] = today_in_riga,
    stays: CareStays | None = None,
) -> Model:
    """The application of SAIS over a population; payments are made up to `today`, notices go to `stays`."""
    told = CareStays() if stays is None else stays

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

        @rpc(
            _TYPES.context,
            Unicode,
            _TYPES.code,
            Date,
            _TYPES.code,
            Date,
            _TYPES.code,
            InstitucijaStructure,
            _in_arg_names={
                "_context": "Konteksts",
                "code": "PersonasKods",
                "kind": "Veids",
                "entered_on": "IestasanasDatums",
                "_funding": "FinansejumaAvots",
                "ended_on": "BeiguDatums",
                "_reason": "BeiguIemesls",
                "institution": "Institucija",
            },
            _returns=(Unicode, Boolean),
            _out_variable_names=("ZinojumaId", "Apstradats"),
        )
        def NotifyCareStay(
            call: Call,
            _context: Model,
            code: str,
            kind: Model,
            entered_on: date,
            _funding: Model,
            ended_on: date | None,
            _reason: Model,
            institution: Model,
        ) -> tuple[str, bool]:
            leaves = kind.Kods == "LEAVE"
            if kind.Kods not in code_lists.CARE_STAY_NOTICES or leaves != (ended_on is not None):
                raise refusal(NAMESPACE, WRONG_REQUEST, "Ziņas veids un izbeigšanas datums nesader")
            # Whatever the answer will say, the notice is about the person that it names.
            person = population.by_code(code.replace("-", ""))
            if person is None:
                raise refusal(NAMESPACE, NOT_FOUND, "Persona ar šādu kodu nav atrasta")
            message_id = message_of(call)
            stay = (person.code, institution.Nosaukums, entered_on.isoformat())
            take_effect(call)
            effect = told.notify(message_id, stay, leaves=leaves)
            if effect is None:
                raise refusal(NAMESPACE, WRONG_REQUEST, "Par iestāšanos nav ziņots")
            note_effect(call, EFFECT if effect else NOTHING)
            return message_id, True

        @rpc(
            _TYPES.context,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "message_id": "ZinojumaId"},
            _returns=(Unicode, Boolean),
            _out_variable_names=("ZinojumaId", "Apstradats"),
        )
        def GetCareStayNotice(call: Call, _context: Model, message_id: str) -> tuple[str, bool]:
            return message_id, message_id in told.took_effect

    return application(Sais, "Sais", NAMESPACE)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:  # the schema allows the year 0000
        raise refusal(NAMESPACE, WRONG_REQUEST, "Nav tāda mēneša") from error


SIMULATOR = Simulator(
    lambda population, past: sais(population, stays=recalled(past.known, forgetful=past.forgetful)), VERSION
)
