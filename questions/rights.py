"""The rights of access.d as people read them, and why a request would be allowed or not: the gateway's own decision."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import adapters
import mappings.services
import registers
from errors import AccessDenied, UnknownOperation
from exchange import Context, Environment, Grant, Lineage, Official
from mappings.entitlements import entitlements
from mappings.mapping import Mapping
from mappings.regulation import chain, rules
from mappings.services import OwnReading, Reading, Submission, ping
from registers import Register
from routing import comparisons
from routing.access import Access, Right
from routing.own_data import told_of
from routing.person_services import LISTS
from routing.person_services import OPERATION as LIST_SERVICES
from routing.register_routes import SYSTEM as REGISTERS
from routing.register_routes import operation_name
from routing.routes import OWN_SOURCE

HEADS = (
    "recipient",
    "basis",
    "operations",
    "purposes",
    "rules",
    "sources",
    "requests a day",
    "persons a day",
    "who is meant",
    "in force",
    "task and contract",
    "rule texts",
)
MISSING_HEADS = ("point", "recipient", "state", "missing", "text")


def matching(
    access: Access, recipient: str, operation: str, purpose: str = "", rule: str = ""
) -> tuple[Right, ...]:
    """The rights by which the gateway itself would allow a request; an empty purpose or rule stands for any granted.

    Raises: AccessDenied, PurposeNotAllowed.
    """
    found: dict[Right, None] = {}
    denial: AccessDenied | None = None
    own = [right for right in access.rights_of(recipient) if operation in right.operations]
    for granted, law in [(right.purposes[0], right.rules[0]) for right in own] or [("", "")]:
        context = Context(
            purpose=purpose or granted,
            rule=rule or law,
            official=Official("", "", ""),
            case="",
            request_id=uuid.UUID(int=0),
            environment=Environment.TEST,
        )
        try:
            found |= dict.fromkeys(access.decide(recipient, operation, context).rights)
        except AccessDenied as error:
            denial = error
    if denial is not None and not found:
        raise denial
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request would be allowed: by which rights, what it would be given and what not, or why it is denied.

    Where it is denied, `granted` are the rights to the operation that the recipient has today, `asleep` those that it
    has on other days or as drafts.
    """

    denial: AccessDenied | None
    rights: tuple[Right, ...]
    given: tuple[str, ...]
    withheld: tuple[str, ...]
    granted: tuple[Right, ...]
    asleep: tuple[Right, ...]


def explain(access: Access, recipient: str, operation: str, purpose: str = "", rule: str = "") -> Verdict:
    """The decision on a request, with its reasons; an empty purpose or rule stands for any that is granted.

    Raises: UnknownOperation when no system, service or register has the operation.
    """
    asked = find_operation(operation)
    denial: AccessDenied | None = None
    found: tuple[Right, ...] = ()
    try:
        found = matching(access, recipient, operation, purpose, rule)
    except AccessDenied as error:
        denial = error
    given, withheld = asked.told(found)
    granted = tuple(right for right in access.rights_of(recipient) if operation in right.operations)
    asleep = tuple(
        right
        for right in access.rights
        if right.recipient == recipient and operation in right.operations and right not in granted
    )
    return Verdict(denial, found, given, withheld, granted, asleep)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation of access.d tells or takes: each field with its rule, and the sources that it can be of.

    Without sources each row says its own, so that any source that is granted may give a field.
    """

    lines: tuple[Lineage, ...]
    sources: tuple[str, ...]
    always: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()

    def told(self, rights: Sequence[Right]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The fields that rights give of some source, and those that they give of none."""
        if not rights:
            return (), ()
        grant = Grant(frozenset(pair for right in rights for pair in right.pairs()))
        sources = self.sources or tuple({source for right in rights for source in right.sources})
        hidden = self.unnamed if not all(right.identifying for right in rights) else frozenset()
        given = tuple(
            line.field
            for line in self.lines
            if line.field not in hidden
            and (line.field in self.always or any(grant.permits(line.rule, source) for source in sources))
        )
        return given, tuple(line.field for line in self.lines if line.field not in given)


