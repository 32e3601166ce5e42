"""The door for XML: what is one document for us is the same for everybody, or it does not come in."""

from __future__ import annotations

import ast
import codecs
import contextlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from errors import DoctypeRefused, GatewayError, MalformedMessage, TooLarge
from security.xml import (
    MAX_DECLARATIONS_IN_SCOPE,
    MAX_DEPTH,
    MAX_NAME_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    canonical,
    forget_names,
    parse,
    serialise,
)
from tests.calls import Calls

ROOT = Path(__file__).parents[2]
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


OUTSIDE = {
    "external DTD": '<!DOCTYPE a SYSTEM "{url}"><a/>',
    "public DTD": '<!DOCTYPE a PUBLIC "-//X//Y" "{url}"><a/>',
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><a>&x;</a>',
    "external entity of a file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "{url}"> %x;]><a/>',
    "external notation": '<!DOCTYPE a [<!NOTATION n SYSTEM "{url}">]><a/>',
    "style sheet": '<?xml-stylesheet href="{url}" type="text/xsl"?><a/>',
    "style sheet behind the root": '<a/><?xml-stylesheet href="{url}" type="text/xsl"?>',
    "instruction inside": "<a><?x {url}?></a>",
}


@pytest.mark.parametrize("text", OUTSIDE.values(), ids=OUTSIDE)
def test_what_would_make_us_call_out_is_refused(text: str, calls: Calls) -> None:
    url = calls.url
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises((DoctypeRefused, MalformedMessage)):
            parse(text.replace("{url}", url).encode(encoding))
    assert calls.heard == []


def test_what_only_names_an_address_is_data(calls: Calls) -> None:
    url = calls.url
    text = (
        f'<a xmlns="{url}" xmlns:i="http://www.w3.org/2001/XInclude" xml:base="{url}"'
        ' xmlns:s="http://www.w3.org/2001/XMLSchema-instance"'
        f' s:schemaLocation="{url} {url}" s:noNamespaceSchemaLocation="{url}">'
        f'<i:include href="{url}"><i:fallback>f</i:fallback></i:include></a>'
    )
    root = parse(text.encode())
    assert root[0].get("href") == url
    assert root[0][0].text == "f"
    assert calls.heard == []


BOMBS = {
    "billion laughs": "<!DOCTYPE a [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY a{n} '{'&a' + (str(n - 1) if n else '') + ';'}'>" for n in range(1, 10))
    + "]><a>&a9;</a>",
    "quadratic": f"<!DOCTYPE a [<!ENTITY a '{'a' * 50_000}'>]><a>{'&a;' * 50_000}</a>",
    "a DOCTYPE of great size": f"<!DOCTYPE a [{'<!ELEMENT a ANY>' * 100_000}]><a/>",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bombs_of_entities_do_not_come_near_the_parser(text: str) -> None:
    with pytest.raises(DoctypeRefused):
        parse(text.encode())


HIDDEN = f'<?xml version="1.0" encoding="NAME"?>{DOCTYPE}<a>&x;</a>'
CODINGS = {
    "UTF-7": HIDDEN.replace("NAME", "UTF-7").encode("utf-7"),
    "UTF-7 below ASCII": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
    "UTF-32 with its mark": HIDDEN.replace("NAME", "UTF-32").encode("utf-32"),
    "UTF-32 little": HIDDEN.replace("NAME", "UTF-32LE").encode("utf-32-le"),
    "UTF-32 big": codecs.BOM_UTF32_BE + HIDDEN.replace("NAME", "UTF-32BE").encode("utf-32-be"),
    "EBCDIC": HIDDEN.replace("NAME", "IBM037").encode("cp037"),
    "UTF-16 without its mark, little": HIDDEN.replace("NAME", "UTF-16").encode("utf-16-le"),
    "UTF-16 without its mark, big": HIDDEN.replace("NAME", "UTF-16").encode("utf-16-be"),
    "UTF-8 in the mark of UTF-16": codecs.BOM_UTF16_LE + b"<a/>",
    "two marks": codecs.BOM_UTF8 * 2 + b"<a/>",
    "two marks of UTF-16": codecs.BOM_UTF16_LE * 2 + "<a/>".encode("utf-16-le"),
    "a mark within": b"<a>" + b"</a>" + codecs.BOM_UTF8,
    "a mark before the declaration only": b'\n\xef\xbb\xbf<?xml version="1.0"?><a/>',
    "SCSU": b"\x0e\xfe\xff<a/>",
    "UTF-8 cut short": "<a>ā".encode()[:-1] + b"</a>",
    "UTF-8 longer than it need be": b"<a>\xc0\xbc</a>",
    "half a pair in UTF-8": b"<a>\xed\xa0\x80</a>",
    "half a pair in UTF-16": codecs.BOM_UTF16_LE + "<a>".encode("utf-16-le") + b"\x00\xd8<\x00",
    "an odd byte in UTF-16": "<a/>".encode("utf-16") + b" ",
    "past the last character": b"<a>\xf4\x90\x80\x80</a>",
    "Latin": "<a>ā</a>".encode("iso-8859-13"),
    "NUL": b"<a>\x00</a>",
    "NUL first": b"\x00<a/>",
    "NUL last": b"<a/>\x00",
    "NUL by number": b"<a>&#0;</a>",
    "half a pair by number": b"<a>&#xD800;</a>",
    "a control character": b"<a>\x08</a>",
    "no character": "<a>\uffff</a>".encode(),
    "XML 1.1": b'<?xml version="1.1"?><a>&#1;</a>',
    "two declarations": b'<?xml version="1.0"?><?xml version="1.0"?><a/>',
    "two roots": b"<a/><b/>",
    "an attribute twice": b"<a b='1' b='2'/>",
    "an attribute twice by namespace": b"<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>",
    "a prefix without a namespace": b"<p:a/>",
    "xml for another namespace": b"<a xmlns:xml='urn:x'/>",
    "an entity of HTML": b"<a>&nbsp;</a>",
}


