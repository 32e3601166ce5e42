"""Reading a contract of somebody else: what is in it, and what is refused with its place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

import wsdl as published
from errors import InvalidRequest
from tests.wsdl.schemas import KLUDA, NAMESPACE, parts, schema, write, wsdl
from wsdl.description import Node, Simple, describe, wsdl_in

TEXT = Simple("", "string")
ASK = Node("Ask", parts=(Node("Kods", simple=TEXT),))
ANSWER = Node("AskResponse", parts=(Node("Vards", simple=TEXT),))
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'


@given(asked=parts(), answered=parts())
@settings(max_examples=60, deadline=None)
def test_what_is_written_out_is_read_again(asked: tuple[Node, ...], answered: tuple[Node, ...]) -> None:
    request, answer = Node("Ask", parts=asked), Node("AskResponse", parts=answered)
    with tempfile.TemporaryDirectory() as folder:
        found = describe(write(Path(folder), schema(request, answer, KLUDA)))
    assert found.namespace == NAMESPACE
    exchange = found.operations["Ask"]
    assert (exchange.request, exchange.answer, exchange.faults) == (request, answer, (KLUDA,))
    assert exchange.action == f"{NAMESPACE}/Ask"


def test_every_published_contract_can_be_read() -> None:
    for found in published.contracts():
        described = describe(found.wsdl, published.ROOT)
        assert described.namespace == found.namespace
        assert tuple(described.operations) == found.operations
        assert {name: one.action for name, one in described.operations.items()} == dict(found.actions)


def test_named_types_extensions_references_and_includes(tmp_path: Path) -> None:
    (tmp_path / "tipi.xsd").write_text(
        f'<xs:schema {XS} targetNamespace="{NAMESPACE}"><xs:simpleType name="KodsType"><xs:restriction '
        'base="xs:string"><xs:maxLength value="5"/></xs:restriction></xs:simpleType></xs:schema>',
        encoding="utf-8",
    )
    path = write(
        tmp_path,
        f'<xs:schema {XS} xmlns:t="{NAMESPACE}" targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        '<xs:include schemaLocation="tipi.xsd"/>'
        '<xs:element name="Kods" type="t:KodsType"/>'
        '<xs:complexType name="BaseStructure"><xs:sequence><xs:element ref="t:Kods" minOccurs="0"/></xs:sequence>'
        "</xs:complexType>"
        '<xs:complexType name="AskStructure"><xs:complexContent><xs:extension base="t:BaseStructure"><xs:sequence>'
        '<xs:element name="Tuvaks"><xs:simpleType><xs:restriction base="t:KodsType"><xs:minLength value="2"/>'
        "</xs:restriction></xs:simpleType></xs:element></xs:sequence></xs:extension></xs:complexContent>"
        '</xs:complexType><xs:element name="Ask" type="t:AskStructure"/>'
        '<xs:element name="AskResponse"><xs:complexType><xs:sequence/></xs:complexType></xs:element>'
        '<xs:element name="Kluda" type="xs:string"/></xs:schema>',
    )
    found = describe(path)
    code, nearer = found.operations["Ask"].request.parts
    assert (code.name, code.least, code.simple) == (
        "Kods",
        0,
        Simple("KodsType", "string", facets=(("maxLength", "5"),)),
    )
    assert nearer.simple == Simple("", "string", facets=(("maxLength", "5"), ("minLength", "2")))
    assert found.operations["Ask"].answer.parts == ()
    assert sorted(one.name for one in found.schemas) == ["paraugs.xsd", "tipi.xsd"]


def test_a_schema_inside_the_wsdl_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "", wsdl(types=schema(ASK, ANSWER, KLUDA)))
    found = describe(path)
    assert found.operations["Ask"].request == ASK
    assert found.inline is not None
    assert found.schemas == ()


INNER = '<xs:element name="Ask"><xs:complexType>{}</xs:complexType></xs:element>'


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ('<xs:sequence/><xs:attribute name="a"/>', "/Ask: xs:attribute, which mapping tables do not have"),
        ("<xs:sequence><xs:any/></xs:sequence>", "/Ask: xs:any"),
        ('<xs:all><xs:element name="A" type="xs:string"/></xs:all>', "/Ask: xs:all"),
        ('<xs:sequence maxOccurs="2"/>', "/Ask: a sequence that is repeated"),
        ("<xs:choice><xs:sequence/></xs:choice>", "/Ask: a choice of more than elements"),
        ('<xs:sequence><xs:element name="A" type="t:Nav"/></xs:sequence>', "/Ask/A: the type t:Nav"),
        ('<xs:sequence><xs:element ref="t:Nav"/></xs:sequence>', "no schema declares t:Nav"),
        ('<xs:sequence><xs:element ref="t:Ask"/></xs:sequence>', "a type within itself"),
        (
            '<xs:sequence><xs:element name="A" type="xs:int"/><xs:element name="A" type="xs:int"/></xs:sequence>',
            "/Ask: A is declared twice",
        ),
        (
            '<xs:sequence><xs:element name="A"><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType>'
            "</xs:element></xs:sequence>",
            "/Ask/A: a list or union",
        ),
    ],
)
def test_what_tables_cannot_follow_is_refused_with_its_place(tmp_path: Path, inner: str, said: str) -> None:
    text = schema(ANSWER, KLUDA).replace("<xs:schema ", f'<xs:schema xmlns:t="{NAMESPACE}" ')
    path = write(tmp_path, text.replace("</xs:schema>", f"{INNER.format(inner)}</xs:schema>"))
    with pytest.raises(InvalidRequest) as caught:
        describe(path)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (wsdl(style="rpc"), "Ask is not document/literal"),
        (wsdl(use="encoded"), "Ask is not document/literal"),
        (wsdl().replace('element="t:AskResponse"', 'element="t:Ask"'), "is not wrapped: its output is Ask"),
        (
            wsdl().replace('element="t:Ask"/>', 'type="t:Ask"/>'),
            "a message has one part, and that an element",
        ),
        (wsdl().replace(f'soapAction="{NAMESPACE}/Ask"', ""), "Ask has no soapAction"),
        (
            wsdl().replace('schemaLocation="paraugs.xsd"', 'schemaLocation="http://x/p.xsd"'),
            "beside the WSDL",
        ),
        (wsdl().replace('schemaLocation="paraugs.xsd"', 'schemaLocation="../p.xsd"'), "beside the WSDL"),
        (
            wsdl().replace('schemaLocation="paraugs.xsd"', 'schemaLocation="nav.xsd"'),
            "nav.xsd cannot be read",
        ),
        (wsdl(("Other",)), "no schema declares t:Other"),
        (wsdl(()), "has no operation"),
        ("<a/>", "is no WSDL 1.1: a"),
        ("<a", "paraugs.wsdl:"),
        (f"<!DOCTYPE a [<!ENTITY b 'c'>]>{wsdl()}", "paraugs.wsdl: "),
        (wsdl().replace("<w:service", "<w:servise").replace("</w:service", "</w:servise"), "no service"),
    ],
)
def test_a_wsdl_that_is_not_as_it_must_be_says_why(tmp_path: Path, described: str, said: str) -> None:
    path = write(tmp_path, schema(ASK, ANSWER, KLUDA), described)
    with pytest.raises(InvalidRequest) as caught:
        describe(path)
    assert said in caught.value.detail
    assert "\n" not in caught.value.detail


def test_one_wsdl_is_wanted_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="0 are there"):
        wsdl_in(tmp_path)
    path = write(tmp_path, "", wsdl())
    assert wsdl_in(tmp_path) == path
    (tmp_path / "b.wsdl").write_text("<a/>", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="2 are there"):
        wsdl_in(tmp_path)
