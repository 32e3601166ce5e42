"""VZD, the State Address Register over real rows: codes, search, what stands under an object, what it was before.

A code of a deleted or erroneous object resolves, with its status. Where a parent is not held the chain ends early and
the full address (STD) is there all the same.
Source: wsdl/vzd/v1-0.
"""

from __future__ import annotations

from simulators import code_lists
from simulators.addresses import ROOT, AddressRegister, Place, address_register
from simulators.control import Mode
from simulators.discovery import Simulator
from simulators.service import (
    NOT_FOUND,
    Call,
    Model,
    application,
    coded,
    many,
    mode_of,
    no_such_code,
    refusal,
    shared_types,
)
from wsdl import contract
from wsdl.spyne_compat import Boolean, ComplexModel, Date, Decimal, Integer, ServiceBase, Unicode, rpc

NAMESPACE = contract("vzd").namespace
_TYPES = shared_types(NAMESPACE)

_kind = coded(_TYPES.code, code_lists.PLACE_KINDS)
_status = coded(_TYPES.code, code_lists.PLACE_STATUSES)
_reason = coded(_TYPES.code, code_lists.SUCCESSION_REASONS)


class PosmsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    AdresesKods = Unicode
    Veids = _TYPES.code
    Nosaukums = Unicode


class KedeStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Posms = many(PosmsStructure)


class AdreseStructure(ComplexModel):
    __namespace__ = NAMESPACE
    AdresesKods = Unicode
    Veids = _TYPES.code
    Statuss = _TYPES.code
    PilnaAdrese = Unicode
    PastaIndekss = Unicode
    Atvk = Unicode
    SpekaNo = Date
    SpekaLidz = Date
    Platums = Decimal
    Garums = Decimal
    Kede = KedeStructure


class AdresesStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Adrese = many(AdreseStructure)


class LaikposmsStructure(ComplexModel):
    __namespace__ = NAMESPACE
    SpekaNo = Date
    SpekaLidz = Date
    PilnaAdrese = Unicode
    Statuss = _TYPES.code


class LaikposmiStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Laikposms = many(LaikposmsStructure)


class PectecisStructure(ComplexModel):
    __namespace__ = NAMESPACE
    AdresesKods = Unicode
    PilnaAdrese = Unicode
    Iemesls = _TYPES.code


class PecteciStructure(ComplexModel):
    __namespace__ = NAMESPACE
    Pectecis = many(PectecisStructure)


