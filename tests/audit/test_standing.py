"""How the records of one exchange stand: waiting, signed, witnessed, and broken when anything of them was changed."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from audit import standing
from audit.notes import VerifierKey
from audit.standing import Standing, State
from audit.tables import log_records
from tests.audit.logs import KEY, WITNESS, begun_witness, exchange, fill_cosigned, open_log, sequence, unguard


def of(engine: Engine, number: uuid.UUID, witness: VerifierKey | None = None) -> Standing:
    return standing.of_exchange(engine, number, KEY.public_key(), witness)


def written(engine: Engine) -> uuid.UUID:
    entries = exchange()
    open_log(engine).write(*entries)
    return entries[0].exchange_id


def test_it_waits_until_every_record_has_its_place(engine: Engine) -> None:
    number = written(engine)
    waits = of(engine, number)
    assert (waits.state, waits.places, waits.proven_to) == (State.WAITING, {}, None)
    sequence(engine)
    found = of(engine, number, WITNESS)
    assert found.state is State.SIGNED
    assert sorted(place.index for place in found.places.values()) == [1, 2, 3]
    assert found.proven_to is not None
    assert (found.proven_to.size, found.followed) == (4, 3)
    open_log(engine).write(exchange()[0])
    assert of(engine, number).state is State.SIGNED, "what others wait for is no matter of this one"


def test_the_witness_counts_only_where_it_is_the_known_one(engine: Engine, tmp_path: Path) -> None:
    fill_cosigned(engine, begun_witness(tmp_path / "witness.json"))
    with engine.connect() as connection:
        number = uuid.UUID(
            connection.execute(
                select(log_records.c.exchange_id).where(log_records.c.kind == "outcome").limit(1)
            ).scalar_one()
        )
    assert of(engine, number, WITNESS).state is State.WITNESSED
    assert of(engine, number).state is State.SIGNED


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {records} SET leaf = replace(leaf, '\"ok\"', '\"no\"') WHERE kind = 'outcome'",
        "UPDATE {tree} SET leaf_hash = (SELECT leaf_hash FROM {tree} AS o WHERE o.idx = 1) WHERE idx = 3",
        "UPDATE {checkpoints} SET note = replace(note, 'spolis', 'spolit')",
    ],
)
def test_what_was_changed_is_broken(engine: Engine, change: str) -> None:
    number = written(engine)
    sequence(engine)
    unguard(engine)
    schema = "log." if engine.dialect.name == "postgresql" else ""
    names = {one: f"{schema}log_{one}" for one in ("records", "tree", "checkpoints")}
    with engine.begin() as connection:
        connection.execute(text(change.format(**names)))
    assert of(engine, number).state is State.BROKEN


def test_another_key_vouches_for_nothing(engine: Engine) -> None:
    number = written(engine)
    sequence(engine)
    other = WITNESS.key
    assert standing.of_exchange(engine, number, other, None).state is State.BROKEN
