"""The JSON of /api/v1 is read strictly, and what is wrong with it is told without a value."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from endpoints.envelope import parse, read_context, read_envelope
from errors import InvalidRequest, MalformedMessage
from exchange import Json
from tests.endpoints.conftest import asking, context

TEXTS = some.text(some.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"))
WHOLE = some.integers(-(2**53) + 1, 2**53 - 1)
VALUES: some.SearchStrategy[Json] = some.recursive(
    some.none() | some.booleans() | WHOLE | TEXTS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_all_readers_take_the_same_is_taken(value: Json) -> None:
    assert parse(json.dumps(value).encode()) == value


@given(some.binary(max_size=200) | some.text(max_size=200).map(str.encode))
def test_any_bytes_are_json_or_a_refusal(data: bytes) -> None:
    try:
        parse(data)
    except (InvalidRequest, MalformedMessage):
        return
    json.loads(data)


REFUSED = {
    "duplicate key": (
        b'{"context": {"purpose": "SECRET", "purpose": "b"}}',
        "$.context.purpose is given twice",
    ),
    "duplicate key written otherwise": (b'{"a": {"b": 1, "\\u0062": 2}}', "$.a.b is given twice"),
    "duplicate key in a list": (b'{"a": [0, {"b": 1, "b": 1}]}', "$.a[1].b is given twice"),
    "NaN": (b'{"a": NaN}', "$.a is no whole number"),
    "infinity": (b'{"a": [-Infinity]}', "$.a[0] is no whole number"),
    "fraction": (b'{"a": 12.34}', "$.a is no whole number"),
    "exponent": (b'{"a": 1e3}', "$.a is no whole number"),
    "past 2^53": (b'{"a": 9007199254740993}', "$.a is no whole number"),
    "thousands of digits": (b'{"a": ' + b"9" * 5000 + b"}", "$.a is no whole number"),
    "NUL": (b'{"a": "SECRET\\u0000"}', "$.a holds a control character"),
    "half a character": (b'{"a": "\\ud800SECRET"}', "$.a holds a control character"),
    "deep list": (b"[" * 17 + b"]" * 17, "nested deeper"),
    "very deep list": (b"[" * 100_000, "nested deeper"),
    "very deep object": (b'{"a":' * 100_000, "nested deeper"),
}


@pytest.mark.parametrize(("data", "place"), REFUSED.values(), ids=REFUSED)
def test_what_readers_could_take_differently_is_refused_with_its_place(data: bytes, place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(data)
    assert place in refused.value.detail
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"{}x", b"\xff{}", b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b"{'a': 1}", b'{"a": 01}'],
)
def test_what_is_no_json_in_utf8_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(data)


ENVELOPES = {
    "no object": ([], "$ must be an object"),
    "no context": ({"arguments": {}}, "$.context is missing"),
    "context is no object": ({"context": "SECRET"}, "$.context"),
    "unknown member": ({**asking(), "extra": "SECRET"}, "$.extra is unknown"),
    "a member that could be a value": ({**asking(), "321234-56789": 1}, "$.… is unknown"),
    "arguments are no object": ({**asking(), "arguments": ["SECRET"]}, "$.arguments must be an object"),
    "unknown member of the context": (asking(extra="SECRET"), "$.context.extra: extra forbidden"),
    "unknown member that could be a value": (asking(**{"321234-56789": 1}), "$.context.…: extra forbidden"),
    "purpose missing": (
        {"context": {k: v for k, v in context().items() if k != "purpose"}},
        "$.context.purpose",
    ),
    "purpose of another kind": (asking(purpose=7), "$.context.purpose"),
    "purpose empty": (asking(purpose=""), "$.context.purpose"),
    "purpose long": (asking(purpose="SECRET" * 100), "$.context.purpose"),
    "rule of another form": (asking(rule="8.1 SECRET"), "$.context.rule"),
    "rule with a line break": (asking(rule="p8\n"), "$.context.rule"),
    "official incomplete": (asking(official={"id": "SECRET", "institution": "1"}), "$.context.official.role"),
    "request id of another form": (asking(request_id="SECRET"), "$.context.request_id"),
    "request id in braces": (
        asking(request_id="{0192f3a0-5c1e-7000-8000-00000000000a}"),
        "$.context.request_id",
    ),
    "environment unknown": (asking(environment="SECRET"), "$.context.environment"),
}


@pytest.mark.parametrize(("content", "place"), ENVELOPES.values(), ids=ENVELOPES)
def test_an_envelope_of_another_form_is_refused_with_its_place(content: object, place: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_envelope(json.dumps(content).encode())
    assert place in refused.value.detail
    assert "SECRET" not in str(refused.value)
    assert "321234" not in str(refused.value)


def test_a_context_travels_in_a_header_as_json_and_as_base64() -> None:
    plain = json.dumps(context(case="Lieta Nr. 7, ģimene"), ensure_ascii=False).encode()
    expected = read_context(plain)
    assert expected.case == "Lieta Nr. 7, ģimene"
    assert read_context(base64.b64encode(plain)) == expected
    assert read_context(base64.urlsafe_b64encode(plain)) == expected


@pytest.mark.parametrize("header", [b"", b"%%%", b"SECRET", b"{", base64.b64encode(b"[]")])
def test_a_header_that_holds_no_context_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_context(header)
    assert "SECRET" not in str(refused.value)
