"""Inclusion and consistency proofs over the log as it lies in the database.

No proof is given out that does not lead to the root of a signed checkpoint; where the kept subtrees were changed, it is
made from the leaves. Source: RFC 6962, 2.1.1 and 2.1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, select

from audit import checkpoint
from audit.merkle import EMPTY_ROOT, verify_consistency, verify_inclusion
from audit.nodes import Tree
from audit.tables import log_checkpoints
from errors import LogUnavailable, NotFound

T = TypeVar("T")

# A range of leaves, from the first up to but without the second.
Range = tuple[int, int]


def inclusion(connection: Connection, index: int, size: int) -> list[bytes]:
    """The path from the leaf at `index` to the root of the tree's first `size` leaves, sibling of the leaf first.

    Raises: NotFound where the tree has no such size or index, LogUnavailable when it contradicts its checkpoints.
    """
    if not 0 <= index < size:
        raise NotFound(f"index {index} in a tree of {size} leaves")

    def proven(tree: Tree) -> list[bytes]:
        root = _root(connection, tree, size)
        path = [tree.hash(*each) for each in inclusion_ranges(index, 0, size)]
        verify_inclusion(tree.hash(index, index + 1), index, size, path, root)
        return path

    return _held(connection, proven)


def consistency(connection: Connection, old: int, new: int) -> list[bytes]:
    """The path that shows that the tree's first `new` leaves begin with its first `old` ones.

    Raises: NotFound where the tree has no such sizes, LogUnavailable when it contradicts its checkpoints.
    """
    if not 0 <= old <= new:
        raise NotFound(f"a tree of {old} leaves in one of {new}")

    def proven(tree: Tree) -> list[bytes]:
        path = [tree.hash(*each) for each in consistency_ranges(old, new)]
        verify_consistency(old, _root(connection, tree, old), new, _root(connection, tree, new), path)
        return path

    return _held(connection, proven)


def root(connection: Connection, size: int) -> bytes:
    """The root of the tree's first `size` leaves, which a signed checkpoint at or after that size confirms.

    Raises: NotFound where no checkpoint covers so many, LogUnavailable when the tree contradicts its checkpoints.
    """
    return _held(connection, lambda tree: _root(connection, tree, size))


def inclusion_ranges(index: int, start: int, end: int) -> Iterator[Range]:
    """PATH of RFC 6962, 2.1.1, as the ranges of leaves whose roots it is made of."""
    if end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            yield from inclusion_ranges(index, start, middle)
            yield middle, end
        else:
            yield from inclusion_ranges(index, middle, end)
            yield start, middle


def consistency_ranges(old: int, new: int) -> Iterator[Range]:
    """PROOF of RFC 6962, 2.1.2, as the ranges of leaves whose roots it is made of."""
    if 0 < old < new:
        yield from _between(old, 0, new, whole=True)


def _between(old: int, start: int, end: int, *, whole: bool) -> Iterator[Range]:
    if old == end:
        if not whole:
            yield start, end
        return
    middle = start + _split(end - start)
    if old <= middle:
        yield from _between(old, start, middle, whole=whole)
        yield middle, end
    else:
        yield from _between(old, middle, end, whole=False)
        yield start, middle


def _split(length: int) -> int:
    """The largest power of two below a length."""
    return 1 << ((length - 1).bit_length() - 1)


def _held(connection: Connection, proven: Callable[[Tree], T]) -> T:
    for by_leaves in (False, True):
        try:
            return proven(Tree(connection, by_leaves=by_leaves))
        except ValueError:
            continue
    raise LogUnavailable("the tree contradicts its checkpoints; run `gateway audit verify`")


def _root(connection: Connection, tree: Tree, size: int) -> bytes:
    if size == 0:
        return EMPTY_ROOT
    note = connection.execute(
        select(log_checkpoints.c.note)
        .where(log_checkpoints.c.size >= size)
        .order_by(log_checkpoints.c.size)
        .limit(1)
    ).scalar()
    if note is None:
        raise NotFound(f"a checkpoint over {size} leaves")
    signed = checkpoint.parse(note)
    if signed.size == size:
        return signed.root
    # Between two checkpoints nobody has signed: the next one must go on from this root.
    found = tree.hash(0, size)
    path = [tree.hash(*each) for each in consistency_ranges(size, signed.size)]
    verify_consistency(size, found, signed.size, signed.root, path)
    return found
