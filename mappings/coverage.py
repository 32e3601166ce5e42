"""Whether a mapping table and a published schema speak of the same elements: what `gateway check` compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

from errors import ConfigurationError
from security.xml import Element, parse

_XS = "{http://www.w3.org/2001/XMLSchema}"


@dataclass(frozen=True, slots=True)
class Part:
    """An element as a table maps it or as a schema declares it; `parts` are its children in their order.

    `type` is the schema's simple type, "" where the element has children or a table speaks.
    """

    name: str
    required: bool
    many: bool
    parts: tuple[Part, ...] = ()
    type: str = ""


def declared(xsd: Path, element: str) -> Part | None:
    """A global element of a schema with everything below it; None when the schema has no such element.

    Raises: ConfigurationError for a construct that the naming rules of the state schema catalogue do not use.
    """
    return _declared(xsd).get(element)


def differences(mapped: Part, published: Part, path: str = "") -> Iterator[str]:
    """What a table and a schema disagree on, with the element's path."""
    here = f"{path}/{mapped.name}"
    ours = {part.name: part for part in mapped.parts}
    theirs = {part.name: part for part in published.parts}
    for name, part in theirs.items():
        if name not in ours:
            yield f"{here}/{name}: {'mandatory, but ' if part.required else ''}not mapped"
    for name in ours:
        if name not in theirs:
            yield f"{here}/{name}: not in the schema"
    both = [name for name in ours if name in theirs]
    if both != [name for name in theirs if name in ours]:
        yield f"{here}: mapped in another order than the schema's"
    for name in both:
        ours_part, theirs_part = ours[name], theirs[name]
        if ours_part.many != theirs_part.many:
            yield f"{here}/{name}: {'once' if theirs_part.many is False else 'many times'} in the schema"
        if ours_part.required and not theirs_part.required:
            yield f"{here}/{name}: mapped as mandatory, optional in the schema"
        if theirs_part.required and not ours_part.required:
            yield f"{here}/{name}: mapped as optional, mandatory in the schema"
        yield from differences(ours_part, theirs_part, here)


@cache
def _declared(xsd: Path) -> Mapping[str, Part]:
    root = parse(xsd.read_bytes())
    types = {child.attrib["name"]: child for child in root.iterfind(f"{_XS}complexType")}
    return {
        child.attrib["name"]: _element(child, types, required=True)
        for child in root.iterfind(f"{_XS}element")
    }


def _element(element: Element, types: Mapping[str, Element], *, required: bool) -> Part:
    kind = element.attrib["type"].rpartition(":")[2]
    return Part(
        name=element.attrib["name"],
        required=required and element.get("minOccurs", "1") != "0",
        many=element.get("maxOccurs", "1") != "1",
        parts=tuple(_children(types[kind], types)) if kind in types else (),
        type="" if kind in types else kind,
    )


def _children(holder: Element, types: Mapping[str, Element], *, required: bool = True) -> Iterator[Part]:
    for child in holder:
        name = etree.QName(child).localname
        if name == "element":
            yield _element(child, types, required=required)
        elif name == "sequence":
            yield from _children(child, types, required=required)
        elif name == "choice":
            yield from _children(child, types, required=False)
        elif name != "annotation":
            raise ConfigurationError(
                f"a schema uses xs:{name}, which mapping tables cannot be checked against"
            )
