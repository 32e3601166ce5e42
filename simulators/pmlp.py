"""PMLP, the Register of Natural Persons: persons one by one and in sets, whose changes are followed, what changed.

Source: wsdl/pmlp/v1-0.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from exchange import today_in_riga
from simulators import code_lists
from simulators.changes import Change, behind, changes
from simulators.control import Mode
from simulators.discovery import Simulator
from simulators.effects import Effects
from simulators.journal import NOTHING
from simulators.population import Person, Population
from simulators.residents import addresses, representatives
from simulators.service import (
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

NAMESPACE = contract("pmlp").namespace
MOST_CHANGES = 100
_TYPES = shared_types(NAMESPACE)

_data_set = coded(_TYPES.code, code_lists.DATA_SETS)
_sex = coded(_TYPES.code, code_lists.SEXES)
_nationality_kind = coded(_TYPES.code, code_lists.NATIONALITY_KINDS)
_status = coded(_TYPES.code, code_lists.REGISTRY_STATUSES)
_representative = coded(_TYPES.code, code_lists.REPRESENTATIVE_KINDS)
_document = coded(_TYPES.code, code_lists.DOCUMENT_KINDS)
_address = coded(_TYPES.code, code_lists.ADDRESS_KINDS)
_relation = coded(_TYPES.code, code_lists.RELATIONS)


class DatuKopasStructure(ComplexModel):
    __namespace__ = NAMESPACE
    DatuKopa = _TYPES.codes


class ParstavisStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = Unicode
    Veids = _TYPES.code


class ParstavjiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Parstavis = many(ParstavisStructure)


class DokumentsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Veids = _TYPES.code
    Numurs = Unicode
    IzdosanasDatums = Date
    DerigsLidz = Date
    IzdevejaValsts = Unicode
    Izdevejiestade = Unicode


class DokumentiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Dokuments = many(DokumentsStructure)


class AdreseStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Veids = _TYPES.code
    AdresesKods = Unicode
    Teksts = Unicode


class AdresesStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Adrese = many(AdreseStructure)


class GimenesLoceklisStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Radnieciba = _TYPES.code
    PersonasKods = Unicode
    Vards = many(Unicode)
    Uzvards = Unicode


class GimeneStructure(ComplexModel):
    __namespace__ = NAMESPACE
    GimenesLoceklis = many(GimenesLoceklisStructure)


class PersonaStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Vards = many(Unicode)
    Uzvards = Unicode
    PersonasKods = Unicode
    DzimsanasDatums = Date
    Dzimums = _TYPES.code
    ValstiskaPiederiba = Unicode
    ValstiskasPiederibasVeids = _TYPES.code
    Miris = Boolean
    MirsanasDatums = Date
    RicibspejaIerobezota = Boolean
    RicibspejasParskatisanasDatums = Date
    TiesiskaisStatuss = _TYPES.code
    Parstavji = ParstavjiStructure
    Dokumenti = DokumentiStructure
    Adreses = AdresesStructure
    Gimene = GimeneStructure


class PersonasKodiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = many(Unicode)


class IerakstsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PrasitaisKods = Unicode
    Atrasts = Boolean
    Persona = PersonaStructure


class IerakstiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Ieraksts = many(IerakstsStructure)


class AbonementsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = Unicode
    Seko = Boolean


class AbonementiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Abonements = many(AbonementsStructure)


class IzmainaStructure(ComplexModel):
    __namespace__ = NAMESPACE
    PersonasKods = Unicode
    IepriekssejaisKods = Unicode
    MainitsDatums = Date
    DatuKopas = DatuKopasStructure


class IzmainasStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Izmaina = many(IzmainaStructure)


def pmlp(population: Population, today: Callable[[], date] = today_in_riga) -> Model:
    """The application of PMLP over a population, with changes up to `today`.

    It forgets when it ends: who was followed has to be subscribed again.
    """
    told = Effects()
    followed: dict[int, Person] = {}

    class Pmlp(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            DatuKopasStructure,
            _in_arg_names={"_context": "Konteksts", "code": "PersonasKods", "data_sets": "DatuKopas"},
            _returns=(DatuKopasStructure, PersonaStructure),
            _out_variable_names=("DatuKopas", "Persona"),
        )
        def GetPerson(call: Call, _context: Model, code: str, data_sets: Model) -> tuple[Model, Model]:
            wanted = [item.Kods for item in data_sets.DatuKopa]
            if not set(wanted) <= set(code_lists.DATA_SETS):
                raise refusal(NAMESPACE, WRONG_REQUEST, "Nezināma datu kopa")
            person = subject(call, population, NAMESPACE, code)
            answer = _persona(population, person, frozenset(wanted))
            if mode_of(call) is Mode.UNKNOWN_CODE:
                answer.Dzimums = no_such_code(_TYPES.code)
            return DatuKopasStructure(DatuKopa=[_data_set(value) for value in wanted]), answer

        @rpc(
            _TYPES.context,
            PersonasKodiStructure,
            DatuKopasStructure,
            _in_arg_names={"_context": "Konteksts", "codes": "PersonasKodi", "data_sets": "DatuKopas"},
            _returns=(DatuKopasStructure, IerakstiStructure),
            _out_variable_names=("DatuKopas", "Ieraksti"),
        )
        def GetPersonSet(call: Call, _context: Model, codes: Model, data_sets: Model) -> tuple[Model, Model]:
            wanted = [item.Kods for item in data_sets.DatuKopa]
            if not set(wanted) <= set(code_lists.DATA_SETS):
                raise refusal(NAMESPACE, WRONG_REQUEST, "Nezināma datu kopa")
            sets = frozenset(wanted)
            made = [_entry(call, population, code, sets) for code in codes.PersonasKods]
            if mode_of(call) is Mode.OTHER_ANSWER:
                made[0].PrasitaisKods = population.other(population.person(0)).code
            delivered = [_data_set(value) for value in wanted]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                delivered.append(no_such_code(_TYPES.code))
            return DatuKopasStructure(DatuKopa=delivered), IerakstiStructure(Ieraksts=made)

        @rpc(
            _TYPES.context,
            PersonasKodiStructure,
            _in_arg_names={"_context": "Konteksts", "codes": "PersonasKodi"},
            _returns=AbonementiStructure,
            _out_variable_name="Abonementi",
        )
        def Subscribe(call: Call, _context: Model, codes: Model) -> Model:
            known = _known(population, codes.PersonasKods)
            _once(call, "Subscribe", lambda: followed.update(known))
            return _subscriptions(population, codes.PersonasKods, followed)

        @rpc(
            _TYPES.context,
            PersonasKodiStructure,
            _in_arg_names={"_context": "Konteksts", "codes": "PersonasKodi"},
            _returns=AbonementiStructure,
            _out_variable_name="Abonementi",
        )
        def Unsubscribe(call: Call, _context: Model, codes: Model) -> Model:
            def forget() -> None:
                for index in _known(population, codes.PersonasKods):
                    followed.pop(index, None)

            _once(call, "Unsubscribe", forget)
            return _subscriptions(population, codes.PersonasKods, followed)

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
            persons = tuple(followed.values())
            every = (change for person in persons for change in changes(population, person))
            found = behind(every, begin, today())
            page = found[:MOST_CHANGES]
            made = [_izmaina(change) for change in page]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                made = made or [_izmaina(_example(population))]
                made[0].DatuKopas.DatuKopa.append(no_such_code(_TYPES.code))
            return (
                IzmainasStructure(Izmaina=made),
                page[-1].cursor if page else begin,
                len(found) > len(page),
            )

    def _once(call: Call, operation: str, act: Callable[[], None]) -> None:
        take_effect(call)
        note_effect(call, f"write:{operation}" if told.once(message_of(call), act) else NOTHING)

    return application(Pmlp, "Pmlp", NAMESPACE)


def _known(population: Population, codes: list[str]) -> dict[int, Person]:
    """Those of the codes that are somebody's."""
    found = (population.by_code(code.replace("-", "")) for code in codes)
    return {person.index: person for person in found if person is not None}


