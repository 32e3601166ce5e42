"""What people type for addresses that an edition has, so that it is known what should be found."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from registers.varis.words import fold


class Query(NamedTuple):
    """A typed text, and the code of the address that was meant."""

    text: str
    code: str


def typed(directory: Path, count: int, seed: int = 12) -> Sequence[Query]:
    """Texts for houses and premises drawn from an edition in the current form, as people write them."""
    rng = random.Random(seed)  # noqa: S311 — made-up questions, the same each time
    drawn = [*_drawn(directory / "aw_eka.csv", count, rng), *_drawn(directory / "aw_dziv.csv", count, rng)]
    rng.shuffle(drawn)
    return [Query(_as_typed(row["STD"], at), row["KODS"]) for at, row in enumerate(drawn[:count])]


def _drawn(path: Path, count: int, rng: random.Random) -> list[dict[str, str]]:
    """Rows that exist, each as likely as any other, read once."""
    kept: list[dict[str, str]] = []
    with path.open(encoding="utf-8-sig", newline="") as source:
        for at, row in enumerate(csv.DictReader(source)):
            if len(kept) < count:
                kept.append(row)
            elif (where := rng.randrange(at + 1)) < count:
                kept[where] = row
    return [row for row in kept if row["STATUSS"] == "EKS"]


def _as_typed(std: str, at: int) -> str:
    first, *rest = std.replace('"', "").split(", ")
    place = rest[0] if rest else ""
    match at % 5:
        case 0:
            return std
        case 1:
            return fold(f"{first} {place}")
        case 2:
            return (
                f"{place}, {first.replace(' iela', ' i.').replace(' gatve', ' g.').replace(' - ', ' dz. ')}"
            )
        case 3:
            return fold(f"{first.replace(' iela', '').replace(' - ', '-')}, {' '.join(rest[:2])}")
        case _:
            return f"{first.replace(' - ', ', ')}, {place}"
