"""What the leaves of an export say: their form, their order, their values, and which of them may be missing.

Part of the verifier that is in every export (verify.py): it needs Python 3.11 or newer, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

ID, COMMITMENT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), re.compile("[0-9a-f]{64}")
PLAIN = re.compile(r'"[^"\\\x00-\x1f]*"')
PLACE, VALUE = frozenset({"checkpoint", "hash", "index"}), frozenset({"index", "name", "salt", "value"})
ERASURE, NOTE, ERASED = (
    frozenset({"index", "leaf"}),
    frozenset({"note", "size"}),
    frozenset({"class", "missing"}),
)
# The classes of leaves from before there were classes; that of an outcome depends on what it says.
CLASSES = {"origin": "permanent", "erasure": "permanent", "refusals": "refusal", "admin": "administration"}


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


def whole(text: str) -> int:
    need(abs(int(text)) < 2**53, f"not every reader takes {text} for the same number")
    return int(text)


def by_name(members: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(sorted(members, key=lambda member: member[0].encode("utf-16-be")))


write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
in_order = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
numbers: dict[str, Any] = {"parse_int": whole, "parse_float": whole, "parse_constant": whole}
plain, exact = json.JSONDecoder(**numbers), json.JSONDecoder(object_pairs_hook=by_name, **numbers)


def read(text: str, must: frozenset[str] = frozenset(), may: frozenset[str] = frozenset()) -> Any:
    """What canonical JSON (RFC 8785) says; with `must`, an object with these members, and none or more of `may`."""
    if text.isascii():  # where the order of UTF-16 is that of the characters
        value, _ = plain.raw_decode(text)
        canonical = in_order(value) == text
    else:
        value, _ = exact.raw_decode(text)
        canonical = write(value).encode() == text.encode()
    need(canonical, "JSON in another form")
    if must and value.keys() != must:
        need(value.keys() - may == must, f"other members: {[*value]}")
    return value


def same(value: Any, number: int) -> bool:
    """Whether it is this whole number, and not something that Python takes for one."""
    return type(value) is int and value == number


def instant(text: str) -> None:
    exact = datetime.fromisoformat(text).isoformat(timespec="microseconds").replace("+00:00", "Z")
    need(exact == text, f"{text} is no instant")


def formed(leaf: dict[str, Any]) -> None:
    """The members that a verifier goes by are there and of their form."""
    need(same(leaf["v"], 1), "the leaf is of an unknown version")
    need(ID.fullmatch(leaf["id"]) and ID.fullmatch(leaf["exchange"]), "an id is none")
    need(all(type(text) is str for text in (leaf["kind"], leaf.get("retention", ""))), "a name is no text")
    instant(leaf["instant"])
    need(all(map(COMMITMENT.fullmatch, leaf["commitments"].values())), "a commitment is none")
    if leaf["kind"] == "erasure":
        instant(leaf["before"])
        need(type(leaf["names"]) is list, "the names of an erasure are no list")
        need(all(type(name) is str for name in (leaf["class"], *leaf["names"])), "a name is no text")


def class_of(leaf: dict[str, Any]) -> str:
    """The retention class of a leaf by itself."""
    if "retention" in leaf or leaf["kind"] != "outcome":
        return str(leaf.get("retention", CLASSES.get(leaf["kind"], "")))
    if leaf.get("caller") is None and leaf.get("outcome") in ("denied", "invalid"):
        return "refusal"
    return "reference" if leaf.get("system") in ("addresses", "ping") else "exchange"


class Leaves:
    def __init__(self, manifest: dict[str, Any], start: int) -> None:
        self.start, self.manifest, self.months = start, manifest, manifest.get("retention", {})
        self.done = dict.fromkeys(("values", "erased", "checkpoints", "cosignatures"), 0)
        self.value = ""
        self.opened: set[str] = set()
        self.erasures: list[tuple[int, dict[str, Any]]] = []

    def begin(self, leaves: Iterator[str], values: Iterator[str], erasures: Iterator[str]) -> None:
        """Look ahead at what erases; whatever is wrong with it is met in its place."""
        self.leaves, self.values, self.value = leaves, values, next(values, "")
        with suppress(OSError, EOFError):
            for line in erasures:
                with suppress(Exception):
                    row = read(line, ERASURE)
                    erasure = read(row["leaf"])
                    if self.allowed(erasure):
                        self.erasures.append((row["index"], erasure))

    @cached_property
    def classes(self) -> dict[str, str]:
        """The class of each exchange by its outcomes, those further on too; what is wrong is met in its place."""
        found: dict[str, str] = {}
        with suppress(OSError, EOFError):
            for line in self.leaves:
                with suppress(Exception):
                    if '"kind":"outcome"' in line and (leaf := read(line))["kind"] == "outcome":
                        kept, exchange = class_of(leaf), leaf["exchange"]
                        found[exchange] = self.longest({kept, found.get(exchange, kept)})
        return found

    def longest(self, classes: set[str]) -> str:
        """The class that is kept longest; one that is not known, or has no months, is kept for good."""
        return max(sorted(classes), key=lambda name: self.months.get(name) or float("inf"), default="")

    def allowed(self, erasure: dict[str, Any]) -> bool:
        """Whether all from before its `before` had been kept for long enough by then, and it is not to come."""
        formed(erasure)
        now, before = datetime.now(UTC).isoformat(timespec="microseconds"), erasure["before"]
        months = self.months.get(erasure["class"], 0)
        year, month = divmod(int(before[:4]) * 12 + int(before[5:7]) - 1 + months, 12)
        free = f"{year:05}-{month + 1:02}{before[7:]}"
        return bool(months) and free <= f"0{erasure['instant']}" and erasure["instant"][:-1] <= now[:26]

    def leaf(self, index: int, line: str) -> dict[str, Any]:
        """The members of a leaf of good form, which may stand where it does."""
        leaf: dict[str, Any] = read(line)
        formed(leaf)
        if leaf["kind"] == "opened":
            need(leaf["exchange"] not in self.opened, "the exchange is opened twice")
            self.opened.add(leaf["exchange"])
        if leaf["kind"] in ("attempt", "outcome"):
            need(self.start or leaf["exchange"] in self.opened, "the exchange was never opened")
        need(leaf["kind"] != "erasure" or self.allowed(leaf), "the erasure on record was not allowed")
        return leaf

    def held(self, index: int, leaf: dict[str, Any], place: dict[str, Any]) -> None:
        """Every value is as it was committed, or may be missing."""
        commitments, names, missing = leaf["commitments"], [""], place.get("missing", [])
        while self.value.startswith(f'{{"index":{index},'):
            row = read(self.value, VALUE)
            salt, name, text = bytes.fromhex(row["salt"]), row["name"], row["value"]
            hashed = sha256(b"spolis-gateway log value v1\0", salt, text.encode()).hex()
            exact = len(salt) == 16 and salt.hex() == row["salt"] and name > names[-1]
            need(exact and commitments.get(name) == hashed, f"the value {name} does not match its commitment")
            if not PLAIN.fullmatch(text):  # a text without escapes is canonical as it stands
                read(text)
            names.append(name)
            self.value = next(self.values, "")
        there = not self.manifest["values"] or names[1:] == sorted(commitments.keys() - missing)
        need(there, "a value is missing from the export")
        need(missing == sorted(commitments.keys() & missing), "`missing` names what was never committed")
        need(("missing" in place) == ("class" in place) == bool(missing), "`missing` and `class` go together")
        kept = self.kept(leaf, place["class"]) if missing else ""
        need(not missing or kept == place["class"], f"the record is of the class {kept}")
        for name in missing:
            need(
                self.excused(index, leaf, name, kept),
                f"the value {name} is missing and no erasure is on record",
            )
        self.done["values"] += len(names) - 1
        self.done["erased"] += len(missing)

    def kept(self, leaf: dict[str, Any], told: str) -> str:
        """The class that a record is kept under: of an exchange, that of its outcomes which is kept longest."""
        if leaf["kind"] not in ("opened", "attempt", "outcome"):
            return class_of(leaf)
        elsewhere = self.manifest["pending"] or (self.start and leaf["exchange"] not in self.opened)
        by_outcomes = {self.classes[leaf["exchange"]]} if leaf["exchange"] in self.classes else set()
        return self.longest(by_outcomes | ({told} if elsewhere else set()))

    def excused(self, index: int, leaf: dict[str, Any], name: str, kept: str) -> bool:
        """Whether an erasure further on says that this value may be missing."""
        return any(
            at > index
            and erasure["class"] == kept
            and leaf["instant"] < erasure["before"]
            and name.split(".")[0] in erasure["names"]
            for at, erasure in self.erasures
        )
