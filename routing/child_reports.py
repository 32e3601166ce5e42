"""How reports on children reach the municipal social services: files in a folder for each municipality.

First a report is prepared, with a record that names it and its recipient; then its files are written; then a record
says that they were. A crash in between writes the same files again under the same names, and a number is never given
twice. Within a municipality the order is kept: where one cannot be written, those after it wait.
Source: P9, P10 of the processes; p10.11, p19.2.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row

from audit import ExchangeLog
from config import Settings
from exchange import Json, utc_now
from registers import codes_of, report_handovers
from registers.child_stays import ChildStay, stays_of
from registers.placement_conflicts import institution_key
from routing.child_watch import Acting, Progress, provenance_of, unseen
from routing.reconciliation import alone
from routing.whole_file import write_whole
from storage import reading

_ATVK = re.compile(r"[0-9]{7}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Reports that were prepared, and those of children of whom no municipality has told, which wait."""

    prepared: int
    without_municipality: int


def folder_of(settings: Settings) -> Path:
    """Where reports are written unless another folder is named."""
    return settings.state / "child-reports"


def prepare(
    engine: Engine, log: ExchangeLog, acting: Acting, today: date, progress: Progress = unseen
) -> Prepared:
    """Prepare every report that is new or was corrected, in the order in which they came.

    Raises: LogUnavailable, Busy.
    """
    with reading(engine).begin() as connection:
        reports = report_handovers.waiting(connection)
        stays: dict[uuid.UUID, list[ChildStay]] = defaultdict(list)
        for stay in stays_of(connection, today) if reports else ():
            stays[stay.person_id].append(stay)
    done = lost = 0
    for number, report in enumerate(reports):
        progress(number, len(reports))
        municipality = _municipality(report, stays[report.person_id])
        if municipality is None:
            lost += 1
            continue

        def work(connection: Connection, report: Row[Any] = report, to: str = municipality) -> bool:
            entry = acting.entry(
                "report prepared",
                {"name": str(report.id), "to": to},
                codes_of(connection, report.person_id)[:1],
            )
            made = report_handovers.prepare(connection, report.version_id, to, provenance_of(entry))
            if made is not None:
                log.append(connection, entry)
            return made is not None

        done += log.commit(work)
    return Prepared(done, lost)


def _municipality(report: Row[Any], stays: Iterable[ChildStay]) -> str | None:
    """The municipality of the stay that a report is about: the one in its institution first, then the latest.

    What is no ATVK code names no municipality: it would be the name of a folder.
    """
    of_report = [
        stay
        for stay in stays
        if stay.municipality is not None
        and _ATVK.fullmatch(stay.municipality)
        and stay.entered_on <= report.period_to
        and (stay.stopped_on is None or stay.stopped_on >= report.period_from)
    ]
    same = institution_key(report.institution)
    of_report.sort(key=lambda stay: (institution_key(stay.institution) == same, stay.entered_on))
    return of_report[-1].municipality if of_report else None


def hand_over(
    engine: Engine,
    log: ExchangeLog,
    acting: Acting,
    folder: Path,
    municipality: str = "",
    progress: Progress = unseen,
) -> list[dict[str, Json]]:
    """Write what is prepared, for one municipality or for all; gives what was handed over.

    What fails for one municipality leaves the others their turn.
    Raises: OSError, LogUnavailable when something failed; Busy when another process hands over.
    """
    handed: list[dict[str, Json]] = []
    failed: dict[str, OSError] = {}
    with alone(engine, "children reports"):
        with reading(engine).begin() as connection:
            rows = report_handovers.prepared(connection, municipality)
        for number, row in enumerate(rows):
            progress(number, len(rows))
            if row.municipality in failed:
                continue
            try:
                reference = _write(folder, row)
            except OSError as error:
                failed[row.municipality] = error
                continue
            _note(log, acting, row, reference)
            handed.append({"report": str(row.id), "to": row.municipality, "reference": reference})
        progress(len(rows), len(rows))
    for first in failed.values():
        raise first
    return handed


def _write(folder: Path, row: Row[Any]) -> str:
    """Both files of a report; the JSON file comes last, so that with it both are there."""
    place = folder / row.municipality
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{row.number:06d}-{row.id}"
    write_whole(place / f"{name}.txt", as_text(row.document))
    write_whole(place / f"{name}.json", json.dumps(row.document, ensure_ascii=False, indent=2) + "\n")
    return f"{row.municipality}/{name}.json"


def _note(log: ExchangeLog, acting: Acting, row: Row[Any], reference: str) -> None:
    def work(connection: Connection) -> None:
        child = report_handovers.child_of(connection, row)
        entry = acting.entry(
            "report handed over",
            {
                "name": str(row.report_id),
                "to": row.municipality,
                "number": row.number,
                "handover": str(row.id),
            },
            codes_of(connection, child)[:1],
        )
        if report_handovers.handed_over(connection, row.id, reference, utc_now()):
            log.append(connection, entry)

    log.commit(work)


def received(log: ExchangeLog, acting: Acting, handover_id: uuid.UUID) -> None:
    """Note that a social service has a report.

    Raises: NotFound, InvalidRequest when it was not handed over, or was acknowledged before.
    """

    def work(connection: Connection) -> None:
        row = report_handovers.one(connection, handover_id)
        report_handovers.acknowledge(connection, handover_id, utc_now())
        child = report_handovers.child_of(connection, row)
        facts: dict[str, Json] = {"name": str(row.report_id), "to": row.municipality, "handover": str(row.id)}
        log.append(connection, acting.entry("report acknowledged", facts, codes_of(connection, child)[:1]))

    log.commit(work)


def as_text(document: Mapping[str, Any]) -> str:
    """A report as officials of the social service read it, in Latvian."""
    report = document["report"]
    replaces = document["replaces"]
    lines = [
        f"ZIŅOJUMS PAR BĒRNA SASKARSMI UN ATTĪSTĪBU Nr. {document['number']}",
        "",
        f"Kam: pašvaldības sociālais dienests (ATVK {document['to']})",
        f"Sagatavots nodošanai: {document['made_at']}",
        *([f"Aizstāj ziņojumu Nr. {replaces}"] if replaces is not None else []),
        "",
        f"Bērns (personas kods): {report['person_code']}",
        f"Iestāde: {report['institution']}",
        f"Periods: {report['period_from']} – {report['period_to']}",
        f"Ziņojumu sagatavoja: {report['author']}, {report['made_on']}",
        "",
        "Kontakti periodā:",
        *(map(_contact, report["contacts"]) if report["contacts"] else ["  kontaktu nebija"]),
        "",
        "Radinieku sadarbība ar iestādi:",
        f"  {report['cooperation']}",
        "Fiziskā attīstība:",
        f"  {report['physical_development']}",
        "Psihosociālā attīstība:",
        f"  {report['psychosocial_development']}",
        "",
        "Tiesiskais pamats: MK noteikumi Nr. 587, 10.11. apakšpunkts",
    ]
    return "\n".join(lines) + "\n"


def _contact(contact: Mapping[str, Any]) -> str:
    whom, kind = (f"{contact[name]['text_lv']} ({contact[name]['code']})" for name in ("with_whom", "kind"))
    remark = f"; {contact['remark']}" if contact["remark"] else ""
    return f"  {contact['held_on']}: {whom}, {kind}{remark}"
