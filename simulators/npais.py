"""NPAIS, orphan-court decisions and children in out-of-family care, and the reports that it is told of them.

Source: wsdl/npais/v1-0.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import islice

from simulators import code_lists
from simulators.care import Decision, decided_since, decisions, placements
from simulators.control import Mode
from simulators.discovery import Simulator
from simulators.effects import Effects, had_effect
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
from wsdl.spyne_compat import Boolean, ComplexModel, Date, ServiceBase, Unicode, rpc

NAMESPACE = contract("npais").namespace
MOST_DECISIONS = 5_000
EFFECT = "write:ReportChildContact"
_TYPES = shared_types(NAMESPACE)

_kind = coded(_TYPES.code, code_lists.DECISION_KINDS)
_reason = coded(_TYPES.code, code_lists.STOP_REASONS)


class LemumsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = Unicode
    Numurs = Unicode
    Datums = Date
    Barintiesa = Unicode
    Veids = _TYPES.code
    SpekaNo = Date
    SpekaLidz = Date


class LemumiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Lemums = many(LemumsStructure)


class IevietosanaStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Iestade = Unicode
    IestasanasDatums = Date
    PartrauksanasDatums = Date
    PartrauksanasIemesls = _TYPES.code


class IevietosanasStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Ievietosana = many(IevietosanaStructure)


class KontaktsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    ArKo = _TYPES.code
    Veids = _TYPES.code
    Datums = Date
    Piezime = Unicode


class KontaktiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Kontakts = many(KontaktsStructure)


class ZinojumsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = Unicode
    Iestade = Unicode
    PeriodsNo = Date
    PeriodsLidz = Date
    SagatavotsDatums = Date
    Autors = Unicode
    Kontakti = KontaktiStructure
    SadarbibaArIestadi = Unicode
    FiziskaAttistiba = Unicode
    PsihosocialaAttistiba = Unicode


def npais(population: Population, effects: Effects | None = None) -> Model:
    """The application of NPAIS over a population, which knows by `effects` the reports that it was told.

    A known person without decisions has empty lists.
    """
    told = Effects() if effects is None else effects

    class Npais(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            Date,
            _in_arg_names={"_context": "Konteksts", "code": "PersonasKods", "since": "KopsDatuma"},
            _returns=(Unicode, Date, LemumiStructure),
            _out_variable_names=("PersonasKods", "KopsDatuma", "Lemumi"),
        )
        def GetDecisions(
            call: Call, _context: Model, code: str | None, since: date | None
        ) -> tuple[str | None, date | None, Model]:
            found: Iterable[Decision]
            if code is not None:
                person = subject(call, population, NAMESPACE, code)
                code, found = person.code, decisions(population, person)
            else:
                found = _since(population, since or date.min)
            made = [_lemums(decision) for decision in found]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                made = made or [_example(population)]
                made[-1].Veids = no_such_code(_TYPES.code)
            return code, since, LemumiStructure(Lemums=made)

        @rpc(
            _TYPES.context,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "code": "PersonasKods"},
            _returns=(Unicode, IevietosanasStructure),
            _out_variable_names=("PersonasKods", "Ievietosanas"),
        )
        def GetChildPlacement(call: Call, _context: Model, code: str) -> tuple[str, Model]:
            person = subject(call, population, NAMESPACE, code)
            made = [
                IevietosanaStructure(
                    Iestade=stay.institution,
                    IestasanasDatums=stay.entered_on,
                    PartrauksanasDatums=stay.stopped_on,
                    PartrauksanasIemesls=stay.stop_reason and _reason(stay.stop_reason),
                )
                for stay in placements(population, person)
            ]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                day = date(2024, 1, 31)
                made.append(
                    IevietosanaStructure(
                        Iestade="Bērnu aprūpes iestāde",
                        IestasanasDatums=day,
                        PartrauksanasDatums=day,
                        PartrauksanasIemesls=no_such_code(_TYPES.code),
                    )
                )
            return person.code, IevietosanasStructure(Ievietosana=made)

        @rpc(
            _TYPES.context,
            ZinojumsStructure,
            _in_arg_names={"_context": "Konteksts", "report": "Zinojums"},
            _returns=(Unicode, Boolean),
            _out_variable_names=("ZinojumaId", "Apstradats"),
        )
        def ReportChildContact(call: Call, _context: Model, report: Model) -> tuple[str, bool]:
            # Whatever the answer will say, the report is about the child that it names.
            if population.by_code(report.PersonasKods.replace("-", "")) is None:
                raise refusal(NAMESPACE, NOT_FOUND, "Persona ar šādu kodu nav atrasta")
            _see_that_it_is_whole(report)
            message_id = message_of(call)
            take_effect(call)
            note_effect(call, EFFECT if told.once(message_id, lambda: None) else NOTHING)
            return message_id, True

    return application(Npais, "Npais", NAMESPACE)


def _see_that_it_is_whole(report: Model) -> None:
    """Raises: Fault NEPAREIZS_PIEPRASIJUMS for a report with wrong days or a code that is in no list."""
    contacts = report.Kontakti.Kontakts if report.Kontakti else []
    right = report.PeriodsNo <= report.PeriodsLidz <= report.SagatavotsDatums and all(
        contact.ArKo.Kods in code_lists.CONTACT_PERSONS
        and contact.Veids.Kods in code_lists.CONTACT_KINDS
        and report.PeriodsNo <= contact.Datums <= report.PeriodsLidz
        for contact in contacts
    )
    if not right:
        raise refusal(NAMESPACE, WRONG_REQUEST, "Ziņojuma dienas vai kodi nesader")


def _since(population: Population, day: date) -> list[Decision]:
    """The decisions of a day or later, oldest first.

    Raises: Fault NEPAREIZS_PIEPRASIJUMS when there are too many for one answer.
    """
    found = list(islice(decided_since(population, day), MOST_DECISIONS + 1))
    if len(found) > MOST_DECISIONS:
        raise refusal(
            NAMESPACE, WRONG_REQUEST, f"Vairāk par {MOST_DECISIONS} lēmumiem; jāprasa no vēlākas dienas"
        )
    return sorted(found, key=lambda decision: (decision.decided_on, decision.person.index))


def _lemums(decision: Decision) -> Model:
    return LemumsStructure(
        PersonasKods=decision.person.code,
        Numurs=decision.number,
        Datums=decision.decided_on,
        Barintiesa=decision.court,
        Veids=_kind(decision.kind),
        SpekaNo=decision.effective_from,
        SpekaLidz=decision.effective_to,
    )


def _example(population: Population) -> Model:
    return _lemums(decisions(population, population.person(0))[0])


SIMULATOR = Simulator(
    lambda population, past: npais(population, Effects(past.forgetful, had_effect(past.known, EFFECT)))
)
