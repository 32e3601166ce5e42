"""The table of attacks: `attack` enters a function that makes one message, and the errors that may answer it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lxml import etree

from errors import GatewayError
from security.wsse import Policy
from security.xml import Element
from tests.security.conftest import World
from tests.security.messages import NAMES, NOW, make


@dataclass(frozen=True)
class Attempt:
    """One message before the verifier, under the usual policy unless said otherwise, at the instant of its world."""

    data: bytes
    policy: Policy | None = None
    now: datetime = NOW


@dataclass(frozen=True)
class Attack:
    """A named way to cheat, and what refuses it."""

    name: str
    make: Callable[[World], bytes | Attempt]
    errors: tuple[type[GatewayError], ...]

    def attempt(self, world: World) -> Attempt:
        """The message of this attack."""
        made = self.make(world)
        return replace(made if isinstance(made, Attempt) else Attempt(made), now=world.now)


TABLE: dict[str, Attack] = {}

_Maker = Callable[[World], bytes | Attempt]


def attack(name: str, *errors: type[GatewayError]) -> Callable[[_Maker], _Maker]:
    """Enter an attack into the table."""

    def enter(maker: _Maker) -> _Maker:
        assert name not in TABLE, name
        TABLE[name] = Attack(name, maker, errors)
        return maker

    return enter


def on_tree(name: str, *errors: type[GatewayError]) -> Callable[[Callable[[Tree], None]], None]:
    """Enter an attack that changes the tree of a message signed rightly."""

    def enter(change: Callable[[Tree], None]) -> None:
        def maker(world: World) -> bytes:
            tree = Tree(etree.fromstring(make(world.recipe)), world)
            change(tree)
            return bytes(etree.tostring(tree.root))

        attack(name, *errors)(maker)

    return enter


def on_recipe(name: str, *errors: type[GatewayError], **changes: Any) -> None:
    """Enter an attack that is a message made, and signed, with something changed.

    Created and Expires are given in seconds from the instant of the message, or as text with `{now}` for it.
    """

    def maker(world: World) -> bytes:
        return make(world.recipe.change(**{what: _at(world.now, value) for what, value in changes.items()}))

    attack(name, *errors)(maker)


def _at(now: datetime, value: Any) -> Any:
    if isinstance(value, timedelta):
        return now + value
    return value.replace("{now}", f"{now:%Y-%m-%dT%H:%M:%S}") if isinstance(value, str) else value


class Tree:
    """A signed message, its parts at hand."""

    def __init__(self, root: Element, world: World) -> None:
        self.root = root
        self.world = world
        self.header = self.at("s:Header")
        self.body = self.at("s:Body")
        self.security = self.at(".//wsse:Security")
        self.timestamp = self.at(".//wsu:Timestamp")
        self.signature = self.at(".//ds:Signature")
        self.message_id = self.at(".//wsa:MessageID")
        *_, self.leaf = self.body.iter()

    def at(self, path: str) -> Element:
        """The first element at a path."""
        found = self.root.find(path, NAMES)
        assert found is not None, path
        return found

    def evil_body(self, *, same_id: bool = False) -> Element:
        """A Body like the signed one, with other content."""
        body = copy.copy(self.body)
        for child in list(body):
            body.remove(child)
        body.append(etree.fromstring(self.world.evil))
        if not same_id:
            del body.attrib[f"{{{NAMES['wsu']}}}Id"]
        return body

    def wrapper(self, *children: Element) -> Element:
        """An element that nobody knows, around others."""
        made = etree.Element("{urn:example:wrap}Wrapper")
        made.extend(children)
        return made
