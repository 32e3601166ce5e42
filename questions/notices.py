"""How notices of corrected values reach their recipients: two files in a folder below the recipient's name.

JSON for programs, a text in Latvian and English for officials. A recipient who hears of every change by an operation
of its own was told by that; its notices only say so. A crash between file and record writes the same files again.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row

from audit import ExchangeLog
from config import Settings
from errors import ConfigurationError
from exchange import Json, utc_now
from questions.acting import Acting
from questions.words import Words
from registers import codes_of, value_notices
from registers.value_notices import NoticeState
from routing.reconciliation import alone
from routing.whole_file import write_whole
from storage import reading

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def folder_of(settings: Settings) -> Path:
    """Where notices are written unless another folder is named."""
    return settings.state / "correction-notices"


def hand_over(
    engine: Engine, log: ExchangeLog, acting: Acting, folder: Path, recipient: str = ""
) -> list[dict[str, Json]]:
    """Write every notice that is prepared, for one recipient or for all; gives what was handed over.

    Raises: OSError, ConfigurationError for a recipient whose name is none of a folder, LogUnavailable; those before
    stay handed over. Busy when another process hands over.
    """
    handed: list[dict[str, Json]] = []
    with alone(engine, "correction notices"):
        with reading(engine).begin() as connection:
            rows = value_notices.listed(connection, recipient=recipient, state=NoticeState.PREPARED)
        for row in rows:
            reference = _write(folder, row)

            def work(connection: Connection, row: Row[Any] = row, reference: str = reference) -> None:
                subjects = codes_of(connection, row.person_id)[:1]
                facts: dict[str, Json] = {"name": str(row.id), "to": row.recipient}
                if value_notices.handed_over(connection, row.id, "folder", reference, utc_now()):
                    log.append(connection, acting.entry("corrections hand-over", facts, subjects))

            log.commit(work)
            handed.append({"id": str(row.id), "to": row.recipient, "reference": reference})
    return handed


def received(log: ExchangeLog, acting: Acting, notice_id: uuid.UUID) -> None:
    """Note that a recipient has a notice.

    Raises: NotFound, InvalidRequest when it was not handed over, LogUnavailable.
    """

    def work(connection: Connection) -> None:
        value_notices.acknowledged(connection, notice_id, utc_now())
        row = value_notices.one(connection, notice_id)
        subjects = codes_of(connection, row.person_id)[:1]
        log.append(
            connection,
            acting.entry("corrections received", {"name": str(notice_id), "to": row.recipient}, subjects),
        )

    log.commit(work)


def _write(folder: Path, row: Row[Any]) -> str:
    """Both files of a notice; the JSON file comes last, so that with it both are there."""
    if not _NAME.fullmatch(row.recipient):
        raise ConfigurationError(f"the recipient {row.recipient} cannot be the name of a folder")
    place = folder / row.recipient
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(place / f"{row.id}.txt", as_text(row.document))
    write_whole(place / f"{row.id}.json", json.dumps(row.document, ensure_ascii=False, indent=2) + "\n")
    return f"{row.recipient}/{row.id}.json"


_TITLE = Words("PAZIŅOJUMS PAR LABOTIEM DATIEM Nr. {notice_id}", "NOTICE OF CORRECTED DATA No. {notice_id}")
_LAW = Words("Regulas 2016/679 19. pants", "Regulation 2016/679, article 19")
_LINES = (
    Words("Kam: {to}", "To: {to}"),
    Words("Sagatavots: {made_at}", "Made: {made_at}"),
    Words("Persona: {person_code}", "Person: {person_code}"),
    Words(
        "Jums izsniegtie dati no {wrong_since} līdz {corrected_at} bija kļūdaini un ir laboti vai dzēsti.",
        "Data that you were given from {wrong_since} to {corrected_at} were wrong, and were corrected or deleted.",
    ),
)
_DELETED = Words("dzēsts", "deleted")
_ASK = Words("labots; jauno vērtību pieprasiet no jauna", "corrected; ask for the value anew")
_NOW = Words("labots, tagad: {value}", "corrected, now: {value}")
_IN = Words("Datu apmaiņas, kurās tos saņēmāt:", "Exchanges in which you were given them:")


def as_text(document: Mapping[str, Json]) -> str:
    """A notice as officials read it, in Latvian and in English."""
    simple = {name: value for name, value in document.items() if isinstance(value, str)}
    lines: list[str] = []
    for language in ("lv", "en"):

        def of(words: Words, language: str = language) -> str:
            return str(getattr(words, language))

        lines += [
            of(_TITLE).format(**simple),
            of(_LAW),
            "",
            *(of(line).format(**simple) for line in _LINES),
            "",
        ]
        for field in _list(document["fields"]):
            law = field["rule_text_lv"]
            text = f" ({law[-1]})" if isinstance(law, list) and law else ""
            lines.append(f"  {field['field']}{text}: {_standing(field, language)}")
        lines += ["", of(_IN)]
        lines += [
            f"  {one['instant']} {one['operation']} {one['exchange_id']}"
            for one in _list(document["received_in"])
        ]
        lines += ["", ""]
    return "\n".join(lines)


def _standing(field: Mapping[str, Json], language: str) -> str:
    if field["deleted"]:
        return str(getattr(_DELETED, language))
    if "value" not in field:
        return str(getattr(_ASK, language))
    value = field["value"]
    if isinstance(value, dict) and f"text_{language}" in value:
        value = value[f"text_{language}"]
    return str(getattr(_NOW, language)).format(
        value=value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )


def _list(value: Json) -> list[dict[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
