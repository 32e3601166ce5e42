"""`gateway audit export` and `gateway audit prove` as an auditor uses them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from audit import open_log, search
from audit.checkpoint import parse
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.sequencer import Sequencer
from security.keys import load_log_key
from storage import migrate, open_engine
from tests.audit.exports import judged
from tests.audit.logs import exchange
from tests.commands.conftest import Home

# The origin and two exchanges, under checkpoints at 3, 6 and 7.
SIZE = 7


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    settings = home.settings
    engine = open_engine(settings.database_url)
    migrate.upgrade(engine)
    open_log(settings, engine).write(*exchange("320101-12345"), *exchange("320101-12346", outcome="denied"))
    key = load_log_key(settings.keys / "log.key")
    sequencer = Sequencer(engine, key, environment=settings.environment, batch=3)
    while sequencer.run_once():
        pass
    sequencer.release()
    yield engine
    engine.dispose()


def test_an_export_is_on_record_and_verified_without_the_gateway(
    home: Home, engine: Engine, tmp_path: Path
) -> None:
    result = home.run("audit", "export", str(tmp_path / "log"), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["size"], told["pending"], told["values"]) == (SIZE + 1, 0, False)
    code, found = judged(tmp_path / "log")
    assert (code, found["status"], found["size"], found["root"]) == (3, "unanchored", SIZE + 1, told["root"])
    ended, begun = search.search(engine)[:2]
    assert (begun.leaf["act"], begun.leaf["stage"], begun.leaf["values"]) == ("audit export", "begun", False)
    assert (ended.leaf["stage"], ended.leaf["manifest"]) == ("ended", told["manifest_sha256"])
    assert begun.index == SIZE, "who reads the export sees that it was made"
    later = home.run("audit", "export", str(tmp_path / "later"), "--from", "6", "--compress")
    assert later.exit_code == 0, later.output
    assert judged(tmp_path / "later")[0] == 3


def test_personal_values_need_a_purpose(home: Home, engine: Engine, tmp_path: Path) -> None:
    refused = home.run("audit", "export", str(tmp_path / "log"), "--with-values")
    assert (refused.exit_code, (tmp_path / "log").exists()) == (2, False)
    given = home.run("audit", "export", str(tmp_path / "log"), "--with-values", "--purpose", "court order 7")
    assert given.exit_code == 0, given.output
    assert "320101-12345" in (tmp_path / "log" / "values.jsonl").read_text()
    assert judged(tmp_path / "log")[0] == 3
    acts = [one for one in search.search(engine) if one.leaf.get("act") == "audit export"]
    assert [values["purpose"] for values in search.with_values(engine, acts)] == ["court order 7"] * 2


@pytest.mark.usefixtures("engine")
def test_nothing_is_left_of_an_export_that_failed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert home.run("audit", "export", str(tmp_path / "there")).exit_code != 0
    failed = home.run("audit", "export", str(tmp_path / "log"), "--from", "5")
    assert failed.exit_code != 0
    assert "no checkpoint was signed at 5" in failed.output
    assert [path.name for path in tmp_path.iterdir() if "log" in path.name] == []


@pytest.mark.usefixtures("engine")
def test_a_proof_of_a_record(home: Home, tmp_path: Path) -> None:
    told = json.loads(home.run("audit", "prove", "2", "--json").stdout)
    note = parse(told["checkpoint"])
    path = [bytes.fromhex(each) for each in told["path"]]
    assert (told["index"], told["size"]) == (2, SIZE)
    assert told["leaf_hash"] == leaf_hash(told["leaf"].encode()).hex()
    verify_inclusion(bytes.fromhex(told["leaf_hash"]), 2, SIZE, path, note.root)
    file = tmp_path / "2.tlog-proof"
    assert home.run("audit", "prove", "2", "--size", "3", "--out", str(file)).exit_code == 0
    head, _, checkpoint = file.read_text().partition("\n\n")
    magic, extra, index, *hashes = head.split("\n")
    assert (magic, index) == ("c2sp.org/tlog-proof@v1", "index 2")
    leaf = base64.b64decode(extra.removeprefix("extra "))
    assert leaf.decode() == told["leaf"]
    verify_inclusion(leaf_hash(leaf), 2, 3, list(map(base64.b64decode, hashes)), parse(checkpoint).root)


@pytest.mark.usefixtures("engine")
def test_a_proof_between_two_checkpoints(home: Home) -> None:
    shown = home.run("audit", "prove", "--consistency", "3", "7")
    head, _, checkpoint = shown.stdout.partition("\n\n")
    first, *hashes = head.split("\n")
    told = json.loads(home.run("audit", "prove", "--consistency", "3", "7", "--json").stdout)
    assert (first, checkpoint) == ("old 3", told["checkpoint"])
    old, new = parse(told["old_checkpoint"]), parse(told["checkpoint"])
    verify_consistency(3, old.root, 7, new.root, list(map(base64.b64decode, hashes)))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give INDEX"),
        (("2", "--consistency", "3", "7"), "give INDEX"),
        (("9",), "no checkpoint covers index 9"),
        (("2", "--size", "5"), "the next is at 6"),
        (("6", "--size", "6"), "index 6"),
        (("--consistency", "4", "7"), "no checkpoint was signed at 4"),
    ],
)
def test_what_cannot_be_proven(home: Home, arguments: tuple[str, ...], said: str) -> None:
    result = home.run("audit", "prove", *arguments)
    assert result.exit_code != 0
    assert said in result.output
