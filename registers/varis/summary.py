"""What a load did, as it is printed and put on record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date

from exchange import Json


@dataclass(slots=True)
class Counts:
    """What an edition did to the rows of one file: `ended` are those deleted, wrong or not listed any more."""

    added: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class Summary:
    """What a load did. `differs` counts rows whose full address is not what their chain gives."""

    edition: int
    newest_on: date | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    differs: int = 0
    files: list[Json] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)

    def counted(self) -> dict[str, Json]:
        """The counts by file."""
        return {name: dict[str, Json](asdict(counts)) for name, counts in self.counts.items()}

    def json(self) -> dict[str, Json]:
        """The summary as it is printed and put on record."""
        return {
            "edition": self.edition,
            "newest_on": self.newest_on.isoformat() if self.newest_on else None,
            "counts": self.counted(),
            "differs": self.differs,
            "files": self.files,
            "ignored": list[Json](self.ignored),
            "undone": list[Json](self.undone),
        }
