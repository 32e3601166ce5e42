"""The edition that is made up for measuring: of the size asked for, right in itself, and marked as invented."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bench.addresses.invented import FIRST_CODE, Size, write_edition
from bench.addresses.queries import typed
from registers import varis
from registers.varis.forms import Form
from registers.varis.summary import Counts
from storage import open_engine
from storage.migrate import upgrade
from tests.registers.varis.country import SAMPLE, ask

SIZE = Size().times(0.002)
REAL = {path.stem[3:]: path for path in SAMPLE.glob("*.csv")}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.db'}")
    upgrade(engine)
    return engine


def test_the_size_is_that_of_the_country() -> None:
    assert Size().buildings + Size().premises == 1_600_000


def test_every_full_address_is_what_its_chain_gives(engine: Engine, tmp_path: Path) -> None:
    counts = write_edition(tmp_path / "a", SIZE)
    assert counts["eka"] == SIZE.buildings + 18
    assert counts["dziv"] == SIZE.premises
    summary = varis.load(engine, [tmp_path / "a"])
    assert summary.differs == 6  # real rows whose streets are not among the sample
    assert sum(each.added for each in summary.counts.values()) == sum(counts.values())


def test_the_old_form_says_the_same(engine: Engine, tmp_path: Path) -> None:
    write_edition(tmp_path / "a", SIZE, form=Form.OLD)
    write_edition(tmp_path / "b", SIZE)
    varis.load(engine, [tmp_path / "a"])
    counts = varis.load(engine, [tmp_path / "b"]).counts
    assert all((each.added, each.changed, each.ended) == (0, 0, 0) for each in counts.values())


def test_the_second_edition_differs_little(engine: Engine, tmp_path: Path) -> None:
    write_edition(tmp_path / "a", SIZE)
    write_edition(tmp_path / "b", SIZE, number=2)
    varis.load(engine, [tmp_path / "a"])
    counts = varis.load(engine, [tmp_path / "b"]).counts
    houses = counts["eka"]
    assert 0 < houses.added + houses.changed + houses.ended < houses.unchanged / 50
    assert counts["dziv"] == Counts(unchanged=SIZE.premises)
    assert counts["iela"].changed == 1


def test_what_is_invented_says_so(tmp_path: Path) -> None:
    write_edition(tmp_path, SIZE)
    assert "invented" in (tmp_path / "INVENTED.md").read_text(encoding="utf-8")
    for path in tmp_path.glob("*.csv"):
        real = set()
        if path.stem[3:] in REAL:
            with REAL[path.stem[3:]].open(encoding="utf-8-sig") as source:
                real = {row["KODS"] for row in csv.DictReader(source)}
        with path.open(encoding="utf-8-sig") as source:
            invented = {row["KODS"] for row in csv.DictReader(source)} - real
        if path.stem != "aw_vietu_centroidi":  # these are of real places and of invented ones
            assert all(int(code) >= FIRST_CODE for code in invented), path


def test_what_people_type_finds_what_they_mean(engine: Engine, tmp_path: Path) -> None:
    write_edition(tmp_path / "a", SIZE)
    varis.load(engine, [tmp_path / "a"])
    questions = typed(tmp_path / "a", 60)
    found = [
        [match.address.varis_code for match in ask(engine, lambda c, text=text: varis.search(c, text))]  # type: ignore[misc] # — the text of this turn
        for text, _ in questions
    ]
    hits = [question.code in codes for question, codes in zip(questions, found, strict=True)]
    assert sum(hits) >= len(questions) - 1


def test_the_bench_reports_figures(tmp_path: Path) -> None:
    results = tmp_path / "addresses.json"
    # A process of its own: what this one has taken already would count as the load's.
    command = [sys.executable, "-m", "bench.addresses", "--share", "0.001", "--searches", "10"]
    done = subprocess.run([*command, "--to", str(results)], capture_output=True, check=False)  # noqa: S603 — our own program
    assert done.returncode == 0, done.stderr
    told = json.loads(results.read_text(encoding="utf-8"))
    assert told["sqlite"]["first"]["written"] == told["rows"]
    assert told["sqlite"]["next"]["written"] < told["rows"] / 20
    assert told["sqlite"]["search"]["count"] == 10
