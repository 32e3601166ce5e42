"""Files that were handed over go with their rows, on record, and no other file does."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete

import config
from audit import ExchangeLog, search
from config import Settings
from errors import LogUnavailable
from exchange import Environment, Json, new_id
from questions import handed_files, notices
from questions.acting import Acting
from registers import value_notices
from registers.value_notices import NOTICE, NoticeState
from routing import child_reports, corrections
from tests.audit.logs import open_log
from tests.registers.invented import NOON

TEXTS = ("notice_id", "to", "made_at", "wrong_since", "corrected_at")
DOCUMENT: Json = {"person_code": "110203-17171", **dict.fromkeys(TEXTS, "x"), "fields": [], "received_in": []}
ACTING = Acting(Environment.TEST, "A. Ozola", "plan of 2026")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(config.load({}), state=tmp_path)


def handed(engine: Engine, log: ExchangeLog, settings: Settings) -> list[Path]:
    """The files of a notice that was handed over."""
    id_ = new_id(NOON)
    with engine.begin() as connection:
        value_notices.put(
            connection,
            id=id_,
            recipient="riga",
            person_id=new_id(),
            register_table="vdeavk.vdeavk_disability",
            version_id=new_id(),
            fields=["group"],
            state=NoticeState.PREPARED.value,
            document=DOCUMENT,
            exchange_id=new_id(),
            made_at=NOON,
        )
    notices.hand_over(engine, log, ACTING, notices.folder_of(settings))
    files = sorted(notices.folder_of(settings).rglob(f"{id_}*"))
    assert [path.suffix for path in files] == [".json", ".txt"]
    return files


def test_a_file_goes_when_its_row_is_gone(engine: Engine, settings: Settings) -> None:
    log = open_log(engine)
    gone, stays = handed(engine, log, settings), handed(engine, log, settings)
    orphans = [
        child_reports.folder_of(settings) / "0001000" / f"000001-{new_id()}.json",
        corrections.folder_of(settings) / "vdeavk" / f"{new_id()}.json.part",
    ]
    not_ours = notices.folder_of(settings) / "riga" / "README"
    for path in (*orphans, not_ours):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    with engine.begin() as connection:
        connection.execute(delete(NOTICE).where(NOTICE.c.id == uuid.UUID(gone[0].stem)))
    assert sorted(handed_files.due(settings, engine)) == sorted([*gone, *orphans])
    assert handed_files.erase(settings, engine, log, ACTING) == 4
    assert not any(path.exists() for path in (*gone, *orphans))
    assert all(path.exists() for path in (*stays, not_ours))
    (record,) = search.search(engine, operation=handed_files.ACT, limit=10)
    assert (record.leaf["act"], record.leaf["files"]) == (handed_files.ACT, 4)
    assert handed_files.erase(settings, engine, log, ACTING) == 0
    assert len(search.search(engine, operation=handed_files.ACT, limit=10)) == 1


def test_no_file_goes_without_a_record(engine: Engine, settings: Settings) -> None:
    log = open_log(engine)
    files = handed(engine, log, settings)
    with engine.begin() as connection:
        connection.execute(delete(NOTICE))
    log.close()
    with pytest.raises(LogUnavailable):
        handed_files.erase(settings, engine, log, ACTING)
    assert all(path.exists() for path in files)