@pytest.mark.parametrize("data", CODINGS.values(), ids=CODINGS)
def test_what_two_readers_could_take_differently_is_refused(data: bytes) -> None:
    with pytest.raises((MalformedMessage, DoctypeRefused)):
        parse(data)


@pytest.mark.parametrize(
    ("told", "data", "taken"),
    [
        ("utf-8", "<a>ā</a>".encode(), True),
        ("UTF8", codecs.BOM_UTF8 + b"<a/>", True),
        ("us-ascii", b"<a/>", True),
        ("utf-16", "<a/>".encode("utf-16"), True),
        ("utf-16", b"<a/>", False),
        ("utf-8", "<a/>".encode("utf-16"), True),
        ("utf-16", codecs.BOM_UTF8 + b"<a/>", True),
        ("utf-32", "<a/>".encode("utf-16"), False),
        ("iso-8859-1", b"<a/>", False),
        ("", b"<a/>", False),
    ],
)
def test_a_mark_says_more_than_the_transport_and_that_more_than_nothing(
    told: str, data: bytes, taken: bool
) -> None:
    if taken:
        parse(data, encoding=told)
    else:
        with pytest.raises(MalformedMessage):
            parse(data, encoding=told)


LONG = "n" * (MAX_NAME_CHARACTERS + 1)
LARGE = {
    "deep": ("<a>" * 100_000, "deep"),
    "attributes": ("<a " + " ".join(f"a{n}=''" for n in range(90_000)) + "/>", "attributes"),
    "attributes past every limit": ("<a " + " ".join(f"a{n}=''" for n in range(300_000)) + "/>", "tags and"),
    "the same hash": (
        "<a " + " ".join(f"{chr(97 + n % 26) * (n + 1)}=''" for n in range(200)) + "/>",
        "attr",
    ),
    "a value": (f"<a b='{'x' * 20_000}'/>", "an attribute of"),
    "a name": (f"<{LONG}/>", "a name of"),
    "a name within": (f"<a>\n<b/><{LONG}/></a>", "a name of"),
    "a name of three bytes a character": (f"<{'ḡ' * 257}/>", "a name of"),
    "a name of an attribute": (f"<a b='' {LONG}=''/>", "a name of"),
    "a prefix": (f"<a xmlns:{LONG}='urn:x'/>", "a name of"),
    "a prefix and a name": (f"<p{'p' * 130}:a{'a' * 130} xmlns:p{'p' * 130}='urn:x'/>", "a name of"),
    "a text": (f"<a>{'x' * (MAX_TEXT_CHARACTERS + 1)}</a>", "a text of"),
    "a text in CDATA": (f"<a><![CDATA[{'x' * (MAX_TEXT_CHARACTERS + 1)}]]></a>", "a text of"),
    "a text in pieces": (f"<a>{'x' * MAX_TEXT_CHARACTERS}<!-- --><![CDATA[x]]></a>", "a text of"),
    "declarations around": (
        "".join("<a " + " ".join(f"xmlns:p{d}n{n}='urn:x'" for n in range(60)) + ">" for d in range(5))
        + "</a>" * 5,
        "in one scope",
    ),
}


@pytest.mark.parametrize(("text", "limit"), LARGE.values(), ids=LARGE)
def test_what_is_too_large_is_told_by_what(text: str, limit: str) -> None:
    with pytest.raises((TooLarge, MalformedMessage)) as refused:
        parse(text.encode())
    # Far beyond the depth the parser itself gives up, before a tree of it is made.
    assert limit in refused.value.detail or (limit == "deep" and isinstance(refused.value, MalformedMessage))
    assert "nnnn" not in str(refused.value)


