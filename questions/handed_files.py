"""Files that were handed over, once what they tell is no longer in the registers: they go too.

Recipients take their files away; what they left lies below the state's folder, under the id of its row. A file is
written while its row is there, so one without a row tells of somebody whom the registers forgot. Source: p22.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, select

from audit import ExchangeLog
from config import Settings
from exchange import Json
from questions import notices
from questions.acting import Acting
from registers.corrections import REQUEST
from registers.report_handovers import HANDOVER
from registers.value_notices import NOTICE
from routing import child_reports, corrections
from storage import reading

ACT = "registers erase files"

_FOLDERS: tuple[tuple[Callable[[Settings], Path], Table], ...] = (
    (child_reports.folder_of, HANDOVER),
    (corrections.folder_of, REQUEST),
    (notices.folder_of, NOTICE),
)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_AT_ONCE = 500


def erase(settings: Settings, engine: Engine, log: ExchangeLog, acting: Acting) -> int:
    """Delete the files whose rows are gone, and say how many; that is on record first.

    Raises: LogUnavailable; OSError where a file cannot be deleted, and the next call goes on.
    """
    over = list(due(settings, engine))
    if over:
        facts: dict[str, Json] = {"operation": ACT, "files": len(over)}
        log.write(acting.entry(ACT, facts))
    for path in over:
        path.unlink(missing_ok=True)
    return len(over)


def due(settings: Settings, engine: Engine) -> Iterator[Path]:
    """Files without a row, below the state's folder: what was handed over elsewhere is the recipient's."""
    for folder_of, table in _FOLDERS:
        files = list(_files(folder_of(settings)))
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            # After the look at the folder: no file is of a row that came later.
            with reading(engine).begin() as connection:
                known = _known(connection, table, [id_ for _, id_ in some])
            yield from (path for path, id_ in some if id_ not in known)


def _files(folder: Path) -> Iterator[tuple[Path, uuid.UUID]]:
    """The files of a folder that are under the id of a row, with it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (found := _ID.search(path.name)):
            yield path, uuid.UUID(found[0])


def _known(connection: Connection, table: Table, ids: list[uuid.UUID]) -> set[uuid.UUID]:
    return set(connection.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars())
