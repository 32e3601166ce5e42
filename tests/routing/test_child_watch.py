"""The watch over children and the hand-over of reports: each alert and each report once, and on record."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

import registers
from audit import ExchangeLog, Kind, open_log
from audit.tables import log_records
from config import Settings
from endpoints.work import children
from errors import Busy, InvalidRequest, NotFound
from exchange import Environment, Json
from mappings.codes import STOP_REASON
from mappings.npais import Placement, Placements
from mappings.pmlp import Person
from registers import child_alerts, report_handovers
from registers.child_alerts import ALERT
from registers.child_stays import stays_of
from registers.contact_reports import REPORT
from registers.report_handovers import HANDOVER, HandoverState
from routing import child_reports, child_watch
from routing.child_watch import Acting, Watched
from routing.reconciliation import alone
from storage import open_engine
from tests.commands.conftest import Home, home, made_keys  # noqa: F401 — fixtures of an installation
from tests.registers.invented import day, person_code, provenance
from tests.registers.test_contact_reports import report
from tests.registers.test_placement_conflicts import HOME, ours

OLD_CODE = "010124-20001"  # of the old form: born on 1 January 2024
ACTING = Acting(Environment.TEST, "A. Ozola", "tests")


@dataclass(frozen=True)
class Site:
    """An installation with a database of its own."""

    settings: Settings
    engine: Engine
    log: ExchangeLog
    folder: Path

    def feed(self, *records: object) -> None:
        with self.engine.begin() as connection:
            for minutes, record in enumerate(records):
                registers.feed(connection, record, provenance(minutes, "npais"))

    def watch(self, today: str) -> Watched:
        return child_watch.watch(self.engine, self.log, ACTING, day(today))

    def alerts(self) -> list[Any]:
        with self.engine.begin() as connection:
            return list(child_alerts.kept(connection))

    def told(self) -> list[tuple[str, str, str, str]]:
        """Kind, recipient, term and whether it is settled of each alert."""
        return sorted(
            (row.kind, row.recipient, str(row.due_on), "-" if row.settled_on is None else str(row.settled_on))
            for row in self.alerts()
        )

    def records(self) -> list[dict[str, Any]]:
        with self.engine.begin() as connection:
            query = select(log_records.c.leaf).order_by(log_records.c.instant)
            leaves = [json.loads(leaf) for leaf in connection.execute(query).scalars()]
        return [leaf for leaf in leaves if leaf["kind"] == Kind.ADMIN.value]

    def hand_over(self, today: str = "2026-08-01", municipality: str = "") -> list[dict[str, Json]]:
        child_reports.prepare(self.engine, self.log, ACTING, day(today))
        return child_reports.hand_over(self.engine, self.log, ACTING, self.folder, municipality)

    def handovers(self) -> list[Any]:
        with self.engine.begin() as connection:
            return list(
                connection.execute(select(HANDOVER).order_by(HANDOVER.c.municipality, HANDOVER.c.number))
            )


@pytest.fixture
def site(home: Home, database: str, tmp_path: Path) -> Iterator[Site]:  # noqa: F811 — the fixture
    engine = open_engine(database)
    yield Site(home.settings, engine, open_log(home.settings, engine), tmp_path / "handover")
    engine.dispose()


def stays(of: str, *spans: tuple[str, str | None], institution: str = HOME) -> Placements:
    return Placements(
        person_code=of,
        placements=tuple(
            Placement(
                institution=institution,
                entered_on=day(begin),
                stopped_on=day(end) if end else None,
                stop_reason=STOP_REASON["RETURNED_TO_FAMILY"] if end else None,
            )
            for begin, end in spans
        ),
    )


def born(of: str, on: str) -> Person:
    return Person(
        given_names=("Anna",),
        family_name="Paraudziņa",
        person_code=of,
        birth_date=day(on),
        data_sets=("IDENTITY",),
    )


def told_of(of: str, first: str, last: str, **values: Json) -> object:
    return report(of, period_from=first, period_to=last, made_on=last, contacts=[], **values)


def test_warned_before_alerted_after_settled_by_the_report(site: Site) -> None:
    of = person_code()
    site.feed(born(of, "2015-01-01"), stays(of, ("2026-01-10", None)))
    assert site.watch("2026-06-09").made == {}
    assert site.watch("2026-06-10").made == {"REPORT_DUE": 1}
    assert site.watch("2026-06-11").made == {}
    assert site.watch("2026-07-13").made == {"REPORT_OVERDUE": 3, "STAY_LENGTH": 2}
    assert [one for one in site.told() if one[0] != "STAY_LENGTH"] == [
        ("REPORT_DUE", "INSTITUTION", "2026-07-10", "-"),
        ("REPORT_OVERDUE", "INSTITUTION", "2026-07-10", "-"),
        ("REPORT_OVERDUE", "ORPHAN_COURT", "2026-07-10", "-"),
        ("REPORT_OVERDUE", "SOCIAL_SERVICE", "2026-07-10", "-"),
    ]
    site.feed(told_of(of, "2026-01-10", "2026-07-09"))
    assert site.watch("2026-07-14") == Watched(1, 0, {}, 4)
    assert {one[3] for one in site.told() if one[0] != "STAY_LENGTH"} == {"2026-07-14"}
    assert site.watch("2026-07-15") == Watched(1, 0, {}, 0), "what is settled is not made again"


def test_a_stay_that_gets_long_is_alerted_once_for_each_threshold_and_recipient(site: Site) -> None:
    of = person_code()
    site.feed(stays(of, ("2025-01-31", None)))

    def lengths(today: str) -> Counter[tuple[int, str]]:
        site.watch(today)
        return Counter((row.months, row.recipient) for row in site.alerts() if row.kind == "STAY_LENGTH")

    half = Counter({(6, "ORPHAN_COURT"): 1, (6, "SOCIAL_SERVICE"): 1})
    year = Counter({(12, "ORPHAN_COURT"): 1, (12, "SOCIAL_SERVICE"): 1, (12, "MINISTRY"): 1})
    assert lengths("2025-07-30") == {}
    assert lengths("2025-07-31") == half
    assert lengths("2026-01-30") == half
    assert lengths("2026-01-31") == half + year
    assert lengths("2026-06-01") == half + year
    moved = stays(of, ("2025-01-31", "2026-06-30"))
    elsewhere = stays(of, ("2026-07-01", None), institution="Bērnu centrs “Pūce”")
    site.feed(Placements(person_code=of, placements=(*moved.placements, *elsewhere.placements)))
    assert lengths("2026-07-01") == half + year, "a move does not begin the time anew"
    assert all(row.settled_on is None for row in site.alerts() if row.kind == "STAY_LENGTH")
    site.feed(stays(of, ("2025-01-31", "2026-06-30")))
    site.watch("2026-07-20")
    assert {str(row.settled_on) for row in site.alerts() if row.kind == "STAY_LENGTH"} == {"2026-07-20"}


def test_a_stay_first_seen_late_makes_no_flood(site: Site) -> None:
    of = person_code()
    site.feed(stays(of, ("2022-01-10", None)))
    assert site.watch("2026-07-13").made == {"REPORT_OVERDUE": 3, "STAY_LENGTH": 3}
    assert {row.months for row in site.alerts() if row.kind == "STAY_LENGTH"} == {36}


def test_the_age_is_of_pmlp_else_of_an_old_code_else_the_strictest(site: Site) -> None:
    unknown, of_pmlp = person_code(), person_code()
    for of in (unknown, of_pmlp, OLD_CODE):
        site.feed(stays(of, ("2027-01-10", None)))
    site.feed(born(of_pmlp, "2020-05-05"))
    with site.engine.begin() as connection:
        found = stays_of(connection, day("2027-02-01"))
        by_code = {registers.codes_of(connection, stay.person_id)[0]: stay for stay in found}
    assert {of: (by_code[of].periods[0].months, by_code[of].born) for of in by_code} == {
        unknown: (3, None),
        of_pmlp: (6, day("2020-05-05")),
        OLD_CODE: (6, day("2024-01-01")),
    }
    assert site.watch("2027-02-01").age_unknown == 1


def test_the_municipality_tells_whom_and_npais_tells_since_when(site: Site) -> None:
    of, alone_told = person_code(), person_code()
    site.feed(stays(of, ("2026-01-10", None)), ours(of, entered_on="2026-01-20"))
    site.feed(ours(alone_told, entered_on="2026-01-15", municipality="0050000"))
    with site.engine.begin() as connection:
        found = stays_of(connection, day("2026-07-20"))
    assert [(str(stay.entered_on), stay.municipality) for stay in found] == [
        ("2026-01-10", "0040000"),
        ("2026-01-15", "0050000"),
    ]
    site.watch("2026-07-20")
    assert {row.municipality for row in site.alerts()} == {"0040000", "0050000"}


def test_each_alert_is_on_record_with_its_child_and_its_row_names_the_record(site: Site) -> None:
    of = person_code()
    site.feed(stays(of, ("2026-01-10", None)))
    site.watch("2026-05-04")
    (record,) = site.records()
    assert (record["act"], record["purpose"]) == ("children watch", "child-protection")
    assert record["made"] == [
        "REPORT_OVERDUE INSTITUTION",
        "REPORT_OVERDUE ORPHAN_COURT",
        "REPORT_OVERDUE SOCIAL_SERVICE",
    ]
    assert {"subject", "official", "reason"} <= set(record["commitments"])
    assert of not in json.dumps(record)
    assert {str(row.exchange_id) for row in site.alerts()} == {record["exchange"]}
    with site.engine.begin() as connection:
        (row, *_) = registers.search(connection, "child-alerts", {"person_code": of})
        assert row.provenance.source == "spolis"
    site.watch("2026-05-05")
    assert len(site.records()) == 1, "where nothing is made there is no record"


def test_four_watches_at_once_make_each_alert_once(site: Site) -> None:
    for _ in range(12):
        site.feed(stays(person_code(), ("2025-06-10", None)))
    failed: list[BaseException] = []
    begin = threading.Barrier(4)

    def one() -> None:
        engine = open_engine(site.engine.url.render_as_string(hide_password=False))
        try:
            begin.wait(10)
            child_watch.watch(engine, open_log(site.settings, engine), ACTING, day("2026-07-13"))
        except BaseException as error:  # shown below: a thread has nobody to raise to
            failed.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    once = Counter((r.person_id, r.kind, r.recipient, r.since, r.due_on) for r in site.alerts())
    assert set(once.values()) == {1}
    assert len(once) == 12 * 6
    with site.engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(ALERT)).scalar() == 12 * 6
    assert len(site.records()) == 12


def test_an_alert_is_acknowledged_once_and_its_record_says_by_whom(site: Site) -> None:
    site.feed(stays(person_code(), ("2026-01-10", None)))
    site.watch("2026-05-04")
    ids = [row.id for row in site.alerts()]
    with pytest.raises(NotFound):
        child_watch.acknowledge(site.log, ACTING, [ids[0], uuid.uuid4()], day("2026-05-05"))
    assert all(row.acknowledged_on is None for row in site.alerts()), "all or none"
    child_watch.acknowledge(site.log, ACTING, ids[:2], day("2026-05-05"))
    assert [row.acknowledged_on for row in site.alerts()].count(day("2026-05-05")) == 2
    record = site.records()[-1]
    assert (record["act"], record["alerts"]) == ("children acknowledge", [str(one) for one in ids[:2]])
    with pytest.raises(InvalidRequest, match="acknowledged on 2026-05-05"):
        child_watch.acknowledge(site.log, ACTING, ids[:1], day("2026-05-06"))
    site.watch("2026-05-07")
    assert len(site.alerts()) == len(ids), "what somebody took up is not made again"


@pytest.mark.parametrize(("slot", "made"), [("2026-05-04", 0), ("2026-05-05", 3), ("2026-05-09", 0)])
def test_the_job_works_on_working_days_only(site: Site, slot: str, made: int) -> None:
    site.feed(stays(person_code(), ("2026-01-10", None)))
    instant = datetime.fromisoformat(f"{slot}T06:00:00").replace(tzinfo=UTC)
    children.look(site.settings, site.engine, site.log, instant)
    assert len(site.alerts()) == made


def test_the_job_hands_reports_over_too(site: Site) -> None:
    of = person_code()
    site.feed(ours(of, entered_on="2026-01-10"), told_of(of, "2026-01-10", "2026-03-31"))
    children.look(site.settings, site.engine, site.log, datetime(2026, 5, 5, 6, tzinfo=UTC))
    (row,) = site.handovers()
    assert row.state == HandoverState.HANDED_OVER
    assert (child_reports.folder_of(site.settings) / row.reference).is_file()


def test_a_report_reaches_its_municipality_once_and_a_correction_after_it(site: Site) -> None:
    of = person_code()
    site.feed(ours(of, entered_on="2026-01-10"), told_of(of, "2026-01-10", "2026-03-31"))
    (first,) = site.hand_over()
    assert site.hand_over() == [], "once"
    site.feed(told_of(of, "2026-01-10", "2026-03-31", author="B. Paraudziņš"))
    site.feed(told_of(of, "2026-04-01", "2026-06-30"))
    later = site.hand_over()
    documents = [
        json.loads((site.folder / str(one["reference"])).read_text("utf-8")) for one in (first, *later)
    ]
    assert [(d["number"], d["replaces"], d["report"]["author"]) for d in documents] == [
        (1, None, "A. Paraudziņa"),
        (2, 1, "B. Paraudziņš"),
        (3, None, "A. Paraudziņa"),
    ]
    assert {d["to"] for d in documents} == {"0040000"}
    assert documents[0]["report"]["person_code"] == of
    names = sorted(path.name for path in (site.folder / "0040000").iterdir())
    assert [name[:6] for name in names] == ["000001"] * 2 + ["000002"] * 2 + ["000003"] * 2
    assert {path.stat().st_mode & 0o777 for path in (site.folder / "0040000").iterdir()} == {0o600}
    acts = [(r["act"], r["to"]) for r in site.records()]
    assert acts[:2] == [("children report prepared", "0040000"), ("children report handed over", "0040000")]
    assert all("subject" in r["commitments"] for r in site.records())


def test_a_report_is_read_in_latvian(site: Site) -> None:
    of = person_code()
    contacts: list[Json] = [
        {"with_whom": "MOTHER", "kind": "MEETING", "held_on": "2026-02-14", "remark": "ieplānots"}
    ]
    site.feed(
        ours(of, entered_on="2026-01-10"),
        report(of, period_from="2026-01-10", period_to="2026-03-31", made_on="2026-04-01", contacts=contacts),
    )
    (one,) = site.hand_over()
    text = (site.folder / str(one["reference"])).with_suffix(".txt").read_text("utf-8")
    for line in (
        "ZIŅOJUMS PAR BĒRNA SASKARSMI UN ATTĪSTĪBU Nr. 1",
        f"Bērns (personas kods): {of}",
        "Periods: 2026-01-10 – 2026-03-31",
        "  2026-02-14: Māte (MOTHER), Tikšanās iestādē (MEETING); ieplānots",
        "  Draudzīgs.",
    ):
        assert line in text.splitlines()


def test_what_is_no_municipality_is_no_folder_and_the_report_waits(site: Site) -> None:
    of, stranger = person_code(), person_code()
    site.feed(
        ours(of, entered_on="2026-01-10", municipality="../../etc"), told_of(of, "2026-01-10", "2026-03-31")
    )
    site.feed(stays(stranger, ("2026-01-10", None)), told_of(stranger, "2026-01-10", "2026-03-31"))
    waiting = child_reports.prepare(site.engine, site.log, ACTING, day("2026-05-05"))
    assert (waiting.prepared, waiting.without_municipality) == (0, 2)
    site.feed(ours(stranger, entered_on="2026-01-10"))
    assert [one["to"] for one in site.hand_over()] == ["0040000"], "it goes when a municipality tells"


def test_one_municipality_whose_folder_fails_keeps_its_order_and_the_other_gets_its_own(site: Site) -> None:
    here, there = person_code(), person_code()
    site.feed(
        ours(here, entered_on="2026-01-10"), ours(there, entered_on="2026-01-10", municipality="0050000")
    )
    for of in (here, there):
        site.feed(told_of(of, "2026-01-10", "2026-02-28"), told_of(of, "2026-03-01", "2026-03-31"))
    site.folder.mkdir()
    (site.folder / "0040000").write_text("no folder")
    with pytest.raises(OSError, match="0040000"):
        site.hand_over()
    assert [(row.municipality, row.state) for row in site.handovers()] == [
        ("0040000", "prepared"),
        ("0040000", "prepared"),
        ("0050000", "handed_over"),
        ("0050000", "handed_over"),
    ]
    (site.folder / "0040000").unlink()
    assert [str(one["reference"])[:14] for one in site.hand_over()] == ["0040000/000001", "0040000/000002"]


def test_a_crash_after_the_files_writes_the_same_files_again(site: Site) -> None:
    of = person_code()
    site.feed(ours(of, entered_on="2026-01-10"), told_of(of, "2026-01-10", "2026-03-31"))
    child_reports.prepare(site.engine, site.log, ACTING, day("2026-05-05"))
    (row,) = site.handovers()
    child_reports._write(site.folder, row)  # and the process died before it could note that
    before = {path: path.read_bytes() for path in (site.folder / "0040000").iterdir()}
    (one,) = site.hand_over()
    assert {path: path.read_bytes() for path in (site.folder / "0040000").iterdir()} == before
    assert one["report"] == str(row.id)


def test_a_report_that_was_corrected_meanwhile_is_not_prepared_as_it_was(site: Site) -> None:
    of = person_code()
    site.feed(told_of(of, "2026-01-10", "2026-03-31"))
    with site.engine.begin() as connection:
        (seen,) = report_handovers.waiting(connection)
    site.feed(told_of(of, "2026-01-10", "2026-03-31", author="B. Paraudziņš"))
    with site.engine.begin() as connection:
        assert report_handovers.prepare(connection, seen.version_id, "0040000", provenance()) is None


def test_two_do_not_hand_over_at_once(site: Site) -> None:
    with alone(site.engine, "children reports"), pytest.raises(Busy):
        site.hand_over()


def test_what_was_handed_over_is_acknowledged_and_nothing_else(site: Site) -> None:
    of = person_code()
    site.feed(ours(of, entered_on="2026-01-10"), told_of(of, "2026-01-10", "2026-03-31"))
    child_reports.prepare(site.engine, site.log, ACTING, day("2026-05-05"))
    (row,) = site.handovers()
    with pytest.raises(InvalidRequest, match="prepared"):
        child_reports.received(site.log, ACTING, row.id)
    site.hand_over()
    child_reports.received(site.log, ACTING, row.id)
    (row,) = site.handovers()
    assert (row.state, site.records()[-1]["act"]) == ("acknowledged", "children report acknowledged")


def test_only_one_municipality_is_handed_over_when_it_is_named(site: Site) -> None:
    codes: Sequence[str] = [person_code(), person_code()]
    for of, municipality in zip(codes, ("0040000", "0050000"), strict=True):
        site.feed(ours(of, entered_on="2026-01-10", municipality=municipality))
        site.feed(told_of(of, "2026-01-10", "2026-03-31"))
    assert [one["to"] for one in site.hand_over(municipality="0050000")] == ["0050000"]


def test_the_report_keeps_its_child_when_two_persons_become_one(site: Site) -> None:
    of = person_code()
    site.feed(ours(of, entered_on="2026-01-10"), told_of(of, "2026-01-10", "2026-03-31"))
    site.watch("2026-07-20")
    site.hand_over()
    newer = person_code()
    (handover,) = site.handovers()
    with site.engine.begin() as connection:
        registers.feed(connection, born(newer, "2020-01-01"), provenance(9), asked=of)
        person_id = registers.person_by_code(connection, newer)
        moved = select(REPORT.c.person_id).where(REPORT.c.version_id == handover.report_version_id)
        assert connection.execute(moved).scalar() == person_id
        assert {row.person_id for row in child_alerts.kept(connection)} == {person_id}


def test_a_day_is_a_day(site: Site) -> None:
    """The slot's day is Riga's: 22:30 UTC on Monday is Tuesday there."""
    site.feed(stays(person_code(), ("2026-01-10", None)))
    children.look(site.settings, site.engine, site.log, datetime(2026, 5, 4, 22, 30, tzinfo=UTC))
    assert {row.made_on for row in site.alerts()} == {date(2026, 5, 5)}
