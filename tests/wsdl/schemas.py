"""Contracts made of values for tests: written as WSDL and XSD, drawn by hypothesis, changed, filled with messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from lxml import etree

from wsdl.description import Node, Simple

NAMESPACE = "http://ivis.eps.gov.lv/XMLSchemas/999999/Paraugs/v1-0"
_XS = "http://www.w3.org/2001/XMLSchema"
_NAMES = ("Vards", "Kods", "Diena", "Summa", "Statuss", "Adrese", "Piezime", "Numurs")
KLUDA = Node("Kluda", parts=(Node("Kods", simple=Simple("", "string")),))


def schema(*roots: Node, namespace: str = NAMESPACE) -> str:
    """The schema of global elements."""
    elements = "".join(_element(root) for root in roots)
    return (
        f'<xs:schema xmlns:xs="{_XS}" targetNamespace="{namespace}" elementFormDefault="qualified">'
        f"{elements}</xs:schema>"
    )


def wsdl(
    operations: Sequence[str] = ("Ask",),
    *,
    namespace: str = NAMESPACE,
    types: str = "",
    style: str = "document",
    use: str = "literal",
) -> str:
    """The WSDL of operations whose messages are elements of their own names; `types` in place of an import."""
    held = types or (
        f'<xs:schema xmlns:xs="{_XS}"><xs:import namespace="{namespace}" schemaLocation="paraugs.xsd"/></xs:schema>'
    )
    messages = "".join(
        f'<w:message name="{name}{what}"><w:part name="p" element="t:{name}{what}"/></w:message>'
        for name in operations
        for what in ("", "Response")
    )
    ported = "".join(
        f'<w:operation name="{name}"><w:input message="t:{name}"/><w:output message="t:{name}Response"/>'
        '<w:fault name="Kluda" message="t:Kluda"/></w:operation>'
        for name in operations
    )
    bound = "".join(
        f'<w:operation name="{name}"><s:operation soapAction="{namespace}/{name}"/>'
        f'<w:input><s:body use="{use}"/></w:input><w:output><s:body use="{use}"/></w:output></w:operation>'
        for name in operations
    )
    return (
        f'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" '
        f'xmlns:t="{namespace}" targetNamespace="{namespace}"><w:types>{held}</w:types>{messages}'
        '<w:message name="Kluda"><w:part name="f" element="t:Kluda"/></w:message>'
        f'<w:portType name="P">{ported}</w:portType><w:binding name="B" type="t:P">'
        f'<s:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</w:binding>'
        '<w:service name="S"><w:port name="Q" binding="t:B"><s:address location="https://localhost/x"/></w:port>'
        "</w:service></w:definitions>"
    )


def write(folder: Path, xsd: str, described: str = "") -> Path:
    """A folder with both files; the path of the WSDL."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "paraugs.xsd").write_text(xsd, encoding="utf-8")
    (folder / "paraugs.wsdl").write_text(described or wsdl(), encoding="utf-8")
    return folder / "paraugs.wsdl"


def _element(node: Node) -> str:
    most = "unbounded" if node.most is None else node.most
    occurs = "" if (node.least, node.most) == (1, 1) else f' minOccurs="{node.least}" maxOccurs="{most}"'
    nillable = ' nillable="true"' if node.nillable else ""
    if node.simple is not None:
        return f'<xs:element name="{node.name}"{occurs}{nillable}>{_simple(node.simple)}</xs:element>'
    groups = "".join(
        _group(choice, list(parts)) for choice, parts in groupby(node.parts, lambda one: one.choice)
    )
    return (
        f'<xs:element name="{node.name}"{occurs}{nillable}><xs:complexType><xs:sequence>{groups}'
        "</xs:sequence></xs:complexType></xs:element>"
    )


def _group(choice: str, parts: list[Node]) -> str:
    if not choice:
        return "".join(_element(part) for part in parts)
    inner = "".join(_element(replace(part, least=1)) for part in parts)
    return f'<xs:choice minOccurs="{0 if choice.endswith("?") else 1}">{inner}</xs:choice>'


def _simple(simple: Simple) -> str:
    facets = "".join(f'<xs:{name} value="{value}"/>' for name, value in simple.facets)
    words = "".join(f'<xs:enumeration value="{word}"/>' for word in simple.words)
    patterns = "".join(f'<xs:pattern value="{pattern}"/>' for pattern in simple.patterns)
    return (
        f'<xs:simpleType><xs:restriction base="xs:{simple.base}">{patterns}{words}{facets}'
        "</xs:restriction></xs:simpleType>"
    )


def numbered(parts: Sequence[Node]) -> tuple[Node, ...]:
    """Parts whose groups of alternatives are numbered in their order, as a reader numbers them."""
    found: list[Node] = []
    number = 0
    for choice, group in groupby(parts, lambda one: one.choice):
        number += bool(choice)
        mark = f"{number}{'?' if choice.endswith('?') else ''}" if choice else ""
        found += [replace(one, choice=mark, least=0 if choice else one.least) for one in group]
    return tuple(found)


SIMPLES: tuple[Simple, ...] = (
    Simple("", "string", facets=(("maxLength", "10"), ("minLength", "1"))),
    Simple("", "string", patterns=("[A-Z]{2,4}",)),
    Simple("", "string", words=("EKS", "DEL", "ERR")),
    Simple("", "date"),
    Simple("", "boolean"),
    Simple("", "integer", facets=(("maxInclusive", "99"), ("minInclusive", "0"))),
    Simple("", "decimal", facets=(("fractionDigits", "2"), ("maxInclusive", "1000"), ("minInclusive", "0"))),
)
_OCCURS: tuple[tuple[int, int | None], ...] = ((1, 1), (0, 1), (0, None), (1, None), (0, 3), (2, 3))


