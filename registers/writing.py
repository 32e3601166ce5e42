"""What SPOLIS core itself writes into a register, beside what external systems feed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from exchange import Provenance
from mappings.mapping import Mapping
from registers.history import Fed


@dataclass(frozen=True, slots=True)
class Writable:
    """How records are written into a register.

    `table` maps the record; `rule` is the one that a writer must be granted. `find` gives the id of the row that a
    record is already, `write` keeps the record under an id. `identity` says in words what makes two records the same.
    """

    table: Mapping[Any]
    rule: str
    find: Callable[[Connection, Any], uuid.UUID | None]
    write: Callable[[Connection, Any, Provenance, uuid.UUID], Fed]
    identity: str
