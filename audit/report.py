"""What `audit verify` has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from audit.erasure import Erasure
from audit.witnessed import Exposure
from exchange import Json


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `root` is base64 as in the checkpoints, of the last good one where the log is bad.

    `first_bad` is the first index that does not hold; where a signature or a root fails, the first that it covers.
    `unanchored`: all holds together, but no witness outside vouches that this is the log it always was. Where something
    outside contradicts the rows, `last_good_checkpoint` is the last that the witness has cosigned as it stands.
    `exposure` is what came after `anchored_size`: until the next cosignature only the log's own key vouches for it.
    `stamped` is the newest checkpoint that has a time stamp.
    `erasures` are those on record, `erased` counts the values that they excuse; `warnings` say what protects the rows
    too little.
    """

    status: Literal["anchored", "unanchored", "bad"]
    size: int
    root: str
    pending: int
    first_bad: int | None
    last_good_checkpoint: int | None
    reason: str
    exposure: Exposure = field(default=Exposure(None, 0, 0.0))
    witness: Json = None
    stamped: Json = None
    erasures: tuple[Erasure, ...] = ()
    erased: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 anchored, 3 unanchored, 1 bad."""
        return {"anchored": 0, "unanchored": 3, "bad": 1}[self.status]

    def json(self) -> dict[str, Json]:
        """As `gateway audit verify --json` prints it."""
        return {
            "status": self.status,
            "size": self.size,
            "root": self.root,
            "pending": self.pending,
            "first_bad": self.first_bad,
            "last_good_checkpoint": self.last_good_checkpoint,
            "reason": self.reason,
            "anchored_size": self.exposure.size,
            "exposure": {"records": self.exposure.records, "seconds": self.exposure.seconds},
            "witness": self.witness,
            "stamped": self.stamped,
            "erased": self.erased,
            "erasures": [
                {"index": one.index, "class": one.retention, "before": one.before, "instant": one.instant}
                for one in self.erasures
            ],
            "warnings": list[Json](self.warnings),
        }
