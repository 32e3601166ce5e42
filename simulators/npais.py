"""NPAIS, orphan-court decisions and children in out-of-family care: GetDecisions, GetChildPlacement.

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
from wsdl.spyne_compat import ComplexModel, Date, ServiceBase, Unicode, rpc

NAMESPACE = contract("npais").namespace
MOST_DECISIONS = 5_000
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


def npais(population: Population) -> Model:
    """The application of NPAIS over a population. A known person without decisions has empty lists."""

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

    return application(Npais, "Npais", NAMESPACE)


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


SIMULATOR = Simulator(lambda population, _past: npais(population))
