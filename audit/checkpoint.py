"""Signed checkpoints: size and root of the tree as a C2SP signed note with an Ed25519 signature.

    spolis-gateway/test/0198…            origin
    42                                   size
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    root

    — spolis-gateway/test/0198… Az3grlgt…    key name, and base64 of key hash and signature

Source: C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import notes
from audit.notes import ED25519, NAME, Signature, VerifierKey
from exchange import Environment

__all__ = ["Checkpoint", "Signature", "key_hash", "origin_line", "parse", "read"]

_HASH_BYTES = 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


def origin_line(environment: Environment, log_id: str) -> str:
    """The name of a log, which is the name of its key too."""
    return f"spolis-gateway/{environment.value}/{log_id}"


def key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    """The four bytes by which a signature names its key."""
    return VerifierKey(name, ED25519, key).id


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root of a log at one moment, with the signatures over them."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[Signature, ...] = ()

    def body(self) -> bytes:
        """The signed bytes."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def note(self) -> str:
        """The whole note as it is stored and published."""
        return f"{self.body().decode()}\n{''.join(signature.line() for signature in self.signatures)}"

    def signed(self, key: Ed25519PrivateKey) -> Checkpoint:
        """The same checkpoint with the log's own signature, and no other."""
        signature = Signature(self.origin, key_hash(self.origin, key.public_key()), key.sign(self.body()))
        return Checkpoint(self.origin, self.size, self.root, (signature,))

    def signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether the note bears the log's own signature and nothing that is not accounted for."""
        if len(self.signatures) != 1:
            return False
        (signature,) = self.signatures
        if (signature.name, signature.key) != (self.origin, key_hash(self.origin, key)):
            return False
        try:
            key.verify(signature.signature, self.body())
        except InvalidSignature:
            return False
        return True

    def vouched_by(self, key: Ed25519PublicKey) -> bool:
        """Whether the log's own signature is among those of the note, as of one that witnesses have signed too."""
        own = VerifierKey(self.origin, ED25519, key)
        return notes.Note(self.body().decode(), self.signatures).signed_by([own])


def parse(note: str) -> Checkpoint:
    """A note back into a checkpoint; only the one spelling that `note` writes is accepted.

    Raises: ValueError.
    """
    body, blank, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) != 3 or not NAME.fullmatch(lines[0]) or not signatures.endswith("\n"):
        raise ValueError("the note is not a checkpoint")
    found = tuple(notes.parse_line(line) for line in signatures[:-1].split("\n"))
    checkpoint = Checkpoint(*_tree(lines), found)
    # Base64 has several spellings of the same bytes.
    if checkpoint.note() != note:
        raise ValueError("the note is not in its exact form")
    return checkpoint


def read(note: notes.Note) -> Checkpoint:
    """Origin, size and root of anybody's checkpoint, and its signatures; extension lines are passed over.

    Raises: ValueError.
    """
    *lines, end = note.text.split("\n")
    if len(lines) < 3 or end or not all(lines):
        raise ValueError("the note is not a checkpoint")
    return Checkpoint(*_tree(lines), note.signatures)


def _tree(lines: list[str]) -> tuple[str, int, bytes]:
    origin, size, root = lines[:3]
    decoded = notes.decoded_base64(root)
    if not _SIZE.fullmatch(size) or len(decoded) != _HASH_BYTES:
        raise ValueError("the note is not a checkpoint")
    if base64.b64encode(decoded).decode() != root:
        raise ValueError("the note is not in its exact form")
    return origin, int(size), decoded
