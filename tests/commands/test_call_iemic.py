"""The sixth system from end to end: asked by the command line, by the rights that are shipped, kept in its register."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

import config
from registers.iemic import DOCUMENT
from simulators.iemic import status_of
from simulators.population import Population
from storage import open_engine
from tests.commands.conftest import Home
from tests.commands.processes import simulators

RIGHT = ("--purpose", "social-service", "--rule", "p8.11.6")


@pytest.fixture
def asked(home: Home, tmp_path: Path) -> Iterator[Home]:
    """An installation whose register of invalid documents is a simulator of twenty persons."""
    with simulators(tmp_path, home.environ, "iemic", "--persons", "20") as said:
        home.configure(said["systems"])
        yield home


def test_a_document_is_checked_kept_and_told_with_its_texts(asked: Home) -> None:
    listed = next(
        number
        for number in (f"LV{n}" for n in range(1_000_000, 1_000_200))
        if status_of(Population(20, 1), "PASSPORT", number, "LVA") == "INVALID"
    )
    answer = asked.json("call", "iemic", "check-document", "kind=PASSPORT", f"number={listed}", *RIGHT)
    assert answer["withheld"] == []
    assert answer["record"]["status"] == {"code": "INVALID", "text_lv": "Nederīgs", "text_en": "Invalid"}
    assert (answer["record"]["number"], answer["record"]["country"]) == (listed, "LVA")
    engine = open_engine(config.load(asked.environ).database_url)
    with engine.connect() as connection:
        (row,) = connection.execute(select(DOCUMENT.c.number, DOCUMENT.c.status, DOCUMENT.c.source))
    engine.dispose()
    assert row == (listed, "INVALID", "iemic")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("kind=PASSPORT", "number=ab 1", *RIGHT), 2),
        (("kind=LIBRARY_CARD", "number=LV1000000", *RIGHT), 2),
        (("kind=PASSPORT", "number=LV1000000", "--purpose", "marketing", "--rule", "p8.11.6"), 4),
        (("kind=PASSPORT", "number=LV1000000", *RIGHT, "--recipient", "labis"), 4),
    ],
)
def test_what_is_not_asked_rightly_never_leaves(home: Home, arguments: tuple[str, ...], code: int) -> None:
    result = home.run("call", "iemic", "check-document", *arguments, "--json")
    assert result.exit_code == code, result.output
    assert "LV1000000" not in result.stderr
