"""Proofs over a log in a database: each verifies, and what is kept of full subtrees is never believed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, select, type_coerce, update
from sqlalchemy.types import NullType

from audit import nodes, proofs
from audit.checkpoint import Checkpoint
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, verify_consistency, verify_inclusion
from audit.tables import log_checkpoints, log_tree, tree_nodes
from errors import LogUnavailable, NotFound
from storage import open_engine
from tests.audit.logs import KEY, exchange, open_log, opened, sequence, unguard, verified
from tests.conftest import Template

LARGE = 65_536 + 2 * 256 + 15
LEAVES = [str(n).encode() for n in range(LARGE)]


def build(file: Path, size: int, checkpoints: tuple[int, ...]) -> None:
    """A tree without records: no proof looks at what a leaf says."""
    frontier = Frontier()
    connection = sqlite3.connect(file)  # as it comes, without foreign keys
    for leaf in LEAVES[:size]:
        hashed, covered = leaf_hash(leaf), next(each for each in checkpoints if each > frontier.size)
        row = (frontier.size, str(frontier.size), hashed, covered)
        connection.execute(
            "INSERT INTO log_tree (idx, record_id, leaf_hash, checkpoint) VALUES (?, ?, ?, ?)", row
        )
        frontier.append(hashed)
        if frontier.size == covered:
            note = Checkpoint("numbers", covered, frontier.root()).signed(KEY).note()
            connection.execute("INSERT INTO log_checkpoints VALUES (?, ?)", (covered, note))
    connection.commit()
    connection.close()


def kept(connection: Connection) -> dict[tuple[int, int], bytes]:
    return {(row.height, row.number): row.hash for row in connection.execute(select(tree_nodes))}


@pytest.fixture(scope="module")
def large(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A tree with subtrees of two heights and leaves beside them. It is not changed."""
    path = tmp_path_factory.mktemp("large") / "gateway.db"
    shutil.copy(template("sqlite"), path)
    build(path, LARGE, (1, 300, 65_537, LARGE))
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        while len(kept(connection)) < 259:
            nodes.extend(connection, LARGE)
    yield engine
    engine.dispose()


@pytest.fixture
def small(template: Template, tmp_path: Path) -> Iterator[Engine]:
    """Two full subtrees and 88 leaves."""
    path = tmp_path / "gateway.db"
    shutil.copy(template("sqlite"), path)
    build(path, 600, (300, 600))
    engine = open_engine(f"sqlite:///{path}")
    unguard(engine)
    with engine.begin() as connection:
        nodes.extend(connection, 600)
        assert len(kept(connection)) == 2
    yield engine
    engine.dispose()


def roots(sizes: set[int]) -> dict[int, bytes]:
    frontier, found = Frontier(), {0: EMPTY_ROOT}
    for leaf in LEAVES[: max(sizes)]:
        frontier.append(leaf_hash(leaf))
        if frontier.size in sizes:
            found[frontier.size] = frontier.root()
    return found


def test_kept_subtrees(large: Engine) -> None:
    with large.begin() as connection:
        found = kept(connection)
    assert found.keys() == {*((8, n) for n in range(258)), (16, 0)}
    for (height, number), hashed in found.items():
        frontier = Frontier(map(leaf_hash, LEAVES[number << height : (number + 1) << height]))
        assert hashed == frontier.root(), (height, number)


def test_a_log_that_has_none_yet_gets_them_by_and_by(large: Engine) -> None:
    """As after the upgrade of a long log: nobody else writes while they are made, so a batch makes only so many."""
    with large.connect() as connection:
        whole = kept(connection)
        connection.execute(delete(tree_nodes))
        counts = []
        for _ in range(6):
            nodes.extend(connection, LARGE)
            counts.append(len(kept(connection)))
        assert counts == [64, 128, 192, 257, 259, 259]
        assert kept(connection) == whole
        connection.rollback()


def test_inclusion_in_a_large_tree(large: Engine) -> None:
    sizes = {1, 257, 300, 511, 65_535, 65_537, LARGE}
    root = roots(sizes)
    with large.begin() as connection:
        for size in sizes:
            assert proofs.root(connection, size) == root[size]
            for index in {0, 1, 255, 256, 299, 40_000, 65_535, 65_536, size - 1}:
                if index < size:
                    path = proofs.inclusion(connection, index, size)
                    verify_inclusion(leaf_hash(LEAVES[index]), index, size, path, root[size])