def test_what_just_fits_comes_in() -> None:
    name, prefix = LONG[:-1], LONG[:127]
    parse(f"<{name} {name}=''/>".encode())
    parse(f"<{prefix}:{prefix} xmlns:{prefix}='urn:x'/>".encode())
    parse(f"<a>{'x' * MAX_TEXT_CHARACTERS}</a>".encode())
    parse(f"<a b=' {LONG * 10}'>\n {LONG * 10} <![CDATA[<{LONG} ]]><!-- <{LONG}/> --></a>".encode())
    around = "".join(f"<a xmlns:n{n}='urn:x'>" for n in range(MAX_DEPTH))
    parse((around + "</a>" * MAX_DEPTH).encode())
    parse(b"<a>" + b"<b xmlns='urn:b'/>" * (MAX_DECLARATIONS_IN_SCOPE * 2) + b"</a>")


def test_time_is_limited() -> None:
    data = b"<a>" + b"<b>text</b>" * 50_000 + b"</a>"
    with pytest.raises(TooLarge, match="too long"):
        parse(data, max_seconds=0.0)
    parse(data)


@pytest.mark.parametrize("size", [65_533, 65_534, 65_535, 65_536, 65_537, 131_072])
def test_a_message_that_the_parser_gets_in_pieces_is_the_same_message(size: int) -> None:
    """Wherever the pieces part: within a tag, a character of three bytes, a reference, CDATA."""
    for middle in ("<b c='d'/>", "€", "&amp;", "<![CDATA[x]]>", "<!-- y -->", "\r\n"):
        text = f"<a>{'x' * (size - 4)}{middle}{'x' * 70_000}</a>".encode()
        plain = etree.fromstring(text, etree.XMLParser(remove_comments=True, resolve_entities=False))
        assert canonical(parse(text)) == etree.tostring(plain, method="c14n", exclusive=True)


def test_names_that_somebody_makes_up_are_forgotten() -> None:
    """In a thread of its own, since the first names of a thread stay as long as its first documents."""

    def memory() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def made_up(number: int) -> bytes:
        return b"<a>" + b"".join(b"<n%s%d_%d/>" % (b"n" * 200, number, n) for n in range(17_000)) + b"</a>"

    grown: list[int] = []

    def work() -> None:
        kept = parse(b"<kept><k a='1'/></kept>")
        for number in range(30):
            if number == 5:
                grown.append(memory())
            parse(made_up(number))
            assert forget_names()
        grown.append(memory())
        # What was made before goes on with what is made after.
        later = parse(b"<later><l/></later>")
        later.append(kept[0])
        etree.SubElement(later, "new").set("b", "2")
        grown.append(int(canonical(later) == b'<later><l></l><k a="1"></k><new b="2"></new></later>'))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before, after, right = grown
    assert right
    # Each of 25 messages has brought four megabytes of names.
    assert after - before < 30_000_000


def test_names_are_kept_as_long_as_they_are_few() -> None:
    while not forget_names():
        parse(b"<a>" + b" " * 1_100_000 + b"</a>")
    parse(b"<a/>")
    assert not forget_names()


# Where else a parser is made, and why it may be.
OTHER_PARSERS = {
    "security/xml.py": "the door",
    "wsdl/__init__.py": "contracts of our own folder, each through the door first",
    "audit/evidence/check.py": "a program of its own, which runs where somebody checks a container",
}
PARSING = {
    "fromstring",
    "fromstringlist",
    "parse",
    "XML",
    "HTML",
    "XMLID",
    "iterparse",
    "XMLParser",
    "XMLPullParser",
    "HTMLParser",
    "xinclude",
    "XInclude",
    "XSLT",
}
PARSERS = (
    "xml",
    "lxml.html",
    "lxml.etree.parse",
    "lxml.etree.fromstring",
    "lxml.objectify",
    "lxml.sax",
    "xmltodict",
    "bs4",
    "html5lib",
)


def _makes_a_parser(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "etree" and node.attr in PARSING
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    return any(name == other or name.startswith(f"{other}.") for name in names for other in PARSERS)


def test_there_is_no_other_door() -> None:
    found = set()
    for path in ROOT.rglob("*.py"):
        place = path.relative_to(ROOT)
        # Examples for partners are programs of their own.
        if place.parts[0] in ("tests", "bench", "docs") or any(part.startswith(".") for part in place.parts):
            continue
        if any(map(_makes_a_parser, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))):
            found.add(place.as_posix())
    assert found == set(OTHER_PARSERS)


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
