"""Whoever has the database and the log's key can sign another past: the witness says that it is another."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, update

from audit import checkpoint, continuity, leaf, notes, origin
from audit.checkpoint import Checkpoint
from audit.merkle import Frontier, leaf_hash
from audit.notes import ED25519, VerifierKey
from audit.outside import KEPT, Held, Outside
from audit.tables import (
    log_checkpoints,
    log_cosignatures,
    log_records,
    log_tree,
    log_values,
    sequencer_queue,
    tree_nodes,
)
from audit.witness import Witness
from errors import InvalidRequest
from exchange import Json
from tests.audit.logs import (
    KEY,
    WITNESS,
    begun_witness,
    cosign,
    fill_cosigned,
    open_log,
    opened,
    seen,
    sequence,
    sequencer,
    unguard,
    verified,
)

# The origin and four exchanges, under checkpoints at 5, 10 and 13, each of them cosigned.
SIZE = 13

# Of most of these the database is only where the rows lie; two go through PostgreSQL too.
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def witness(engine: Engine, tmp_path: Path) -> Witness:
    """The witness of a log that is whole, and that it has followed."""
    witness = begun_witness(tmp_path / "witness.json")
    fill_cosigned(engine, witness)
    report = verified(engine, seen(witness))
    assert (report.status, report.exit_code, report.size, report.exposure.size) == ("anchored", 0, SIZE, SIZE)
    unguard(engine)
    return witness


def rewrite(engine: Engine, since: int, change: Callable[[dict[str, Json]], dict[str, Json] | None]) -> None:
    """Rewrite the log from an index on as its keeper could: leaves, columns, hashes, checkpoints of the real key.

    `change` gives each leaf anew, or None to leave it out. What the witness signed of what is rewritten is thrown away.
    """
    with engine.begin() as connection:
        rows = connection.execute(
            select(log_tree.c.idx, log_records.c.id, log_records.c.leaf)
            .join(log_records, log_records.c.id == log_tree.c.record_id)
            .order_by(log_tree.c.idx)
        ).all()
        kept = [row for row in rows if row.idx < since]
        boundaries = [
            size for size in connection.execute(select(log_checkpoints.c.size)).scalars() if size > since
        ]
        connection.execute(delete(log_cosignatures).where(log_cosignatures.c.size > since))
        connection.execute(delete(tree_nodes))
        connection.execute(delete(log_tree).where(log_tree.c.idx >= since))
        connection.execute(delete(log_checkpoints).where(log_checkpoints.c.size > since))
        frontier = Frontier(leaf_hash(row.leaf.encode()) for row in kept)
        placed = []
        for row in rows[since:]:
            members = change(leaf.parse(row.leaf))
            if members is None:
                connection.execute(delete(log_values).where(log_values.c.record_id == row.id))
                connection.execute(delete(log_records).where(log_records.c.id == row.id))
                continue
            text = leaf.canonical(members)
            columns = {name: members.get(name) for name in ("instant", "system", "operation", "outcome")}
            connection.execute(
                update(log_records)
                .where(log_records.c.id == row.id)
                .values(leaf=text, exchange_id=members["exchange"], **columns)
            )
            placed.append((frontier.size, row.id, leaf_hash(text.encode())))
            frontier.append(leaf_hash(text.encode()))
        _sign(connection, placed, boundaries, frontier)


def _sign(
    connection: Connection, placed: list[tuple[int, str, bytes]], boundaries: list[int], frontier: Frontier
) -> None:
    first = connection.execute(select(log_records.c.leaf).where(log_records.c.kind == "origin")).scalar_one()
    line = origin.read(leaf.parse(first)).line
    hashes = list(connection.execute(select(log_tree.c.leaf_hash).order_by(log_tree.c.idx)).scalars()) + [
        one for _, _, one in placed
    ]
    sizes = sorted({min(size, frontier.size) for size in boundaries})
    for size in sizes:
        signed = Checkpoint(line, size, Frontier(hashes[:size]).root()).signed(KEY)
        connection.execute(insert(log_checkpoints).values(size=size, note=signed.note()))
    for index, id_, hashed in placed:
        covering = next(size for size in sizes if size > index)
        connection.execute(
            insert(log_tree).values(idx=index, record_id=id_, leaf_hash=hashed, checkpoint=covering)
        )


def other_outcome(members: dict[str, Json]) -> dict[str, Json]:
    return members | {"outcome": "denied"} if members.get("outcome") == "ok" else members


@ON_SQLITE
@pytest.mark.parametrize("since", [0, 5, 10])
def test_a_rewrite_with_the_logs_own_key(engine: Engine, witness: Witness, since: int) -> None:
    """Everything recomputed and signed: by itself such a log is whole. The last agreeing checkpoint is named."""
    rewrite(engine, since, other_outcome)
    alone = verified(engine, Outside(WITNESS))
    assert alone.status == ("anchored" if since else "unanchored"), alone.reason
    assert alone.exposure.size == (since or None), "what was rewritten is exposed"
    report = verified(engine, seen(witness))
    assert (report.status, report.exit_code) == ("bad", 1)
    assert (report.first_bad, report.last_good_checkpoint) == (since, since or None)
    assert "rewritten" in report.reason
    said = cosign_again(engine, witness)
    assert said is not None, "nor does the witness cosign it"


def cosign_again(engine: Engine, witness: Witness) -> str | None:
    open_log(engine).write(opened())
    sequence(engine)
    said = cosign(engine, witness)
    assert said is not None
    return said.contradiction


def test_a_rewrite_that_leaves_records_out(engine: Engine, witness: Witness) -> None:
    with engine.begin() as connection:
        chosen = connection.execute(
            select(log_records.c.exchange_id)
            .join(log_tree, log_tree.c.record_id == log_records.c.id)
            .where(log_tree.c.idx == 7)
        ).scalar_one()
    rewrite(engine, 5, lambda members: None if members["exchange"] == chosen else members)
    assert verified(engine, Outside(WITNESS)).status == "anchored"
    report = verified(engine, seen(witness))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 10, 5)
    # The same number of records again, others than those that the witness saw.
    open_log(engine).write(opened(), opened(), opened())
    sequence(engine)
    report = verified(engine, seen(witness))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 5, 5)
    assert "another root at 13" in report.reason
    assert cosign_again(engine, witness) is not None


def back_to(engine: Engine, size: int) -> None:
    """The log as it was when it had that many records: an old backup, or its end cut off without a trace."""
    with engine.begin() as connection:
        gone = connection.execute(select(log_tree.c.record_id).where(log_tree.c.idx >= size)).scalars().all()
        connection.execute(delete(sequencer_queue))
        connection.execute(delete(log_cosignatures).where(log_cosignatures.c.size > size))
        connection.execute(delete(log_tree).where(log_tree.c.idx >= size))
        connection.execute(delete(log_checkpoints).where(log_checkpoints.c.size > size))
        connection.execute(delete(log_values).where(log_values.c.record_id.in_(gone)))
        connection.execute(delete(log_records).where(log_records.c.id.in_(gone)))


@ON_SQLITE
@pytest.mark.parametrize("size", [5, 10])
def test_an_old_backup_put_back_or_the_end_cut_off(engine: Engine, witness: Witness, size: int) -> None:
    back_to(engine, size)
    assert verified(engine, Outside(WITNESS)).status == "anchored", "by itself it is whole"
    report = verified(engine, seen(witness))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", size, size)
    assert f"has seen 13 records and {size} are here" in report.reason
    open_log(engine).write(opened())
    sequence(engine)
    said = cosign(engine, witness)
    assert said is not None
    assert said.contradiction is not None
    # It has grown past what the witness saw: now another root stands there.
    open_log(engine).write(*(opened() for _ in range(10)))
    sequence(engine)
    report = verified(engine, seen(witness))
    assert (report.status, report.last_good_checkpoint) == ("bad", size)


@ON_SQLITE
def test_a_whole_other_log_with_the_same_key(engine: Engine, witness: Witness) -> None:
    """Begun anew under another name, and shown to the witness, which cannot know: it still holds the first one."""
    back_to(engine, 0)
    with engine.begin() as connection:
        connection.execute(delete(log_records))
    fill_cosigned(engine, witness)
    assert verified(engine, Outside(WITNESS)).status == "anchored"
    report = verified(engine, seen(witness))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 0, None)
    assert "another log with this key" in report.reason


@ON_SQLITE
def test_an_emptied_log(engine: Engine, witness: Witness) -> None:
    back_to(engine, 0)
    report = verified(engine, seen(witness))
    assert (report.status, report.size, report.first_bad) == ("bad", 0, 0)


@ON_SQLITE
def test_a_witness_that_was_never_asked_is_no_witness(engine: Engine, tmp_path: Path) -> None:
    witness = begun_witness(tmp_path / "witness.json")
    open_log(engine).write(opened())
    sequence(engine)
    report = verified(engine, seen(witness))
    assert (report.status, report.exit_code) == ("unanchored", 3)
    assert (report.exposure.size, report.exposure.records) == (None, 2)
    cosign(engine, witness)
    assert verified(engine, seen(witness)).status == "anchored"
    assert verified(engine).status == "bad", "without its key nobody can tell what that signature is"


@ON_SQLITE
@pytest.mark.usefixtures("witness")
def test_a_witness_that_has_forgotten_vouches_for_nothing(engine: Engine) -> None:
    report = verified(engine, Outside(WITNESS, asked=True))
    assert (report.status, report.exit_code) == ("unanchored", 3)
    assert "any more" in report.reason


@ON_SQLITE
def test_how_much_is_exposed(engine: Engine, witness: Witness) -> None:
    open_log(engine).write(opened(), opened())
    sequence(engine)
    open_log(engine).write(opened())
    report = verified(engine, seen(witness))
    assert (report.status, report.size, report.pending) == ("anchored", 15, 1)
    assert (report.exposure.size, report.exposure.records) == (13, 3)
    assert report.exposure.seconds >= 0
    told = report.json()
    assert told["anchored_size"] == 13
    assert isinstance(told["exposure"], dict)
    assert told["exposure"]["records"] == 3
    assert told["witness"] == {
        "name": WITNESS.name,
        "key": str(WITNESS),
        "pinned_on_first_use": False,
        "asked": True,
        "size": 13,
        "error": None,
    }


@ON_SQLITE
def test_what_the_witness_holds_anchors_without_the_rows(engine: Engine, witness: Witness) -> None:
    """Rows of cosignatures may be lost: the witness's own last checkpoint bears its signature too."""
    with engine.begin() as connection:
        connection.execute(delete(log_cosignatures))
    assert verified(engine, Outside(WITNESS)).status == "unanchored"
    report = verified(engine, seen(witness))
    assert (report.status, report.exposure.size) == ("anchored", SIZE)


