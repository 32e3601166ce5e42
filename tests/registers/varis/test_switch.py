"""Readers see the old edition or the new one, never a mix, however long the load takes."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Engine

from registers import varis
from storage import reading
from tests.registers.varis.country import ROOT, Country, ask

HOUSES = 300


def street(name: str, postcode: str, modified: str) -> Country:
    """A street whose houses all have one postcode."""
    c = Country().add("pilseta", "104", "200000021", "Rīga", ROOT, "Rīga", ATRIB="0001000", DAT_MOD=modified)
    c.add("iela", "107", "200000041", name, "200000021/104", f"{name}, Rīga", DAT_MOD=modified)
    for at in range(HOUSES):
        std = f"{name} {at + 1}, Rīga, {postcode}"
        c.add(
            "eka",
            "108",
            str(200001000 + at),
            str(at + 1),
            "200000041/107",
            std,
            ATRIB=postcode,
            DAT_MOD=modified,
        )
    return c


def test_readers_see_one_edition(engine: Engine, tmp_path: Path) -> None:
    first = street("Vecā iela", "LV-1001", "2025.01.01").write(tmp_path / "a")
    later = street("Jaunā iela", "LV-2002", "2026.01.01").drop("200001299")
    house = ("eka", "108", "200002000", "7A", "200000041/107", "Jaunā iela 7A, Rīga, LV-2002")
    second = later.add(*house, ATRIB="LV-2002", DAT_MOD="2026.01.01").write(tmp_path / "b")
    varis.load(engine, [first])
    seen: list[frozenset[tuple[str, str | None]]] = []
    failed: list[BaseException] = []
    over, before_switch = threading.Event(), threading.Event()
    while_written = 0

    def read() -> None:
        try:
            while not over.is_set():
                with reading(engine).connect() as connection:
                    # Several statements, each with the newest commits in sight.
                    children = varis.children(connection, "200000041", limit=HOUSES)
                    found = varis.search(connection, "iela 7, riga", 100)
                    connection.rollback()
                houses = {address.varis_code for address in children}
                assert (len(houses), len(houses & {"200002000", "200001299"})) == (HOUSES, 1)
                seen.append(
                    frozenset(
                        (address.chain[1].name, address.postcode)
                        for address in (*children, *(match.address for match in found))
                        if len(address.chain) == 3
                    )
                )
        except BaseException as error:
            failed.append(error)

    def settle(work: object, _summary: varis.Summary) -> None:
        """All is written by now; readers go on for a while before the switch."""
        nonlocal while_written
        before_switch.wait(0.5)
        while_written = len(seen)
        with engine.begin() as connection:
            work(connection)  # type: ignore[operator]

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    varis.load(engine, [second], settle=settle)
    after = len(seen)
    while len(seen) < after + 6 and not failed:
        over.wait(0.01)
    over.set()
    for reader in readers:
        reader.join()
    assert failed == []
    old, new = frozenset({("Vecā iela", "LV-1001")}), frozenset({("Jaunā iela", "LV-2002")})
    assert set(seen[:while_written]) == {old}
    assert set(seen) == {old, new}
    assert set(seen[-3:]) == {new}


def test_a_reader_that_began_before_the_switch_stays_with_its_edition(engine: Engine, tmp_path: Path) -> None:
    varis.load(engine, [street("Vecā iela", "LV-1001", "2025.01.01").write(tmp_path / "a")])
    number = ask(engine, varis.in_use)
    varis.load(engine, [street("Jaunā iela", "LV-2002", "2026.01.01").write(tmp_path / "b")])
    old = ask(engine, lambda c: varis.Places(c, number).resolve(200001006).address.text)
    assert old == "Vecā iela 7, Rīga, LV-1001"
    assert ask(engine, lambda c: varis.resolve(c, "200001006").address.text) == "Jaunā iela 7, Rīga, LV-2002"
