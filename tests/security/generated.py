"""Messages made up by hypothesis: bodies that namespaces, comments and white space make hard to agree on, and damage.

Everything is written as text, so that what a parser makes of it is a part of what is tried.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st
from lxml import etree

from security.xml import Element
from tests.security.messages import EXC, MORE, NAMES, NOW, SHA256, SOAP11, SOAP12, WSA, WSU, Recipe, transform

# The few prefixes and names meet often enough to be redefined, shadowed and taken back. "" is the default namespace.
PREFIXES = ("", "p", "q", "s", "wsu", "wsa", "ds")
SPACES = ("urn:one", "urn:two", "urn:three", SOAP11, WSU, WSA)
LOCALS = ("a", "Code", "Vārds", "item")
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
TEXT = st.one_of(
    st.text(CHARACTERS, max_size=8).map(escape),
    st.sampled_from(
        (
            "&#13;",
            "&#13;\n",
            "\r\n",
            "\t",
            "&amp;lt;",
            "&#x10FFFF;",
            "]]&gt;",
            "<![CDATA[<x> & ]]>",
            "<!-- a comment -->",
            "a<!---->b",
            " \n ",
            "&quot;&apos;",
            "\u0085\u2028",
            "&#xA0;",
        )
    ),
)
VALUE = st.one_of(
    st.text(CHARACTERS, max_size=6).map(quoteattr),
    st.sampled_from(('"&#9;&#10;&#13;"', '"\t\n"', "'\"&apos;'", '"  a  b "', '"&lt;&amp;&gt;"')),
)


@st.composite
def elements(draw: st.DrawFn, scope: dict[str, str] | None = None, depth: int = 3) -> str:
    """One element with what is in it, as text; the prefixes it uses are declared by it or in `scope`."""
    scope = {} if scope is None else scope
    declared = draw(st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from(SPACES), max_size=3))
    if draw(st.booleans()) and "" not in declared:
        declared[""] = ""
    scope = {**scope, **declared}
    usable = sorted(scope)
    prefix = draw(st.sampled_from(["", *usable]))
    name = f"{prefix}:" if prefix else ""
    name += draw(st.sampled_from(LOCALS))
    written = [
        f"xmlns{':' if key else ''}{key}={quoteattr(value)}"
        for key, value in draw(st.permutations(list(declared.items())))
    ]
    attributes: dict[tuple[str, str], str] = {}
    for key, value in draw(st.lists(st.tuples(st.sampled_from(["", "xml", *usable]), VALUE), max_size=3)):
        local = (
            draw(st.sampled_from(("lang", "space", "base")))
            if key == "xml"
            else draw(st.sampled_from(("x", "y", "ē")))
        )
        # Two prefixes of one namespace are one name.
        attributes.setdefault(
            (scope.get(key, key) if key else "", local), f"{key}{':' if key else ''}{local}={value}"
        )
    written += attributes.values()
    content = "".join(
        draw(st.lists(TEXT if depth == 0 else st.one_of(TEXT, elements(scope, depth - 1)), max_size=3))
    )
    start = " ".join([name, *written])
    return f"<{start}/>" if not content and draw(st.booleans()) else f"<{start}>{content}</{name}>"


PREFIX_LISTS = st.one_of(
    st.just(""),
    st.lists(st.sampled_from(("p", "q", "s", "wsu", "wsa", "ds", "wsse", "unknown", "xml")), max_size=4).map(
        lambda names: f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="{" ".join(names)}"/>'
    ),
)
# One occurrence of a piece of the skeleton becomes another that says the same, as other stacks write it.
HANDS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: re.sub(r"(</?)s:", r"\1SOAP-ENV:", text).replace("xmlns:s=", "xmlns:SOAP-ENV="),
    lambda text: re.sub(r"(</?)ds:", r"\1", text).replace("xmlns:ds=", "xmlns="),
    lambda text: text.replace("<wsa:", "\n    <wsa:").replace("<ds:Reference", "\n\t<ds:Reference"),
    lambda text: text.replace(
        "<s:Envelope ", '<s:Envelope xmlns="urn:default" xmlns:p="urn:one" xmlns:q="urn:two" '
    ),
    lambda text: text.replace("<s:Body ", '<s:Body xmlns:wsa="urn:other" xmlns:q="urn:two" xml:lang="lv" '),
    lambda text: text.replace("<s:Header>", '<s:Header xmlns:p="urn:one" xmlns:wsu2="' + WSU + '">'),
    lambda text: '<?xml version="1.0"?>\n<!-- a comment -->' + text,
    lambda text: text.replace("<wsa:To ", '<wsa:To xmlns:q="urn:two" q:x="1" s:mustUnderstand="1" ').replace(
        "<ds:SignedInfo>", '<ds:SignedInfo Id="Info">'
    ),
    lambda text: text.replace("<ds:Transforms>", "<ds:Transforms >").replace('"/>', '"\n/>'),
)


@st.composite
def recipes(draw: st.DrawFn, base: Recipe) -> Recipe:
    """A message that is right, in one of the many ways to be right."""
    kind = base.signature_method
    inside = draw(PREFIX_LISTS)
    size = draw(st.sampled_from(("256", "384", "512")))
    digest = draw(st.sampled_from((SHA256, f"{MORE}sha384", SHA256.replace("256", "512"))))
    names = draw(st.permutations(["MessageID", "To", "Action", "RelatesTo", "ReplyTo"]))
    addressing = {name: draw(TEXT) for name in names[: draw(st.integers(0, 4))]}
    return base.change(
        soap=draw(st.sampled_from((SOAP11, SOAP12))),
        body=draw(st.lists(st.one_of(TEXT, elements()), max_size=3).map("".join)),
        addressing=addressing,
        transforms=transform(inside=inside),
        c14n_inside=draw(PREFIX_LISTS),
        digest=digest,
        signature_method=f"{MORE}{kind}-sha{size}",
        extra_references=draw(st.sampled_from(((), ("#Token",)))),
        header=draw(st.sampled_from(("", '<x:Unsigned xmlns:x="urn:x"> <x:y/>text</x:Unsigned>'))),
        timestamp=draw(
            st.sampled_from(
                (
                    None,
                    f"<wsu:Created>{NOW:%Y-%m-%dT%H:%M:%S}<!-- -->Z</wsu:Created>",
                    f"<!-- x --> <wsu:Created> {NOW:%Y-%m-%dT%H:%M:%S}.5Z\n</wsu:Created>\n",
                )
            )
        ),
    )


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The message with one thing done to it after it was signed."""
    return draw(st.sampled_from(_DAMAGE))(draw, data)


