"""Access as law in data: `access.d/*.toml` lists what each recipient may ask and be given; all else is denied.

A grant names operations (`pmlp.GetPerson`), purposes, rules and sources. A field leaves when the pair of its rule and
the source of its value is granted; a rule covers its sub-points. `basis` is the point that entitles the recipient.
A grant with `identifying = false` is for who may not know a person: a rule that names one stops start-up, and what it
gives leaves under pseudonyms (`registers/pseudonyms.py`). A grant may have a first and a last day, and one for a
delegated task (p18.4) must name task, contract and last day; a draft of a grant gives nothing.
Source: p17, p18, p18.2, p18.4, p18.6, p19, p21.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from adapters import Selection
from errors import AccessDenied, ConfigurationError, PurposeNotAllowed
from exchange import Arguments, Context, Disclosed, Grant, today_in_riga
from mappings.identifying import named_within
from mappings.mapping import Mapping as Mapped
from mappings.services import discover

# In place of a recipient: every registered one. Only operations that give nothing of the law may be granted so.
EVERYONE = "*"

# The basis of a delegated task: it is done by a contract, and ends with it.
DELEGATED = "p18.4"

# Only the search of a register replaces who is meant by pseudonyms.
_PSEUDONYMOUS = "registers.Search"


@dataclass(frozen=True, slots=True)
class Right:
    """One `[[grant]]` of access.d. Quotas count per recipient and day in Europe/Riga.

    `since` and `until` are the first and the last day on which it holds; None is no limit. `task` and `contract` say
    what was delegated and by which contract. A `draft` is checked like every grant and gives nothing: what is still
    to be filled in is not signed yet.
    """

    recipient: str
    operations: tuple[str, ...]
    purposes: tuple[str, ...]
    rules: tuple[str, ...]
    sources: tuple[str, ...]
    requests_day: int
    persons_day: int
    basis: str = ""
    identifying: bool = True
    task: str = ""
    contract: str = ""
    since: date | None = None
    until: date | None = None
    draft: bool = False

    def in_force(self, day: date) -> bool:
        """Whether it gives anything on a day in Riga."""
        begun = self.since is None or self.since <= day
        return not self.draft and begun and (self.until is None or day <= self.until)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every (rule, source) that this right gives."""
        return ((rule, source) for rule in self.rules for source in self.sources)

    def covers(self, rule: str) -> bool:
        """Whether a request may name this rule: one that is granted, a point above it or a point beneath it."""
        return any(
            rule == own or own.startswith(f"{rule}.") or rule.startswith(f"{own}.") for own in self.rules
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that a recipient may ask in a day: requests, and distinct persons. Source: p19 (no mass copying)."""

    requests_day: int
    persons_day: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What one request is allowed: its grant, its quota and the rights that gave it."""

    grant: Grant
    quota: Quota
    rights: tuple[Right, ...]


class Access:
    """The rights of all recipients, read once at start-up; `today` says which of them are in force."""

    def __init__(self, rights: tuple[Right, ...], today: Callable[[], date] = today_in_riga) -> None:
        self.rights = rights
        self._today = today
        # The same few questions are asked over and over, and the rights do not change.
        self._decided = lru_cache(maxsize=4096)(self._decide)

    @classmethod
    def load(cls, folder: Path) -> Access:
        """Read every `*.toml` of the folder.

        Raises: ConfigurationError naming the file and what is wrong in it.
        """
        rights = tuple(right for path in sorted(folder.glob("*.toml")) for right in _read(path))
        nameless = {right.recipient for right in rights if not right.identifying}
        for right in rights:
            if right.identifying and right.recipient in nameless:
                raise ConfigurationError(
                    f"{folder}: {right.recipient} has rights with and without identifying = false"
                )
        return cls(rights)

    def rights_of(self, recipient: str) -> tuple[Right, ...]:
        """The rights of a recipient that are in force today, its own and those that everyone has."""
        return self._held(recipient, self._today())

    def in_force(self) -> tuple[Right, ...]:
        """The rights of all recipients that are in force today."""
        return tuple(right for right in self.rights if right.in_force(self._today()))

    def _held(self, recipient: str, day: date) -> tuple[Right, ...]:
        mine = (recipient, EVERYONE)
        return tuple(right for right in self.rights if right.recipient in mine and right.in_force(day))

    def decide(self, recipient: str, operation: str, context: Context) -> Decision:
        """Decide by recipient, operation, purpose, rule and today; several matching rights add up.

        Raises: AccessDenied when the operation is not granted at all, PurposeNotAllowed when it is, but not so.
        """
        return self._decided(recipient, operation, context.purpose, context.rule, self._today())

    def _decide(self, recipient: str, operation: str, purpose: str, rule: str, day: date) -> Decision:
        for_operation = [right for right in self._held(recipient, day) if operation in right.operations]
        if not for_operation:
            raise AccessDenied(operation)
        for_purpose = [right for right in for_operation if purpose in right.purposes]
        if not for_purpose:
            raise PurposeNotAllowed("purpose")
        matching = tuple(right for right in for_purpose if right.covers(rule))
        if not matching:
            raise PurposeNotAllowed("rule")
        return Decision(
            grant=Grant(
                frozenset(pair for right in matching for pair in right.pairs()),
                pseudonyms_of=None if all(right.identifying for right in matching) else recipient,
            ),
            quota=Quota(
                requests_day=max(right.requests_day for right in matching),
                persons_day=max(right.persons_day for right in matching),
            ),
            rights=matching,
        )


def narrow(selection: Selection | None, arguments: Arguments, grant: Grant, source: str) -> Arguments:
    """Ask for no more than may be given: a selection that was left out becomes all that is granted.

    Raises: AccessDenied when something was asked of which nothing may be given.
    """
    if selection is None:
        return arguments
    given = tuple(
        value
        for value, rules in selection.rules.items()
        if any(grant.permits(rule, source) for rule in rules)
    )
    wanted = selection.chosen(arguments)
    if wanted is None:
        if not given:
            raise AccessDenied(selection.argument)
        return {**arguments, selection.argument: given}
    if any(value in selection.rules and value not in given for value in wanted):
        raise AccessDenied(selection.argument)
    return arguments


def only_granted(
    table: Mapped[Any], arguments: Arguments, grant: Grant, source: str
) -> tuple[Arguments, Disclosed]:
    """What of a notice its recipient may have, and the names of what is given and withheld.

    Raises: AccessDenied when something without which the notice says nothing is not granted.
    """
    rules: dict[str, list[str]] = {}
    for row in table.lineage(source):  # of a record within the notice, or several, all fields or none
        rules.setdefault(row.field.partition(".")[0].removesuffix("[]"), []).append(row.rule)
    withheld = tuple(
        name for name in arguments if not all(grant.permits(rule, source) for rule in rules[name])
    )
    given = {name: value for name, value in arguments.items() if name not in withheld}
    if missing := [name for name in withheld if name in table.mandatory]:
        raise AccessDenied(missing[0])
    return given, Disclosed(None, tuple(given), withheld)


def _nameless(right: Right, where: str) -> None:
    """Raises: ConfigurationError for a rule that names a person, or an operation whose answers have no pseudonyms."""
    for rule in right.rules:
        if named := named_within(rule):
            raise ConfigurationError(
                f"{where}: {rule} gives what identifies a person: {named.rule} {named.why}"
            )
    for operation in right.operations:
        if not operation.startswith(_PSEUDONYMOUS):
            raise ConfigurationError(f"{where}: {operation} has no answers under pseudonyms")


def _read(path: Path) -> Iterator[Right]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if set(content) - {"grant"}:
        raise ConfigurationError(f"{path}: only [[grant]] is known here")
    for number, values in enumerate(content.get("grant", []), start=1):
        where = f"{path}: grant {number}"
        right = _right(values, where)
        if not right.identifying:
            _nameless(right, where)
        yield right


def _right(values: Mapping[str, Any], where: str) -> Right:
    names = {field.name for field in fields(Right)}
    optional = {field.name for field in fields(Right) if field.default is not MISSING}
    if wrong := (set(values) - names) | (names - optional - set(values)):
        raise ConfigurationError(f"{where}: missing or unknown: {', '.join(sorted(wrong))}")
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name in ("requests_day", "persons_day"):
            right = type(value) is int and value >= 0
        elif name in ("recipient", "basis", "task", "contract"):
            right = isinstance(value, str) and bool(value.strip())
        elif name in ("identifying", "draft"):
            right = isinstance(value, bool)
        elif name in ("since", "until"):
            right = type(value) is date  # a day, not an instant
        else:
            right = isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
        if not right:
            raise ConfigurationError(f"{where}: {name} is not as it should be")
        read[name] = tuple(value) if isinstance(value, list) else value
    right_read = Right(**read)
    if right_read.since and right_read.until and right_read.since > right_read.until:
        raise ConfigurationError(f"{where}: since is after until")
    if right_read.basis == DELEGATED and (missing := _not_delegated(right_read)):
        raise ConfigurationError(f"{where}: a delegated task ({DELEGATED}) names {', '.join(missing)}")
    if right_read.recipient == EVERYONE and (closed := set(right_read.operations) - open_operations()):
        raise ConfigurationError(
            f"{where}: {', '.join(sorted(closed))} may not be granted to everyone; name the recipients"
        )
    return right_read


def _not_delegated(right: Right) -> list[str]:
    """What a grant for a delegated task does not say; a draft needs its task alone."""
    wanted = {"task": right.task} if right.draft else {"task": right.task, "contract": right.contract}
    missing = [name for name, said in wanted.items() if not said]
    return missing if right.draft or right.until is not None else [*missing, "until"]


def open_operations() -> frozenset[str]:
    """The operations that may be granted to everyone: of our services, those that have no field of law.

    Every field of the answer, and of the request besides its context, is said of the exchange itself (`always`), so
    no right is asked for it.
    """

    def nothing(_rule: str) -> bool:
        return False

    return frozenset(
        f"{service.name}.{operation.name}"
        for service in discover().values()
        for operation in service.operations
        if not operation.answer.withheld(nothing)
        and all(name.startswith("context.") for name in operation.request.withheld(nothing))
    )
