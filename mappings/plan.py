"""A mapping table compiled for messages: elements are looked up by tag, read and written in one walk.

What a table does not know is refused with its path: another element, another namespace, another order, a second
where one belongs, text where elements belong, an attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from lxml import etree

from errors import ConfigurationError, InvalidRequest, UnexpectedElement, UnknownCode
from mappings.coverage import Part
from mappings.fields import Field
from mappings.kinds import Coded, Scalar
from security.xml import Element

Permits: TypeAlias = Callable[[str], bool]

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class Entry:
    """One element below a node: a field of the table, or a container with a node of its own."""

    __slots__ = ("bit", "field", "many", "name", "node", "order", "required", "tag")

    def __init__(self, tag: str, name: str, order: int, field: Field | None, node: Node | None) -> None:
        self.tag = tag
        self.name = name
        self.order = order
        self.bit = 1 << order
        self.field = field
        self.node = node
        self.many = field is not None and field.many
        self.required = field.required if field is not None else True


class Node:
    """The elements that may stand below one element, in their order."""

    __slots__ = ("by_tag", "code_tags", "entries", "namespace", "required")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.entries: list[Entry] = []
        self.by_tag: dict[str, Entry] = {}
        self.required = 0
        self.code_tags = (f"{{{namespace}}}Kods", f"{{{namespace}}}Nosaukums")

    def add(self, name: str, field: Field | None) -> Entry:
        """One more element, after those already there. Raises: ConfigurationError when its name is taken."""
        tag = f"{{{self.namespace}}}{name}"
        if tag in self.by_tag:
            raise ConfigurationError(f"a mapping table names the element {name} twice, or in two places")
        node = None if field is not None else Node(self.namespace)
        entry = Entry(tag, name, len(self.entries), field, node)
        self.entries.append(entry)
        self.by_tag[tag] = entry
        return entry

    def close(self) -> None:
        """Note what must be there: a container is required unless all that it holds is optional."""
        for entry in self.entries:
            if entry.node is not None:
                entry.node.close()
                entry.required = not all(_may_be_absent(inner) for inner in entry.node.entries)
            if entry.required:
                self.required |= entry.bit


def compile_fields(namespace: str, fields: Iterable[Field]) -> Node:
    """The tree of elements that a table's fields describe.

    Raises: ConfigurationError when two fields claim one element, or a container is left and entered again.
    """
    root = Node(namespace)
    for field in fields:
        node = root
        for name in field.path[:-1]:
            last = node.entries[-1] if node.entries else None
            entry = last if last is not None and last.name == name else node.add(name, None)
            if entry.node is None:
                raise ConfigurationError(f"a mapping table uses {name} as a container and as a field")
            node = entry.node
        node.add(field.path[-1], field)
    root.close()
    return root


def read(node: Node, element: Element, root: Element, values: dict[str, Any]) -> None:
    """Read an element's children into `values` by field name; many become lists.

    Raises: UnexpectedElement, UnknownCode (with the path from `root`).
    """
    if element.attrib:
        raise UnexpectedElement(f"{path(element, root)}/@{etree.QName(next(iter(element.attrib))).localname}")
    if element.text and not element.text.isspace():
        raise UnexpectedElement(f"{path(element, root)}: text")
    by_tag, last, seen = node.by_tag, -1, 0
    for child in element:
        entry = by_tag.get(child.tag)
        if entry is None or entry.order < last or (entry.order == last and not entry.many):
            raise UnexpectedElement(path(child, root))
        if child.tail and not child.tail.isspace():
            raise UnexpectedElement(f"{path(element, root)}: text")
        last = entry.order
        seen |= entry.bit
        if entry.node is not None:
            read(entry.node, child, root, values)
        elif entry.field is not None:
            value = _read_value(entry.field, node, child, root)
            if entry.many:
                values.setdefault(entry.field.name, []).append(value)
            else:
                values[entry.field.name] = value
    if node.required & ~seen:
        missing = next(entry for entry in node.entries if entry.bit & node.required & ~seen)
        raise UnexpectedElement(f"{path(element, root)}/{missing.name}: missing")


def write(node: Node, element: Element, record: object, permits: Permits | None) -> None:
    """Write the fields of a record that are permitted below an element.

    Raises: InvalidRequest naming a field whose value is missing or cannot stand in XML, UnknownCode.
    """
    for entry in node.entries:
        if entry.node is not None:
            container = etree.SubElement(element, entry.tag)
            write(entry.node, container, record, permits)
            if not len(container) and not entry.required:
                element.remove(container)
            continue
        field = entry.field
        if field is None or not permitted(field, permits):
            continue
        value = getattr(record, field.name)
        if field.many:
            if len(value) < field.minimum:
                raise InvalidRequest(f"{field.name} is missing")
            for one in value:
                _write_value(field, node, etree.SubElement(element, entry.tag), one, permits)
        elif value is not None and not (field.optional and value == field.absent):
            _write_value(field, node, etree.SubElement(element, entry.tag), value, permits)
        elif field.nillable:
            etree.SubElement(element, entry.tag).set(_NIL, "true")
        elif not field.optional:
            raise InvalidRequest(f"{field.name} is missing")


def permitted(field: Field, permits: Permits | None) -> bool:
    """Whether a field, or anything below a nested one, may leave."""
    if permits is None or field.always:
        return True
    if isinstance(field.kind, Scalar | Coded):
        return permits(field.rule)
    return field.kind.gives(permits)


def parts(node: Node) -> tuple[Part, ...]:
    """The elements below a node, for the comparison with a schema."""
    return tuple(
        Part(
            name=entry.name,
            required=entry.required,
            many=entry.many,
            parts=parts(entry.node) if entry.node is not None else _parts_of_value(entry.field),
        )
        for entry in node.entries
    )


def path(element: Element, root: Element) -> str:
    """Local names from the root of what is read down to an element."""
    names = [_name(element)]
    while element is not root and (element := element.getparent()) is not None:
        names.append(_name(element))
    return "/" + "/".join(reversed(names))


def _may_be_absent(entry: Entry) -> bool:
    return entry.field.optional if entry.field is not None else not entry.required


def _name(element: Element) -> str:
    return str(etree.QName(element).localname)[:64] if isinstance(element.tag, str) else "#"


def _parts_of_value(field: Field | None) -> tuple[Part, ...]:
    if field is None or isinstance(field.kind, Scalar):
        return ()
    if isinstance(field.kind, Coded):
        return tuple(Part(name, required=True, many=False) for name in ("Kods", "Nosaukums"))
    return field.kind.part.parts


def _read_value(field: Field, node: Node, element: Element, root: Element) -> object:
    kind = field.kind
    if isinstance(kind, Scalar):
        if element.attrib and _is_nil(field, element, root):
            return None
        if len(element):
            raise UnexpectedElement(path(element[0], root))
        if not element.text:
            raise UnexpectedElement(f"{path(element, root)}: empty")
        try:
            return kind.parse(element.text)
        except ValueError as error:
            raise UnexpectedElement(path(element, root)) from error
    if isinstance(kind, Coded):
        if element.attrib and _is_nil(field, element, root):
            return None
        code = _read_code(node, element, root)
        if code not in kind.codes:
            raise UnknownCode(path(element, root))
        return kind.value(code)
    return kind.read_part(element, root)


def _read_code(node: Node, element: Element, root: Element) -> str:
    """The code of {Kods, Nosaukums}; the text must be there, what it says does not count."""
    if element.text and not element.text.isspace():
        raise UnexpectedElement(f"{path(element, root)}: text")
    for position, child in enumerate(element):
        if position > 1 or child.tag != node.code_tags[position] or len(child) or child.attrib:
            raise UnexpectedElement(path(child, root))
        if child.tail and not child.tail.isspace():
            raise UnexpectedElement(f"{path(element, root)}: text")
    if len(element) != 2:
        raise UnexpectedElement(f"{path(element, root)}: a code with its text is wanted")
    return element[0].text or ""


def _is_nil(field: Field, element: Element, root: Element) -> bool:
    for name, value in element.attrib.items():
        if name != _NIL or not field.nillable or value.strip() not in ("true", "1", "false", "0"):
            raise UnexpectedElement(f"{path(element, root)}/@{etree.QName(name).localname}")
    nil = element.get(_NIL).strip() in ("true", "1")
    if nil and (len(element) or element.text):
        raise UnexpectedElement(f"{path(element, root)}: not empty")
    return nil


def _write_value(field: Field, node: Node, element: Element, value: Any, permits: Permits | None) -> None:
    kind = field.kind
    if isinstance(kind, Coded):
        code = kind.code(value)
        for tag, content in zip(node.code_tags, (code.code, code.text_lv), strict=True):
            etree.SubElement(element, tag).text = content
    elif isinstance(kind, Scalar):
        try:
            element.text = kind.format(value)
        except ValueError as error:
            raise InvalidRequest(f"{field.name}: a control character is in it") from error
    else:
        kind.write_part(element, value, permits)
