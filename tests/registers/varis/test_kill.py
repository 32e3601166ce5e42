"""A load that is killed leaves the edition in use, and the next load works."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, func, select

from bench.addresses.invented import Size, write_edition
from registers import varis
from registers.edition import EDITION, FORMER, PLACE, WORD
from tests.registers.varis.country import SAMPLE, ask

LOAD = """
import sys
from pathlib import Path
import registers
from registers import varis
from storage import open_engine
varis.load(open_engine(sys.argv[1]), [Path(sys.argv[2])])
"""
TEXT = '"Riņņi", Vecates pag., Valmieras nov., LV-4211'
# Of several batches, so that the first is seen long before the last.
SIZE = Size().times(0.03)


def loading(engine: Engine, database: str, directory: Path, rows: int) -> subprocess.Popen[bytes]:
    """A process that loads, when it has written some rows at least and is still at it."""
    process = subprocess.Popen([sys.executable, "-c", LOAD, database, str(directory)])  # noqa: S603 — our own interpreter
    until = time.monotonic() + 60
    query = select(func.count()).select_from(PLACE).where(PLACE.c.first_edition == 2)
    while ask(engine, lambda c: c.execute(query).scalar_one()) < rows:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    return process


def test_a_killed_load_leaves_the_edition_in_use(engine: Engine, database: str, tmp_path: Path) -> None:
    varis.load(engine, [SAMPLE])
    counts = write_edition(tmp_path, SIZE)
    process = loading(engine, database, tmp_path, counts["eka"] // 4)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    assert ask(engine, varis.in_use) == 1
    assert ask(engine, lambda c: varis.resolve(c, "101000034").address.text) == TEXT
    assert [m.address.text for m in ask(engine, lambda c: varis.search(c, "rinni vecates"))] == [TEXT]
    assert ask(engine, lambda c: len(varis.children(c, "100016647"))) == 4
    written = select(func.count()).select_from(PLACE).where(PLACE.c.first_edition == 2)
    assert ask(engine, lambda c: c.execute(written).scalar_one()) > 0

    summary = varis.load(engine, [tmp_path])
    assert (summary.edition, summary.undone) == (3, [2])
    added = sum(
        each.added for name, each in summary.counts.items() if "_his" not in name and "vietu" not in name
    )
    kept = sum(each.unchanged for each in summary.counts.values())
    assert kept == 46
    places = sum(count for name, count in counts.items() if "_his" not in name and "vietu" not in name)
    assert added + kept == places
    left = [select(func.count()).select_from(t).where(t.c.first_edition == 2) for t in (PLACE, FORMER, WORD)]
    assert ask(engine, lambda c: [c.execute(query).scalar_one() for query in left]) == [0, 0, 0]
    states = ask(
        engine, lambda c: c.execute(select(EDITION.c.state).order_by(EDITION.c.number)).scalars().all()
    )
    assert states == ["superseded", "abandoned", "current"]
    assert ask(engine, lambda c: c.execute(select(func.count()).select_from(PLACE)).scalar_one()) == places