def test_consistency_in_a_large_tree(large: Engine) -> None:
    sizes = {0, 1, 256, 511, 40_001, 65_536, LARGE}
    root = roots(sizes)
    with large.begin() as connection:
        for old in sizes:
            for new in sizes:
                if old <= new:
                    path = proofs.consistency(connection, old, new)
                    verify_consistency(old, root[old], new, root[new], path)


@pytest.mark.parametrize("damage", ["emptied", "changed", "of another type", "too short", "one missing"])
def test_kept_subtrees_are_not_believed(small: Engine, damage: str) -> None:
    with small.begin() as connection:
        if damage == "emptied":
            connection.execute(delete(tree_nodes))
        elif damage == "one missing":
            connection.execute(delete(tree_nodes).where(tree_nodes.c.number == 0))
        else:
            wrong = {
                "changed": bytes(32),
                "too short": b"\0",
                "of another type": type_coerce("text", NullType()),
            }[damage]
            connection.execute(update(tree_nodes).values(hash=wrong))
        root = roots({300, 450, 600})
        for size in (300, 450, 600):
            path = proofs.inclusion(connection, 299, size)
            verify_inclusion(leaf_hash(LEAVES[299]), 299, size, path, root[size])
        for old in (300, 450):
            path = proofs.consistency(connection, old, 600)
            verify_consistency(old, root[old], 600, root[600], path)


def a_hash_changed(connection: Connection) -> None:
    connection.execute(update(log_tree).where(log_tree.c.idx == 7).values(leaf_hash=bytes(32)))
    connection.execute(delete(tree_nodes))


def a_leaf_gone(connection: Connection) -> None:
    connection.execute(delete(log_tree).where(log_tree.c.idx == 7))
    connection.execute(delete(tree_nodes))


def a_checkpoint_of_another_root(connection: Connection) -> None:
    note = Checkpoint("numbers", 600, bytes(32)).signed(KEY).note()
    connection.execute(update(log_checkpoints).where(log_checkpoints.c.size == 600).values(note=note))


@pytest.mark.parametrize("damage", [a_hash_changed, a_leaf_gone, a_checkpoint_of_another_root])
def test_no_proof_of_a_tree_that_contradicts_its_checkpoints(
    small: Engine, damage: Callable[[Connection], None]
) -> None:
    with small.begin() as connection:
        damage(connection)
        with pytest.raises(LogUnavailable):
            proofs.inclusion(connection, 8, 600)
        with pytest.raises(LogUnavailable):
            proofs.consistency(connection, 450, 600)
        with pytest.raises(LogUnavailable):
            proofs.root(connection, 599)


@pytest.mark.parametrize(("index", "size"), [(600, 600), (5, 601), (-1, 600), (0, 0)])
def test_what_is_not_in_the_tree(small: Engine, index: int, size: int) -> None:
    with small.begin() as connection:
        with pytest.raises(NotFound):
            proofs.inclusion(connection, index, size)
        for old, new in ((0, 601), (600, 599), (-1, 3)):
            with pytest.raises(NotFound):
                proofs.consistency(connection, old, new)


def test_the_sequencer_keeps_them(engine: Engine) -> None:
    open_log(engine).write(*(opened() for _ in range(600)), *exchange())
    sequence(engine, batch=200)
    with engine.begin() as connection:
        assert kept(connection).keys() == {(8, 0), (8, 1)}
        leaf = connection.execute(select(log_tree.c.leaf_hash).where(log_tree.c.idx == 3)).scalar_one()
        path = proofs.inclusion(connection, 3, 500)
        verify_inclusion(leaf, 3, 500, path, proofs.root(connection, 500))
    assert "tree_nodes" not in verified(engine).reason
    for change in (
        update(tree_nodes).where(tree_nodes.c.number == 1).values(hash=bytes(32)),
        update(tree_nodes).where(tree_nodes.c.number == 1).values(number=2),
    ):
        with engine.connect() as connection:
            connection.execute(change)
            connection.commit()
        report = verified(engine)
        assert report.status == "unanchored", "the log itself is as it was"
        assert "tree_nodes" in report.reason
