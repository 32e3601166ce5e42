"""The Merkle tree of RFC 6962: hashes, the frontier that lets a tree grow in constant memory, and what proofs prove.

The two functions that verify fail closed: they return nothing, and whatever does not hold raises.
Source: RFC 6962, 2.1; RFC 9162, 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """The root of a perfect subtree from the roots of the 1, 2, 4, 8 … equal ones that it is made of."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def joined(subtrees: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that stand side by side, each larger than the next."""
    *rest, root = subtrees
    for subtree in reversed(rest):
        root = node_hash(subtree, root)
    return root


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
        return joined(self._subtrees) if self._subtrees else EMPTY_ROOT

    def copy(self) -> Frontier:
        """A frontier that can grow without this one, so that an uncommitted step can be thrown away."""
        other = Frontier()
        other.size, other._subtrees = self.size, list(self._subtrees)
        return other


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """See that the tree of `size` leaves with that root has this leaf hash at `index`.

    Raises: ValueError.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no index {index}")
    _refuse_other_than_hashes(leaf_hash, *path, root)
    place, last, hashed = index, size - 1, leaf_hash
    for other in path:
        if last == 0:
            raise ValueError("the path is too long")
        if place & 1 or place == last:
            hashed = node_hash(other, hashed)
            while place and not place & 1:  # at the right edge whole levels have no sibling
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, other)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    if hashed != root:
        raise ValueError("the path does not lead to the root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """See that the new tree begins with all the leaves of the old one.

    The path from the empty tree, and from a tree to itself, is empty.
    Raises: ValueError.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} leaves does not go on from one of {old_size}")
    _refuse_other_than_hashes(old_root, *path, new_root)
    if old_size == new_size and old_root != new_root:
        raise ValueError("two trees of one size have different roots")
    if (old_size == 0 and old_root != EMPTY_ROOT) or (new_size == 0 and new_root != EMPTY_ROOT):
        raise ValueError("the root is not that of the empty tree")
    if old_size in (0, new_size):
        if path:
            raise ValueError("the path is too long")
        return
    _lead_to_both(old_size, old_root, new_size, new_root, path)


def _lead_to_both(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not path:
        raise ValueError("the path is too short")
    # A whole subtree is a node of the new tree itself, and the path leaves it out.
    old = new = path[0] if place else old_root
    for other in path[1:] if place else path:
        if last == 0:
            raise ValueError("the path is too long")
        if place & 1 or place == last:
            old, new = node_hash(other, old), node_hash(other, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, other)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    if old != old_root:
        raise ValueError("the path does not lead to the old root")
    if new != new_root:
        raise ValueError("the path does not lead to the new root")


def _refuse_other_than_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError("a hash is not of 32 bytes")
