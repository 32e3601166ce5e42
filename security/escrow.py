"""Custody of the private keys: a sealed bundle of them, which any K of N custodians open together, or a passphrase.

The bundle is AES-256-GCM under a data key of its own. Shamir's secret sharing (pycryptodome, over GF(2^128)) splits
that key, each half by itself, into shares on paper; fewer than K of them tell nothing. A share is four lines of base32
with check characters, so that a misread line is named before anything is opened with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import rfc8785
from Crypto.Protocol.SecretSharing import Shamir
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from errors import InvalidRequest
from exchange import Json, instant_text
from security.keys import MARK

FORM = "spolis-gateway keys v1"
MOST_SHARES = 16

_KEY_BYTES = 32
_HALF = 16
_NONCE_BYTES = 12
_SET_BYTES = 8
_MANY_DIGITS = re.compile("[0-9]{6}")
_CHECK_BYTES = 6
_LINES = 4
_LINE_CHARS = 20
_SHARE_VERSION = 1
_SHARE_TAG = b"spolis-gateway share v1\0"
# About a third of a second and 128 MB for each guess.
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}
_LEAST_PASSPHRASE = 16
_FILE = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,62}}\.(key|pem|pub)|{MARK}")
_SHARE_LINE = re.compile(r"([1-4])[ .:)]+([0-9A-Z \t-]+)")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a sealed bundle says of itself without being opened. `files` gives each file's SHA-256, hexadecimal.

    `threshold` and `shares` are 0 where a passphrase opens it.
    """

    set_id: str
    made_at: str
    threshold: int
    shares: int
    files: Mapping[str, str]
    _header: Mapping[str, Json]
    _sealed: bytes

    @property
    def opened_by(self) -> str:
        """`shares` or `passphrase`."""
        return "shares" if self.shares else "passphrase"


@dataclass(frozen=True, slots=True)
class Share:
    """One custodian's part. `value` is secret; of its form nothing else is."""

    set_id: str
    threshold: int
    shares: int
    number: int
    value: bytes

    def __repr__(self) -> str:
        return f"Share({self.number} of {self.shares}, set {self.set_id})"

    def text(self, made_at: str) -> str:
        """The share as it is printed: two lines for people, then four lines that are typed or scanned."""
        payload = (
            bytes((_SHARE_VERSION,))
            + bytes.fromhex(self.set_id)
            + bytes((self.threshold, self.shares, self.number))
            + self.value
        )
        letters = base64.b32encode(payload + _check(payload)).decode()
        lines = [letters[n * _LINE_CHARS : (n + 1) * _LINE_CHARS] for n in range(_LINES)]
        typed = "".join(
            f"{n}  {' '.join(line[i : i + 5] for i in range(0, _LINE_CHARS, 5))}  {_line_check(n, line)}\n"
            for n, line in enumerate(lines, start=1)
        )
        return (
            f"SPOLIS gateway keys: share {self.number} of {self.shares}. "
            f"Any {self.threshold} open the bundle, fewer tell nothing.\n"
            f"Set {self.set_id}, made {made_at}. Keep it apart from the other shares and from every backup.\n\n"
            f"{typed}"
        )


def split(
    files: Mapping[str, bytes], *, threshold: int, shares: int, made_at: datetime
) -> tuple[bytes, list[Share]]:
    """Seal key files under a new data key and split that among custodians: the bundle, and the shares in order.

    Raises: InvalidRequest unless 2 ≤ threshold ≤ shares ≤ 16.
    """
    if not 2 <= threshold <= shares <= MOST_SHARES:
        raise InvalidRequest(f"2 ≤ threshold ≤ shares ≤ {MOST_SHARES} is needed")
    key = os.urandom(_KEY_BYTES)
    set_id = _new_set_id()
    halves = [
        Shamir.split(threshold, shares, half, False)  # both halves have the same numbers, 1 to N
        for half in (key[:_HALF], key[_HALF:])
    ]
    parts = [
        Share(set_id, threshold, shares, number, first + second)
        for (number, first), (_, second) in zip(*halves, strict=True)
    ]
    header: dict[str, Json] = {"set": set_id, "threshold": threshold, "shares": shares}
    return _sealed(files, key, header, made_at), parts


