"""What a mapping table does not know is refused with its path, and no value of the message is in the error."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from lxml import etree

from errors import (
    ConfigurationError,
    GatewayError,
    InvalidPersonCode,
    InvalidRequest,
    SchemaViolation,
    UnexpectedElement,
    UnknownCode,
)
from exchange import Context, Environment, Official
from mappings import codes
from mappings.codes import Code
from mappings.fields import boolean, code, flag, many, nested, text
from mappings.mapping import Mapping
from mappings.pmlp import DOCUMENT, GET_PERSON_ANSWER, GET_PERSON_REQUEST, NAMESPACE, Person
from security.xml import parse
from wsdl import contract

ANSWER = f"""<GetPersonResponse xmlns="{NAMESPACE}">
  <DatuKopas><DatuKopa><Kods>IDENTITY</Kods><Nosaukums>Identitātes dati</Nosaukums></DatuKopa></DatuKopas>
  <Persona>
    <Vards>Ilze</Vards><Vards>Anna</Vards>
    <Uzvards>Paraudziņa</Uzvards>
    <PersonasKods>32123412345</PersonasKods>
    <DzimsanasDatums>1990-02-03</DzimsanasDatums>
    <Dzimums><Kods>F</Kods><Nosaukums>cits teksts</Nosaukums></Dzimums>
    <Dokumenti><Dokuments>
      <Veids><Kods>EID</Kods><Nosaukums>Personas apliecība</Nosaukums></Veids>
      <Numurs>PA0000001</Numurs><IzdosanasDatums>2020-01-01</IzdosanasDatums>
      <IzdevejaValsts>LVA</IzdevejaValsts><Izdevejiestade>PMLP</Izdevejiestade>
    </Dokuments></Dokumenti>
  </Persona>
