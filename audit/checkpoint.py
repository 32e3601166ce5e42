"""Signed checkpoints: size and root of the tree as a C2SP signed note with an Ed25519 signature.

    spolis-gateway/test/0198…            origin
    42                                   size
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    root

    — spolis-gateway/test/0198… Az3grlgt…    key name, and base64 of key hash and signature

Source: C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from exchange import Environment

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


def origin_line(environment: Environment, log_id: str) -> str:
    """The name of a log, which is the name of its key too."""
    return f"spolis-gateway/{environment.value}/{log_id}"


def key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    """The four bytes by which a signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.public_bytes_raw()).digest()[:4]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note: the key's name, its hash, and the signature's bytes."""

    name: str
    key: bytes
    signature: bytes

    def line(self) -> str:
        return f"— {self.name} {base64.b64encode(self.key + self.signature).decode()}\n"


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


def parse(note: str) -> Checkpoint:
    """A note back into a checkpoint; only the one spelling that `note` writes is accepted.

    Raises: ValueError.
    """
    body, blank, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) != 3 or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise ValueError("the note is not a checkpoint")
    root = _decoded(lines[2])
    if len(root) != 32 or not signatures.endswith("\n"):
        raise ValueError("the note is not a checkpoint")
    checkpoint = Checkpoint(
        lines[0], int(lines[1]), root, tuple(_signature(line) for line in signatures[:-1].split("\n"))
    )
    # Base64 has several spellings of the same bytes.
    if checkpoint.note() != note:
        raise ValueError("the note is not in its exact form")
    return checkpoint


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, blob = rest.partition(" ")
    decoded = _decoded(blob)
    if dash != "—" or not _NAME.fullmatch(name) or len(decoded) <= 4:
        raise ValueError("the note has a malformed signature line")
    return Signature(name, decoded[:4], decoded[4:])


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the note has malformed base64") from error