def _flipped(draw: st.DrawFn, data: bytes) -> bytes:
    position = draw(st.integers(0, len(data) - 1))
    byte = draw(st.integers(0, 255))
    return data[:position] + bytes([byte]) + data[position + 1 :]


def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data) - 1))
    return data[:start] + data[start + draw(st.integers(1, 40)) :]


def _inserted(draw: st.DrawFn, data: bytes) -> bytes:
    """Text, comments and declarations between two tags, where a reader may or may not look."""
    places = [found.start() for found in re.finditer(rb"<", data)]
    place = draw(st.sampled_from(places))
    piece = draw(
        st.sampled_from(
            (b" ", b"\n", b"x", b"<!-- c -->", b"<a/>", b"\xc2\xa0", b"&#13;", b"<![CDATA[ ]]>", b"<?p i?>")
        )
    )
    return data[:place] + piece + data[place:]


def _redeclared(draw: st.DrawFn, data: bytes) -> bytes:
    """A namespace declaration, or another attribute, added to some start tag."""
    places = [found.end() for found in re.finditer(rb"<[A-Za-z][^\s/>]*", data)]
    place = draw(st.sampled_from(places))
    piece = draw(
        st.sampled_from(
            (
                b' xmlns="urn:evil"',
                b' xmlns=""',
                b' xmlns:p="urn:evil"',
                b' xmlns:unused="urn:evil"',
                b' xmlns:wsu="urn:evil"',
                b' xmlns:r="relative"',
                b' Id="Body"',
                b' ID="Stamp"',
                b' id="Other"',
                b' iD="Other"',
                b' xml:id="Body"',
                b' xml:lang="lv"',
                b' x="1"',
                b' URI="#Body"',
            )
        )
    )
    return data[:place] + piece + data[place:]


