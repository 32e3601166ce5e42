"""Whether a mapping table and a published schema speak of the same elements: what `gateway check` compares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from errors import ConfigurationError, InvalidRequest
from wsdl import ROOT
from wsdl.description import Node, Schemas


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


@cache
def declared(xsd: Path, element: str) -> Part | None:
    """A global element of a schema with everything below it; None when the schema has no such element.

    Raises: ConfigurationError for a construct that the naming rules of the state schema catalogue do not use.
    """
    try:
        node = _schemas(xsd).element(element)
    except InvalidRequest as error:
        raise ConfigurationError(f"{xsd.name}{error.detail}") from error
    return None if node is None else _part(node)


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
def _schemas(xsd: Path) -> Schemas:
    return Schemas(xsd, ROOT if xsd.is_relative_to(ROOT) else xsd.parent)


def _part(node: Node) -> Part:
    return Part(
        name=node.name,
        required=node.least > 0,
        many=node.most != 1,
        parts=tuple(_part(part) for part in node.parts),
        type="" if node.simple is None else node.simple.name or node.simple.base,
    )
