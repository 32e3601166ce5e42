"""Exports: whole and verified by a process that has one library; and bad, with the index, whatever is changed."""

# ruff: noqa: S608 — statements written by hand change the database as anyone can who has the file

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine

from audit import Entry, Kind
from audit.export import Wanted
from audit.retention import months_before
from audit.sequencer import Sequencer
from audit.witnessed import introduction
from errors import InvalidRequest, LogDamaged, NotFound
from exchange import Environment, Json, instant_text, new_id, utc_now
from storage import open_engine
from tests.audit.exports import exported, judged
from tests.audit.logs import (
    KEY,
    WITNESS,
    begun_witness,
    cosign,
    exchange,
    fill,
    open_log,
    sequence,
    unguard,
    verified,
)
from tests.audit.test_tampering import CHANGES, cells, columns
from tests.audit.test_verify import erase, erased
from tests.conftest import Template

# The origin, a witness, four exchanges and an erasure, under checkpoints; the one at 14 is cosigned.
SIZE = 15
CHECKPOINTS = (5, 10, 14, 15)
ERASED = 6


def make(engine: Engine, folder: Path, **facts: Json) -> None:
    """A log with all that an export tells: values, an erased one, a cosignature, and records that wait.

    `facts` are those of the erasure, where they are not as the law has it.
    """
    log = open_log(engine)
    log.write(introduction(Environment.TEST, WITNESS, False))
    long_ago = months_before(utc_now(), 12 * 7)
    for number in range(4):
        log.write(*exchange(f"32{number:09d}", instant=long_ago))
    sequence(engine, 5)
    cosign(engine, begun_witness(folder / "witness.json"))
    erase(engine, ERASED, "official")
    log.write(Entry(Kind.ERASURE, new_id(), utc_now(), erased(**facts)))
    sequence(engine)
    log.write(*exchange())


