"""Loading an edition: files are read once, row by row; what differs is written beside what is there; then the switch.

Every row of the edition is compared with the row of the edition in use by eight bytes. What is new or different is
written under the number of the new edition, which nobody reads yet, some thousands at a time, so that on SQLite others
can write meanwhile. A broken row, or a process that is killed, leaves the edition in use as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Connection, Engine

from errors import InvalidRequest
from exchange import new_id
from registers.varis import editions, layouts
from registers.varis.comparing import Comparison, Progress
from registers.varis.exclusive import alone
from registers.varis.layouts import Layout
from registers.varis.summary import Summary
from storage import reading, unhurried

# Runs a work in one transaction, with whatever is to be committed with it.
Settle = Callable[[Callable[[Connection], None], Summary], None]


def find_files(paths: Iterable[Path]) -> tuple[list[tuple[Layout, Path]], list[str]]:
    """The files of an edition in the order in which they are loaded, and the names of CSV files that hold other things.

    A directory stands for its `*.csv`.
    Raises: InvalidRequest where there is none, a file stands twice, or a named file is not one of an edition.
    """
    known = {f"aw_{layout.file}.csv": layout for layout in layouts.EVERY}
    found: dict[str, Path] = {}
    ignored: list[str] = []
    for path in paths:
        inside = path.is_dir()
        for each in sorted(path.iterdir()) if inside else [path]:
            name = each.name.lower()
            if name in found:
                raise InvalidRequest(f"{name} is there twice")
            if name in known:
                found[name] = each
            elif not inside:
                raise InvalidRequest(f"{each.name} is no file of an edition; they are {', '.join(known)}")
            elif name.endswith(".csv"):
                ignored.append(each.name)
    if not found:
        raise InvalidRequest("there is no file of an edition: aw_novads.csv, aw_eka.csv and so on")
    return [(layout, found[name]) for name, layout in known.items() if name in found], ignored


def load(
    engine: Engine,
    paths: Iterable[Path],
    *,
    settle: Settle | None = None,
    progress: Progress = lambda _done, _total: None,
    exchange_id: uuid.UUID | None = None,
    accept_removals: bool = False,
    accept_older: bool = False,
) -> Summary:
    """Load an edition and switch to it, all or nothing.

    Only the kinds of objects whose files are given are compared; the others stay as they are. `settle` commits the
    switch, by default in a transaction of its own. `progress` hears the bytes read, of how many.
    Raises: InvalidRequest with file, line and reason of broken rows, or where the edition is older than the one in use
    or lacks a large part of it; Busy while another load is under way. The edition in use is then as it was.
    """
    files, ignored = find_files(paths)
    with ExitStack() as stack:
        writer = stack.enter_context(engine.connect())
        reader = stack.enter_context(reading(engine).connect())
        for connection in (writer, reader):
            with connection.begin():
                unhurried(connection)
        stack.enter_context(alone(writer))
        with reader.begin():
            left = editions.unfinished(reader)
        for number in left:
            editions.undo(writer, number, "abandoned")
        with writer.begin():
            summary = Summary(editions.begin(writer, exchange_id or new_id()), ignored=ignored, undone=left)
        try:
            comparison = Comparison(writer, reader, summary, progress)
            comparison.read(files)
            comparison.end_missing(accept_removals)
            comparison.check_age(accept_older)
            comparison.count_differing()
            comparison.analyse()
            (settle or _settle_alone(engine))(comparison.switch, summary)
        except Exception:  # whatever it is, nothing of the edition stays, and it is raised again
            editions.undo(writer, summary.edition, "refused")
            raise
    return summary


def _settle_alone(engine: Engine) -> Settle:
    def settle(work: Callable[[Connection], None], _summary: Summary) -> None:
        with engine.begin() as connection:
            work(connection)

    return settle
