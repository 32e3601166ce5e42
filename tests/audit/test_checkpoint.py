"""Checkpoint notes: one spelling only, and a signature over all of it."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint, key_hash, origin_line, parse
from exchange import Environment
from tests.audit.logs import KEY

ORIGIN = origin_line(Environment.TEST, "0198a1b2")
SIGNED = Checkpoint(ORIGIN, 42, bytes(32)).signed(KEY)


@given(st.integers(0, 10**17), st.binary(min_size=32, max_size=32))
def test_round_trip(size: int, root: bytes) -> None:
    signed = Checkpoint(ORIGIN, size, root).signed(KEY)
    assert parse(signed.note()) == signed
    assert parse(signed.note()).signed_by(KEY.public_key())


def test_the_form_is_that_of_a_signed_note() -> None:
    origin, size, root, blank, signature, end = SIGNED.note().split("\n")
    assert (origin, size, blank, end) == ("spolis-gateway/test/0198a1b2", "42", "", "")
    assert base64.b64decode(root) == bytes(32)
    dash, name, blob = signature.split(" ")
    assert (dash, name) == ("—", origin)
    decoded = base64.b64decode(blob)
    assert decoded[:4] == key_hash(origin, KEY.public_key())
    KEY.public_key().verify(decoded[4:], f"{origin}\n{size}\n{root}\n".encode())


def test_key_hash_of_the_published_example() -> None:
    """The key of Go's checksum database: sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    encoded = base64.b64decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
    key = Ed25519PublicKey.from_public_bytes(encoded[1:])
    assert key_hash("sum.golang.org", key).hex() == "033de0ae"


@given(st.integers(0, len(SIGNED.note()) - 1), st.characters(exclude_categories=["Cs"]))
def test_no_other_character_anywhere(position: int, character: str) -> None:
    note = SIGNED.note()
    changed = note[:position] + character + note[position + 1 :]
    if changed != note:
        assert not holds(changed)


@given(st.integers(0, len(SIGNED.note())), st.text(min_size=1, max_size=3))
@example(len(SIGNED.note()), "\n")
@example(len(SIGNED.note()), SIGNED.signatures[0].line())
def test_nothing_may_be_inserted(position: int, more: str) -> None:
    note = SIGNED.note()
    assert not holds(note[:position] + more + note[position:])


@given(st.integers(0, len(SIGNED.note()) - 1))
def test_nothing_may_be_cut_off(length: int) -> None:
    assert not holds(SIGNED.note()[:length])


@given(st.text())
def test_any_text_is_refused_in_order(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the note "):
        parse(text)


def test_base64_has_one_spelling() -> None:
    """The last character before the padding has bits that decode to nothing: 256 bits fill 42 characters and a bit."""
    note = SIGNED.note()
    root = base64.b64encode(bytes(32)).decode()
    respelt = note.replace(root, root.replace("A=", "B="))
    assert base64.b64decode(respelt.split("\n")[2]) == bytes(32)
    with pytest.raises(ValueError, match="exact form"):
        parse(respelt)


def test_another_key_did_not_sign() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert not Checkpoint(ORIGIN, 42, bytes(32)).signed(other).signed_by(KEY.public_key())
    assert not Checkpoint(ORIGIN, 42, bytes(32)).signed_by(KEY.public_key())


def holds(note: str) -> bool:
    try:
        return parse(note).signed_by(KEY.public_key())
    except ValueError:
        return False
