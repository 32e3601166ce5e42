"""The door for XML: what is one document for us is the same for everybody, or it does not come in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from errors import DoctypeRefused, GatewayError, MalformedMessage, TooLarge
from security.xml import MAX_DEPTH, canonical, parse, serialise

DOCTYPE = '<!DOCTYPE a [<!ENTITY x "y">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("declared", [False, True])
def test_unicode_comes_in_by_any_of_its_encodings(encoding: str, declared: bool) -> None:
    name = "UTF-16" if encoding == "utf-16" else "UTF-8"
    head = f'<?xml version="1.0" encoding="{name}" standalone="yes"?>\n' if declared else ""
    root = parse((head + "<a>ģērbonis €</a>").encode(encoding))
    assert root.text == "ģērbonis €"


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [("utf-8", "utf-16"), ("utf-16", "utf-8"), ("windows-1257", "utf-8"), ("iso-8859-13", "utf-8")],
)
def test_another_encoding_than_declared_is_refused(declaration: str, encoding: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(f'<?xml version="1.0" encoding="{declaration}"?><a/>'.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        " \r\n\t",
        "<!-- x -->",
        "<!---->\n<!-- <a/> -->",
        '<?xml version="1.0"?>',
        "<?xml version='1.0' ?><!-- - -->",
    ],
)
def test_a_doctype_is_refused_wherever_it_stands(before: str, encoding: str) -> None:
    with pytest.raises(DoctypeRefused):
        parse(f"{before}{DOCTYPE}<a>&x;</a>".encode(encoding))


@pytest.mark.parametrize(
    "text", [f"<!-- {DOCTYPE} --><a/>", f"<a><!-- {DOCTYPE} --></a>", f"<a><![CDATA[{DOCTYPE}]]></a>"]
)
def test_a_doctype_that_is_text_is_text(text: str) -> None:
    assert (parse(text.encode()).text or DOCTYPE) == DOCTYPE


@pytest.mark.parametrize(
    "text", ["<a/><!DOCTYPE a>", "<a><!DOCTYPE a></a>", "<!doctype a><a/>", "<!ENTITY a 'b'><a/>"]
)
def test_a_doctype_in_a_wrong_place_is_malformed(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(text.encode())


def test_a_comment_does_not_part_a_text() -> None:
    assert parse(b"<a>one<!-- x --> <![CDATA[two]]></a>").text == "one two"


def test_xinclude_is_an_element_like_others() -> None:
    root = parse(
        b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/etc/hostname" parse="text"/></a>'
    )
    assert root[0].tag == "{http://www.w3.org/2001/XInclude}include"
    assert root[0].text is None


def test_limits() -> None:
    assert len(list(parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH).iter())) == MAX_DEPTH
    with pytest.raises(TooLarge):
        parse(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
    parse(b"<a/>", max_bytes=4)
    with pytest.raises(TooLarge):
        parse(b"<a/> ", max_bytes=4)


@pytest.mark.parametrize("piece", [b"<b/>", b"<b/>x", b"<b c='' d=\"\"/>", b"<!---->", b"<![CDATA[]]>"])
def test_a_message_is_no_larger_a_tree_than_its_size_lets_expect(piece: bytes) -> None:
    parse(b"<a>" + piece * 10_000 + b"</a>")
    many = b"<a>" + piece * 110_000 + b"</a>"
    assert len(many) < 4_194_304
    with pytest.raises(TooLarge, match="tags"):
        parse(many)
    parse(b"<a>" + b"<record>what a record holds, or more</record>" * 45_000 + b"</a>")


def test_namespaces_in_a_text_are_not_counted() -> None:
    inner = "&lt;x xmlns='urn:x'&gt;" * 200
    parse(f"<a b='xmlns'>{inner}</a>".encode())
    parse(b"<a>" + b"<b xmlns='urn:b'/>" * 200 + b"</a>")


def test_namespaces_in_one_element_are_counted() -> None:
    many = " ".join(f"xmlns:n{n}='urn:{n}'" for n in range(65))
    for text in (f"<a {many}/>", f"<a x='>' {many}/>", f'<a x=">" {many}></a>'):
        with pytest.raises(TooLarge):
            parse(text.encode())


def test_the_message_is_not_quoted() -> None:
    with pytest.raises(MalformedMessage) as refused:
        parse(b"<a>\n  <secret></wrong></a>")
    assert refused.value.detail.startswith("line 2, column ")
    assert "secret" not in str(refused.value)


def test_written_and_canonical() -> None:
    root = parse('<a xmlns="urn:a" xmlns:b="urn:b" z="1" y="2"><b:c/>ā</a>'.encode())
    assert serialise(root) == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n"
        b'<a xmlns="urn:a" xmlns:b="urn:b" z="1" y="2"><b:c/>\xc4\x81</a>'
    )
    assert parse(serialise(root[0])).tail is None
    assert canonical(root) == '<a xmlns="urn:a" y="2" z="1"><b:c xmlns:b="urn:b"></b:c>ā</a>'.encode()
    assert canonical(parse(b'<a xmlns:b="urn:b"/>'), ("b",)) == b'<a xmlns:b="urn:b"></a>'
    with pytest.raises(MalformedMessage):
        canonical(parse(b'<a xmlns="relative"/>'))


ELEMENTS = st.sampled_from([DOCTYPE, '<?xml version="1.0"?>', "<a>", "</a>", "<b/>", "x", "ā", "\ufeff", " "])
HALVES = st.sampled_from(["<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE", ">", "&x;", "&amp;", "<?x?>"])


@settings(max_examples=300, deadline=None)
@given(st.lists(ELEMENTS | HALVES, max_size=10), st.sampled_from(["utf-8", "utf-16", "utf-16-le"]))
def test_what_comes_in_never_has_a_doctype_or_an_entity(pieces: list[str], encoding: str) -> None:
    try:
        root = parse("".join(["<a>", *pieces, "</a>"] if len(pieces) % 2 else pieces).encode(encoding))
    except GatewayError:
        return
    assert not root.getroottree().docinfo.doctype
    assert not list(root.iter(etree.Entity, etree.Comment, etree.ProcessingInstruction))
    assert canonical(parse(serialise(root))) == canonical(root)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedMessage, DoctypeRefused, TooLarge):
        parse(data)
