"""How a correction request is handed to the source that holds the data.

No supplier's contract has an operation for it today, so requests go to a folder, from where they are sent as agreed
with the source. A system that gets an operation brings a way of its own (`CorrectionWay`), and nothing else changes.
Source: p2, p20.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Row

from audit import Entry, ExchangeLog
from config import Settings
from errors import GatewayError
from exchange import Json, utc_now
from registers import corrections
from routing.whole_file import write_whole
from storage import reading


class CorrectionWay(Protocol):
    """A way to hand over correction requests; `name` is kept with each that went by it."""

    @property
    def name(self) -> str: ...

    def hand_over(self, request_id: uuid.UUID, document: Json) -> str:
        """Hand a request over and give the reference by which it is found there.

        The same request may come again after a crash: it must have one effect (a MessageID made of `request_id`).
        Raises: PartnerError, ConfigurationError; the request then stays prepared, to be tried again.
        """


@dataclass(frozen=True, slots=True)
class FolderWay:
    """Two files in a folder below the recipient's name: JSON for programs, a text for officials."""

    folder: Path
    name: str = "folder"

    def hand_over(self, request_id: uuid.UUID, document: Json) -> str:
        """Write both files, each whole or not at all; a file of the same request is written again."""
        assert isinstance(document, dict)  # noqa: S101 — made by registers/corrections.py
        folder = self.folder / str(document["to"])
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(folder / f"{request_id}.txt", as_text(document))
        path = folder / f"{request_id}.json"
        write_whole(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return str(path.relative_to(self.folder))


def way_to(recipient: str, folder: Path, ways: Mapping[str, CorrectionWay] | None = None) -> CorrectionWay:
    """The recipient's own way where it has one, else the folder."""
    return (ways or {}).get(recipient) or FolderWay(folder)


def folder_of(settings: Settings) -> Path:
    """Where correction requests are written unless another folder is named."""
    return settings.state / "corrections"


@dataclass(frozen=True, slots=True)
class Handed:
    """What was handed over, and the last error of what was not and waits."""

    requests: tuple[dict[str, Json], ...]
    failed: Exception | None


def hand_over(
    engine: Engine,
    log: ExchangeLog,
    requests: Sequence[uuid.UUID],
    folder: Path,
    record: Callable[[Row[Any], str], Entry],
    ways: Mapping[str, CorrectionWay] | None = None,
) -> Handed:
    """Hand over those of the requests that wait, each on record when it went; one that fails leaves the others theirs.

    `record` makes the record of a request that went by a way of this name.
    Raises: LogUnavailable, Busy.
    """
    handed: list[dict[str, Json]] = []
    failed: Exception | None = None
    for request_id in requests:
        with reading(engine).begin() as connection:
            waiting = corrections.prepared(connection, request_id)
        for request in waiting:
            way = way_to(request.recipient, folder, ways)
            try:
                reference = way.hand_over(request.id, request.document)
            except (OSError, GatewayError) as error:
                failed = error
                continue
            entry = record(request, way.name)

            def both(
                connection: Connection,
                one: uuid.UUID = request.id,
                name: str = way.name,
                at: str = reference,
                entry: Entry = entry,
            ) -> None:
                corrections.sent(connection, one, name, at, utc_now())
                log.append(connection, entry)

            log.commit(both)
            handed.append({"request": str(request.id), "to": request.recipient, "reference": reference})
    return Handed(tuple(handed), failed)


def as_text(document: Mapping[str, Json]) -> str:
    """A request as officials read it, in Latvian and in English."""
    return "\n".join(
        line.format(**_readable(document, language))
        for language, lines in (("lv", _LATVIAN), ("en", _ENGLISH))
        for line in lines
    )


_LATVIAN = (
    "DATU PRECIZĒŠANAS PIEPRASĪJUMS Nr. {request_id}",
    "",
    "Kam: {to}",
    "Sagatavots: {made_at}",
    "Pieprasītājs: {from}, {requested_by}",
    "",
    "Persona: {person_code}",
    "Lauks: {field} {row}",
    "Tiesību norma (MK noteikumi Nr. 587): {rule}",
    "{rule_text}",
    "",
    "SPOLIS reģistrā: {ours}",
    "  avots {ours_source}, datu apmaiņa {ours_exchange}, reģistrēts {ours_recorded}",
    "Citā avotā: {theirs}",
    "  avots {theirs_source}, datu apmaiņa {theirs_exchange}, saņemts {theirs_recorded}",
    "",
    "Pamatojums: {reason}",
    "Lūdzam pārbaudīt datus un paziņot, vai tie ir precizēti, norādot pieprasījuma numuru.",
    "",
    "",
)
_ENGLISH = (
    "REQUEST TO CORRECT DATA No. {request_id}",
    "",
    "To: {to}",
    "Made: {made_at}",
    "Requested by: {from}, {requested_by}",
    "",
    "Person: {person_code}",
    "Field: {field} {row}",
    "Rule (Cabinet Regulation 587): {rule}",
    "",
    "In the SPOLIS register: {ours}",
    "  source {ours_source}, exchange {ours_exchange}, recorded {ours_recorded}",
    "In the other source: {theirs}",
    "  source {theirs_source}, exchange {theirs_exchange}, received {theirs_recorded}",
    "",
    "Reason: {reason}",
    "Please check the data and tell us whether they were corrected, naming the number of this request.",
    "",
)
_NOTHING = {"lv": "(nav)", "en": "(nothing)"}
_WORDS = {"lv": {True: "jā", False: "nē"}, "en": {True: "yes", False: "no"}}


def _readable(document: Mapping[str, Json], language: str) -> dict[str, str]:
    simple = ("request_id", "to", "made_at", "from", "requested_by", "person_code", "field", "rule", "reason")
    texts = {name: str(document[name]) for name in simple}
    row = document["row"]
    texts["row"] = f"[{in_words(row, language)}]" if row else ""
    texts["rule_text"] = in_words(document["rule_text_lv"], language)
    for name, side in (("ours", document["spolis"]), ("theirs", document["other"])):
        assert isinstance(side, dict)  # noqa: S101 — made by registers/corrections.py
        texts[name] = in_words(side["value"], language)
        texts[f"{name}_source"] = in_words(side["source"], language)
        texts[f"{name}_exchange"] = in_words(side["exchange_id"], language)
        texts[f"{name}_recorded"] = in_words(side["recorded_at"], language)
    return texts


def in_words(value: Json, language: str) -> str:
    """A value in a language, `lv` or `en`: codes by their texts."""
    if value is None:
        return _NOTHING[language]
    if isinstance(value, bool):
        return _WORDS[language][value]
    if isinstance(value, list):
        return " ".join(in_words(one, language) for one in value)
    if isinstance(value, dict) and {"code", "text_lv", "text_en"} == set(value):
        return f"{value[f'text_{language}']} ({value['code']})"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {in_words(one, language)}" for name, one in value.items())
    return str(value)
