"""`gateway corrections`: notices are made, listed, handed over and acknowledged, each act on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import registers
from audit import Entry, Kind, open_log, search
from exchange import Json, new_id, utc_now
from storage import migrate, open_engine
from tests.commands.conftest import Home
from tests.registers.invented import person_code, provenance
from tests.registers.test_long_term_care import care, deletion


def test_a_notice_on_its_way(home: Home, tmp_path: Path) -> None:
    engine = open_engine(home.settings.database_url)
    migrate.upgrade(engine)
    of, now = person_code(), utc_now()
    with engine.begin() as connection:
        before = replace(provenance(0, "vsac"), recorded_at=now - timedelta(hours=2))
        registers.feed(connection, care(of), before)
        after = replace(provenance(1, "vsac"), recorded_at=now - timedelta(hours=1))
        registers.feed(connection, deletion(of), after)
    at, exchange_id = now - timedelta(minutes=90), new_id()
    facts: dict[str, Json] = {"system": "registers", "operation": "SearchCareSet", "recipient": "spolis-core"}
    log = open_log(home.settings, engine)
    log.write(
        Entry(Kind.OPENED, exchange_id, at, {"way": "api"}),
        Entry(
            Kind.OUTCOME,
            exchange_id,
            at,
            {**facts, "outcome": "ok", "given": ["care_level"]},
            {"subject": of},
        ),
    )
    assert home.json("corrections", "notify") == {"versions": 1, "notices": 1}
    (listed,) = home.json("corrections", "list", "--state", "prepared")
    assert (listed["recipient"], listed["register_table"]) == ("spolis-core", "vsac_care")
    assert of not in str(listed)
    assert home.run("corrections", "list", "--persons").exit_code == 2
    (named,) = home.json("corrections", "list", "--persons", "--reason", "question of the recipient")
    assert named["person_code"] == of
    (handed,) = home.json("corrections", "hand-over", "--folder", str(tmp_path / "out"))
    assert (tmp_path / "out" / handed["reference"]).is_file()
    assert home.run("corrections", "received", listed["id"], "--reason", "e-mail").exit_code == 0
    assert home.run("corrections", "received", listed["id"], "--reason", "e-mail").exit_code == 2
    acts = {str(one.leaf.get("act")) for one in search.search(engine, kind="admin")}
    assert {
        "corrections notice",
        "corrections list",
        "corrections hand-over",
        "corrections received",
    } <= acts
    engine.dispose()
