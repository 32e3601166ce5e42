"""What a source told in a run, counted a second time: from the exact bytes that the archive keeps of its answers.

The counts of a run come from the records that mapping tables read; these come from the messages themselves, so a table
that leaves something out shows. Source: docs/operators.md.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from adapters import Operation
from adapters.profiles.posting import MAX_ANSWER
from audit import Archive
from errors import GatewayFailure, NotFound
from mappings.fields import Field
from mappings.mapping import Mapping
from routing import outbox
from routing.following import Run
from security.xml import canonical, parse

_RECEIVED = "received-"


@dataclass(frozen=True, slots=True)
class Recount:
    """Answers that were kept, entries in their bytes, and how many of those are unlike each other."""

    pages: int
    entries: int
    distinct: int

    @property
    def doubled(self) -> int:
        """Entries that the source told more than once in the run: each is kept once, and counted each time."""
        return self.entries - self.distinct

    def agrees(self, run: Run) -> bool:
        """Whether the run counted as many answers and entries."""
        return (self.pages, self.entries) == (run.pages, run.counted.theirs)


def recount(connection: Connection, archive: Archive, operation: Operation, run: Run) -> Recount:
    """Count the entries of every page of a run anew.

    Raises: GatewayFailure where an answer does not match its digest, NotFound where one is not kept any more.
    """
    seen: set[bytes] = set()
    pages = entries = 0
    for content in _answers(connection, archive, run):
        pages += 1
        for entry in parse(content, max_bytes=MAX_ANSWER).iter(f"{{*}}{_entry_name(operation)}"):
            entries += 1
            seen.add(hashlib.sha256(canonical(entry)).digest())
    return Recount(pages, entries, len(seen))


def _answers(connection: Connection, archive: Archive, run: Run) -> Iterator[bytes]:
    """The answer to each question of a run that was answered, as it came; the last one received is the one taken."""
    question: uuid.UUID | None = run.id
    while question is not None:
        if outbox.find(connection, question).state is outbox.State.DELIVERED:
            received = [name for name in archive.names(connection, question) if name.startswith(_RECEIVED)]
            if not received:
                raise NotFound("an answer of the run is not kept any more")
            yield archive.get(
                connection, question, max(received, key=lambda name: int(name[len(_RECEIVED) :]))
            )
        question = outbox.caused(connection, question, run.system, run.operation)


def _entry_name(operation: Operation) -> str:
    """The element of one entry: the operation's answer is a list of them."""
    found = [
        field.path[-1]
        for field in operation.answer.fields
        if isinstance(field, Field) and field.many and isinstance(field.kind, Mapping)
    ]
    if len(found) != 1:
        raise GatewayFailure(f"{operation.name} answers with {len(found)} lists, not with one")
    return found[0]
