"""The Merkle tree of RFC 6962: leaf and node hashes, and the frontier that lets a tree grow in constant memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the perfect subtrees along the right edge, largest first: all that a growing tree needs."""

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []
        for each in hashes:
            self.append(each)

    def append(self, hashed_leaf: bytes) -> None:
        """Add one leaf hash at the right end."""
        # As many subtrees merge as the old size has one bits at its lower end.
        size = self.size
        while size & 1:
            hashed_leaf = node_hash(self._subtrees.pop(), hashed_leaf)
            size >>= 1
        self._subtrees.append(hashed_leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        *rest, root = self._subtrees
        for subtree in reversed(rest):
            root = node_hash(subtree, root)
        return root

    def copy(self) -> Frontier:
        """A frontier that can grow without this one, so that an uncommitted step can be thrown away."""
        other = Frontier()
        other.size, other._subtrees = self.size, list(self._subtrees)
        return other
