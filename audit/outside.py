"""What is known of a log outside its database: checkpoints that its witness holds, or that somebody kept.

Only what the log itself has signed counts here. A database that contradicts one of these was changed, whatever its own
signatures say: with the log's key anybody can sign another past, but not take back what was seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from cryptography import x509

from audit import checkpoint, notes
from audit.checkpoint import Checkpoint
from audit.notes import VerifierKey
from exchange import Json

WITNESS = "the witness"
KEPT = "the checkpoint kept elsewhere"


@dataclass(frozen=True, slots=True)
class Held:
    """A checkpoint that the log has signed, and who holds it.

    `cosigned`: when the witness put its signature under it, seconds since 1970; None where it did not.
    """

    tree: Checkpoint
    by: str
    cosigned: int | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """The witness whose word counts, whether it was asked and why not, and every checkpoint held outside.

    `pinned`: its key was pinned on first use. `authorities`: whose time stamps over checkpoints count.
    """

    witness: VerifierKey | None = None
    pinned: bool = False
    asked: bool = False
    error: str | None = None
    held: tuple[Held, ...] = ()
    authorities: tuple[x509.Certificate, ...] = ()

    def json(self, origins: Set[str]) -> Json:
        """As `audit verify` tells of the witness; `size` is what it has seen of this log, newest name first."""
        if self.witness is None:
            return None
        sizes = [one.tree.size for one in self.held if one.by == WITNESS and one.tree.origin in origins]
        return {
            "name": self.witness.name,
            "key": str(self.witness),
            "pinned_on_first_use": self.pinned,
            "asked": self.asked,
            "size": max(sizes, default=None),
            "error": self.error,
        }

    def vouched(self, size: int | None, *, any_rows: bool) -> tuple[bool, str]:
        """Whether the witness vouches for a log that holds, of which it has cosigned `size` records; and in words.

        `any_rows`: some witness's cosignatures are in the database.
        """
        if self.witness is None and any_rows:
            return False, "checkpoints are cosigned, but no witness is set or pinned here whose word counts"
        if self.witness is None or size is None:
            return False, "no witness has cosigned a checkpoint"
        if self.asked and not any(one.by == WITNESS for one in self.held):
            return False, "the witness holds no checkpoint of this log any more"
        reason = f"cosigned by {self.witness.name} up to {size} records"
        if self.pinned:
            reason += ", whose key was pinned on first use"
        return True, reason if self.asked else f"{reason}; the witness was not asked"

    def at(self, origin: str, size: int) -> Iterator[Held]:
        """What is held of a log of that name at exactly that size."""
        return (one for one in self.held if one.tree.origin == origin and one.tree.size == size)

    def beyond(self, origin: str, size: int) -> Held | None:
        """The largest that is held of a log of that name above a size."""
        found = [one for one in self.held if one.tree.origin == origin and one.tree.size > size]
        return max(found, key=lambda one: one.tree.size) if found else None

    def stranger(self, origins: Set[str]) -> Held | None:
        """One that is held of another log of the same key."""
        return next((one for one in self.held if one.tree.origin not in origins), None)


NOBODY = Outside()


def loss(seen: Held | None, members: dict[str, Json]) -> str:
    """In words what a restore has cost of what was `seen` of the log before, which the leaf of the new origin tells.

    Raises: ValueError when the leaf tells of less than was seen.
    """
    if seen is None:
        return ""
    lost = members.get("lost")
    told = f", where {seen.by} had seen {seen.tree.size} records"
    if not isinstance(lost, dict):
        raise ValueError(f"the log begins again{told}: it does not tell of them")
    if lost.get("records") is None:
        return told  # that nobody can say how many is no lie
    try:
        before = checkpoint.read(notes.Note(str(lost.get("known")), ()))
    except ValueError:
        before = None
    if before is None or before.origin != seen.tree.origin or before.size < seen.tree.size:
        raise ValueError(f"the log begins again{told}: it does not tell of all of them")
    return told