@ON_SQLITE
def test_a_checkpoint_kept_elsewhere(engine: Engine, witness: Witness, tmp_path: Path) -> None:
    """As the log gave it out, and as the witness does, with its signature below."""
    (cosigned,) = witness.held().values()
    file = tmp_path / "checkpoint"
    file.write_text(cosigned)
    kept = continuity.read_note(file, KEY.public_key())
    assert kept.size == SIZE
    outside = Outside(held=(Held(kept, KEPT),))
    assert verified(engine, Outside(WITNESS, held=outside.held)).status == "anchored"
    back_to(engine, 10)
    report = verified(engine, Outside(WITNESS, held=outside.held))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 10, 10)
    assert KEPT in report.reason
    file.write_text(cosigned.replace("\n13\n", "\n12\n"))
    with pytest.raises(InvalidRequest):
        continuity.read_note(file, KEY.public_key())


@ON_SQLITE
def test_an_older_checkpoint_put_back(engine: Engine, witness: Witness) -> None:
    """In the place of the newest, by which nobody but the witness knows how far the log went."""
    with engine.begin() as connection:
        note = connection.execute(
            select(log_checkpoints.c.note).where(log_checkpoints.c.size == 10)
        ).scalar_one()
        connection.execute(update(log_checkpoints).where(log_checkpoints.c.size == 13).values(note=note))
    report = verified(engine, seen(witness))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 10, 10)
    assert "says that it is 10" in report.reason


