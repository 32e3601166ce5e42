"""Both sides of an answer in numbers: what the source told, and what the registers hold of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken:
    """`theirs` were told by the source, `ours` are held; `strangers` are of persons whom no register knows.

    Of strangers nothing is kept. What is neither held nor a stranger's is missing.
    """

    theirs: int = 0
    ours: int = 0
    strangers: int = 0

    @property
    def missing(self) -> int:
        """What was told of somebody known, and is not held: 0 where all is well."""
        return self.theirs - self.ours - self.strangers


def taken(told: Iterable[T], held: Callable[[T], bool | None]) -> Taken:
    """Count what was told by whether it is `held`; None says that it is a stranger's."""
    answers = [held(one) for one in told]
    return Taken(len(answers), answers.count(True), answers.count(None))
