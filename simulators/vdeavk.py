"""VDEAVK, disability: what holds on a day, and whose data changed.

Source: wsdl/vdeavk/v1-0.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from exchange import today_in_riga
from simulators import code_lists
from simulators.changes import behind
from simulators.control import Mode
from simulators.disability import Disability, disability, disability_changes
from simulators.discovery import Simulator
from simulators.households import Slot
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
from wsdl.spyne_compat import Boolean, ComplexModel, Date, ServiceBase, Unicode, rpc

NAMESPACE = contract("vdeavk").namespace
MOST_CHANGES = 100
_TYPES = shared_types(NAMESPACE)

_group = coded(_TYPES.code, code_lists.DISABILITY_GROUPS)
_cause = coded(_TYPES.code, code_lists.DISABILITY_CAUSES)


class AtzinumsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    IzsniegsanasDatums = Date
    Numurs = Unicode
    DerigsNo = Date
    DerigsLidz = Date


class InvaliditateStructure(ComplexModel):
    __namespace__ = NAMESPACE
    NoteiksanasDatums = Date
    Grupa = _TYPES.code
    NoteiktaLidz = Date
    ApliecibasNumurs = Unicode
    KustibuTraucejumi = Boolean
    RedzesTraucejumi = Boolean
    DzirdesTraucejumi = Boolean
    SmagiGarigieTraucejumi = Boolean
    CitiTraucejumi = Boolean
    Celonis = _TYPES.code
    IpasaKopsana = Boolean
    Atzinums = AtzinumsStructure


class IzmainaStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = Unicode
    MainitsDatums = Date


class IzmainasStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Izmaina = many(IzmainaStructure)


def vdeavk(population: Population, today: Callable[[], date] = today_in_riga) -> Model:
    """The application of VDEAVK over a population, with changes up to `today`."""

    class Vdeavk(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            Date,
            _in_arg_names={"_context": "Konteksts", "code": "PersonasKods", "day": "Datums"},
            _returns=(Unicode, Date, InvaliditateStructure),
            _out_variable_names=("PersonasKods", "Datums", "Invaliditate"),
        )
        def GetDisability(
            call: Call, _context: Model, code: str, day: date
        ) -> tuple[str, date, Model | None]:
            person = subject(call, population, NAMESPACE, code)
            found = disability(population, person)
            answer: Model = _invaliditate(found) if found is not None and found.holds(day, day) else None
            if mode_of(call) is Mode.UNKNOWN_CODE:
                answer = answer or _example(population)
                answer.Grupa = no_such_code(_TYPES.code)
            return person.code, day, answer

        @rpc(
            _TYPES.context,
            Date,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "since": "KopsDatuma", "cursor": "Kursors"},
            _returns=(IzmainasStructure, Unicode, Boolean),
            _out_variable_names=("Izmainas", "Kursors", "VelIr"),
        )
        def GetChanges(
            call: Call, _context: Model, since: date | None, cursor: str | None
        ) -> tuple[Model, str, bool]:
            if (since is None) == (cursor is None):
                raise refusal(NAMESPACE, WRONG_REQUEST, "Jānorāda diena vai kursors")
            begin = cursor or f"{since:%Y%m%d}"
            found = behind(disability_changes(population), begin, today())
            page = found[:MOST_CHANGES]
            made = [
                IzmainaStructure(PersonasKods=change.person.code, MainitsDatums=change.changed_on)
                for change in page
            ]
            after = page[-1].cursor if page else begin
            return IzmainasStructure(Izmaina=made), after, len(found) > len(page)

    return application(Vdeavk, "Vdeavk", NAMESPACE)


def _invaliditate(found: Disability) -> Model:
    movement, vision, hearing, mental, other = found.impairments
    opinion = found.opinion
    return InvaliditateStructure(
        NoteiksanasDatums=found.determined_on,
        Grupa=_group(found.group),
        NoteiktaLidz=found.valid_until,
        ApliecibasNumurs=found.certificate_no,
        KustibuTraucejumi=movement,
        RedzesTraucejumi=vision,
        DzirdesTraucejumi=hearing,
        SmagiGarigieTraucejumi=mental,
        CitiTraucejumi=other,
        Celonis=_cause(found.cause),
        IpasaKopsana=opinion is not None,
        Atzinums=opinion
        and AtzinumsStructure(
            IzsniegsanasDatums=opinion.issued_on,
            Numurs=opinion.number,
            DerigsNo=opinion.valid_from,
            DerigsLidz=opinion.valid_to,
        ),
    )


def _example(population: Population) -> Model:
    found = disability(population, population.person(Slot.DISABLED_ADULT))
    return found and _invaliditate(found)


SIMULATOR = Simulator(lambda population, _past: vdeavk(population))
