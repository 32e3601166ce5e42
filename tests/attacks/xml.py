"""Attacks by the XML itself, besides those that the signature's table has: most of them never come to a signature."""

from __future__ import annotations

from tests.attacks.table import before, within, written

BROKEN = "malformed_message"
LARGE = ("malformed_message", "too_large", "signature_invalid")
DTD = "doctype_refused"

before("XML: a byte order mark of UTF-16 before UTF-8", b"\xff\xfe", BROKEN)
before("XML: UTF-16 named, UTF-8 used", b'<?xml version="1.0" encoding="utf-16"?>', BROKEN)
before("XML: gzip that is not said to be so", b"\x1f\x8b\x08", BROKEN)
before("XML: a declaration twice", b'<?xml version="1.0"?>' * 2, BROKEN)
before("XML: a declaration behind a blank", b' <?xml version="1.0"?>', BROKEN)
before("XML: a stylesheet", b'<?xml-stylesheet type="text/xsl" href="http://localhost:1/"?>', BROKEN)
before("XML: 300,000 comments first", b"<!---->" * 300_000, "too_large")
before("XML: 700,000 comments begun", b"<!--" * 700_000, BROKEN)
before("XML: a DOCTYPE in small letters", b"<!doctype a>", BROKEN)
before("XML: a DOCTYPE that gives an attribute", b'<!DOCTYPE s [<!ATTLIST Vide x CDATA "y">]>', DTD)
before("XML: a DOCTYPE with a notation", b'<!DOCTYPE s [<!NOTATION n SYSTEM "x">]>', DTD)
before("XML: a DOCTYPE that is public", b'<!DOCTYPE s PUBLIC "-//x//EN" "http://localhost:1/x">', DTD)
before("XML: a DOCTYPE with a conditional section", b"<!DOCTYPE s [<![INCLUDE[ ]]>]>", DTD)
before("XML: a DOCTYPE without an end", b"<!DOCTYPE s [", DTD)

within("XML: a text in Latin-1 in the middle", b"\xe4", BROKEN)
within("XML: a bracket in too many bytes", b"\xc0\xbc", BROKEN)
within("XML: half a surrogate pair", b"\xed\xa0\x80", BROKEN)
within("XML: a null by its number", b"&#0;", BROKEN)
within("XML: a control by its number", b"&#x1F;", BROKEN)
within("XML: no character by its number", b"&#xFFFE;", BROKEN)
within("XML: a number beyond every character", b"&#x110000;", BROKEN)
within("XML: an attribute twice", b'<a b="1" b="1"/>', BROKEN)
within("XML: an attribute twice by two prefixes", b'<a xmlns:p="u:p" xmlns:q="u:p" p:b="" q:b=""/>', BROKEN)
within("XML: a prefix that nobody declared", b"<p:a/>", BROKEN)
within("XML: the prefix xml for another namespace", b'<a xmlns:xml="urn:x"/>', BROKEN)
within("XML: the prefix xmlns declared", b'<a xmlns:xmlns="urn:x"/>', BROKEN)
within("XML: CDATA without an end", b"<![CDATA[x", BROKEN)
within("XML: CDATA within CDATA", b"<![CDATA[<![CDATA[x]]>]]>", BROKEN)
within("XML: two dashes in a comment", b"<!-- a -- b -->", BROKEN)
within("XML: a comment without an end", b"<!--", BROKEN)
within("XML: an instruction that is named like a declaration", b"<?xml version='1.0'?>", BROKEN)
within("XML: an entity in an attribute", b'<a b="&x;"/>', BROKEN)
within("XML: a bracket in an attribute", b'<a b="<"/>', BROKEN)
within("XML: a DOCTYPE within the root", b"<!DOCTYPE a>", BROKEN)
within("XML: an entity declared within the root", b'<!ENTITY x "y">', BROKEN)
within("XML: a name of 100,000 letters", b"<" + b"a" * 100_000 + b"/>", *LARGE)
within("XML: a prefix of 100,000 letters", b"<a xmlns:" + b"p" * 100_000 + b'="urn:x"/>', *LARGE)
within("XML: a namespace of 100,000 letters", b'<a xmlns="urn:' + b"x" * 100_000 + b'"/>', *LARGE)
within("XML: 60,000 different names", b"".join(b"<a%d/>" % number for number in range(60_000)), *LARGE)
within(
    "XML: 60 attributes of 16,000 letters each",
    b"<a " + b" ".join(b'a%d="%s"' % (number, b"x" * 16_000) for number in range(60)) + b"/>",
    *LARGE,
)
within(
    "XML: 80 levels of 60 namespaces",
    b"".join(
        b"<a " + b" ".join(b'xmlns:n%d_%d="urn:%d"' % (level, n, n) for n in range(60)) + b">"
        for level in range(80)
    )
    + b"</a>" * 80,
    *LARGE,
)

written(
    "XML: UTF-8 named, UTF-16 used",
    BROKEN,
    change=lambda data: f'<?xml version="1.0" encoding="utf-8"?>{data.decode()}'.encode("utf-16"),
)
written("XML: half in UTF-16", BROKEN, change=lambda data: data[:500] + data[500:].decode().encode("utf-16"))
written("XML: three megabytes of white space first", BROKEN, change=lambda data: b" " * 3_000_000 + data[:-1])
written("XML: a DOCTYPE behind the root", BROKEN, change=lambda data: data + b"<!DOCTYPE a>")
written(
    "XML: an entity that grows with the square",
    DTD,
    change=lambda data: (
        b'<!DOCTYPE s [<!ENTITY a "%s">]>' % (b"a" * 50_000)
        + data.replace(b">test<", b">%s<" % (b"&a;" * 1000))
    ),
)
written("XML: a tag without its end", BROKEN, change=lambda data: data.replace(b"</s:Body>", b""))
written("XML: bytes behind the root", BROKEN, change=lambda data: data + b"\0")