@pytest.fixture(scope="module")
def log(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("log")
    shutil.copy(template("sqlite"), folder / "gateway.db")
    engine = open_engine(f"sqlite:///{folder / 'gateway.db'}")
    make(engine, folder)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def whole(log: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with values. It is not changed."""
    folder = tmp_path_factory.mktemp("export") / "whole"
    exported(log, folder, Wanted(values=True))
    return folder


@pytest.fixture
def changed(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "changed"))


def test_whole(log: Engine, whole: Path) -> None:
    code, found = judged(whole)
    root = verified(log)
    assert (code, found["status"], found["size"], found["root"]) == (0, "anchored", SIZE, root.root)
    assert found["checked"] == {"values": 27, "erased": 1, "checkpoints": 4, "cosignatures": 1}
    assert (found["last_good_checkpoint"], found["anchored_size"], found["first_bad"]) == (15, 14, None)
    manifest = json.loads((whole / "manifest.json").read_bytes())
    assert (manifest["pending"], manifest["size"]) == (3, SIZE)
    assert not any(manifest["strays"].values())


def test_by_an_interpreter_with_one_library(whole: Path, tmp_path: Path) -> None:
    """The file that ships, in a process that can import nothing but Python's own and `cryptography`."""
    for file in {file.parts[0] for name in ("cryptography", "cffi") for file in metadata.files(name) or ()}:
        source = Path(str(metadata.distribution("cryptography").locate_file(file)))
        if not file.startswith("..") and source.exists():
            (tmp_path / file).symlink_to(source)
    run = subprocess.run(  # noqa: S603 — our own interpreter
        [sys.executable, "-S", str(whole / "verify.py"), "--log-key", str(whole / "keys" / "log.pub")],
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout)["status"] == "anchored"
    isolated = subprocess.run(  # noqa: S603 — our own interpreter
        [sys.executable, "-I", str(whole / "verify.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert isolated.returncode == 0, isolated.stderr
    assert all(
        len((whole / name).read_text().splitlines()) < 200 for name in ("verify.py", "export_leaves.py")
    )


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(compressed=True), Wanted(start=5), Wanted(10, values=True)]
)
def test_other_exports(log: Engine, tmp_path: Path, wanted: Wanted) -> None:
    exported(log, tmp_path / "export", wanted)
    code, found = judged(tmp_path / "export")
    assert (code, found["size"], found["reason"]) == (0, SIZE, "")
    assert found["root"] == verified(log).root
    exported(log, tmp_path / "alone", wanted, witnessed=False)
    assert judged(tmp_path / "alone")[0] == 3
    assert judged(tmp_path / "alone")[1]["status"] == "unanchored"


def test_no_personal_value_unless_asked_for(log: Engine, whole: Path, tmp_path: Path) -> None:
    exported(log, tmp_path / "export", Wanted())
    for name in ("MT-1042", "32000000001", "192.0.2.7"):
        assert any(name in path.read_text() for path in whole.rglob("*") if path.is_file())
        assert not any(
            name in path.read_text() for path in (tmp_path / "export").rglob("*") if path.is_file()
        )


def test_on_postgresql(engine: Engine, tmp_path: Path) -> None:
    make(engine, tmp_path)
    exported(engine, tmp_path / "export", Wanted(values=True))
    assert judged(tmp_path / "export")[0] == 0


def test_from_where_no_checkpoint_is(log: Engine, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        exported(log, tmp_path / "export", Wanted(start=6))


def test_an_empty_log(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        exported(engine, tmp_path / "export", Wanted())


def test_keys_of_ones_own(whole: Path, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.generate().public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pub").write_bytes(pem)
    code, found = judged(whole, "--log-key", str(tmp_path / "other.pub"))
    assert (code, found["first_bad"]) == (1, 0)
    (tmp_path / "none.vkey").write_text("")
    assert judged(whole, "--witness", str(tmp_path / "none.vkey"))[0] == 3
    (tmp_path / "own.vkey").write_text(f"{WITNESS}\n")
    code, found = judged(
        whole, "--witness", str(tmp_path / "own.vkey"), "--log-key", str(whole / "keys" / "log.pub")
    )
    assert (code, found["own_keys"]) == (0, True)


def other(value: Any) -> Iterator[Any]:
    """Other values in place of one."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, str(value), None)
    elif isinstance(value, str):
        yield from (value + "x", value[1:], value.swapcase(), None, "", value + " ", [value])
    elif isinstance(value, list):
        yield from ([*value, "x"], value[1:], None, {})
    elif isinstance(value, dict):
        yield from ({}, None, {**value, "x": "y"}, [value])
    elif value is None:
        yield ""


def variants(value: Any) -> Iterator[tuple[str, Any]]:
    """Every way of changing one member, however deep: without it, with other values in it."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"-{name}", {key: each for key, each in value.items() if key != name}
            for at, changed in [*((name, each) for each in other(part)), *variants(part)]:
                yield f"{name}.{at}", {**value, name: changed}
        yield "+", {**value, "more": 1}
    elif isinstance(value, list):
        for number, part in enumerate(value):
            for at, changed in variants(part):
                yield f"{number}.{at}", [*value[:number], changed, *value[number + 1 :]]


def written(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def covered_from(file: str, line: int, row: dict[str, Any]) -> int:
    """The index at which a line of a file stands; of a checkpoint, the first that it covers."""
    if file == "checkpoints.jsonl":
        return [0, *CHECKPOINTS][line]
    return line if file == "leaves.jsonl" else int(row["index"])


@pytest.mark.parametrize("file", ["leaves.jsonl", "tree.jsonl", "checkpoints.jsonl", "values.jsonl"])
def test_every_member_of_every_line(changed: Path, file: str) -> None:
    path = changed / file
    lines = path.read_bytes().splitlines()
    tried = 0
    for number in {0, 3, len(lines) - 1}:
        row = json.loads(lines[number])
        for what, variant in variants(row):
            if written(variant) == lines[number]:
                continue
            path.write_bytes(b"\n".join([*lines[:number], written(variant), *lines[number + 1 :], b""]))
            code, found = judged(changed)
            tried += 1
            assert (code, found["status"]) == (1, "bad"), (number, what)
            expected = {covered_from(file, number, row)}
            if file == "values.jsonl" and isinstance(variant.get("index"), int):
                expected.add(variant["index"])  # it says that it belongs there
            assert found["first_bad"] in expected, (number, what, found)
    assert tried > 25


LINES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "one missing": lambda lines: [*lines[:2], *lines[3:]],
    "one twice": lambda lines: [*lines[:3], *lines[2:]],
    "two swapped": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "the last missing": lambda lines: lines[:-1],
    "one added": lambda lines: [*lines, lines[-1]],
    "none": lambda lines: lines[:0],
    "an empty one": lambda lines: [*lines[:2], b"", *lines[2:]],
    "with space": lambda lines: [*lines[:2], lines[2] + b" ", *lines[3:]],
    "not UTF-8": lambda lines: [*lines[:2], b"\xff" + lines[2], *lines[3:]],
}


@pytest.mark.parametrize("change", LINES)
@pytest.mark.parametrize("file", ["leaves.jsonl", "tree.jsonl", "checkpoints.jsonl", "values.jsonl"])
def test_lines(changed: Path, file: str, change: str) -> None:
    lines = (changed / file).read_bytes().splitlines()
    (changed / file).write_bytes(b"".join(line + b"\n" for line in LINES[change](lines)))
    code, found = judged(changed)
    assert (code, found["status"]) == (1, "bad")
    row = json.loads(lines[min(2, len(lines) - 1)])
    if change in ("one missing", "with space", "not UTF-8", "an empty one") and len(lines) > 3:
        assert found["first_bad"] == covered_from(file, 2, row)
    else:
        assert found["first_bad"] is not None


def test_every_member_of_the_manifest(changed: Path) -> None:
    manifest = json.loads((changed / "manifest.json").read_bytes())
    first, *others = manifest.pop("files")
    assert judged(changed)[0] == 0
    for what, variant in [
        *((what, {**variant, "files": [first, *others]}) for what, variant in variants(manifest)),
        *((what, {**manifest, "files": [variant, *others]}) for what, variant in variants(first)),
    ]:
        if variant == {**manifest, "files": [first, *others]}:
            continue
        (changed / "manifest.json").write_text(json.dumps(variant, indent=1, ensure_ascii=False) + "\n")
        assert judged(changed)[0] == 1, what
    (changed / "manifest.json").write_text("")
    assert judged(changed)[1]["first_bad"] is None


def test_every_file(changed: Path, whole: Path) -> None:
    for path in sorted(path for path in whole.rglob("*") if path.is_file()):
        file = changed / path.relative_to(whole)
        for data in (path.read_bytes() + b"\n", path.read_bytes()[:-1], b"", None):
            file.unlink()
            if data is not None:
                file.write_bytes(data)
            assert judged(changed)[0] == 1, (path.name, data and data[:10])
            file.write_bytes(path.read_bytes())
    assert judged(changed)[0] == 0
    (changed / "more.txt").write_text("added")
    assert judged(changed)[1]["reason"] == "more.txt is missing or no part of the export"


def test_a_damaged_compressed_file(log: Engine, tmp_path: Path) -> None:
    exported(log, tmp_path / "export", Wanted(compressed=True))
    file = tmp_path / "export" / "leaves.jsonl.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join([*lines[:9], lines[9].replace(b"care", b"fame"), *lines[10:]])))
    assert judged(tmp_path / "export")[1]["first_bad"] == 9
    file.write_bytes(file.read_bytes()[:-20])
    assert judged(tmp_path / "export")[0] == 1


def resigned(folder: Path, key: Ed25519PrivateKey) -> None:
    """Digests and signature of the manifest made anew, as somebody with a key can."""
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_bytes())
    for each in manifest["files"]:
        data = (folder / each["path"]).read_bytes()
        each |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    data = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(data)
    signature = key.sign(b"spolis-gateway log export v1\0" + data)
    (folder / "manifest.sig").write_text(base64.b64encode(signature).decode())


def test_a_change_with_digests_made_anew(changed: Path) -> None:
    """Also with the log's own key: the leaf is under a signed root."""
    leaves = (changed / "leaves.jsonl").read_bytes().splitlines(keepends=True)
    leaves[7] = leaves[7].replace(b'"outcome":"ok"', b'"outcome":"no"')
    (changed / "leaves.jsonl").write_bytes(b"".join(leaves))
    resigned(changed, KEY)
    assert judged(changed)[1]["first_bad"] == 7
    from audit.merkle import leaf_hash

    places = (changed / "tree.jsonl").read_bytes().splitlines()
    place = json.loads(places[7])
    place["hash"] = leaf_hash(leaves[7][:-1]).hex()
    (changed / "tree.jsonl").write_bytes(b"\n".join([*places[:7], written(place), *places[8:], b""]))
    resigned(changed, KEY)
    assert judged(changed)[1]["first_bad"] == 5, "the root at 10 covers from 5 on"


def test_a_manifest_of_another_key(changed: Path) -> None:
    resigned(changed, KEY)
    assert judged(changed)[0] == 0
    resigned(changed, Ed25519PrivateKey.generate())
    code, found = judged(changed)
    assert (code, found["first_bad"]) == (1, None), "no leaf is at fault"


def test_the_border_of_salt_and_value_shifted(changed: Path) -> None:
    lines = (changed / "values.jsonl").read_bytes().splitlines()
    row = json.loads(lines[5])
    row |= {"salt": row["salt"] + row["value"][0].encode().hex(), "value": row["value"][1:]}
    (changed / "values.jsonl").write_bytes(b"\n".join([*lines[:5], written(row), *lines[6:], b""]))
    assert judged(changed)[1]["first_bad"] == row["index"]


def test_an_erasure_that_is_not_on_record(changed: Path) -> None:
    (changed / "erasures.jsonl").write_bytes(b"")
    code, found = judged(changed)
    assert (code, found["first_bad"]) == (1, ERASED)


def test_it_says_of_a_changed_database_what_audit_verify_says(template: Template, tmp_path: Path) -> None:
    """One row of all columns of the log's tables, changed in several ways; without values in the export."""
    good, file = tmp_path / "good.db", tmp_path / "changed.db"
    shutil.copy(template("sqlite"), good)
    engine = open_engine(f"sqlite:///{good}")
    fill(engine)
    unguard(engine)
    engine.dispose()
    shutil.copy(good, file)
    engine = open_engine(f"sqlite:///{file}")
    original, changed = sqlite3.connect(good), sqlite3.connect(file)
    changed.execute("PRAGMA synchronous=OFF")
    tried = 0
    for table, column in columns(good):
        before = cells(original, table, column)
        for expression in list(CHANGES.values())[::7] if len(before) > 1 else ():
            changed.rollback()
            original.backup(changed)
            where = f"rowid = {before[1][0]}"
            try:
                changed.execute(f"UPDATE {table} SET {column} = {expression.format(c=column)} WHERE {where}")
            except sqlite3.IntegrityError:
                continue
            if cells(changed, table, column) == before:
                continue
            changed.commit()
            tried += 1
            report = verified(engine)
            shutil.rmtree(tmp_path / "export", ignore_errors=True)
            try:
                exported(engine, tmp_path / "export", Wanted(), witnessed=False)
            except LogDamaged:  # a row that the database itself cannot read
                assert report.status == "bad"
                continue
            code, found = judged(tmp_path / "export")
            what = table, column, expression, report.reason, found["reason"]
            if (table, column) == ("log_checkpoints", "size"):
                assert (code, report.status) == (1, "bad"), what  # one that stands elsewhere is met elsewhere
            else:
                assert (code, found["first_bad"]) == (1, report.first_bad), what
    original.close()
    changed.close()
    engine.dispose()
    assert tried > 25


@pytest.mark.parametrize("index", [12, ERASED, 99])
def test_an_erasure_that_no_leaf_states(changed: Path, index: int) -> None:
    """Whoever has the log's key may sign a manifest over it; the leaves do not say so."""
    text = (changed / "leaves.jsonl").read_text().splitlines()[SIZE - 1]
    forged = written({"index": index, "leaf": text.replace("official", "subject")})
    (changed / "erasures.jsonl").write_bytes((changed / "erasures.jsonl").read_bytes() + forged + b"\n")
    resigned(changed, KEY)
    assert judged(changed)[1]["first_bad"] == SIZE, "a line is left"


def test_the_beginning_of_a_part_is_what_was_signed(log: Engine, tmp_path: Path) -> None:
    exported(log, tmp_path / "nothing new", Wanted(start=SIZE))
    assert judged(tmp_path / "nothing new")[0] == 3, "the cosigned checkpoint is not in it"
    manifest = json.loads((tmp_path / "nothing new" / "manifest.json").read_bytes())
    manifest["frontier"][0] = base64.b64encode(bytes(32)).decode()
    (tmp_path / "nothing new" / "manifest.json").write_text(json.dumps(manifest))
    resigned(tmp_path / "nothing new", KEY)
    code, found = judged(tmp_path / "nothing new")
    assert (code, found["first_bad"]) == (1, SIZE)


@pytest.mark.parametrize(
    "facts",
    [
        {"class": "administration"},
        {"before": instant_text(months_before(utc_now(), 12 * 8))},
        {"before": instant_text(months_before(utc_now(), 12 * 4))},
        {"class": "permanent"},
        {"names": ["subject"]},
    ],
    ids=["another class", "the record is younger", "its time is not over", "kept for good", "another name"],
)
def test_an_erasure_that_excuses_nothing(facts: dict[str, Json], template: Template, tmp_path: Path) -> None:
    shutil.copy(template("sqlite"), tmp_path / "gateway.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.db'}")
    make(engine, tmp_path, **facts)
    exported(engine, tmp_path / "export", Wanted())
    code, found = judged(tmp_path / "export")
    assert (code, found["first_bad"]) == (1, ERASED)
    assert verified(engine).first_bad == ERASED
    engine.dispose()


def test_a_log_that_goes_on_after_a_restore(tmp_path: Path, template: Template) -> None:
    shutil.copy(template("sqlite"), tmp_path / "gateway.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.db'}")
    fill(engine)
    again = Sequencer(engine, KEY, environment=Environment.TEST)
    again.begin_again({"records": 2}, lambda _connection: None)
    open_log(engine).write(*exchange())
    again.run_once()
    exported(engine, tmp_path / "export", Wanted())
    exported(engine, tmp_path / "later", Wanted(start=13))
    engine.dispose()
    for folder in (tmp_path / "export", tmp_path / "later"):
        code, found = judged(folder)
        assert (code, found["size"], found["reason"]) == (3, 17, "")
