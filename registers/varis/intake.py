"""The rows of an edition as they stand in its files, and which of them are broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from errors import InvalidRequest
from registers.varis.forms import File, Line
from registers.varis.layouts import Broken, Fields, Layout

_TOLD = 20  # broken rows that are told at most


class Intake:
    """Rows read so far, of all files: the reasons of those that are broken."""

    def __init__(self) -> None:
        self.broken: list[str] = []

    def fields(self, layout: Layout, file: File) -> Iterator[tuple[int, Fields]]:
        """Line number and fields of each row that has the form, in the order of the layout."""
        lines = file.lines()
        heading = next(lines, Line(1, None, "the file is empty"))
        try:
            if heading.values is None:
                raise Broken(heading.reason)
            arrange = layout.arrange(heading.values)
        except Broken as error:
            self.tell(file, heading.number, error)
            return
        for line in lines:
            try:
                if line.values is None:
                    raise Broken(line.reason)
                yield line.number, arrange(line.values)
            except Broken as error:
                self.tell(file, line.number, error)

    def tell(self, file: File, line: int, error: Broken) -> None:
        """Note a broken row. Raises: EnoughBroken when so many are noted that reading on says nothing new."""
        if len(self.broken) >= _TOLD:
            raise EnoughBroken
        self.broken.append(f"{file.path.name} line {line}: {error}")

    @contextmanager
    def enough(self) -> Iterator[None]:
        """Read until there are enough broken rows."""
        try:
            yield
        except EnoughBroken:
            self.broken.append("and there may be more")

    def refuse(self) -> None:
        """Raises: InvalidRequest with file, line and reason of the broken rows, where there are any."""
        if self.broken:
            raise InvalidRequest(f"the edition is broken, nothing of it is loaded: {'; '.join(self.broken)}")


class EnoughBroken(Exception):
    """More broken rows than are told."""