def find_operation(name: str) -> Asked:
    """What an operation of access.d tells or takes.

    Raises: UnknownOperation when no system, service or register has it.
    """
    system, _, operation = name.partition(".")
    services = mappings.services.discover()
    if system in services:
        own = services[system].operation(operation)
        if own is None:
            raise UnknownOperation(_FORM)
        if isinstance(own.via, Submission):
            return _of_table(own.via.table, own.via.source)
        if isinstance(own.via, Reading):
            return Asked(own.via.table.lineage(""), ())
        if isinstance(own.via, OwnReading):
            held = [one for one in registers.REGISTERS.values() if one.of_persons]
            return _of_rows([(table, f"{name}[].") for one in held for name, table in told_of(one)])
        if own.via[0] == ping.SYSTEM:
            return Asked((), ())
        system, operation = own.via
    if system == REGISTERS:
        return _of_register(operation)
    if system == comparisons.SYSTEM and operation in map(comparisons.operation_name, comparisons.discover()):
        return Asked((), ())  # of what is compared nothing is given
    adapter = adapters.discover().get(system)
    target = adapter.operation(operation) if adapter is not None else None
    if target is None:
        raise UnknownOperation(_FORM)
    return _of_table(target.answer, system)


_FORM = "an operation is written as in access.d, e.g. pmlp.GetPerson"


def _of_table(asked: Mapping[Any], source: str) -> Asked:
    lines = asked.lineage(source)
    judged = set(asked.withheld(lambda _rule: False))
    return Asked(lines, (source,), frozenset(line.field for line in lines if line.field not in judged))


def _of_register(operation: str) -> Asked:
    """Raises: UnknownOperation."""
    if operation == LIST_SERVICES:
        return _of_rows([(registers.register(one), f"{name}[].") for name, one in LISTS.items()])
    for name, register in registers.REGISTERS.items():
        if operation == operation_name("Write", name) and name in registers.WRITES:
            return _of_table(registers.WRITES[name].table, OWN_SOURCE)
        acts = ("Search", "Read", "Follow") if register.followed else ("Search", "Read")
        if operation in (operation_name(act, name) for act in acts):
            parts = [
                (part.register, f"{own}." if part.single else f"{own}[].")
                for own, part in register.parts.items()
            ]
            return _of_rows([(register, ""), *parts])
    raise UnknownOperation(_FORM)


def _of_rows(held: Sequence[tuple[Register, str]]) -> Asked:
    lines = [
        Lineage(f"{prefix}{name}", rule, register.source, "", f"{register.table.name}.{name}")
        for register, prefix in held
        for name, rule in register.fields.items()
    ]
    unnamed = frozenset(
        f"{prefix}{name}"
        for register, prefix in held
        for name in register.fields
        if registers.identifying(register, name)
    )
    return Asked(tuple(lines), (), unnamed=unnamed)


def rule_text(rule: str) -> str:
    """The text of a rule after the heads of the points above it."""
    return " › ".join(own.text.rstrip(":") for own in chain(rule)) or "not in the regulation"


def own_text(rule: str) -> str:
    """The text of a rule alone."""
    found = rules().get(rule)
    return found.text.rstrip(":") if found else "not in the regulation"


def in_force(right: Right) -> str:
    """On which days a right gives something, the first and the last included."""
    if right.draft:
        return "not yet: a draft gives nothing"
    days = [
        f"{word} {day}" for word, day in (("from", right.since), ("until", right.until)) if day is not None
    ]
    return " ".join(days) or "always"


def rows(rights: Sequence[Right]) -> Iterator[tuple[str, ...]]:
    for right in sorted(rights, key=lambda right: (right.recipient, right.operations, right.purposes)):
        yield (
            right.recipient,
            right.basis,
            ", ".join(right.operations),
            ", ".join(right.purposes),
            ", ".join(right.rules),
            ", ".join(right.sources),
            str(right.requests_day),
            str(right.persons_day),
            "by name" if right.identifying else "pseudonyms",
            in_force(right),
            "; ".join(filter(None, (right.task, right.contract))),
            "; ".join(f"{rule}: {own_text(rule)}" for rule in right.rules),
        )


def texts(rights: Sequence[Right]) -> list[tuple[str, str]]:
    """The rules that rights name, as rule, basis or both, in the order of the regulation."""
    named = {rule for right in rights for rule in (*right.rules, right.basis)}
    return [(rule, rule_text(rule)) for rule in rules() if rule in named]


def missing() -> Iterator[tuple[str, ...]]:
    for one in entitlements():
        yield (one.point, one.recipient, one.state, one.reason, own_text(one.point))
