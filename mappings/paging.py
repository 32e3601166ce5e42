"""Lists that are followed: asked from a day or from a cursor, answered page by page.

What an external system's contract says of its pages is the same for all of them: where to go on, and whether there is
more now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol


class Asked(Protocol):
    """A question from a day, or from the cursor of an answer before."""

    @property
    def since(self) -> date | None: ...

    @property
    def cursor(self) -> str | None: ...


class Page(Protocol):
    """A page of changes, oldest first; `cursor` is where to go on, now where there are `more`, else the next time."""

    @property
    def changes(self) -> Sequence[object]: ...

    @property
    def cursor(self) -> str: ...

    @property
    def more(self) -> bool: ...


def one_of_two(request: Asked) -> str:
    """What is wrong with a question that names both, or neither, or ""."""
    both = (request.since is None) == (request.cursor is None)
    return "either since or cursor is wanted" if both else ""


def goes_on(request: Asked, answer: Page) -> str:
    """Which field of an answer would lead nowhere, or "": one that says there is more must have come further."""
    stands = not answer.changes or answer.cursor == request.cursor
    return "cursor" if answer.more and stands else ""


def page_end(answer: Page) -> tuple[str, bool]:
    """Where to go on, and whether there is more now."""
    return answer.cursor, answer.more