def seal(files: Mapping[str, bytes], passphrase: str, *, made_at: datetime) -> bytes:
    """Seal key files under a passphrase (scrypt).

    Raises: InvalidRequest where it has fewer than 16 characters.
    """
    if len(passphrase) < _LEAST_PASSPHRASE:
        raise InvalidRequest(f"a passphrase has {_LEAST_PASSPHRASE} characters at least")
    salt = os.urandom(16)
    header: dict[str, Json] = {
        "set": _new_set_id(),
        "threshold": 0,
        "shares": 0,
        "salt": salt.hex(),
        **_SCRYPT,
    }
    return _sealed(files, _stretched(passphrase, salt), header, made_at)


def read_bundle(data: bytes) -> Bundle:
    """A bundle's outside.

    Raises: InvalidRequest when it is none.
    """
    try:
        content = json.loads(data)
        header = content["header"]
        bundle = Bundle(
            set_id=header["set"],
            made_at=header["made_at"],
            threshold=int(header["threshold"]),
            shares=int(header["shares"]),
            files=dict(header["files"]),
            _header=header,
            _sealed=base64.b64decode(content["sealed"], validate=True),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequest("this is no bundle of keys") from error
    if header.get("form") != FORM or len(bundle._sealed) <= _NONCE_BYTES:
        raise InvalidRequest("this is no bundle of keys, or one of another version")
    return bundle


def read_shares(text: str, name: str) -> list[Share]:
    """Every share in a text; whatever is not one of its four numbered lines is passed over.

    `name` is what an error calls the text. Raises: InvalidRequest naming the line that is mistyped.
    """
    lines: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _SHARE_LINE.fullmatch(line.strip().upper())
        if match is not None:
            lines.append((int(match[1]), re.sub(r"[\s-]", "", match[2])))
    if not lines or len(lines) % _LINES:
        raise InvalidRequest(f"{name}: a share has four lines, numbered 1 to 4; {len(lines)} are here")
    return [_share(lines[n : n + _LINES], name) for n in range(0, len(lines), _LINES)]


def _new_set_id() -> str:
    """The id of a set, hexadecimal, with nothing in it that an error text would mask as a personal code."""
    while True:
        made = os.urandom(_SET_BYTES).hex()
        if not _MANY_DIGITS.search(made):
            return made


def open_with_shares(bundle: Bundle, shares: Iterable[Share]) -> dict[str, bytes]:
    """The key files of a bundle, by name.

    Raises: InvalidRequest: a share of another set, too few different ones, two that contradict each other, or a bundle
    that was changed.
    """
    if not bundle.shares:
        raise InvalidRequest("a passphrase opens this bundle, not shares")
    by_number: dict[int, Share] = {}
    for share in shares:
        if share.set_id != bundle.set_id:
            raise InvalidRequest(
                f"share {share.number} is of set {share.set_id}, the bundle of set {bundle.set_id}: "
                "find the share of that set, or the bundle that was made with it"
            )
        if by_number.setdefault(share.number, share) != share:
            raise InvalidRequest(f"two different shares say that they are number {share.number}")
    if len(by_number) < bundle.threshold:
        raise InvalidRequest(
            f"{bundle.threshold} different shares are needed, {len(by_number)} are here: "
            f"numbers {', '.join(map(str, sorted(by_number))) or 'none'}"
        )
    chosen = [by_number[number] for number in sorted(by_number)][: bundle.threshold]
    key = b"".join(
        Shamir.combine([(share.number, share.value[half]) for share in chosen], False)
        for half in (slice(None, _HALF), slice(_HALF, None))
    )
    return _opened(
        bundle, key, "the shares do not open this bundle: one is forged, or the bundle was changed"
    )


def open_with_passphrase(bundle: Bundle, passphrase: str) -> dict[str, bytes]:
    """The key files of a bundle, by name.

    Raises: InvalidRequest: another passphrase, or a bundle that was changed or that shares open.
    """
    if bundle.shares:
        raise InvalidRequest(f"{bundle.threshold} shares open this bundle, not a passphrase")
    try:
        salt = bytes.fromhex(str(bundle._header["salt"]))
    except (KeyError, ValueError) as error:
        raise InvalidRequest("the bundle has no salt") from error
    if any(bundle._header.get(name) != value for name, value in _SCRYPT.items()):
        raise InvalidRequest("the bundle was sealed in a way that this version does not know")
    return _opened(bundle, _stretched(passphrase, salt), "the passphrase does not open this bundle")


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file. Of keys with full entropy it tells nothing."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}


def _sealed(files: Mapping[str, bytes], key: bytes, header: Mapping[str, Json], made_at: datetime) -> bytes:
    full: dict[str, Json] = {
        "form": FORM,
        "made_at": instant_text(made_at),
        "files": dict[str, Json](digests(files)),
        **header,
    }
    inside = {name: base64.b64encode(data).decode() for name, data in sorted(files.items())}
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, json.dumps(inside).encode(), rfc8785.dumps(full))
    content = {"header": full, "sealed": base64.b64encode(sealed).decode()}
    return (json.dumps(content, indent=1) + "\n").encode()