def _rearranged(draw: st.DrawFn, data: bytes) -> bytes:
    """An element moved, copied or dropped."""
    root = etree.fromstring(data)
    everything: list[Element] = [element for element in root.iter("*") if element is not root]
    one, other = draw(st.sampled_from(everything)), draw(st.sampled_from([root, *everything]))
    what = draw(st.sampled_from(("move", "copy", "drop")))
    if what == "drop":
        one.getparent().remove(one)
    elif all(ancestor is not one for ancestor in (other, *other.iterancestors())):
        other.insert(draw(st.integers(0, len(other))), copy.deepcopy(one) if what == "copy" else one)
    return bytes(etree.tostring(root, encoding="UTF-8"))


def _swapped(draw: st.DrawFn, data: bytes) -> bytes:
    """Digests, references, Ids or algorithms of two places exchanged."""
    root = etree.fromstring(data)
    kind = draw(st.sampled_from(("text", "URI", "Id", "Algorithm", "tag")))
    if kind == "text":
        held = root.findall(".//ds:DigestValue", NAMES) + root.findall(".//ds:SignatureValue", NAMES)
    elif kind == "tag":
        held = root.findall("*/*")
    else:
        key = f"{{{WSU}}}Id" if kind == "Id" else kind
        held = root.xpath(
            ".//*[@*[name()=$key or concat('{', namespace-uri(), '}', local-name())=$key]]", key=key
        )
    if len(held) < 2:
        return data
    one, two = draw(st.sampled_from(held)), draw(st.sampled_from(held))
    if kind == "text":
        one.text, two.text = two.text, one.text
    elif kind == "tag":
        one.tag, two.tag = two.tag, one.tag
    else:
        first, second = one.get(key), two.get(key)
        one.set(key, second)
        two.set(key, first)
    return bytes(etree.tostring(root, encoding="UTF-8"))


def _respelled(draw: st.DrawFn, data: bytes) -> bytes:
    """An Id, an algorithm or base64 in a spelling that only some readers take."""
    pieces = (
        (b'wsu:Id="Body"', b'Id="Body"'),
        (b'wsu:Id="Body"', b'wsu:ID="Body"'),
        (b'wsu:Id="Body"', b'wsu:iD="Body"'),
        (b'wsu:Id="Stamp"', b'id="Stamp"'),
        (b'wsu:Id="Token"', b'iD="Token"'),
        (b'URI="#Body"', b'URI="##Body"'),
        (b'URI="#Body"', b'URI="# Body"'),
        (b"</ds:DigestValue>", b"\n</ds:DigestValue>"),
        (b"</ds:DigestValue>", b"\xc2\xa0</ds:DigestValue>"),
        (b"</ds:SignatureValue>", b"\n</ds:SignatureValue>"),
        (b"</ds:SignatureValue>", b"\xe2\x80\xa8</ds:SignatureValue>"),
        (b"</ds:SignatureValue>", b"A</ds:SignatureValue>"),
        (b"</ds:SignatureValue>", b"=</ds:SignatureValue>"),
        (b"</ds:SignatureValue>", b"-_</ds:SignatureValue>"),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>AA=="),
        (b'PrefixList="', b'PrefixList=" '),
        (b'PrefixList="', b'PrefixList="#default '),
        (b'PrefixList="', b'PrefixList="\n'),
    )
    old, new = draw(st.sampled_from(pieces))
    return data.replace(old, new)


_DAMAGE: tuple[Callable[[st.DrawFn, bytes], bytes], ...] = (
    _flipped,
    _cut,
    _inserted,
    _redeclared,
    _rearranged,
    _swapped,
    _respelled,
)
