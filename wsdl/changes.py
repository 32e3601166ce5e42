"""What changed between two versions of a contract, and for whom that matters.

A change `widens` where a message by the new contract need not be one by the old, and `narrows` where one by the old
need not be one by the new. Who sends what then says who is broken: a request by the old contract that the new one
refuses, an answer by the new contract that a reader of the old one does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from wsdl.description import Description, Exchange, Node, Simple

_VERSION = re.compile(r"v\d+[-.]\d+$")
_AT_MOST = frozenset({"maxLength", "maxInclusive", "maxExclusive", "totalDigits", "fractionDigits"})
_AT_LEAST = frozenset({"minLength", "minInclusive", "minExclusive"})
# What each built-in type is a part of. Every simple value is a string as it is written.
_PART_OF = {
    "short": "int",
    "int": "long",
    "long": "integer",
    "unsignedShort": "unsignedInt",
    "unsignedInt": "nonNegativeInteger",
    "positiveInteger": "nonNegativeInteger",
    "nonNegativeInteger": "integer",
    "integer": "decimal",
    "token": "normalizedString",
    "normalizedString": "string",
}


class Kind(StrEnum):
    """What was changed."""

    NAMESPACE = "namespace"
    OPERATION_ADDED = "operation-added"
    OPERATION_REMOVED = "operation-removed"
    ACTION = "action"
    FAULT_ADDED = "fault-added"
    FAULT_REMOVED = "fault-removed"
    ELEMENT_ADDED = "element-added"
    ELEMENT_REMOVED = "element-removed"
    ELEMENT_RENAMED = "element-renamed"
    OCCURS = "occurs"
    ORDER = "order"
    CHOICE = "choice"
    NILLABLE = "nillable"
    TYPE = "type"
    WORDS = "words"
    PATTERN = "pattern"
    FACET = "facet"


class Side(StrEnum):
    """Which message a change is in; a fault is an answer too."""

    REQUEST = "request"
    ANSWER = "answer"
    FAULT = "fault"
    ALL = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where it is, what stood there and what stands there now ("" where there is nothing)."""

    kind: Kind
    operation: str
    side: Side
    path: str
    before: str
    after: str
    widens: bool
    narrows: bool

    @property
    def harms_requests(self) -> bool:
        """Whether a request as it was may be refused now."""
        return self.narrows and self.side in (Side.REQUEST, Side.ALL)

    @property
    def harms_answers(self) -> bool:
        """Whether an answer as it is now may be none that was known."""
        return self.widens and self.side is not Side.REQUEST


_INVERSE = {
    Kind.OPERATION_ADDED: Kind.OPERATION_REMOVED,
    Kind.FAULT_ADDED: Kind.FAULT_REMOVED,
    Kind.ELEMENT_ADDED: Kind.ELEMENT_REMOVED,
}
_INVERSE |= {after: before for before, after in _INVERSE.items()}


def inverse(change: Change) -> Change:
    """The change back."""
    path = change.path
    if change.kind is Kind.ELEMENT_RENAMED:
        path = f"{path.rpartition('/')[0]}/{change.after}"
    if change.kind in (Kind.OPERATION_ADDED, Kind.OPERATION_REMOVED):
        # An operation that goes narrows what may be asked; one that comes changes nothing for who does not ask it.
        widens, narrows = False, change.kind is Kind.OPERATION_ADDED
    else:
        widens, narrows = change.narrows, change.widens
    return replace(
        change,
        kind=_INVERSE.get(change.kind, change.kind),
        path=path,
        before=change.after,
        after=change.before,
        widens=widens,
        narrows=narrows,
    )


def changes(old: Description, new: Description) -> tuple[Change, ...]:
    """Every change from one contract to another, in the order of the old one."""
    return tuple(_changes(old, new))


def occurs(node: Node) -> str:
    """How often an element occurs: `0..1`, `1..n`."""
    return f"{node.least}..{'n' if node.most is None else node.most}"


def _changes(old: Description, new: Description) -> Iterator[Change]:
    if old.namespace != new.namespace:
        # Versions are served side by side; a namespace of another name is another contract.
        other = _VERSION.sub("", old.namespace) != _VERSION.sub("", new.namespace)
        yield Change(Kind.NAMESPACE, "", Side.ALL, "", old.namespace, new.namespace, other, other)
    for name, exchange in old.operations.items():
        if name in new.operations:
            yield from _exchange(name, exchange, new.operations[name], old.namespace, new.namespace)
        else:
            yield Change(Kind.OPERATION_REMOVED, name, Side.ALL, "", name, "", False, True)
    for name in new.operations:
        if name not in old.operations:
            yield Change(Kind.OPERATION_ADDED, name, Side.ALL, "", "", name, False, False)