def _opened(bundle: Bundle, key: bytes, refusal: str) -> dict[str, bytes]:
    nonce, sealed = bundle._sealed[:_NONCE_BYTES], bundle._sealed[_NONCE_BYTES:]
    try:
        inside = json.loads(AESGCM(key).decrypt(nonce, sealed, rfc8785.dumps(dict(bundle._header))))
    except (InvalidTag, rfc8785.CanonicalizationError) as error:
        raise InvalidRequest(refusal) from error
    files = {str(name): base64.b64decode(text) for name, text in inside.items()}
    if strange := [name for name in files if not _FILE.fullmatch(name)]:
        raise InvalidRequest(f"the bundle names a file that is no key: {strange[0]}")
    return files


def _share(lines: Sequence[tuple[int, str]], name: str) -> Share:
    if [number for number, _ in lines] != [1, 2, 3, 4]:
        raise InvalidRequest(f"{name}: the lines of a share are numbered 1, 2, 3, 4 in this order")
    for number, letters in lines:
        if len(letters) != _LINE_CHARS + 2 or letters[_LINE_CHARS:] != _line_check(
            number, letters[:_LINE_CHARS]
        ):
            raise InvalidRequest(f"{name}: line {number} of the share is mistyped or damaged")
    try:
        decoded = base64.b32decode("".join(letters[:_LINE_CHARS] for _, letters in lines))
    except binascii.Error as error:
        raise InvalidRequest(f"{name}: the share has letters that no share has") from error
    payload = decoded[:-_CHECK_BYTES]
    if decoded[-_CHECK_BYTES:] != _check(payload) or payload[0] != _SHARE_VERSION:
        raise InvalidRequest(f"{name}: the share is damaged, or its lines are of different shares")
    threshold, shares, number = payload[1 + _SET_BYTES : 4 + _SET_BYTES]
    return Share(payload[1 : 1 + _SET_BYTES].hex(), threshold, shares, number, payload[4 + _SET_BYTES :])


def _check(payload: bytes) -> bytes:
    return hashlib.sha256(_SHARE_TAG + payload).digest()[:_CHECK_BYTES]


def _line_check(number: int, letters: str) -> str:
    return base64.b32encode(hashlib.sha256(f"{number}{letters}".encode()).digest()[:5]).decode()[:2]


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=_KEY_BYTES, **_SCRYPT).derive(passphrase.encode())