def _entry(call: Call, population: Population, code: str, sets: frozenset[str]) -> Model:
    if population.by_code(code.replace("-", "")) is None:
        return IerakstsStructure(PrasitaisKods=code, Atrasts=False)
    persona = _persona(population, subject(call, population, NAMESPACE, code), sets)
    return IerakstsStructure(PrasitaisKods=code, Atrasts=True, Persona=persona)


def _subscriptions(population: Population, codes: list[str], followed: dict[int, Person]) -> Model:
    made = []
    for code in codes:
        person = population.by_code(code.replace("-", ""))
        seen = person is not None and person.index in followed
        made.append(AbonementsStructure(PersonasKods=code, Seko=seen))
    return AbonementiStructure(Abonements=made)


def _izmaina(change: Change) -> Model:
    return IzmainaStructure(
        PersonasKods=change.person.code,
        IepriekssejaisKods=change.previous_code,
        MainitsDatums=change.changed_on,
        DatuKopas=DatuKopasStructure(DatuKopa=[_data_set(value) for value in change.data_sets]),
    )


def _example(population: Population) -> Change:
    return next(change for person in population for change in changes(population, person))


def _persona(population: Population, person: Person, sets: frozenset[str]) -> Model:
    answer: Model = PersonaStructure(
        Vards=list(person.given_names), Uzvards=person.family_name, PersonasKods=person.code
    )
    if "IDENTITY" in sets:
        answer.DzimsanasDatums = person.birth_date
        answer.Dzimums = _sex(person.sex)
        answer.ValstiskaPiederiba = person.nationality
        answer.ValstiskasPiederibasVeids = _nationality_kind(person.nationality_kind)
        answer.Miris = person.died_on is not None
        answer.MirsanasDatums = person.died_on
        answer.RicibspejaIerobezota = person.capacity_review is not None
        answer.RicibspejasParskatisanasDatums = person.capacity_review
        answer.TiesiskaisStatuss = _status(person.status)
    if "REPRESENTATIVES" in sets:
        answer.Parstavji = ParstavjiStructure(
            Parstavis=[
                ParstavisStructure(PersonasKods=other.code, Veids=_representative(kind))
                for kind, other in representatives(population, person)
            ]
        )
    if "DOCUMENTS" in sets:
        answer.Dokumenti = DokumentiStructure(
            Dokuments=[
                DokumentsStructure(
                    Veids=_document(document.kind),
                    Numurs=document.number,
                    IzdosanasDatums=document.issued_on,
                    DerigsLidz=document.valid_to,
                    IzdevejaValsts=document.country,
                    Izdevejiestade=document.authority,
                )
                for document in population.documents(person)
            ]
        )
    if "ADDRESSES" in sets:
        answer.Adreses = AdresesStructure(
            Adrese=[
                AdreseStructure(Veids=_address(kind), AdresesKods=code, Teksts=text)
                for kind, code, text in addresses(population, person)
            ]
        )
    if "FAMILY" in sets:
        answer.Gimene = GimeneStructure(
            GimenesLoceklis=[
                GimenesLoceklisStructure(
                    Radnieciba=_relation(relation.name),
                    PersonasKods=other.code,
                    Vards=list(other.given_names),
                    Uzvards=other.family_name,
                )
                for relation, other in population.family(person)
            ]
        )
    return answer


SIMULATOR = Simulator(lambda population, _past: pmlp(population))
