"""`gateway addresses`: an edition is loaded and looked into, and each load is on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from audit import search
from bench.addresses.invented import Size, write_edition
from registers.edition import PLACE
from storage import open_engine, reading
from tests.commands.conftest import Home

SAMPLE = Path(__file__).parent.parent / "registers" / "varis" / "sample"


def records(home: Home) -> list[dict[str, Any]]:
    """The records of loads, oldest first."""
    engine = open_engine(home.settings.database_url)
    found = [dict(one.leaf) for one in search.search(engine) if one.leaf.get("act") == "addresses load"]
    engine.dispose()
    return list(reversed(found))


def test_an_edition_is_loaded_and_looked_into(home: Home) -> None:
    told = home.json("addresses", "load", str(SAMPLE))
    assert told["edition"] == 1
    assert told["counts"]["eka"] == {"added": 18, "changed": 0, "ended": 0, "unchanged": 0}

    found = home.json("addresses", "resolve", "101000034")
    assert found["text"] == '"Riņņi", Vecates pag., Valmieras nov., LV-4211'
    assert (found["existed"], found["certain"], found["kind"]["code"]) == (True, True, "108")
    assert [part["varis_code"] for part in found["chain"]] == ["101000034", "100015122", "100016647"]
    before = home.json("addresses", "resolve", "101000034", "--on", "2015-01-01")
    assert (before["existed"], before["certain"]) == (True, False)

    [match] = home.json("addresses", "search", "Ozolu", "18")
    assert (match["varis_code"], match["former"], match["unmatched"]) == ("101003948", None, [])
    assert home.json("addresses", "search", "Nekurienes 5") == []
    children = home.json("addresses", "children", "100000000", "--limit", "3")
    assert [child["kind"]["code"] for child in children] == ["104", "104", "113"]
    history = home.json("addresses", "history", "101001003")
    assert history["address"]["status"] == {"code": "DEL", "text_lv": "Likvidēts", "text_en": "Deleted"}
    assert history["spans"][-1]["until"] == "2011-08-17"


def test_people_read_it_too(home: Home) -> None:
    loaded = home.run("addresses", "load", str(SAMPLE / "aw_novads.csv"))
    assert loaded.stdout.splitlines()[1].split() == ["novads", "7", "0", "0", "0"]
    assert "edition 1 is in use" in loaded.stderr
    assert home.run("addresses", "resolve", "100016647").stdout == "Valmieras nov.\n"
    assert "Valmieras nov." in home.run("addresses", "search", "valmieras novads").stdout
    assert "2021-07-01" in home.run("addresses", "history", "100016647").stdout
    assert "Novads" in home.run("addresses", "children", "100000000").stdout


def test_a_load_is_on_record_with_its_account(home: Home) -> None:
    told = home.json("addresses", "load", str(SAMPLE))
    begun, loaded = records(home)
    assert (begun["stage"], loaded["stage"]) == ("begun", "loaded")
    assert begun["exchange"] == loaded["exchange"] == told["exchange_id"]
    assert loaded["counts"] == told["counts"]
    assert {file["name"] for file in loaded["files"]} == {path.name for path in SAMPLE.glob("*.csv")}
    assert "official" in loaded["commitments"]


def test_a_broken_edition_ends_with_its_line_and_is_on_record(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "aw_novads.csv"
    path.write_bytes((SAMPLE / path.name).read_bytes().replace(b'"EKS"', b'"OK"', 1))
    result = home.run("addresses", "load", str(path), "--json")
    assert result.exit_code == 2
    assert "aw_novads.csv line 2: STATUSS is none of EKS, DEL, ERR" in result.stderr
    assert result.stdout == ""
    begun, refused = records(home)
    assert (refused["stage"], refused["code"]) == ("refused", "invalid_request")
    assert "aw_novads.csv line 2" in refused["detail"]
    assert begun["exchange"] == refused["exchange"]
    missing = home.run("addresses", "resolve", "100016647")
    assert missing.exit_code == 2
    assert "gateway addresses load" in missing.stderr


def test_what_is_asked_wrongly_is_told(home: Home) -> None:
    home.json("addresses", "load", str(SAMPLE))
    for arguments in (("resolve", "12"), ("resolve", "199999999"), ("search", "x"), ("history", "abc")):
        assert home.run("addresses", *arguments).exit_code == 2, arguments
    assert home.run("addresses", "load").exit_code == 2
    assert home.run("addresses", "load", str(SAMPLE / "SOURCE.md")).exit_code == 2


def test_a_killed_command_has_begun_and_the_next_one_loads(home: Home, tmp_path: Path) -> None:
    home.json("addresses", "load", str(SAMPLE))
    counts = write_edition(tmp_path / "edition", Size().times(0.01))
    gateway = [sys.executable, "-P", "-c", "import gateway; gateway.main()"]
    process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
        [*gateway, "addresses", "load", str(tmp_path / "edition"), "--json"],
        env={**os.environ, **home.environ},
        stdout=subprocess.DEVNULL,
    )
    engine = open_engine(home.settings.database_url)
    written = select(func.count()).select_from(PLACE).where(PLACE.c.first_edition == 2)
    until = time.monotonic() + 60
    while True:
        with reading(engine).begin() as connection:
            if connection.execute(written).scalar_one() > counts["eka"] // 4:
                break
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    engine.dispose()
    assert [record["stage"] for record in records(home)] == ["begun", "loaded", "begun"]
    assert home.json("addresses", "resolve", "101000034")["edition"] == 1
    told = home.json("addresses", "load", str(tmp_path / "edition"))
    assert (told["edition"], told["undone"]) == (3, [2])
    assert home.json("addresses", "resolve", "101000034")["edition"] == 3
    assert home.run("audit", "verify", "--json").exit_code == 3  # all is well, and no witness has seen it yet
