"""Eight threads feed at once: one person for one code, one current row, no lost version."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

from sqlalchemy import Engine, func, select

import registers
from errors import Busy
from exchange import new_id
from mappings.vzd import AddressMatches
from registers import Fed
from registers.care_stays import CARE_STAY, find_care_stay, write_care_stay
from registers.history import Change
from registers.persons import IDENTITY, PERSON, PERSON_CODE, person_by_code
from tests.registers.invented import minimal, person_code, provenance
from tests.registers.test_care_stays import stay
from tests.registers.test_feeds import STREET

THREADS = 8


def at_once(work: Callable[[int], Fed]) -> list[Fed]:
    """Run the work in eight threads that begin together."""
    barrier = Barrier(THREADS)

    def run(number: int) -> Fed:
        barrier.wait(timeout=20)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_the_same_new_person_is_made_once(engine: Engine) -> None:
    of = person_code()
    with engine.begin() as connection:
        persons = connection.execute(select(func.count()).select_from(PERSON)).scalar_one()

    def work(number: int) -> Fed:
        with engine.begin() as connection:
            return registers.feed(connection, minimal(of), provenance(number))

    assert sum(at_once(work), Fed()) == Fed(1, THREADS - 1)
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(PERSON)).scalar_one() == persons + 1
        codes = select(func.count()).where(PERSON_CODE.c.code == of)
        assert connection.execute(codes).scalar_one() == 1


def test_different_answers_on_one_person_come_one_after_the_other(engine: Engine) -> None:
    of = person_code()

    def work(number: int) -> Fed:
        fed = Fed()
        for turn in range(4):
            with engine.begin() as connection:
                name = f"Bērziņa {number} {turn}"
                fed += registers.feed(connection, minimal(of, name), provenance(number))
        return fed

    assert sum(at_once(work), Fed()) == Fed(4 * THREADS, 0)
    with engine.begin() as connection:
        held = connection.execute(
            select(IDENTITY)
            .where(IDENTITY.c.person_id == person_by_code(connection, of))
            .order_by(IDENTITY.c.recorded_at)
        ).all()
    assert len({row.id for row in held}) == 1
    assert [row.superseded_at for row in held] == [*(row.recorded_at for row in held[1:]), None]


def test_different_persons_do_not_disturb_each_other(engine: Engine) -> None:
    codes = [person_code() for _ in range(THREADS)]

    def work(number: int) -> Fed:
        fed = Fed()
        for turn in range(4):
            with engine.begin() as connection, connection.begin_nested():
                fed += registers.feed(connection, minimal(codes[number]), provenance(turn))
        return fed

    assert at_once(work) == [Fed(1, 3)] * THREADS


def test_the_same_addresses_found_in_any_order_are_kept_once(engine: Engine) -> None:
    codes = [person_code() for _ in range(6)]

    def work(number: int) -> Fed:
        order = codes[number % 6 :] + codes[: number % 6]
        found = tuple(replace(STREET, varis_code=code) for code in order)
        with engine.begin() as connection:
            return registers.feed(connection, AddressMatches(text="Ozolu", addresses=found), provenance())

    assert sum(at_once(work), Fed()) == Fed(6, 6 * (THREADS - 1))


def test_the_same_stay_written_at_once_is_one_stay(engine: Engine) -> None:
    of = person_code()

    def work(number: int) -> Fed:
        with engine.begin() as connection:
            known = find_care_stay(connection, stay(of))
        try:
            with engine.begin() as connection:
                origin = provenance(number, "spolis")
                return write_care_stay(connection, stay(of), origin, stay_id=known or new_id())
        except Busy:
            return work(number)

    assert sum(at_once(work), Fed()) == Fed(1, THREADS - 1, (Change(None, stay(of)),))
    with engine.begin() as connection:
        person = person_by_code(connection, of)
        count = select(func.count()).where(CARE_STAY.c.person_id == person)
        assert connection.execute(count).scalar_one() == 1
