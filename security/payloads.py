"""Payloads at rest: zstd, then AES-256-GCM under a data key, and data keys wrapped by the master key.

A sealed value begins with one byte that names its form, then the nonce (96 bits, random), then ciphertext and tag.
`associated` is what the value belongs to (an exchange id, a month and class): sealed under one, it opens under no
other, so rows cannot be exchanged. A data key serves a month and retention class, far below the 2^32 values that
random nonces allow.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from errors import ConfigurationError, GatewayFailure

KEY_BYTES = 32
NONCE_BYTES = 12

_SEALED = b"\x01"
_WRAPPED = b"\x02"

# A compressor is for one thread at a time, and making one costs more than a message's compression.
_local = threading.local()


def new_data_key() -> bytes:
    """A new data key: 32 random bytes, to be kept only as `wrap` returns it."""
    return os.urandom(KEY_BYTES)


def seal(data: bytes, data_key: bytes, *, associated: bytes = b"") -> bytes:
    """Compress and encrypt a payload.

    Raises: ConfigurationError when the key is not 32 bytes.
    """
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor()
    return _encrypt(_SEALED, _local.compressor.compress(data), data_key, associated)


def open_(sealed: bytes, data_key: bytes, *, associated: bytes = b"") -> bytes:
    """Decrypt and decompress what `seal` made.

    Raises: GatewayFailure when it was changed, belongs elsewhere or has another key; ConfigurationError for the key.
    """
    try:
        # Only bytes that we sealed ourselves get past the tag, so the size in the frame needs no limit.
        return zstandard.decompress(_decrypt(_SEALED, sealed, data_key, associated))
    except InvalidTag as error:
        raise GatewayFailure("a stored payload does not open") from error


def wrap(data_key: bytes, master_key: bytes, *, associated: bytes = b"") -> bytes:
    """Encrypt a data key under the master key.

    Raises: ConfigurationError when a key is not 32 bytes.
    """
    _checked(data_key)
    return _encrypt(_WRAPPED, data_key, master_key, associated)


def unwrap(wrapped: bytes, master_key: bytes, *, associated: bytes = b"") -> bytes:
    """Decrypt a data key that `wrap` made.

    Raises: ConfigurationError when it does not open: another master key, or the row was changed.
    """
    try:
        return _decrypt(_WRAPPED, wrapped, master_key, associated)
    except InvalidTag as error:
        raise ConfigurationError("the master key does not open a data key") from error


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"a key is not {KEY_BYTES} bytes")
    return key


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    """Ready for use; a month's key is used for every message."""
    return AESGCM(_checked(key))


def _encrypt(form: bytes, plain: bytes, key: bytes, associated: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return form + nonce + _cipher(key).encrypt(nonce, plain, form + associated)


def _decrypt(form: bytes, sealed: bytes, key: bytes, associated: bytes) -> bytes:
    head = len(form) + NONCE_BYTES
    cipher = _cipher(key)
    if not sealed.startswith(form) or len(sealed) < head:
        raise InvalidTag
    return cipher.decrypt(sealed[len(form) : head], sealed[head:], form + associated)
