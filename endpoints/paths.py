"""URLs of /api/v1 and the operations that they name: `get-person` here is `GetPerson` in contracts and rights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exchange import Json
from registers import WRITES
from routing.person_services import OPERATION as LIST_SERVICES
from routing.register_routes import SYSTEM, operation_name

ROOT = "/api/v1"
REGISTERS = SYSTEM

_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names: an operation, and the arguments that stand in the URL itself. POST has a body, GET none."""

    method: str
    system: str
    operation: str
    arguments: Mapping[str, Json] = field(default_factory=dict)


def find_target(segments: Sequence[str]) -> Target | None:
    """The operation that a URL under ROOT names by its form; whether it exists is asked within the exchange."""
    match segments:
        case [system, "list-services"] if system == REGISTERS:
            return Target("POST", REGISTERS, LIST_SERVICES)
        case [system, name] if system == REGISTERS and name in WRITES:
            return Target("POST", REGISTERS, operation_name("Write", name))
        case [system, name, "search"] if system == REGISTERS and _KEBAB.fullmatch(name):
            return Target("POST", REGISTERS, operation_name("Search", name))
        case [system, name, "changes"] if system == REGISTERS and _KEBAB.fullmatch(name):
            return Target("POST", REGISTERS, operation_name("Follow", name))
        case [system, name, row_id] if system == REGISTERS and _KEBAB.fullmatch(name):
            return Target("GET", REGISTERS, operation_name("Read", name), {"id": row_id})
        case [system, name] if system != REGISTERS and _KEBAB.fullmatch(name):
            return Target("POST", system, pascal(name))
    return None


def pascal(name: str) -> str:
    """`get-person` as the contracts write it: `GetPerson`."""
    return "".join(part.capitalize() for part in name.split("-"))


def kebab(name: str) -> str:
    """`GetPerson` as URLs write it: `get-person`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
