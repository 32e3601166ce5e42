"""Payloads at rest: what is sealed opens with its own key in its own place, whole, or not at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import ConfigurationError, GatewayFailure
from security import payloads

KEY = bytes(range(32))
MASTER = bytes(range(32, 64))


@settings(max_examples=100)
@given(st.binary(), st.binary(max_size=40))
def test_what_is_sealed_opens(data: bytes, associated: bytes) -> None:
    sealed = payloads.seal(data, KEY, associated=associated)
    assert payloads.open_(sealed, KEY, associated=associated) == data


@settings(max_examples=100)
@given(st.data())
def test_a_changed_value_does_not_open(data: st.DataObject) -> None:
    sealed = payloads.seal(b"<a>some text</a>", KEY, associated=b"row 1")
    position = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[position] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(changed), sealed[:position]):
        with pytest.raises(GatewayFailure):
            payloads.open_(wrong, KEY, associated=b"row 1")


def test_another_key_or_place_does_not_open() -> None:
    sealed = payloads.seal(b"data", KEY, associated=b"row 1")
    for key, associated in ((MASTER, b"row 1"), (KEY, b"row 2"), (KEY, b"")):
        with pytest.raises(GatewayFailure):
            payloads.open_(sealed, key, associated=associated)


def test_the_same_payload_is_sealed_differently_each_time() -> None:
    assert len({payloads.seal(b"data", KEY) for _ in range(50)}) == 50


def test_payloads_are_compressed() -> None:
    assert len(payloads.seal(b"<a>text</a>" * 1000, KEY)) < 200
    random = os.urandom(10_000)
    assert random not in payloads.seal(random, KEY)


def test_data_keys_are_wrapped() -> None:
    data_key = payloads.new_data_key()
    wrapped = payloads.wrap(data_key, MASTER, associated=b"2026-03 short")
    assert data_key not in wrapped
    assert payloads.unwrap(wrapped, MASTER, associated=b"2026-03 short") == data_key
    for master, associated in ((KEY, b"2026-03 short"), (MASTER, b"2026-04 short")):
        with pytest.raises(ConfigurationError):
            payloads.unwrap(wrapped, master, associated=associated)
    assert payloads.new_data_key() != data_key


def test_a_wrapped_key_is_no_payload_and_the_other_way() -> None:
    with pytest.raises(GatewayFailure):
        payloads.open_(payloads.wrap(KEY, MASTER), MASTER)
    with pytest.raises(ConfigurationError):
        payloads.unwrap(payloads.seal(KEY, MASTER), MASTER)


def test_keys_have_32_bytes() -> None:
    for key in (b"", KEY[:16], KEY + b"x"):
        with pytest.raises(ConfigurationError):
            payloads.seal(b"", key)
        with pytest.raises(ConfigurationError):
            payloads.open_(payloads.seal(b"", KEY), key)
        with pytest.raises(ConfigurationError):
            payloads.wrap(key, MASTER)
