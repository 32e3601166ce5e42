"""Signed notes, the keys that verify them, and cosignatures: what logs and witnesses exchange.

    text, several lines

    — name base64(key id, four bytes ‖ signature)       one line for each signature

A key is written as `name+keyid+base64(type ‖ public key)`: type 1 signs the text as it is, type 4 signs it as a
witness does, with the instant at which the witness saw it.
Source: C2SP signed-note and tlog-cosignature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 1
COSIGNATURE = 4

NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
# More than the sixteen that everybody must take, since a log may have many witnesses.
_MOST_SIGNATURES = 64
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_STAMP_BYTES = 8
_LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note: the key's name, its id, and the signature's bytes."""

    name: str
    key: bytes
    signature: bytes

    def line(self) -> str:
        """As it stands in a note."""
        return f"— {self.name} {base64.b64encode(self.key + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that its owner signs under and the type of its signatures."""

    name: str
    kind: int
    key: Ed25519PublicKey

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        content = self.name.encode() + b"\n" + bytes([self.kind]) + self.key.public_bytes_raw()
        return hashlib.sha256(content).digest()[:4]

    def __str__(self) -> str:
        """The key as it is handed from person to person."""
        material = base64.b64encode(bytes([self.kind]) + self.key.public_bytes_raw()).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    def made(self, signature: Signature) -> bool:
        """Whether a signature says that it is of this key."""
        return (signature.name, signature.key) == (self.name, self.id)

    def check(self, text: str, signature: Signature) -> int | None:
        """See that a signature of this key stands over a text; of a cosignature the instant, seconds since 1970.

        Raises: ValueError.
        """
        if not self.made(signature):
            raise ValueError("the signature is of another key")
        signed, stamp = text.encode(), None
        blob = signature.signature
        if self.kind == COSIGNATURE:
            stamp, blob = int.from_bytes(blob[:_STAMP_BYTES], "big"), blob[_STAMP_BYTES:]
            if not 0 < stamp <= _LATEST:
                raise ValueError("the cosignature has no instant")
            signed = _cosigned(stamp, text)
        try:
            self.key.verify(blob, signed)
        except InvalidSignature as error:
            raise ValueError("the signature does not hold") from error
        return stamp


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures under it."""

    text: str
    signatures: tuple[Signature, ...]

    def signed_by(self, keys: Iterable[VerifierKey]) -> bool:
        """Whether one of the keys has signed; False too when a signature that names one of them does not hold."""
        found = False
        for key in keys:
            for signature in self.signatures:
                if not key.made(signature):
                    continue
                try:
                    key.check(self.text, signature)
                except ValueError:
                    return False
                found = True
        return found


def parse(note: str) -> Note:
    """A note as its text and its signatures, whoever they are of.

    Raises: ValueError.
    """
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not text or not lines.endswith("\n") or _CONTROL.search(note):
        raise ValueError("not a signed note")
    signatures = tuple(parse_line(line) for line in lines[:-1].split("\n", _MOST_SIGNATURES))
    return Note(text + "\n", signatures)


def parse_line(line: str) -> Signature:
    """A signature line without its line end.

    Raises: ValueError.
    """
    dash, _, rest = line.partition(" ")
    name, _, blob = rest.partition(" ")
    decoded = decoded_base64(blob)
    if dash != "—" or not NAME.fullmatch(name) or len(decoded) <= 4:
        raise ValueError("the note has a malformed signature line")
    return Signature(name, decoded[:4], decoded[4:])


def parse_key(text: str) -> VerifierKey:
    """A verifier key of type 1 or 4.

    Raises: ValueError.
    """
    name, _, rest = text.strip().partition("+")
    key_id, _, blob = rest.partition("+")
    material = decoded_base64(blob)
    if not NAME.fullmatch(name) or len(material) != 33 or material[0] not in (ED25519, COSIGNATURE):
        raise ValueError("not a verifier key: name+keyid+base64, Ed25519 of type 1 or 4")
    found = VerifierKey(name, material[0], Ed25519PublicKey.from_public_bytes(material[1:]))
    if found.id.hex() != key_id:
        raise ValueError("the verifier key's id is not that of its name and key")
    return found


def cosign(text: str, name: str, key: Ed25519PrivateKey, stamp: int) -> Signature:
    """A witness's signature over a checkpoint's text at an instant, seconds since 1970."""
    verifier = VerifierKey(name, COSIGNATURE, key.public_key())
    return Signature(
        name, verifier.id, stamp.to_bytes(_STAMP_BYTES, "big") + key.sign(_cosigned(stamp, text))
    )


def decoded_base64(text: str) -> bytes:
    """The bytes of standard base64. Raises: ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the note has malformed base64") from error


def _cosigned(stamp: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {stamp}\n{text}".encode()