</GetPersonResponse>"""


CONTEXT = Context("p", "p8", Official("u", "i", "r"), "", uuid.UUID(int=1), Environment.TEST)


def read(message: str) -> Person:
    return GET_PERSON_ANSWER.read(parse(message.encode()))


def test_the_text_of_the_list_counts_and_the_code_gets_its_canonical_form() -> None:
    person = read(ANSWER)
    assert person.sex == Code("F", "Sieviete", "Female")
    assert person.person_code == "321234-12345"
    assert person.given_names == ("Ilze", "Anna")
    assert person.documents[0].valid_to is None
    assert person.data_sets == ("IDENTITY",)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("<Uzvards>", "<Foo>x</Foo><Uzvards>", "/GetPersonResponse/Persona/Foo"),
        ("<Uzvards>", '<Uzvards xmlns="urn:other">', "/GetPersonResponse/Persona/Uzvards"),
        ("<Uzvards>Paraudziņa</Uzvards>", "", "/GetPersonResponse/Persona/Uzvards: missing"),
        ("<Uzvards>Paraudziņa</Uzvards>", "<Uzvards/>", "/GetPersonResponse/Persona/Uzvards: empty"),
        ("</Uzvards>", "</Uzvards><Uzvards>Cita</Uzvards>", "/GetPersonResponse/Persona/Uzvards"),
        ("<Uzvards>Paraudziņa", "<Uzvards>Par<b>au</b>dziņa", "/GetPersonResponse/Persona/Uzvards/b"),
        ("</Uzvards>", "</Uzvards><Vards>Vēlais</Vards>", "/GetPersonResponse/Persona/Vards"),
        ("<Uzvards>", '<Uzvards secret="x">', "/GetPersonResponse/Persona/Uzvards"),
        ("<Persona>", '<Persona secret="x">', "/GetPersonResponse/Persona/@secret"),
        ("<Persona>", "<Persona>Slepens", "/GetPersonResponse/Persona: text"),
        ("</Uzvards>", "</Uzvards>Slepens", "/GetPersonResponse/Persona: text"),
        ("1990-02-03", "1990-02-31", "/GetPersonResponse/Persona/DzimsanasDatums"),
        ("1990-02-03", "1990-02-03Z", "/GetPersonResponse/Persona/DzimsanasDatums"),
        ("32123412345", "3212341234", "/GetPersonResponse/Persona/PersonasKods"),
        (
            "<Nosaukums>cits teksts</Nosaukums>",
            "",
            "/GetPersonResponse/Persona/Dzimums: a code with its text",
        ),
        ("<Numurs>PA0000001</Numurs>", "", "/GetPersonResponse/Persona/Dokumenti/Dokuments/Numurs: missing"),
        ("</Dokumenti>", "</Dokumenti><Dokumenti/>", "/GetPersonResponse/Persona/Dokumenti"),
        (
            "<DatuKopas>",
            "<DatuKopas></DatuKopas><DatuKopas>",
            "/GetPersonResponse/DatuKopas/DatuKopa: missing",
        ),
    ],
)
def test_what_is_not_in_the_table_is_refused_with_its_path(old: str, new: str, path: str) -> None:
    assert old in ANSWER
    with pytest.raises(UnexpectedElement) as caught:
        read(ANSWER.replace(old, new, 1))
    assert caught.value.detail.startswith(path)
    _tells_no_value(caught.value)


def test_an_unknown_code_is_refused_without_telling_it() -> None:
    with pytest.raises(UnknownCode) as caught:
        read(ANSWER.replace("<Kods>F<", "<Kods>HOROSCOPE<"))
    assert caught.value.detail == "/GetPersonResponse/Persona/Dzimums"
    _tells_no_value(caught.value)


def test_an_answer_to_another_operation_is_refused() -> None:
    with pytest.raises(UnexpectedElement, match="/GetDisabilityResponse"):
        read(ANSWER.replace("GetPersonResponse", "GetDisabilityResponse"))


def test_paths_begin_at_the_element_that_was_read_wherever_it_hangs() -> None:
    envelope = parse(f"<Envelope><Body>{ANSWER}</Body></Envelope>".encode())
    envelope[0][0][1][0].tag = "Foo"
    with pytest.raises(UnexpectedElement) as caught:
        GET_PERSON_ANSWER.read(envelope[0][0])
    assert caught.value.detail == "/GetPersonResponse/Persona/Foo"


def test_a_wrong_request_is_the_callers_fault() -> None:
    request = f'<GetPerson xmlns="{NAMESPACE}"><PersonasKods>32123412345</PersonasKods></GetPerson>'
    with pytest.raises(SchemaViolation, match="/GetPerson/Konteksts: missing"):
        GET_PERSON_REQUEST.read(parse(request.encode()))


def test_a_value_that_xml_cannot_carry_is_refused_by_name() -> None:
    person = Person(
        given_names=("A",), family_name="B\x00", person_code="321234-12345", data_sets=("IDENTITY",)
    )
    with pytest.raises(InvalidRequest, match="family_name"):
        GET_PERSON_ANSWER.write(person)


@pytest.mark.parametrize(
    ("arguments", "error", "detail"),
    [
        ({}, InvalidRequest, "person_code is missing"),
        ({"person_code": "321234-12345"}, InvalidRequest, "data_sets is missing"),
        ({"person_code": "123", "data_sets": ["IDENTITY"]}, InvalidPersonCode, ""),
        ({"person_code": "991399-12345", "data_sets": ["IDENTITY"]}, InvalidPersonCode, "no date"),
        ({"person_code": 32123412345, "data_sets": ["IDENTITY"]}, InvalidPersonCode, ""),
        ({"person_code": "321234-12345", "data_sets": []}, InvalidRequest, "data_sets is missing"),
        (
            {"person_code": "321234-12345", "data_sets": ["STARS"]},
            InvalidRequest,
            "data_sets[]: a code of the",
        ),
        ({"person_code": "321234-12345", "data_sets": {"a": 1}}, InvalidRequest, "data_sets: a list"),
        ({"person_code": "321234-12345", "star": 1}, InvalidRequest, "star is not known"),
        ({"321234-12345": 1}, InvalidRequest, "an argument is not known"),
        ({"context": {}}, InvalidRequest, "context is not known"),
    ],
)
def test_wrong_arguments_are_named_and_not_repeated(
    arguments: dict[str, object], error: type[GatewayError], detail: str
) -> None:
    with pytest.raises(error) as caught:
        GET_PERSON_REQUEST.from_json(arguments, CONTEXT)
    assert detail in caught.value.detail
    assert "12345" not in str(caught.value)
    assert "STARS" not in str(caught.value)


def test_a_container_left_and_entered_again_is_refused_when_declared() -> None:
    fields = (text("a", "Box/A", rule="p8"), text("b", "B", rule="p8"), text("c", "Box/C", rule="p8"))
    with pytest.raises(ConfigurationError, match="Box"):
        Mapping(dict, "urn:x", "X", fields)


def test_a_flag_needs_a_list_that_has_it() -> None:
    fields = (
        code("kind", "Kind", codes.SEX, rule="p8"),
        flag("counts", of="kind", flag="counts", rule="p8"),
    )
    with pytest.raises(ConfigurationError, match="counts"):
        Mapping(dict, "urn:x", "X", fields)


@dataclass(frozen=True)
class Note:
    """A record for the rules that no contract needs yet."""

    sure: bool | None
    texts: tuple[str, ...]


NOTE = Mapping(
    Note,
    "urn:x",
    "Note",
    (
        boolean("sure", "Sure", rule="p8", nillable=True, optional=False),
        many(text("texts", "Texts/Text", rule="p8")),
    ),
)
NIL = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil'


def test_nil_is_read_and_written_where_it_is_declared_and_refused_elsewhere() -> None:
    assert NOTE.read(parse(f'<Note xmlns="urn:x"><Sure {NIL}="true"/><Texts/></Note>'.encode())) == Note(
        None, ()
    )
    assert NOTE.read(NOTE.write(Note(None, ("a",)))) == Note(None, ("a",))
    for message in (
        f'<Note xmlns="urn:x"><Sure {NIL}="true">true</Sure><Texts/></Note>',
        f'<Note xmlns="urn:x"><Sure {NIL}="maybe"/><Texts/></Note>',
        f'<Note xmlns="urn:x"><Sure>true</Sure><Texts><Text {NIL}="true"/></Texts></Note>',
        f'<Note xmlns="urn:x"><Sure>true</Sure><Texts {NIL}="true"/></Note>',
    ):
        with pytest.raises(UnexpectedElement):
            NOTE.read(parse(message.encode()))


def test_a_mandatory_container_is_written_though_empty_and_an_optional_one_is_not() -> None:
    assert [etree.QName(child).localname for child in NOTE.write(Note(True, ()))] == ["Sure", "Texts"]
    person = Person(given_names=("A",), family_name="B", person_code="321234-12345", data_sets=("IDENTITY",))
    assert GET_PERSON_ANSWER.write(person).find(f".//{{{NAMESPACE}}}Dokumenti") is None


def test_problems_tell_every_difference_from_the_schema() -> None:
    wrong: Mapping[dict[str, object]] = Mapping(
        dict,
        NAMESPACE,
        "GetPersonResponse",
        (
            nested("stars", "Zvaigznes", NOTE),
            text("family_name", "Persona/Uzvards", rule="p8.2", optional=True),
            many(text("given_names", "Persona/Vards", rule="p8.1"), minimum=1),
            many(text("person_code", "Persona/PersonasKods", rule="p8.3"), minimum=1),
            text("birth_date", "Persona/DzimsanasDatums", rule="p8.4"),
            many(nested("documents", "Persona/Dokumenti/Dokuments", DOCUMENT), optional=True),
        ),
    )
    problems = wrong.problems(contract("pmlp"))
    for expected in (
        "/GetPersonResponse/DatuKopas: mandatory, but not mapped",
        "/GetPersonResponse/Zvaigznes: not in the schema",
        "/GetPersonResponse/Persona: mapped in another order than the schema's",
        "/GetPersonResponse/Persona/Uzvards: mapped as optional, mandatory in the schema",
        "/GetPersonResponse/Persona/PersonasKods: once in the schema",
        "/GetPersonResponse/Persona/DzimsanasDatums: mapped as mandatory, optional in the schema",
        "/GetPersonResponse/Persona/Adreses: not mapped",
    ):
        assert expected in problems
    assert GET_PERSON_ANSWER.problems(contract("sais")) == [
        "/GetPersonResponse: in the namespace of another contract"
    ]


def _tells_no_value(error: BaseException | None) -> None:
    while error is not None:
        for value in ("Paraudziņa", "Slepens", "12341234", "1990", "HOROSCOPE", "PA0000001"):
            assert value not in str(error)
        error = error.__cause__
