"""`gateway children`: looks are on record, codes shown with a reason only, kills lose and double nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

import registers
from audit.tables import log_records
from exchange import today_in_riga
from registers.child_alerts import ALERT
from registers.child_calendar import months_after
from storage import open_engine, reading
from tests.commands.conftest import Home
from tests.commands.processes import GATEWAY, gateway
from tests.registers.invented import person_code, provenance
from tests.registers.test_placement_conflicts import ours
from tests.routing.test_child_watch import born, stays, told_of

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Place(Home):
    """An installation with a database of its own."""

    database: str = ""

    @property
    def environ(self) -> dict[str, str]:
        return {"GATEWAY_CONFIG": str(self.folder), "GATEWAY_DATABASE_URL": self.database}


@pytest.fixture
def place(home: Home, database: str) -> Place:
    return Place(home.folder, database)


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = open_engine(place.database)
    yield engine
    engine.dispose()


def entered(months_ago: int) -> str:
    """A day so many months ago."""
    return str(months_after(today_in_riga(), -months_ago))


def feed(engine: Engine, *records: object) -> None:
    with engine.begin() as connection:
        for minutes, record in enumerate(records):
            registers.feed(connection, record, provenance(minutes, "npais"))


def admin(engine: Engine) -> list[Any]:
    with engine.begin() as connection:
        leaves = [
            json.loads(leaf)
            for leaf in connection.execute(
                select(log_records.c.leaf).order_by(log_records.c.instant)
            ).scalars()
        ]
    return [leaf for leaf in leaves if str(leaf.get("act", "")).startswith("children ")]


def test_the_calendar_of_all_has_internal_ids_and_that_of_a_child_wants_a_reason(
    place: Place, engine: Engine
) -> None:
    of, other = person_code(), person_code()
    feed(engine, stays(of, (entered(7), None)), ours(other, entered_on=entered(1)), born(other, "2015-01-01"))
    listed = place.json("children", "calendar")
    assert [(row["state"], row["months"], row["age_known"], row["missing"]) for row in listed] == [
        ("overdue", 3, False, 2),
        ("later", 3, False, 2),
        ("later", 6, True, 0),
    ]
    assert of not in json.dumps(listed)
    assert [row["state"] for row in place.json("children", "calendar", "--due-before", entered(0))] == [
        "overdue"
    ]
    refused = place.run("children", "calendar", "--child", of)
    assert (refused.exit_code, "needs --reason" in refused.stderr) == (2, True)
    own = place.json("children", "calendar", "--child", of, "--reason", "lieta 1")
    assert [row["state"] for row in own] == ["overdue", "overdue", "later"]
    unknown = place.run("children", "calendar", "--child", person_code(), "--reason", "lieta 2")
    assert unknown.exit_code != 0
    looks = admin(engine)
    assert [look["act"] for look in looks] == ["children calendar"] * 4, "a look that found nothing too"
    assert ["subject" in look["commitments"] for look in looks] == [False, False, True, True]
    assert all({"official", "account", "reason"} <= set(look["commitments"]) for look in looks)


def test_alerts_are_made_listed_and_acknowledged(place: Place, engine: Engine) -> None:
    of = person_code()
    feed(engine, stays(of, (entered(7), None)), ours(of, entered_on=entered(7)))
    made = place.json("children", "watch")
    assert made == {
        "stays": 1,
        "age_unknown": 1,
        "made": {"REPORT_DUE": 0, "REPORT_OVERDUE": 3, "STAY_LENGTH": 2},
        "settled": 0,
    }
    assert sum(place.json("children", "watch")["made"].values()) == 0
    listed = place.json("children", "alerts")
    assert (len(listed), {row["municipality"] for row in listed}) == (5, {"0040000"})
    assert of not in json.dumps(listed)
    assert len(place.json("children", "alerts", "--recipient", "ORPHAN_COURT")) == 2
    assert place.json("children", "alerts", "--municipality", "0050000") == []
    assert place.run("children", "alerts", "--persons").exit_code == 2
    (seen, *_) = place.json("children", "alerts", "--persons", "--reason", "pārbaude")
    assert seen["person_code"] == of
    taken = place.run("children", "acknowledge", seen["id"], "--actor", "A. Ozola", "--reason", "vēstule")
    assert (taken.exit_code, taken.stdout) == (0, "acknowledged: 1\n")
    again = place.run("children", "acknowledge", seen["id"], "--actor", "A. Ozola", "--reason", "vēstule")
    assert again.exit_code == 2
    assert (len(place.json("children", "alerts")), len(place.json("children", "alerts", "--all"))) == (4, 5)
    acts = [(one["act"], "subject" in one["commitments"]) for one in admin(engine)]
    assert acts[0] == ("children watch", True)
    assert ("children acknowledge", True) in acts
    assert acts.count(("children alerts", True)) == 1


def test_reports_are_handed_over_into_a_folder_that_is_named(
    place: Place, engine: Engine, tmp_path: Path
) -> None:
    of, lost = person_code(), person_code()
    feed(engine, ours(of, entered_on=entered(7)), told_of(of, entered(7), entered(5)))
    feed(engine, stays(lost, (entered(7), None)), told_of(lost, entered(7), entered(5)))
    folder = tmp_path / "out"
    result = place.run("children", "reports", "--municipality", "0040000", "--folder", str(folder), "--json")
    (one,) = json.loads(result.stdout)
    assert "1 wait" in result.stderr
    assert json.loads((folder / one["reference"]).read_text("utf-8"))["report"]["person_code"] == of
    assert place.json("children", "reports", "--folder", str(folder)) == []
    done = place.run("children", "received", one["report"], "--actor", "A. Ozola", "--reason", "e-pasts")
    assert done.exit_code == 0
    missing = place.run("children", "received", str(uuid.uuid4()), "--actor", "A", "--reason", "r")
    assert missing.exit_code != 0


def test_a_watch_that_is_killed_loses_and_doubles_nothing(place: Place, engine: Engine) -> None:
    children = [person_code() for _ in range(120)]
    feed(engine, *(stays(of, (entered(13), None)) for of in children))
    seen: list[int] = []
    for _ in range(6):
        process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
            [
                str(shutil.which("nice")),
                "-n",
                "19",
                *GATEWAY,
                "children",
                "watch",
            ],  # so that it is seen amid its work
            env={**os.environ, **place.environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = _made(engine)
        end = time.monotonic() + 60
        while _made(engine) <= before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
        seen.append(_made(engine))
        if seen[-1] == len(children) * 6:
            break
    assert any(0 < made < len(children) * 6 for made in seen), "no kill came in the middle"
    finished = gateway(place.environ, "children", "watch", "--json")
    assert finished.returncode == 0, finished.stderr
    with engine.begin() as connection:
        rows = connection.execute(select(ALERT)).all()
    each = Counter((row.person_id, row.kind, row.recipient, row.since, row.due_on) for row in rows)
    assert (set(each.values()), len(each)) == ({1}, len(children) * 6)
    records = admin(engine)
    assert {str(row.exchange_id) for row in rows} == {one["exchange"] for one in records}
    assert sum(len(one["made"]) for one in records) == len(rows), "no record without its alerts"
    verified = json.loads(place.run("audit", "verify", "--json").stdout)
    assert (verified["status"], verified["pending"]) == ("unanchored", 0), "no witness here, and nothing bad"


def _made(engine: Engine) -> int:
    with reading(engine).begin() as connection:  # as a writer it would hold up what it waits for
        return len(connection.execute(select(ALERT.c.id)).all())


@pytest.mark.parametrize("name", ["calendar", "watch", "alerts", "acknowledge", "reports", "received"])
def test_every_command_has_an_example(home: Home, name: str) -> None:
    shown = home.run("children", name, "--help")
    assert shown.exit_code == 0
    assert f"gateway children {name}" in shown.stdout