def vzd(register: AddressRegister | None = None) -> Model:
    """The application of VZD over the rows of the register."""
    rows = register or address_register()
    example = rows.resolvable()[0]

    class Vzd(ServiceBase):
        @rpc(
            _TYPES.context,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "code": "AdresesKods"},
            _returns=AdreseStructure,
            _out_variable_name="Adrese",
        )
        def ResolveCode(call: Call, _context: Model, code: str) -> Model:
            if code not in rows.places:
                raise refusal(NAMESPACE, NOT_FOUND, "Adrese ar šādu kodu nav atrasta")
            if mode_of(call) is Mode.OTHER_ANSWER:
                code = next(place.code for place in rows.resolvable() if place.code != code)
            answer = _adrese(rows, rows.places[code])
            if mode_of(call) is Mode.UNKNOWN_CODE:
                answer.Statuss = no_such_code(_TYPES.code)
            return answer

        @rpc(
            _TYPES.context,
            Unicode,
            Integer,
            _in_arg_names={"_context": "Konteksts", "text": "Teksts", "limit": "Skaits"},
            _returns=(Unicode, AdresesStructure),
            _out_variable_names=("Teksts", "Adreses"),
        )
        def SearchAddress(call: Call, _context: Model, text: str, limit: int) -> tuple[str, Model]:
            if mode_of(call) is Mode.OTHER_ANSWER:
                text = example.text
            made = [_adrese(rows, place) for place in rows.search(text, limit)]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                made = made or [_adrese(rows, example)]
                made[0].Statuss = no_such_code(_TYPES.code)
            return text, AdresesStructure(Adrese=made)

        @rpc(
            _TYPES.context,
            Unicode,
            Boolean,
            Integer,
            Integer,
            _in_arg_names={
                "_context": "Konteksts",
                "code": "AdresesKods",
                "ended": "ArIzbeigtiem",
                "limit": "Skaits",
                "offset": "Izlaist",
            },
            _returns=(Unicode, AdresesStructure, Boolean),
            _out_variable_names=("AdresesKods", "Adreses", "VelIr"),
        )
        def GetChildren(
            call: Call, _context: Model, code: str, ended: bool, limit: int, offset: int
        ) -> tuple[str, Model, bool]:
            if code not in rows.places and code != ROOT:
                raise refusal(NAMESPACE, NOT_FOUND, "Adrese ar šādu kodu nav atrasta")
            if mode_of(call) is Mode.OTHER_ANSWER:
                code = example.parent
            found = rows.children(code, ended=ended)
            made = [_adrese(rows, place) for place in found[offset : offset + limit]]
            if mode_of(call) is Mode.UNKNOWN_CODE:
                made = made or [_adrese(rows, example)]
                made[0].Statuss = no_such_code(_TYPES.code)
            return code, AdresesStructure(Adrese=made), len(found) > offset + limit

        @rpc(
            _TYPES.context,
            Unicode,
            _in_arg_names={"_context": "Konteksts", "code": "AdresesKods"},
            _returns=(Unicode, LaikposmiStructure, PecteciStructure),
            _out_variable_names=("AdresesKods", "Laikposmi", "Pecteci"),
        )
        def GetHistory(call: Call, _context: Model, code: str) -> tuple[str, Model, Model | None]:
            if code not in rows.places:
                raise refusal(NAMESPACE, NOT_FOUND, "Adrese ar šādu kodu nav atrasta")
            if mode_of(call) is Mode.OTHER_ANSWER:
                code = next(place.code for place in rows.resolvable() if place.code != code)
            spans = _spans(rows, code)
            if mode_of(call) is Mode.UNKNOWN_CODE:
                spans[0].Statuss = no_such_code(_TYPES.code)
            after = [
                PectecisStructure(AdresesKods=place.code, PilnaAdrese=place.text, Iemesls=_reason("REPLACED"))
                for place in rows.successors(code)
            ]
            return (
                code,
                LaikposmiStructure(Laikposms=spans),
                PecteciStructure(Pectecis=after) if after else None,
            )

    return application(Vzd, "Vzd", NAMESPACE)


def _spans(rows: AddressRegister, code: str) -> list[Model]:
    """The spans of an object: it existed in all but the last, which has the present status."""
    held = rows.spans(code)
    return [
        LaikposmsStructure(
            SpekaNo=span.valid_from,
            SpekaLidz=span.valid_to,
            PilnaAdrese=span.text,
            Statuss=_status(rows.places[code].status if span is held[-1] else "EKS"),
        )
        for span in held
    ]


def _adrese(rows: AddressRegister, place: Place) -> Model:
    chain = rows.chain(place.code)
    return AdreseStructure(
        AdresesKods=place.code,
        Veids=_kind(place.kind),
        Statuss=_status(place.status),
        PilnaAdrese=place.text,
        PastaIndekss=place.postcode,
        Atvk=next((link.atvk for link in chain if link.atvk), None),
        SpekaNo=place.valid_from,
        SpekaLidz=place.valid_to,
        Platums=place.north,
        Garums=place.east,
        Kede=KedeStructure(
            Posms=[
                PosmsStructure(AdresesKods=link.code, Veids=_kind(link.kind), Nosaukums=link.name)
                for link in chain
            ]
        ),
    )


SIMULATOR = Simulator(lambda _population, _past: vzd())
