"""Attacks on what is said: values changed after signing, times, and the XML itself."""

from __future__ import annotations

import base64
import re
from datetime import timedelta

from lxml import etree

from errors import (
    DoctypeRefused,
    GatewayError,
    MalformedMessage,
    SignatureInvalid,
    Stale,
    TooLarge,
)
from tests.security.attacks import Tree, attack, on_recipe, on_tree
from tests.security.conftest import World
from tests.security.messages import (
    DS,
    make,
)

# Values changed after signing.


@on_tree("changed: a text in the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.leaf.text = tree.leaf.text[:-1] + ("8" if tree.leaf.text[-1] != "8" else "9")


@on_tree("changed: white space in the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.leaf.tail = "\n"


@on_tree("changed: the MessageID", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.message_id.text += "2"


@on_tree("changed: the Action", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//wsa:Action").text += "Erase"


@on_tree("changed: Created", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//wsu:Created").text = f"{tree.world.now + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"


@on_tree("changed: Expires", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//wsu:Expires").text = f"{tree.world.now + timedelta(seconds=360):%Y-%m-%dT%H:%M:%SZ}"


@on_tree("changed: an attribute added to the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.body.set("x", "1")


@on_tree("changed: an element added to the Body", SignatureInvalid)
def _(tree: Tree) -> None:
    etree.SubElement(tree.body, "x")


@on_tree("changed: an element of the Body in another namespace", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.leaf.tag = f"{{urn:example:other}}{etree.QName(tree.leaf).localname}"


@attack("changed: the namespace of the Body's content", SignatureInvalid)
def _(world: World) -> bytes:
    return _once(rb'(<s:Body[^>]*><[^>]*xmlns[^"]*"[^"]*)', rb"\1x", make(world.recipe))


@attack("changed: a prefix taken back for a part of the Body", SignatureInvalid)
def _(world: World) -> bytes:
    return _once(rb"(<s:Body[^>]*)>", rb'\1 xmlns:s="urn:example:other">', make(world.recipe))


def _once(pattern: bytes, new: bytes, data: bytes) -> bytes:
    changed, times = re.subn(pattern, new, data)
    assert times == 1, pattern
    return changed


@on_tree("changed: a digest", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:DigestValue").text = base64.b64encode(bytes(32)).decode()


@on_tree("changed: a digest left empty", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:DigestValue").text = ""


@on_tree("changed: the signature value", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureValue").text = base64.b64encode(bytes(256)).decode()


@on_tree("changed: the signature value left empty", SignatureInvalid)
def _(tree: Tree) -> None:
    tree.at(".//ds:SignatureValue").text = None


@on_tree("changed: the signature value cut", SignatureInvalid)
def _(tree: Tree) -> None:
    value = tree.at(".//ds:SignatureValue")
    value.text = value.text[:40]


@attack("changed: an ECDSA value of zeros", SignatureInvalid)
def _(world: World) -> bytes:
    root = etree.fromstring(make(world.by(world.p256)))
    root.find(f".//{{{DS}}}SignatureValue").text = base64.b64encode(bytes(64)).decode()
    return bytes(etree.tostring(root))


# Freshness. All of these are signed rightly.


def _seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


on_recipe("time: stale", Stale, created=_seconds(-361), expires=None)
on_recipe("time: in the future", Stale, created=_seconds(370), expires=None)
on_recipe("time: a lifetime too long", Stale, expires=_seconds(901))
on_recipe("time: expired", Stale, created=_seconds(-200), expires=_seconds(-61))
on_recipe("time: Expires before Created", Stale, expires=_seconds(-1))
on_recipe("time: no Created", Stale, created=None)
on_recipe("time: nothing at all", Stale, created=None, expires=None)
on_recipe("time: Created twice", Stale, timestamp="<wsu:Created>{now}Z</wsu:Created>" * 2)
on_recipe("time: no zone", Stale, timestamp="<wsu:Created>{now}</wsu:Created>")
on_recipe("time: another zone", Stale, timestamp="<wsu:Created>{now}+02:00</wsu:Created>")
on_recipe(
    "time: Created holds an element",
    SignatureInvalid,
    timestamp="<wsu:Created>{now}Z<wsu:Created/></wsu:Created>",
)
on_recipe(
    "time: Expires twice",
    Stale,
    timestamp="<wsu:Created>{now}Z</wsu:Created>" + "<wsu:Expires>{now}Z</wsu:Expires>" * 2,
)
on_recipe(
    "time: Expires before Created in the document",
    Stale,
    timestamp="<wsu:Expires>{now}Z</wsu:Expires><wsu:Created>{now}Z</wsu:Created>",
)
on_recipe(
    "time: a day that does not exist", Stale, timestamp="<wsu:Created>2026-02-30T09:00:00Z</wsu:Created>"
)
on_recipe(
    "time: the year 1 east of Greenwich",
    Stale,
    timestamp="<wsu:Created>0001-01-01T00:00:00+02:00</wsu:Created>",
)
on_recipe("time: no instant", Stale, timestamp="<wsu:Created>today</wsu:Created>")
on_recipe("time: Created of another namespace", Stale, timestamp="<Created>{now}Z</Created>")


# The XML.


def _text(name: str, *errors: type[GatewayError], before: str = "", encoding: str = "utf-8") -> None:
    @attack(f"XML: {name}", *errors)
    def _(world: World) -> bytes:
        return (before + make(world.recipe).decode()).encode(encoding)


DOCTYPE = "<!DOCTYPE s:Envelope>"
DTD_IDS = '<!DOCTYPE s:Envelope [<!ATTLIST q:Ask Code ID #IMPLIED wsu:Id CDATA "Body">]>'
BOMB = (
    '<!DOCTYPE s:Envelope [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
_text("DOCTYPE", DoctypeRefused, before=DOCTYPE)
_text(
    "DOCTYPE behind declaration and comment",
    DoctypeRefused,
    before=f'<?xml version="1.0"?><!-- x --> {DOCTYPE}',
)
_text("DOCTYPE with byte order mark", DoctypeRefused, before=DOCTYPE, encoding="utf-8-sig")
_text("DOCTYPE in UTF-16", DoctypeRefused, before=DOCTYPE, encoding="utf-16")
_text("DOCTYPE in UTF-16, little end", DoctypeRefused, before="\ufeff" + DOCTYPE, encoding="utf-16-le")
_text("DOCTYPE in UTF-16, big end", DoctypeRefused, before="\ufeff" + DOCTYPE, encoding="utf-16-be")
_text("DOCTYPE in UTF-16 without mark", MalformedMessage, before=DOCTYPE, encoding="utf-16-le")
_text("DOCTYPE in UTF-32", MalformedMessage, DoctypeRefused, before=DOCTYPE, encoding="utf-32")
_text("DOCTYPE in UTF-7", MalformedMessage, before=f'<?xml version="1.0" encoding="utf-7"?>{DOCTYPE}')
_text("DOCTYPE in EBCDIC", MalformedMessage, before=f"<?xml version='1.0'?>{DOCTYPE}", encoding="cp037")
_text("DOCTYPE with Ids", DoctypeRefused, before=DTD_IDS)
_text("DOCTYPE with Ids in UTF-16", DoctypeRefused, before=DTD_IDS, encoding="utf-16")
_text("an external DTD", DoctypeRefused, before='<!DOCTYPE s:Envelope SYSTEM "http://localhost:1/x.dtd">')
_text(
    "an entity that is a file",
    DoctypeRefused,
    before='<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
)
_text("a parameter entity", DoctypeRefused, before='<!DOCTYPE s [<!ENTITY % x SYSTEM "file:///x"> %x;]>')
_text("an entity bomb", DoctypeRefused, before=BOMB)
_text("a processing instruction", MalformedMessage, before='<?xml-stylesheet href="x"?>')
_text("another encoding declared", MalformedMessage, before='<?xml version="1.0" encoding="iso-8859-1"?>')
_text("XML 1.1", MalformedMessage, before='<?xml version="1.1"?>')
_text("text before the root", MalformedMessage, before="x")


def _body(name: str, *errors: type[GatewayError], body: str) -> None:
    @attack(f"XML: {name}", *errors)
    def _(world: World) -> bytes:
        head, start, rest = re.split(rb"(<s:Body[^>]*><[^>]*>)", make(world.recipe), maxsplit=1)
        return head + start + body.encode() + rest


_body("an entity that is not declared", MalformedMessage, body="&x;")
_body("elements nested 150 deep", TooLarge, body="<a>" * 150 + "</a>" * 150)
_body("elements nested 50,000 deep", MalformedMessage, body="<a>" * 50_000 + "</a>" * 50_000)
_body("elements nested 100,000 deep", TooLarge, body="<a>" * 100_000 + "</a>" * 100_000)
_body("300,000 empty elements", TooLarge, body="<a/>" * 300_000)
_body("a huge attribute", TooLarge, body=f'<a x="{"x" * 20_000}"/>')
_body("a thousand attributes", TooLarge, body="<a " + " ".join(f'x{n}="1"' for n in range(1000)) + "/>")
_body(
    "50,000 namespaces",
    TooLarge,
    body='<a y=">" ' + " ".join(f'xmlns:x{n}="urn:{n}"' for n in range(50_000)) + "/>",
)
_body("five megabytes", TooLarge, body="<a>" + "x" * 5_000_000 + "</a>")
_body("a processing instruction within", MalformedMessage, body="<?x y?>")
_body("a namespace that is not absolute", SignatureInvalid, body='<a xmlns="relative"/>')
_body("a null byte", MalformedMessage, body="\0")


@attack("XML: cut off", MalformedMessage)
def _(world: World) -> bytes:
    return make(world.recipe)[:-20]


@attack("XML: a second root", MalformedMessage)
def _(world: World) -> bytes:
    return make(world.recipe) * 2


@attack("XML: nothing", MalformedMessage)
def _(_: World) -> bytes:
    return b""


@attack("XML: JSON", MalformedMessage)
def _(_: World) -> bytes:
    return b'{"Envelope": {}}'