LOST: dict[str, Json] = {"records": 8, "known": None}


def restored(engine: Engine, lost: dict[str, Json]) -> origin.Origin:
    back_to(engine, 5)
    one = sequencer(engine)
    ours = one.begin_again(lost, lambda _connection: None)
    one.release()
    return ours


def test_a_restored_log_that_tells_what_was_lost_is_anchored_again(engine: Engine, witness: Witness) -> None:
    """The new log begins at the witness as any other; its first leaf names the old one, which that still holds."""
    (old,) = witness.held().values()
    known = checkpoint.read(notes.parse(old))
    ours = restored(engine, LOST | {"known": known.body().decode()})
    report = verified(engine, seen(witness))
    assert (report.status, report.exposure.size) == ("anchored", 5)
    assert "restored at 5, where the witness had seen 13" in report.reason
    said = cosign(engine, witness)
    assert said is not None
    assert said.contradiction is None
    report = verified(engine, seen(witness))
    assert (report.status, report.exposure.size) == ("anchored", 6)
    assert set(witness.held()) == {ours.line, known.origin}
    # How a stranger joins the two: the leaf's line, size and root beside the old log's cosigned checkpoints.
    assert ours.continues is not None
    assert ours.continues[:2] == (known.origin, 5)
    with engine.begin() as connection:
        note = connection.execute(
            select(log_checkpoints.c.note).where(log_checkpoints.c.size == 5)
        ).scalar_one()
        line = connection.execute(
            select(log_cosignatures.c.line).where(log_cosignatures.c.size == 5)
        ).scalar_one()
    cosigned = notes.parse(note + line)
    assert cosigned.signed_by([WITNESS])
    assert cosigned.signed_by([VerifierKey(known.origin, ED25519, KEY.public_key())])
    assert base64.b64encode(checkpoint.read(cosigned).root).decode() == ours.continues[2]


@ON_SQLITE
@pytest.mark.parametrize("lie", ["nothing", "less", "another log"])
def test_a_restored_log_that_hides_what_was_lost_is_bad(engine: Engine, witness: Witness, lie: str) -> None:
    (old,) = witness.held().values()
    true = checkpoint.read(notes.parse(old))
    known = {
        "nothing": None,
        "less": Checkpoint(true.origin, 10, true.root).body().decode(),
        "another log": Checkpoint("spolis-gateway/test/other", 13, true.root).body().decode(),
    }[lie]
    restored(engine, LOST | {"known": known})
    report = verified(engine, seen(witness))
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 5, 5)
    assert "does not tell" in report.reason


@ON_SQLITE
def test_that_nobody_can_say_what_was_lost_is_no_lie(engine: Engine, witness: Witness) -> None:
    restored(engine, {"records": None, "known": None})
    assert verified(engine, seen(witness)).status == "anchored"
