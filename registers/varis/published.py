"""An edition as it lies in a folder: what it is, whether it was loaded before, and how much of it is held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from registers.edition import EDITION, PLACE, seen_in
from registers.taken import Taken
from registers.varis import editions
from registers.varis.forms import File
from registers.varis.layouts import Layout
from registers.varis.loading import find_files
from registers.varis.rows import reader_of
from registers.varis.summary import Summary

_SWITCHED = ("current", "superseded")


@dataclass(frozen=True, slots=True)
class Published:
    """The files of an edition in a folder: name and SHA-256 of each, what they hold, and how many rows in all."""

    folder: Path
    files: frozenset[tuple[str, str]]
    layouts: tuple[Layout, ...]
    rows: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files."""
        return tuple(sorted(name for name, _digest in self.files))


def newest_folder(folder: Path) -> Path:
    """Where the newest edition lies: the folder itself, or the last by name of those in it that hold CSV files."""
    if any(folder.glob("*.csv")):
        return folder
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.csv")))
    return inside[-1] if inside else folder


def look(folder: Path) -> Published:
    """Read the files of a folder once, without taking anything.

    Raises: InvalidRequest as `load`.
    """
    found, rows = [], 0
    newest = newest_folder(folder)
    given, _ignored = find_files([newest])
    for _layout, path in given:
        file = File(path)
        rows += max(sum(1 for _line in file.lines()) - 1, 0)
        found.append((path.name, file.sha256))
    return Published(newest, frozenset(found), tuple(layout for layout, _path in given), rows)


def is_loaded(connection: Connection, published: Published) -> bool:
    """Whether exactly these files made an edition that is or was in use."""
    kept = select(EDITION.c.files).where(EDITION.c.state.in_(_SWITCHED))
    return any(
        {(file["name"], file["sha256"]) for file in files or ()} == published.files
        for files in connection.execute(kept).scalars()
    )


def taken(connection: Connection, published: Published, summary: Summary | None) -> Taken:
    """How many rows the files hold, and how many of their kinds stand in the edition; without one, in that in use."""
    number = editions.in_use(connection) if summary is None else summary.edition
    return Taken(published.rows, _rows(connection, published.layouts, number))


def _rows(connection: Connection, layouts: Iterable[Layout], number: int) -> int:
    rows = 0
    for layout in layouts:
        _read, table = reader_of(layout)
        wanted = select(func.count()).select_from(table).where(*seen_in(table, number))
        if table is PLACE:
            wanted = wanted.where(PLACE.c.kind == int(layout.kind or 0))
        rows += int(connection.execute(wanted).scalar_one())
    return rows
