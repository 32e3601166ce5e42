"""What a contract says, read as values: operations, and the elements of their messages with everything below them.

It reads contracts of others too, before they are taken in: a new one, or a newer version of one. What mapping tables
could not follow is refused with its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import etree

from errors import GatewayError, InvalidRequest
from security.xml import Element, parse

_XS = "http://www.w3.org/2001/XMLSchema"
_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_SOAP = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple type: the built-in one that it restricts, and how. `name` is its own name, "" where it has none."""

    name: str
    base: str
    patterns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    facets: tuple[tuple[str, str], ...] = ()

    def facet(self, name: str) -> str | None:
        """The value of a facet, None where the type does not set it."""
        return dict(self.facets).get(name)


@dataclass(frozen=True, slots=True)
class Node:
    """An element: how often it occurs (`most` None: any number of times) and what is in it.

    `parts` are its children in their order, `simple` is its type where it holds a text. `choice` numbers the group of
    alternatives that it is one of, with `?` where all may be absent; "" where it is of none. `said` is its English
    documentation, or the first there is.
    """

    name: str
    least: int = 1
    most: int | None = 1
    simple: Simple | None = None
    parts: tuple[Node, ...] = ()
    type: str = ""
    nillable: bool = False
    choice: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The messages of one operation, and its SOAPAction."""

    request: Node
    answer: Node
    faults: tuple[Node, ...]
    action: str


@dataclass(frozen=True, slots=True)
class Description:
    """A contract as read: its namespace, its operations, and the files of its schemas beside the WSDL.

    `inline` is the schema that the WSDL itself holds, where it holds one.
    """

    path: Path
    namespace: str
    operations: Mapping[str, Exchange]
    schemas: tuple[Path, ...]
    inline: Element | None = None


def describe(path: Path, root: Path | None = None) -> Description:
    """Read a contract from its WSDL; nothing outside `root` (without one: the folder of the WSDL) is looked at.

    Raises: InvalidRequest saying what is not as it must be: document/literal wrapped, SOAP 1.1, and schemas of
    elements in sequences and choices.
    """
    return _Reader(path, root or path.parent).description()


def wsdl_in(folder: Path) -> Path:
    """The one WSDL of a folder. Raises: InvalidRequest."""
    found = sorted(folder.glob("*.wsdl"))
    if len(found) != 1:
        raise InvalidRequest(f"{folder.name}: one .wsdl is wanted, {len(found)} are there")
    return found[0]


@dataclass(slots=True)
class _Globals:
    """The named parts of all schemas, by `{namespace}name`."""

    element: dict[str, Element] = field(default_factory=dict)
    complexType: dict[str, Element] = field(default_factory=dict)
    simpleType: dict[str, Element] = field(default_factory=dict)

    def add(self, schema: Element) -> None:
        namespace = schema.get("targetNamespace", "")
        for child in schema.iterchildren(f"{{{_XS}}}*"):
            kind = etree.QName(child).localname
            if kind in self.__slots__:
                getattr(self, kind)[f"{{{namespace}}}{child.get('name')}"] = child


class Schemas:
    """A schema with all that it includes and imports, for looking up its elements."""

    def __init__(self, xsd: Path, root: Path) -> None:
        self._reader = _Reader(xsd, root)
        self._namespace = self._reader.schema()

    def element(self, name: str) -> Node | None:
        """A global element with everything below it; None where the schema has no such element.

        Raises: InvalidRequest with the path of what mapping tables could not follow.
        """
        return self._reader.element(f"{{{self._namespace}}}{name}")


class _Reader:
    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root.resolve()
        self._globals = _Globals()
        self._read: dict[Path, Element] = {}
        self._inline: list[Element] = []

    def schema(self) -> str:
        """Take in the file as a schema; its target namespace."""
        schema = self._parsed(self._path)
        self._take(schema, self._path)
        return str(schema.get("targetNamespace", ""))

    def element(self, name: str) -> Node | None:
        declared = self._globals.element.get(name)
        return None if declared is None else self._node(declared, "")

    def description(self) -> Description:
        wsdl = self._parsed(self._path)
        if wsdl.tag != f"{{{_WSDL}}}definitions":
            raise InvalidRequest(f"{self._path.name} is no WSDL 1.1: {etree.QName(wsdl).localname}")
        namespace = wsdl.get("targetNamespace", "")
        for schema in wsdl.iterfind(f"{{{_WSDL}}}types/{{{_XS}}}schema"):
            self._take(schema, self._path)
            if schema.get("targetNamespace"):
                self._inline.append(schema)
        if len(self._inline) > 1:
            raise InvalidRequest(
                f"{self._path.name} holds {len(self._inline)} schemas; one at most can be read"
            )
        operations = self._operations(wsdl)
        schemas = tuple(path for path in self._read if path != self._path)
        inline = self._inline[0] if self._inline else None
        return Description(self._path, namespace, operations, schemas, inline)

    def _parsed(self, path: Path) -> Element:
        try:
            return parse(path.read_bytes())
        except OSError as error:
            raise InvalidRequest(f"{path.name} cannot be read: {error.strerror}") from error
        except GatewayError as error:
            raise InvalidRequest(f"{path.name}: {error.message}") from error

    def _take(self, schema: Element, where: Path) -> None:
        """Add a schema and what it includes and imports."""
        self._globals.add(schema)
        for kind in ("include", "import"):
            for reference in schema.iterchildren(f"{{{_XS}}}{kind}"):
                location = reference.get("schemaLocation")
                if location is not None:
                    self._follow(location, where)

    def _follow(self, location: str, where: Path) -> None:
        parts = urlsplit(location)
        path = (where.parent / unquote(parts.path)).resolve()
        if parts.scheme or parts.netloc or not path.is_relative_to(self._root):
            raise InvalidRequest(
                f"{where.name} refers to {location}: put the schema beside the WSDL and refer to it by its name"
            )
        if path not in self._read:
            self._read[path] = schema = self._parsed(path)
            if schema.tag != f"{{{_XS}}}schema":
                raise InvalidRequest(f"{path.name} is no schema")
            self._take(schema, path)

    def _operations(self, wsdl: Element) -> dict[str, Exchange]:
        binding = self._binding(wsdl)
        messages = {found.get("name"): found for found in wsdl.iterfind(f"{{{_WSDL}}}message")}
        port_type = _named(wsdl, "portType", binding.get("type", ""))
        found: dict[str, Exchange] = {}
        for bound in binding.iterfind(f"{{{_WSDL}}}operation"):
            name = bound.get("name", "")
            soap = bound.find(f"{{{_SOAP[0]}}}operation")
            self._literal(bound, name, soap)
            declared = _named(port_type, "operation", name)
            request, answer = (
                self._wrapped(declared, direction, messages, name, wanted)
                for direction, wanted in (("input", name), ("output", f"{name}Response"))
            )
            faults = tuple(
                self._message(fault, messages, name) for fault in declared.iterfind(f"{{{_WSDL}}}fault")
            )
            found[name] = Exchange(request, answer, faults, soap.get("soapAction", ""))
        if not found:
            raise InvalidRequest(f"{self._path.name} has no operation")
        return found

    def _binding(self, wsdl: Element) -> Element:
        bindings = wsdl.findall(f"{{{_WSDL}}}binding")
        found = [one for one in bindings if one.find(f"{{{_SOAP[0]}}}binding") is not None]
        if not found or wsdl.find(f"{{{_WSDL}}}service") is None:
            raise InvalidRequest(f"{self._path.name} has no service with a binding for SOAP 1.1")
        return found[0]

    def _literal(self, bound: Element, name: str, soap: Element | None) -> None:
        binding = bound.getparent().find(f"{{{_SOAP[0]}}}binding")
        style = "" if soap is None else soap.get("style", binding.get("style", "document"))
        bodies = list(bound.iterfind(f".//{{{_SOAP[0]}}}body"))
        if style != "document" or any(body.get("use") != "literal" for body in bodies) or not bodies:
            raise InvalidRequest(
                f"operation {name} is not document/literal; rpc and encoded messages cannot be checked by a schema"
            )
        if soap is None or not soap.get("soapAction"):
            raise InvalidRequest(f"operation {name} has no soapAction; ask the system's operator for one")

    def _wrapped(
        self, operation: Element, direction: str, messages: Mapping[str, Element], name: str, wanted: str
    ) -> Node:
        side = operation.find(f"{{{_WSDL}}}{direction}")
        if side is None:
            raise InvalidRequest(f"operation {name} has no {direction}")
        node = self._message(side, messages, name)
        if node.name != wanted:
            raise InvalidRequest(
                f"operation {name} is not wrapped: its {direction} is {node.name}, not {wanted}"
            )
        return node

    def _message(self, side: Element, messages: Mapping[str, Element], name: str) -> Node:
        message = messages.get(side.get("message", "").rpartition(":")[2])
        parts = [] if message is None else message.findall(f"{{{_WSDL}}}part")
        if len(parts) != 1 or parts[0].get("element") is None:
            raise InvalidRequest(f"operation {name}: a message has one part, and that an element")
        element = self._globals.element.get(_qualified(parts[0], parts[0].get("element")))
        if element is None:
            raise InvalidRequest(f"operation {name}: no schema declares {parts[0].get('element')}")
        return self._node(element, "")

    def _node(self, element: Element, where: str, choice: str = "") -> Node:
        """An element with everything below it. Raises: InvalidRequest with its path."""
        if element.get("ref") is not None:
            declared = self._globals.element.get(_qualified(element, element.get("ref")))
            if declared is None:
                raise InvalidRequest(f"{where}: no schema declares {element.get('ref')}")
            least, most = _occurs(element)
            return replace(self._node(declared, where), least=least, most=most, choice=choice)
        path = f"{where}/{element.get('name')}"
        if path.count("/") > _DEEPEST:
            raise InvalidRequest(f"{path}: a type within itself, which mapping tables do not have")
        least, most = _occurs(element)
        inline = element.find(f"{{{_XS}}}complexType")
        name = _qualified(element, element.get("type", "")) if element.get("type") else ""
        holder = inline if inline is not None else self._globals.complexType.get(name)
        return Node(
            name=element.get("name"),
            least=least,
            most=most,
            simple=self._simple(element, name, path) if holder is None else None,
            parts=() if holder is None else self._parts(holder, path),
            type=name.rpartition("}")[2],
            nillable=element.get("nillable") in ("true", "1"),
            choice=choice,
            said=_said(element),
        )

    def _parts(self, holder: Element, path: str) -> tuple[Node, ...]:
        """The children that a complex type allows, those of the type that it extends first."""
        found: list[Node] = []
        groups = 0
        for kind, element in _particles(holder, path):
            if kind == "extension":
                base = self._globals.complexType.get(_qualified(element, element.get("base")))
                if base is None:
                    raise InvalidRequest(f"{path}: extends {element.get('base')}, which no schema declares")
                found += self._parts(base, path)
            elif kind == "choice":
                groups += 1
                group = f"{groups}{'' if _occurs(element)[0] else '?'}"
                found += [
                    replace(self._node(one, path, group), least=0)
                    for one in element.iterchildren(f"{{{_XS}}}element")
                ]
            else:
                found.append(self._node(element, path))
        twice = {one.name for one in found if sum(other.name == one.name for other in found) > 1}
        if twice:
            raise InvalidRequest(f"{path}: {', '.join(sorted(twice))} is declared twice")
        return tuple(found)

    def _simple(self, element: Element, name: str, path: str) -> Simple:
        own = element.find(f"{{{_XS}}}simpleType")
        if own is None and name.startswith(f"{{{_XS}}}"):
            return Simple("", name.rpartition("}")[2])
        declared = own if own is not None else self._globals.simpleType.get(name)
        if declared is None:
            raise InvalidRequest(f"{path}: the type {element.get('type') or 'of it'} is in no schema")
        restriction = declared.find(f"{{{_XS}}}restriction")
        if restriction is None:
            raise InvalidRequest(f"{path}: a list or union, which mapping tables do not have")
        base = self._base(restriction, path)
        facets = dict(base.facets)
        patterns, words = [], []
        for facet in restriction.iterchildren(f"{{{_XS}}}*"):
            kind, value = etree.QName(facet).localname, facet.get("value", "")
            if kind == "pattern":
                patterns.append(value)
            elif kind == "enumeration":
                words.append(value)
            elif kind not in ("annotation", "simpleType"):
                facets[kind] = value
        return Simple(
            name.rpartition("}")[2],
            base.base,
            (*base.patterns, *patterns),
            tuple(words) or base.words,
            tuple(sorted(facets.items())),
        )

    def _base(self, restriction: Element, path: str) -> Simple:
        """The type that a restriction begins from."""
        name = restriction.get("base")
        return self._simple(restriction, _qualified(restriction, name) if name else "", path)


def _particles(holder: Element, path: str) -> Iterator[tuple[str, Element]]:
    """The elements of a complex type in their order: `element`, `choice` with those in it, `extension`."""
    for child in holder.iterchildren(f"{{{_XS}}}*"):
        kind = etree.QName(child).localname
        if kind == "sequence":
            if _occurs(child) != (1, 1):
                raise InvalidRequest(f"{path}: a sequence that is repeated, which mapping tables do not have")
            yield from _particles(child, path)
        elif kind == "complexContent":
            yield from _particles(child, path)
        elif kind == "extension":
            yield kind, child
            yield from _particles(child, path)
        elif kind == "choice":
            inner = [etree.QName(one).localname for one in child.iterchildren(f"{{{_XS}}}*")]
            if set(inner) - {"element", "annotation"} or _occurs(child)[1] != 1:
                raise InvalidRequest(
                    f"{path}: a choice of more than elements, which mapping tables do not have"
                )
            yield kind, child
        elif kind == "element":
            yield kind, child
        elif kind != "annotation":
            raise InvalidRequest(f"{path}: xs:{kind}, which mapping tables do not have")


def _occurs(element: Element) -> tuple[int, int | None]:
    most = element.get("maxOccurs", "1")
    return int(element.get("minOccurs", "1")), None if most == "unbounded" else int(most)


def _qualified(element: Element, name: str) -> str:
    """`{namespace}local` of a name with a prefix that is in force at an element."""
    prefix, _, local = name.rpartition(":")
    return f"{{{element.nsmap.get(prefix or None, '')}}}{local}"


def _named(parent: Element, kind: str, name: str) -> Element:
    local = name.rpartition(":")[2]
    found = next((one for one in parent.iterfind(f"{{{_WSDL}}}{kind}") if one.get("name") == local), None)
    if found is None:
        raise InvalidRequest(f"the WSDL has no {kind} {local}")
    return found


def _said(element: Element) -> str:
    found = element.findall(f"{{{_XS}}}annotation/{{{_XS}}}documentation")
    english = [one for one in found if one.get(_LANGUAGE) == "en"]
    return " ".join(((english or found)[0].text or "").split()) if found else ""
