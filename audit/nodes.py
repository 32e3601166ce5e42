"""The roots of the tree's full subtrees, kept so that a proof of a large log need not hash all of its leaves.

Subtrees of 256 leaves, of 256 such, and of 256 of those, as the tiles of C2SP tlog-tiles. They are a copy of what the
leaf hashes say and no evidence: any of them may be missing, a proof is checked before it is given out, `audit verify`
says which row is wrong, and to empty the table costs nothing but time.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, or_, select, type_coerce
from sqlalchemy.types import NullType

from audit.merkle import HASH_BYTES, Frontier, folded, joined
from audit.tables import log_tree, tree_nodes
from errors import LogUnavailable

# A subtree of one of these heights has 2 to that power of leaves.
HEIGHTS = (8, 16, 24)
_FAN = 8
_FULL = (1 << _FAN) - 1

# Subtrees made in one transaction at most: a log that has none yet gets them by and by.
_STEP = 64
_BATCH = 10_000


def extend(connection: Connection, size: int) -> None:
    """Keep the subtrees that a tree of `size` leaves has filled since the last time."""
    children = size
    for height in HEIGHTS:
        kept = _kept(connection, height)
        whole = min(children >> _FAN, kept + _STEP)
        if whole <= kept:
            return
        hashes = list(_numbered(connection, height - _FAN, kept << _FAN, whole << _FAN).values())
        if len(hashes) != (whole - kept) << _FAN:
            return  # something was deleted: proofs do without, and `audit verify` has the word
        rows = [
            {"height": height, "number": number, "hash": folded(hashes[at : at + (1 << _FAN)])}
            for at, number in zip(range(0, len(hashes), 1 << _FAN), range(kept, whole), strict=True)
        ]
        connection.execute(insert(tree_nodes), rows)
        children = whole


class Tree:
    """The hashes over any range of leaves: from the subtrees that are kept, or with `by_leaves` from leaves alone.

    Raises in every method: LogUnavailable where a leaf is missing.
    """

    def __init__(self, connection: Connection, *, by_leaves: bool = False) -> None:
        self._connection = connection
        self._by_leaves = by_leaves

    def hash(self, start: int, end: int) -> bytes:
        """The root over the leaves from `start` up to `end`, which is a range of RFC 6962: `start` is a multiple of
        the largest power of two that is not over its length.
        """
        subtrees, length = [], end - start
        for height in reversed(range(length.bit_length())):
            if length >> height & 1:
                subtrees.append(self._subtree(height, start >> height))
                start += 1 << height
        return joined(subtrees)

    def _subtree(self, height: int, number: int) -> bytes:
        if self._by_leaves:
            return self._grown(number << height, (number + 1) << height)
        kept = min(height // _FAN * _FAN, HEIGHTS[-1])
        first = number << (height - kept)
        return folded(self._nodes(kept, first, first + (1 << (height - kept))))

    def _nodes(self, height: int, start: int, stop: int) -> list[bytes]:
        found = _numbered(self._connection, height, start, stop)
        if len(found) == stop - start:
            return list(found.values())
        if height == 0:
            raise LogUnavailable("a leaf is missing from the tree; run `gateway audit verify`")
        return [
            found.get(n) or folded(self._nodes(height - _FAN, n << _FAN, (n + 1) << _FAN))
            for n in range(start, stop)
        ]

    def _grown(self, start: int, stop: int) -> bytes:
        frontier = Frontier()
        for first in range(start, stop, _BATCH):
            for each in self._nodes(0, first, min(first + _BATCH, stop)):
                frontier.append(each)
        return frontier.root()


class Comparison:
    """Compares what is kept with the leaf hashes, as a walk over the tree comes by them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._size = 0
        self._hashes: dict[int, list[bytes]] = {height: [] for height in (0, *HEIGHTS)}
        self._page: dict[int, dict[int, bytes]] = {}
        self._wrong: tuple[int, int] | None = None

    def leaf(self, hashed: bytes) -> None:
        """Take the next leaf."""
        self._size += 1
        self._take(0, hashed)

    def wrong(self) -> str:
        """In words, to go on with, the first that is not as the leaves say; empty where there is none."""
        for height in HEIGHTS:
            if self._wrong is None and _kept(self._connection, height) > self._size >> height:
                self._wrong = height, self._size >> height
        if self._wrong is None:
            self._wrong = _of_no_subtree(self._connection)
        if self._wrong is None:
            return ""
        height, number = self._wrong
        return f"; row {height}, {number} of tree_nodes is wrong: delete its rows, they are made again"

    def _take(self, height: int, hashed: bytes) -> None:
        hashes = self._hashes[height]
        hashes.append(hashed)
        if len(hashes) < 1 << _FAN or height == HEIGHTS[-1]:
            return
        root, above = folded(hashes), height + _FAN
        hashes.clear()
        number = (self._size >> above) - 1
        if number & _FULL == 0:
            self._page[above] = _numbered(self._connection, above, number, number + _FULL + 1, junk=True)
        if self._page[above].get(number, root) != root and self._wrong is None:
            self._wrong = above, number
        self._take(above, root)


def _of_no_subtree(connection: Connection) -> tuple[int, int] | None:
    """Height and number of a row that is of no subtree that is kept, however large the tree."""
    kept = tree_nodes.c
    odd = select(kept.height, kept.number).where(or_(kept.height.not_in(HEIGHTS), kept.number < 0)).limit(1)
    row = connection.execute(odd).first()
    return None if row is None else (row.height, row.number)


def _kept(connection: Connection, height: int) -> int:
    last = connection.execute(
        select(func.max(tree_nodes.c.number)).where(tree_nodes.c.height == height)
    ).scalar()
    return 0 if last is None else last + 1


def _numbered(
    connection: Connection, height: int, start: int, stop: int, *, junk: bool = False
) -> dict[int, bytes]:
    """By number, the hashes of the subtrees of a height, or of the leaves at height 0, in order; what is no hash is
    left out, unless `junk` is asked for.
    """
    kept = tree_nodes.c
    number, hashed = (kept.number, kept.hash) if height else (log_tree.c.idx, log_tree.c.leaf_hash)
    # Without the column's type, so that text where a hash belongs is seen.
    statement = select(number, type_coerce(hashed, NullType())).where(number >= start, number < stop)
    if height:
        statement = statement.where(kept.height == height)
    rows = connection.execute(statement.order_by(number))
    return {row[0]: row[1] for row in rows if junk or (type(row[1]) is bytes and len(row[1]) == HASH_BYTES)}