def _exchange(name: str, old: Exchange, new: Exchange, before: str, after: str) -> Iterator[Change]:
    if old.action.removeprefix(before) != new.action.removeprefix(after):
        yield Change(Kind.ACTION, name, Side.ALL, "", old.action, new.action, True, True)
    for side, mine, theirs in (
        (Side.REQUEST, old.request, new.request),
        (Side.ANSWER, old.answer, new.answer),
    ):
        yield from _Comparison(name, side).nodes(mine, theirs, "")
    faults = {fault.name: fault for fault in new.faults}
    known = {fault.name: fault for fault in old.faults}
    for fault in old.faults:
        if fault.name in faults:
            yield from _Comparison(name, Side.FAULT).nodes(fault, faults[fault.name], "")
        else:
            yield Change(Kind.FAULT_REMOVED, name, Side.FAULT, f"/{fault.name}", fault.name, "", False, False)
    for fault in new.faults:
        if fault.name not in known:
            yield Change(Kind.FAULT_ADDED, name, Side.FAULT, f"/{fault.name}", "", fault.name, False, False)


@dataclass(frozen=True, slots=True)
class _Comparison:
    operation: str
    side: Side

    def nodes(self, old: Node, new: Node, where: str) -> Iterator[Change]:
        """Two elements of one name."""
        path = f"{where}/{old.name}"
        if (old.least, old.most) != (new.least, new.most):
            fewer = _less(new.most, old.most) or new.least > old.least
            more = _less(old.most, new.most) or new.least < old.least
            yield self._change(Kind.OCCURS, path, occurs(old), occurs(new), more, fewer)
        if old.nillable != new.nillable:
            yield self._change(
                Kind.NILLABLE, path, _word(old.nillable), _word(new.nillable), new.nillable, old.nillable
            )
        if old.simple is not None and new.simple is not None:
            yield from self._simple(old.simple, new.simple, path)
        elif (old.simple is None) != (new.simple is None):
            yield self._change(Kind.TYPE, path, _type(old), _type(new), True, True)
        else:
            yield from self._parts(old.parts, new.parts, path)

    def _parts(self, old: tuple[Node, ...], new: tuple[Node, ...], path: str) -> Iterator[Change]:
        mine, theirs = {one.name: one for one in old}, {one.name: one for one in new}
        renamed = dict(_renamed(old, new))
        for one in old:
            if one.name in renamed:
                yield self._change(
                    Kind.ELEMENT_RENAMED, f"{path}/{one.name}", one.name, renamed[one.name], True, True
                )
            elif one.name in theirs:
                yield from self._choice(one, theirs[one.name], old, new, path)
                yield from self.nodes(one, theirs[one.name], path)
            else:
                needed = _needed(one, old, theirs)
                yield self._change(Kind.ELEMENT_REMOVED, f"{path}/{one.name}", occurs(one), "", needed, True)
        for one in new:
            if one.name not in mine and one.name not in renamed.values():
                needed = _needed(one, new, mine)
                yield self._change(Kind.ELEMENT_ADDED, f"{path}/{one.name}", "", occurs(one), True, needed)
        before = [one.name for one in old if one.name in theirs]
        after = [one.name for one in new if one.name in mine]
        if before != after:
            yield self._change(Kind.ORDER, path, " ".join(before), " ".join(after), True, True)

    def _choice(
        self, old: Node, new: Node, olds: tuple[Node, ...], news: tuple[Node, ...], path: str
    ) -> Iterator[Change]:
        before, after = _alternatives(old, olds, news), _alternatives(new, news, olds)
        if before == after:
            return
        same = before.rstrip("?") == after.rstrip("?")
        yield self._change(
            Kind.CHOICE,
            f"{path}/{old.name}",
            before,
            after,
            not same or after.endswith("?"),
            not same or before.endswith("?"),
        )

    def _simple(self, old: Simple, new: Simple, path: str) -> Iterator[Change]:
        if old.base != new.base:
            wider, narrower = _within(old.base, new.base), _within(new.base, old.base)
            yield self._change(Kind.TYPE, path, old.base, new.base, not narrower, not wider)
        if set(old.words) != set(new.words):
            gone, come = set(old.words) - set(new.words), set(new.words) - set(old.words)
            widens = bool(come) if old.words and new.words else not new.words
            narrows = bool(gone) if old.words and new.words else not old.words
            yield self._change(Kind.WORDS, path, " ".join(old.words), " ".join(new.words), widens, narrows)
        if set(old.patterns) != set(new.patterns):
            before, after = " | ".join(old.patterns), " | ".join(new.patterns)
            yield self._change(Kind.PATTERN, path, before, after, bool(old.patterns), bool(new.patterns))
        for name in sorted({*dict(old.facets), *dict(new.facets)}):
            yield from self._facet(name, old.facet(name), new.facet(name), path)

    def _facet(self, name: str, old: str | None, new: str | None, path: str) -> Iterator[Change]:
        if old == new or (old and new and _number(old) == _number(new)):
            return
        if old is None or new is None:
            widens, narrows = new is None, old is None
        elif name in _AT_MOST or name in _AT_LEAST:
            grows = _number(old) < _number(new)
            widens = grows == (name in _AT_MOST)
            narrows = not widens
        else:
            widens = narrows = True
        before, after = (f"{name}={value}" if value is not None else "" for value in (old, new))
        yield self._change(Kind.FACET, path, before, after, widens, narrows)

    def _change(self, kind: Kind, path: str, before: str, after: str, widens: bool, narrows: bool) -> Change:
        return Change(kind, self.operation, self.side, path, before, after, widens, narrows)


