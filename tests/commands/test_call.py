"""`gateway call`: one exchange by hand against real simulators, and an exit code for each kind of failure."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import search
from commands.call import operation_name, read_arguments
from errors import InvalidRequest
from exchange import Json
from storage import open_engine
from tests.commands.conftest import Home
from tests.commands.processes import simulators

RIGHT = ("--purpose", "social-service", "--rule", "p8")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, made_keys: Path) -> Iterator[tuple[Home, list[str]]]:
    """An installation whose PMLP and VDEAVK are simulated, and personal codes of the population."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(made_keys, folder / "state" / "keys")
    home = Home(folder)
    home.configure({})
    with simulators(folder, home.environ, "pmlp", "vdeavk", "--persons", "20") as said:
        home.configure(said["systems"])
        yield home, said["persons"]


def log(home: Home) -> list[Any]:
    engine = open_engine(home.settings.database_url)
    try:
        return search.search(engine)
    finally:
        engine.dispose()


def test_a_call_prints_what_may_be_given_and_has_its_place_in_the_log(
    people: tuple[Home, list[str]],
) -> None:
    home, codes = people
    answer = home.json("call", "pmlp", "get-person", f"person_code={codes[0]}", *RIGHT, "--official", "o-1")
    assert answer["record"]["person_code"].replace("-", "") == codes[0]
    assert "family[].relation" in answer["withheld"]
    records = [one for one in log(home) if one.leaf["exchange"] == answer["exchange_id"]]
    assert sorted(str(one.leaf["kind"]) for one in records) == ["attempt", "opened", "outcome"]
    assert all(one.index is not None for one in records)
    assert {one.leaf["way"] for one in records} == {"command"}
    engine = open_engine(home.settings.database_url)
    assert len(search.search(engine, official="o-1")) == 2
    engine.dispose()


def test_a_repeated_key_asks_for_several(people: tuple[Home, list[str]]) -> None:
    home, codes = people
    sets = ("data_sets=NAME_AND_CODE", "data_sets=DOCUMENTS")
    record = home.json("call", "pmlp", "GetPerson", f"person_code={codes[1]}", *sets, *RIGHT)["record"]
    assert record["documents"]
    assert record["birth_date"] is None
    assert record["data_sets"] == ["NAME_AND_CODE", "DOCUMENTS"]


def test_people_read_it_without_json(people: tuple[Home, list[str]]) -> None:
    home, codes = people
    result = home.run(
        "call", "vdeavk", "get-disability", f"person_code={codes[0]}", *RIGHT[:2], "--rule", "p8.13"
    )
    assert result.exit_code == 0, result.stderr
    assert "exchange: " in result.output


def test_who_is_not_in_the_system_is_not_found(people: tuple[Home, list[str]]) -> None:
    home, _ = people
    result = home.run("call", "pmlp", "get-person", "person_code=010180-10000", *RIGHT, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["code"] == "not_found"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("pmlp", "get-person", "person_code=1234", *RIGHT), "invalid_person_code", 2),
        (("pmlp", "get-person", *RIGHT), "invalid_request", 2),
        (("pmlp", "get-person", "person_code=321234-56789", "who=me", *RIGHT), "invalid_request", 2),
        (("pmlp", "get-person", "=x", *RIGHT), "invalid_request", 2),
        (("pmlp", "get-person", "person_code:={", *RIGHT), "invalid_request", 2),
        (("pmlp", "get-persn", "person_code=321234-56789", *RIGHT), "unknown_operation", 2),
        (("nobody", "get-person", *RIGHT), "unknown_operation", 2),
        (
            ("pmlp", "get-person", "person_code=321234-56789", "--purpose", "marketing", "--rule", "p8"),
            "purpose_not_allowed",
            4,
        ),
        (
            (
                "pmlp",
                "get-person",
                "person_code=321234-56789",
                "--purpose",
                "social-service",
                "--rule",
                "p13",
            ),
            "purpose_not_allowed",
            4,
        ),
        (
            ("pmlp", "get-person", "person_code=321234-56789", *RIGHT, "--recipient", "labis"),
            "access_denied",
            4,
        ),
        (
            (
                "sais",
                "get-payments",
                "person_code=321234-56789",
                "--purpose",
                "care-payment",
                "--rule",
                "p12.8.3",
            ),
            "no_open_stay",
            4,
        ),
        (("pmlp", "get-person", "person_code=321234-56789", *RIGHT), "system_unavailable", 5),
    ],
)
def test_each_failure_has_its_code(home: Home, arguments: tuple[str, ...], code: str, exit_code: int) -> None:
    result = home.run("call", *arguments, "--json")
    assert (json.loads(result.stderr)["code"], result.exit_code) == (code, exit_code)
    assert result.stdout == ""
    assert "321234" not in result.stderr
    told = json.loads(result.stderr)["exchange_id"]
    if told is not None:
        (outcome,) = [one.leaf for one in log(home) if one.leaf["kind"] == "outcome"]
        assert outcome["exchange"] == told
        assert outcome["code"] == code
        assert "321234" not in json.dumps(outcome)


def test_a_broken_setting_is_named(home: Home) -> None:
    (home.folder / "gateway.toml").write_text("[gatway]\n", encoding="utf-8")
    result = home.run("call", "pmlp", "get-person", *RIGHT)
    assert result.exit_code == 78
    assert "gatway" in result.stderr


def test_a_database_that_is_not_there_is_told_in_one_line(home: Home) -> None:
    (home.settings.state / "gateway.db").mkdir()
    result = home.run("call", "pmlp", "get-person", "person_code=321234-56789", *RIGHT)
    assert result.exit_code == 78
    assert result.stderr.count("\n") == 1


@given(st.lists(st.sampled_from(["Get", "Person", "Child", "Resolve", "X"]), min_size=1, max_size=4))
def test_both_spellings_of_an_operation_are_one(parts: list[str]) -> None:
    assert operation_name("-".join(part.lower() for part in parts)) == "".join(parts)
    assert operation_name("".join(parts)) == "".join(parts)


@given(st.dictionaries(st.sampled_from(["a", "b_c", "D1"]), st.lists(st.text(), min_size=1, max_size=3)))
def test_texts_come_through_as_they_are(values: dict[str, list[str]]) -> None:
    given_texts = [f"{name}={value}" for name, texts in values.items() for value in texts]
    expected = {name: texts if len(texts) > 1 else texts[0] for name, texts in values.items()}
    assert read_arguments(given_texts) == expected


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_json_values_come_through_as_they_are(value: Json) -> None:
    assert read_arguments([f"a:={json.dumps(value)}"]) == {"a": value}


@given(st.text().filter(lambda text: "=" not in text))
def test_what_is_no_argument_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_arguments([f"person{uuid.UUID(int=0)}{text}"])
    assert "person" not in refused.value.detail