@st.composite
def parts(draw: Any, depth: int = 1) -> tuple[Node, ...]:
    """The children of an element: texts, further elements, and sometimes a choice of two."""
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4, unique=True))
    found = [draw(_node(name, depth)) for name in names]
    if len(found) > 2 and draw(st.booleans()):
        mark = draw(st.sampled_from(("1", "1?")))
        found[:2] = [replace(one, choice=mark, least=0, most=1) for one in found[:2]]
    return numbered(found)


def _node(name: str, depth: int) -> st.SearchStrategy[Node]:
    text = st.builds(
        lambda simple, occurs: Node(name, occurs[0], occurs[1], simple),
        st.sampled_from(SIMPLES),
        st.sampled_from(_OCCURS),
    )
    if not depth:
        return text
    holder = st.builds(
        lambda inner, occurs: Node(name, occurs[0], occurs[1], None, inner),
        parts(depth - 1),
        st.sampled_from(_OCCURS),
    )
    return st.one_of(text, text, holder)


@st.composite
def changed(draw: Any, old: tuple[Node, ...]) -> tuple[Node, ...]:
    """The same children with one thing changed somewhere, or another list altogether."""
    at = draw(st.integers(0, len(old) - 1))
    node = old[at]
    spare = [name for name in _NAMES if name not in {one.name for one in old}]
    name = draw(st.sampled_from(spare))
    match draw(st.sampled_from(("add", "drop", "rename", "occurs", "type", "below", "swap", "nil", "all"))):
        case "add":
            fresh = replace(draw(_node(name, 0)), choice="")
            # Not into the middle of alternatives: that would make two groups of one.
            ends = [
                n
                for n in range(len(old) + 1)
                if n in (0, len(old)) or not old[n - 1].choice or not old[n].choice
            ]
            at = draw(st.sampled_from(ends))
            return numbered((*old[:at], fresh, *old[at:]))
        case "drop" if len(old) > 1:
            return numbered((*old[:at], *old[at + 1 :]))
        case "rename":
            return (*old[:at], replace(node, name=name), *old[at + 1 :])
        case "occurs" if not node.choice:
            least, most = draw(st.sampled_from(_OCCURS))
            return (*old[:at], replace(node, least=least, most=most), *old[at + 1 :])
        case "type" if node.simple is not None:
            return (*old[:at], replace(node, simple=draw(simples(node.simple))), *old[at + 1 :])
        case "below" if node.parts:
            return (*old[:at], replace(node, parts=draw(changed(node.parts))), *old[at + 1 :])
        case "swap" if not any(one.choice for one in old):
            return tuple(reversed(old))
        case "nil" if not node.choice:
            return (*old[:at], replace(node, nillable=not node.nillable), *old[at + 1 :])
        case "all":
            other: tuple[Node, ...] = draw(parts())
            return other
    return old


def simples(old: Simple) -> st.SearchStrategy[Simple]:
    """Another type: of the list, or the same with another limit, pattern or word."""
    others = list(SIMPLES)
    facets = dict(old.facets)
    for name, value in facets.items():
        others += [
            replace(old, facets=tuple(sorted({**facets, name: str(int(value) + step)}.items())))
            for step in (-1, 1)
        ]
        others.append(replace(old, facets=tuple(sorted((n, v) for n, v in facets.items() if n != name))))
    if old.words:
        others += [replace(old, words=old.words[:-1]), replace(old, words=(*old.words, "CITS"))]
    if old.patterns:
        others += [replace(old, patterns=()), replace(old, patterns=("[A-Z]{2,3}",))]
    return st.sampled_from([one for one in others if ("minLength", "-1") not in one.facets])


def messages(node: Node, namespace: str = NAMESPACE) -> st.SearchStrategy[Any]:
    """Messages that keep to the schema of an element."""
    return _filled(node, namespace)


@st.composite
def _filled(draw: Any, node: Node, namespace: str) -> Any:
    element = etree.Element(f"{{{namespace}}}{node.name}")
    if node.nillable and draw(st.booleans()):
        element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", "true")
        return element
    if node.simple is not None:
        element.text = draw(_text(node.simple))
    for choice, group in groupby(node.parts, lambda one: one.choice):
        alternatives = list(group)
        if choice:
            taken = draw(st.sampled_from([*alternatives, *([None] if choice.endswith("?") else [])]))
            if taken is not None:
                element.append(draw(_filled(taken, namespace)))
            continue
        for part in alternatives:
            most = part.least + 2 if part.most is None else part.most
            for _ in range(draw(st.integers(part.least, most))):
                element.append(draw(_filled(part, namespace)))
    return element


def _text(simple: Simple) -> st.SearchStrategy[str]:
    if simple.words:
        return st.sampled_from(simple.words)
    if simple.patterns:
        return st.from_regex(simple.patterns[0], fullmatch=True, alphabet=st.characters(codec="ascii"))
    match simple.base:
        case "date":
            return st.dates().map(str)
        case "boolean":
            return st.sampled_from(("true", "false"))
        case "integer":
            low, high = (simple.facet(name) for name in ("minInclusive", "maxInclusive"))
            return st.integers(int(low or -5), int(high or 500)).map(str)
        case "decimal":
            low, high = (simple.facet(name) for name in ("minInclusive", "maxInclusive"))
            places = int(simple.facet("fractionDigits") or 4)
            return st.decimals(int(low or -5), int(high or 5000), places=places).map(str)
    letters = st.characters(categories=("L", "N"))
    longest = int(simple.facet("maxLength") or 20)
    return st.text(letters, min_size=int(simple.facet("minLength") or 0), max_size=longest)
