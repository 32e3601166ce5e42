"""The tree against RFC 6962: its published vectors, and a plain recursive reading of its definition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from audit.proofs import consistency_ranges, inclusion_ranges

# The eight leaves and the roots over the first n of them, as in the tests of certificate-transparency.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert Frontier(map(leaf_hash, LEAVES[:size])).root().hex() == ROOTS[size]


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
    assert frontier.size == len(leaves)
    assert frontier.root() == by_definition(leaves)


def test_a_copy_grows_alone() -> None:
    frontier = Frontier(map(leaf_hash, LEAVES[:3]))
    copy = frontier.copy()
    copy.append(leaf_hash(b"more"))
    assert frontier.root().hex() == ROOTS[3]
    assert copy.root() != frontier.root()


def test_leaves_and_nodes_are_apart() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) != leaf_hash(left + right)
    assert Frontier().root() == EMPTY_ROOT


def mth(leaves: Sequence[bytes], start: int, end: int) -> bytes:
    return by_definition(leaves[start:end])


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[bytes], int, int]:
    """Leaves, and two sizes of which the first is not larger."""
    leaves = [bytes([n]) for n in range(draw(st.integers(0, 40)))]
    new = draw(st.integers(0, len(leaves)))
    return leaves, draw(st.integers(0, new)), new


def wrong_paths(path: Sequence[bytes]) -> Iterator[tuple[list[bytes], str]]:
    """The path with a hash too many or too few anywhere, with one changed, with two swapped; and why it is wrong."""
    for at in range(len(path) + 1):
        for more in (bytes(32), EMPTY_ROOT, *path[:1], *path[-1:]):
            yield [*path[:at], more, *path[at:]], "too long"
    for at in range(len(path)):
        yield [*path[:at], *path[at + 1 :]], "too short"
        yield [*path[:at], bytes(32), *path[at + 1 :]], "root"
        yield [*path[:at], path[at][:-1], *path[at + 1 :]], "32 bytes"
        if path[at] != path[at - 1]:
            swapped = list(path)
            swapped[at], swapped[at - 1] = path[at - 1], path[at]
            yield swapped, "root"


@given(trees())
def test_inclusion(tree: tuple[list[bytes], int, int]) -> None:
    leaves, index, size = tree
    root = mth(leaves, 0, size)
    if index == size:
        with pytest.raises(ValueError, match="no index"):
            verify_inclusion(leaf_hash(b""), index, size, [], root)
        return
    path = [mth(leaves, *each) for each in inclusion_ranges(index, 0, size)]
    hashed = leaf_hash(leaves[index])
    verify_inclusion(hashed, index, size, path, root)
    for wrong, reason in wrong_paths(path):
        with pytest.raises(ValueError, match=reason):
            verify_inclusion(hashed, index, size, wrong, root)
    others = [
        (leaf_hash(b"other"), index, size, root),
        (hashed, index, size, bytes(32)),
        (hashed, index, size, EMPTY_ROOT),
        *((hashed, other, size, root) for other in range(-1, size + 2) if other != index),
        (hashed, index, index, root),
        (hashed, index, 2 * size + 1, root),
    ]
    for other in others:
        with pytest.raises(ValueError):  # noqa: PT011 — the reasons are several
            verify_inclusion(*other[:3], path, other[3])


@given(trees())
def test_consistency(tree: tuple[list[bytes], int, int]) -> None:
    leaves, old, new = tree
    old_root, new_root = mth(leaves, 0, old), mth(leaves, 0, new)
    path = [mth(leaves, *each) for each in consistency_ranges(old, new)]
    verify_consistency(old, old_root, new, new_root, path)
    for wrong, reason in wrong_paths(path):
        with pytest.raises(ValueError, match=reason):
            verify_consistency(old, old_root, new, new_root, wrong)
    forked = mth([*leaves[:old][:-1], b"forked"], 0, max(old, 1))
    others = [
        (old, forked, new, new_root),
        (old, bytes(32), new, new_root),
        (old, old_root[:31], new, new_root),
        (old, old_root, new, new_root + b"\0"),
        (new + 1, old_root, new, new_root),
        (-1, old_root, new, new_root),
        *([(old, old_root, new, bytes(32)), (old, old_root, new, forked)] if old else []),
        *([(0, old_root, new, new_root)] if old else []),
    ]
    for other in others:
        with pytest.raises(ValueError):  # noqa: PT011 — the reasons are several
            verify_consistency(*other, path)


@given(trees(), st.integers(0, 39))
def test_a_changed_history_has_no_consistency(tree: tuple[list[bytes], int, int], at: int) -> None:
    """With one of the old leaves changed, no path of the new tree leads from the old root."""
    leaves, old, new = tree
    if at >= old:
        return
    changed = [*leaves[:at], b"changed", *leaves[at + 1 :]]
    path = [mth(changed, *each) for each in consistency_ranges(old, new)]
    with pytest.raises(ValueError, match="root"):
        verify_consistency(old, mth(leaves, 0, old), new, mth(changed, 0, new), path)


def test_a_path_that_goes_on_above_its_root() -> None:
    """Leaf 3 of a tree of four is not leaf 1 of one of two, though the hashes lead to a root."""
    path = [mth(LEAVES, *each) for each in inclusion_ranges(3, 0, 4)]
    verify_inclusion(leaf_hash(LEAVES[3]), 3, 4, path, mth(LEAVES, 0, 4))
    with pytest.raises(ValueError, match="too long"):
        verify_inclusion(leaf_hash(LEAVES[3]), 1, 2, path, mth(LEAVES, 0, 4))


def test_no_tree_goes_on_from_a_larger_one() -> None:
    with pytest.raises(ValueError, match="go on"):
        verify_consistency(4, mth(LEAVES, 0, 4), 3, mth(LEAVES, 0, 3), [])


def test_published_proofs() -> None:
    """The proofs that RFC 6962, 2.1.3 spells out for a tree of seven leaves."""
    assert list(inclusion_ranges(0, 0, 7)) == [(1, 2), (2, 4), (4, 7)]
    assert list(inclusion_ranges(3, 0, 7)) == [(2, 3), (0, 2), (4, 7)]
    assert list(inclusion_ranges(4, 0, 7)) == [(5, 6), (6, 7), (0, 4)]
    assert list(inclusion_ranges(6, 0, 7)) == [(4, 6), (0, 4)]
    assert list(consistency_ranges(3, 7)) == [(2, 3), (3, 4), (0, 2), (4, 7)]
    assert list(consistency_ranges(4, 7)) == [(4, 7)]
    assert list(consistency_ranges(6, 7)) == [(4, 6), (6, 7), (0, 4)]
