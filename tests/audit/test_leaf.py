"""Leaves: canonical JSON, commitments that keep salt and value apart, the subject index."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.leaf import Entry, Kind, canonical, commitment, parse, seal, subject_index, subject_text, value
from errors import InvalidPersonCode, InvalidRequest
from exchange import Json, new_id, utc_now
from tests.audit.logs import SUBJECT_KEY

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
EXACT: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXT, parts, max_size=3),
    max_leaves=12,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def entry(facts: dict[str, Json] | None = None, personal: dict[str, Json] | None = None) -> Entry:
    return Entry(Kind.OUTCOME, new_id(), utc_now(), facts or {}, personal or {})


@given(EXACT | FLOATS | st.lists(FLOATS))
def test_canonical_is_rfc_8785(anything: Json) -> None:
    assert canonical(anything).encode() == rfc8785.dumps(anything)


@given(EXACT)
def test_values_come_back(anything: Json) -> None:
    assert value(canonical(anything)) == anything


@given(st.dictionaries(TEXT.map(lambda name: f"f_{name}"), EXACT, max_size=4))
def test_leaves_come_back(facts: dict[str, Json]) -> None:
    record = seal(entry(facts), uuid.uuid4(), SUBJECT_KEY)
    members = parse(record.leaf)
    assert {name: members[name] for name in facts} == facts
    assert members["id"] == record.id
    assert members["commitments"] == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + " ",
        lambda text: " " + text,
        lambda text: text.replace(":", ": ", 1),
        lambda text: text.replace('"v":1', '"v":1.0'),
        lambda text: text.replace('"v":1', '"v":true'),
        lambda text: text.replace('"v":1', '"v":2'),
        lambda text: text.replace("{", '{"v":1,', 1),
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":")),
        lambda text: text.replace("ā", "\\u0101"),
        lambda text: text + text,
        lambda _text: "[" * 100_000,
        lambda _text: '{"v":1,"x":NaN}',
        lambda _text: '"v"',
        lambda _text: "",
    ],
)
def test_another_spelling_is_no_leaf(change: object) -> None:
    text = seal(entry({"purpose": "aprūpe ā"}), uuid.uuid4(), SUBJECT_KEY).leaf
    assert callable(change)
    with pytest.raises(ValueError, match=r"."):
        parse(change(text))


def test_personal_values_are_committed_only() -> None:
    record = seal(entry({}, {"subject": "320101-12345", "official": "MT-1042"}), uuid.uuid4(), SUBJECT_KEY)
    assert "12345" not in record.leaf
    assert "MT-1042" not in record.leaf
    commitments = parse(record.leaf)["commitments"]
    assert commitments == {one.name: commitment(one.salt, one.text) for one in record.values}
    assert {one.name for one in record.values} == {"subject", "subject_index", "official"}


def test_the_same_value_is_committed_differently_each_time() -> None:
    first, second = (
        seal(entry({}, {"official": "MT-1042"}), uuid.uuid4(), SUBJECT_KEY).values[0] for _ in range(2)
    )
    assert first.salt != second.salt
    assert commitment(first.salt, first.text) != commitment(second.salt, second.text)


def test_both_forms_of_a_code_have_one_index() -> None:
    expected = hmac.new(SUBJECT_KEY, b"32010112345", hashlib.sha256).hexdigest()
    assert subject_index(SUBJECT_KEY, "320101-12345") == subject_index(SUBJECT_KEY, "32010112345") == expected


def test_a_client_of_a_provider_is_asked_for_by_both_and_a_mistyped_code_is_an_error() -> None:
    assert subject_text(" rehabilitation/K-17\n") == "rehabilitation/K-17"
    assert subject_text("320101-12345") == "32010112345"
    for wrong in ("320101-1234", "/K-17", "rehabilitation/", "K-17"):
        with pytest.raises(InvalidPersonCode):
            subject_text(wrong)


def test_several_subjects_are_indexed_each() -> None:
    record = seal(entry({}, {"subject": ["32010112345", "32010112346"]}), uuid.uuid4(), SUBJECT_KEY)
    assert {one.name for one in record.values} == {"subject", "subject_index.0", "subject_index.1"}


@pytest.mark.parametrize("unfit", ["\ud800", 2**53, float("inf"), ["\udfff"]])
def test_what_has_no_canonical_form_is_refused(unfit: Json) -> None:
    with pytest.raises(InvalidRequest):
        canonical(unfit)
    with pytest.raises(InvalidRequest):
        seal(entry({}, {"selection": unfit}), uuid.uuid4(), SUBJECT_KEY)


def test_a_column_without_nul() -> None:
    with pytest.raises(InvalidRequest):
        seal(entry({"institution": "9000\0"}), uuid.uuid4(), SUBJECT_KEY)


@pytest.mark.parametrize("facts", [{"id": "x"}, {"commitments": {}}, {"amount": 1.5}, {"system": 1}])
def test_facts_that_would_break_a_leaf(facts: dict[str, Json]) -> None:
    with pytest.raises(ValueError, match=r"fact"):
        seal(entry(facts), uuid.uuid4(), SUBJECT_KEY)


def test_the_error_of_a_code_does_not_hold_it() -> None:
    from audit.leaf import normalised

    with pytest.raises(InvalidPersonCode) as caught:
        normalised("3201011234")
    assert "3201011234" not in str(caught.value)
