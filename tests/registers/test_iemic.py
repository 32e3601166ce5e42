"""What was heard of documents: one row for each, with what was said of it before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sqlalchemy import Engine

import registers
from mappings.codes import DOCUMENT_KIND
from mappings.iemic import DOCUMENT_STATUS, DocumentStatus
from registers import Fed
from tests.registers.invented import provenance

SAID = DocumentStatus(
    kind=DOCUMENT_KIND["PASSPORT"],
    number="LV1234567",
    country="LVA",
    checked_on=date(2026, 3, 2),
    status=DOCUMENT_STATUS["VALID"],
)
LATER = replace(SAID, checked_on=date(2026, 3, 9), status=DOCUMENT_STATUS["INVALID"])


def feed(engine: Engine, record: DocumentStatus, minutes: int) -> Fed:
    with engine.begin() as connection:
        return registers.feed(connection, record, provenance(minutes, source="iemic"))


def found(engine: Engine, **criteria: str) -> list[tuple[object, object]]:
    with engine.begin() as connection:
        rows = registers.search(connection, "document-checks", criteria)
        return [(row.values["number"], row.values["status"]) for row in rows]


def test_the_last_word_on_a_document_counts_and_the_ones_before_stay(engine: Engine) -> None:
    assert feed(engine, SAID, 0) == Fed(written=1)
    assert feed(engine, SAID, 1) == Fed(confirmed=1)
    assert feed(engine, LATER, 2) == Fed(written=1)
    assert found(engine, number="LV1234567") == [("LV1234567", "INVALID")]
    with engine.begin() as connection:
        (row,) = registers.search(connection, "document-checks", {"status": "INVALID"})
        versions = registers.read(connection, "document-checks", row.id, history=True)
    assert [one.values["status"] for one in versions] == ["INVALID", "VALID"]
    assert row.person_id is None
    assert row.provenance.source == "iemic"


def test_the_same_number_of_another_country_or_kind_is_another_document(engine: Engine) -> None:
    for other in (SAID, replace(SAID, country="UKR"), replace(SAID, kind=DOCUMENT_KIND["EID"])):
        assert feed(engine, other, 0).written == 1
    assert len(found(engine, number="LV1234567")) == 3
    assert len(found(engine, number="LV1234567", country="UKR")) == 1