def _less(one: int | None, other: int | None) -> bool:
    """Whether an upper limit is lower than another; None is none."""
    return one is not None and (other is None or one < other)


def _within(part: str, whole: str) -> bool:
    """Whether every value of one built-in type is one of another."""
    if whole == "string":
        return True
    while part in _PART_OF:
        part = _PART_OF[part]
        if part == whole:
            return True
    return False


def _number(value: str) -> tuple[int, Decimal | str]:
    """A limit as it compares: a number, or a day or month as it is written."""
    try:
        return 0, Decimal(value)
    except InvalidOperation:  # its text says nothing more
        return 1, value


def _word(value: bool) -> str:
    return "true" if value else "false"


def _type(node: Node) -> str:
    return node.type or (node.simple.base if node.simple is not None else "elements")


def _shape(node: Node) -> Node:
    """An element without its name and what is said of it, to see whether another is the same."""
    simple = None if node.simple is None else replace(node.simple, name="")
    parts = tuple(replace(_shape(part), name=part.name) for part in node.parts)
    return replace(node, name="", said="", type="", simple=simple, parts=parts, choice="")


def _renamed(old: tuple[Node, ...], new: tuple[Node, ...]) -> Iterator[tuple[str, str]]:
    """Elements that went from a place in which one of the same shape has come."""
    mine, theirs = {one.name for one in old}, {one.name for one in new}
    come = {_neighbour(one, new, mine): one for one in reversed(new) if one.name not in mine}
    for one in old:
        if one.name not in theirs:
            place = _neighbour(one, old, theirs)
            other = come.get(place)
            if other is not None and _shape(one) == _shape(other) and bool(one.choice) == bool(other.choice):
                del come[place]
                yield one.name, other.name


def _neighbour(
    node: Node, siblings: tuple[Node, ...], shared: Mapping[str, object] | set[str]
) -> tuple[str, int]:
    """The place of an element: the last one before it that both versions have, and how many stand between."""
    between, place = 0, ""
    for one in siblings:
        if one.name == node.name:
            break
        between, place = (0, one.name) if one.name in shared else (between + 1, place)
    return place, between


def _needed(node: Node, siblings: tuple[Node, ...], others: Mapping[str, Node]) -> bool:
    """Whether a message must hold an element that the other version does not have: alone, or as one of a choice."""
    if node.least:
        return True
    group = [one for one in siblings if one.choice == node.choice]
    return (
        bool(node.choice) and not node.choice.endswith("?") and not any(one.name in others for one in group)
    )


def _alternatives(node: Node, siblings: tuple[Node, ...], others: tuple[Node, ...]) -> str:
    """What an element is an alternative to, among those that both versions have."""
    if not node.choice:
        return ""
    names = {one.name for one in others}
    group = sorted(one.name for one in siblings if one.choice == node.choice and one.name in names)
    return "|".join(group) + ("?" if node.choice.endswith("?") else "")
