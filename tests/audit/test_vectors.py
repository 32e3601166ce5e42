"""The vectors in docs/exchange-log.md are those that the code makes; `--update` writes them anew."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import pytest

from audit import leaf, notes, origin, receipts
from audit.checkpoint import Checkpoint, origin_line
from audit.export import signature_of
from audit.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from audit.proof_files import Consistency, Inclusion
from exchange import Environment, Json
from tests.audit.logs import KEY, SUBJECT_KEY, WITNESS, WITNESS_KEY

PAGE = Path(__file__).parent.parent.parent / "docs" / "exchange-log.md"
BEGIN, END = "<!-- vectors: begin -->\n", "<!-- vectors: end -->\n"
LOG = uuid.UUID("01942d3a-0000-7000-8000-000000000000")
EXCHANGE = "01942d3a-0000-7000-8000-000000000001"
SUBJECT = "320101-12345"
MANIFEST = '{"form":"spolis-gateway log export v1"}'


def leaves() -> tuple[list[str], list[tuple[int, str, bytes, str]]]:
    """The leaves, and index, name, salt and text of every value."""
    values: list[tuple[int, str, bytes, str]] = []

    def made(
        index: int, kind: leaf.Kind, exchange: str, facts: dict[str, Json], personal: dict[str, Json]
    ) -> str:
        commitments: dict[str, Json] = {}
        for name, value in sorted(personal.items()):
            salt = bytes([len(values) + 1]) * leaf.SALT_BYTES
            values.append((index, name, salt, leaf.canonical(value)))
            commitments[name] = leaf.commitment(salt, leaf.canonical(value))
        return leaf.canonical(
            {
                **facts,
                "v": leaf.VERSION,
                "id": f"01942d3a-0000-{7 if index else 4}000-8000-00000000010{index}",
                "exchange": exchange,
                "kind": kind.value,
                "instant": f"2026-01-31T08:00:0{index}.000000Z",
                "commitments": commitments,
            }
        )

    first: dict[str, Json] = {
        "log": str(LOG),
        "environment": "test",
        "public_key": origin.key_text(KEY.public_key()),
    }
    facts: dict[str, Json] = {"system": "pmlp", "code": None, "given": ["vārds"], "outcome": "ok", "ms": 17}
    about: dict[str, Json] = {"subject": SUBJECT, **leaf.subject_indexes(SUBJECT_KEY, SUBJECT)}
    return [
        made(0, leaf.Kind.ORIGIN, str(LOG), first, {}),
        made(1, leaf.Kind.OPENED, EXCHANGE, {"way": "api"}, {"address": "192.0.2.7"}),
        made(2, leaf.Kind.OUTCOME, EXCHANGE, facts, about),
    ], values


def continued(before: Checkpoint) -> list[str]:
    """A log of those leaves and an erasure that goes on after a restore: the erasure, the checkpoint, the origin."""
    common: dict[str, Json] = {"v": leaf.VERSION, "commitments": {}}
    erasure = leaf.canonical(
        {
            **common,
            "id": "01942d3a-0000-7000-8000-000000000103",
            "exchange": "01942d3a-0000-7000-8000-000000000003",
            "kind": "erasure",
            "instant": "2029-03-01T00:00:00.000000Z",
            "class": "refusal",
            "before": "2027-08-31T21:00:00.000000Z",
            "names": ["address"],
        }
    )
    frontier = Frontier(leaf_hash(text.encode()) for text in [*leaves()[0], erasure])
    signed = Checkpoint(before.origin, 4, frontier.root()).signed(KEY)
    root = base64.b64encode(frontier.root()).decode()
    again = leaf.canonical(
        {
            **common,
            "id": "01942d3a-0000-4000-8000-000000000104",
            "exchange": "01942d3a-0000-7000-8000-000000000004",
            "kind": "origin",
            "instant": "2029-03-01T00:00:01.000000Z",
            "log": "01942d3a-0000-7000-8000-000000000004",
            "environment": "test",
            "public_key": origin.key_text(KEY.public_key()),
            "continues": {"log": before.origin, "size": 4, "root": root},
            "lost": None,
        }
    )
    frontier.append(leaf_hash(again.encode()))
    line = origin.read(leaf.parse(again)).line
    return [erasure, signed.note(), again, Checkpoint(line, 5, frontier.root()).signed(KEY).note()]


def proofs(texts: list[str], note: str) -> list[str]:
    """Of leaf 1 in the tree of three, and of the trees of two and of three."""
    hashes = [leaf_hash(text.encode()) for text in texts]
    root = Frontier(hashes).root()
    verify_inclusion(hashes[1], 1, 3, [hashes[0], hashes[2]], root)
    verify_consistency(2, Frontier(hashes[:2]).root(), 3, root, [hashes[2]])
    inclusion = Inclusion(1, texts[1], [hashes[0], hashes[2]], note)
    return [inclusion.text(), Consistency(2, [hashes[2]], "", note).text()]


def receipt(line: str, text: str) -> str:
    members = leaf.parse(text)
    columns = {"exchange_id": str(members["exchange"]), "instant": str(members["instant"])}
    return receipts.receipt(line, KEY, leaf.Record(str(members["id"]), text, columns, ())).header()


def page() -> str:
    """The part of the page between the marks."""
    texts, values = leaves()
    frontier, roots = Frontier(), []
    for text in texts:
        frontier.append(leaf_hash(text.encode()))
        roots.append(frontier.root().hex())
    signed = Checkpoint(origin_line(Environment.TEST, str(LOG)), 3, frontier.root()).signed(KEY)
    cosignature = notes.cosign(signed.body().decode(), WITNESS.name, WITNESS_KEY, 1_769_846_403)
    parts = [
        ("leaves", texts),
        ("index, name, salt, text", [f"{i} {name} {salt.hex()} {text}" for i, name, salt, text in values]),
        ("hashes of the leaves", [leaf_hash(text.encode()).hex() for text in texts]),
        ("roots of 1, 2 and 3 leaves", roots),
        ("public key of the log, base64", [base64.b64encode(KEY.public_key().public_bytes_raw()).decode()]),
        ("verifier key of the witness", [str(WITNESS)]),
        ("checkpoint, cosigned", (signed.note() + cosignature.line()).splitlines()),
        ("receipt for leaf 2, value of the header", [receipt(signed.origin, texts[2])]),
    ]
    inclusion, consistency = proofs(texts, signed.note() + cosignature.line())
    erasure, note, again, new = continued(signed)
    parts += [
        ("inclusion proof of leaf 1 in the tree of 3", inclusion.splitlines()),
        ("consistency proof of the trees of 2 and of 3", consistency.splitlines()),
        ("leaf 3, an erasure on the first instant that is allowed for its `before`", [erasure]),
        ("checkpoint over it", note.splitlines()),
        ("leaf 4, with which the log goes on after a restore", [again]),
        ("checkpoint over it, under the new origin", new.splitlines()),
        (
            "bytes in place of those of a manifest, and what `manifest.sig` is of them",
            [MANIFEST, signature_of(KEY, MANIFEST.encode()).decode()],
        ),
    ]
    return "\n".join(
        f"{title}:\n\n" + "".join(f"    {line}".rstrip() + "\n" for line in lines) for title, lines in parts
    )


def test_the_page_has_them(request: pytest.FixtureRequest) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    now, _, after = rest.partition(END)
    assert after == "", "nothing follows the vectors"
    if request.config.getoption("--update"):
        PAGE.write_text(f"{before}{BEGIN}{page()}{END}", encoding="utf-8")
        return
    assert now == page()
