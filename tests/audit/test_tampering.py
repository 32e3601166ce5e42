"""Whatever is changed by hand in the file of SQLite, `verify` says so and names the first index that is not good."""

# ruff: noqa: S608 — statements written by hand are what these tests are about

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from audit.outside import Outside
from audit.verify import Report
from audit.witnessed import Exposure
from storage import open_engine
from tests.audit.logs import (
    WITNESS,
    begun_witness,
    exchange,
    fill_cosigned,
    open_log,
    unguard,
    verified,
)
from tests.conftest import Template

pytestmark = pytest.mark.long

# Thirteen leaves (the origin and four exchanges) under checkpoints at 5, 10 and 13.
SIZE = 13
CHECKPOINTS = (5, 10, 13)
TABLES = ("log_records", "log_tree", "log_checkpoints", "log_values", "log_cosignatures", "log_timestamps")
# The witness's key is known, and it is not asked: only rows speak here (tests/audit/test_anchoring.py asks it).
OFFLINE = Outside(WITNESS)

# Every way in which a cell is changed, as an SQL expression of the old value.
CHANGES = {
    "emptied": "''",
    "null": "NULL",
    "as blob": "CAST({c} AS BLOB)",
    "as text": "CAST({c} AS TEXT)",
    "as number": "CAST({c} AS INTEGER)",
    "zero": "0",
    "next number": "{c} + 1",
    "previous number": "{c} - 1",
    "far number": "{c} + 100000",
    "negative": "-1 - {c}",
    "longer": "{c} || 'x'",
    "with NUL": "{c} || char(0)",
    "with space": "{c} || ' '",
    "with line": "{c} || char(10)",
    "shorter": "substr({c}, 1, length({c}) - 1)",
    "without its start": "substr({c}, 2)",
    "upper case": "upper({c})",
    "swapped case of a letter": "replace({c}, 'a', 'A')",
    "hex": "hex({c})",
    "another blob": "zeroblob(32)",
    "short blob": "zeroblob(1)",
    "longer blob": "CAST({c} || x'00' AS BLOB)",
    "not UTF-8": "CAST(x'ff' AS TEXT)",
}


@pytest.fixture(scope="module")
def good(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a good log."""
    path = tmp_path_factory.mktemp("log") / "gateway.db"
    shutil.copy(template("sqlite"), path)
    engine = open_engine(f"sqlite:///{path}")
    fill_cosigned(engine, begun_witness(path.with_name("witness.json")))
    report = verified(engine, OFFLINE)
    assert (report.status, report.size, report.pending, report.first_bad) == ("anchored", SIZE, 0, None)
    assert report.exposure == Exposure(SIZE, 0, 0.0)
    assert not report.warnings
    unguard(engine)
    engine.dispose()
    return path


@pytest.fixture
def file(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(good, tmp_path / "changed.db"))


def by_hand(file: Path, *statements: str) -> bool:
    """Change the file as anyone can who has it; whether anything is another value or type now."""
    with sqlite3.connect(file) as connection:
        before = connection.total_changes
        for statement in statements:
            connection.execute(statement)
        changed = connection.total_changes > before
    connection.close()
    return changed


def check(file: Path) -> Report:
    engine = open_engine(f"sqlite:///{file}")
    try:
        return verified(engine, OFFLINE)
    finally:
        engine.dispose()


def columns(file: Path) -> Iterator[tuple[str, str]]:
    engine = open_engine(f"sqlite:///{file}")
    found = inspect(engine)
    tables = [name for name in found.get_table_names() if name.startswith("log_")]
    assert sorted(tables) == sorted(TABLES)
    yield from ((table, column["name"]) for table in tables for column in found.get_columns(table))
    engine.dispose()


def cells(connection: sqlite3.Connection, table: str, column: str) -> list[tuple[int, object, str]]:
    """Row number, value and type of every cell of a column."""
    connection.text_factory = bytes
    return connection.execute(
        f"SELECT rowid, {column}, typeof({column}) FROM {table} ORDER BY rowid"
    ).fetchall()


def index_of(original: sqlite3.Connection, table: str, rowid: int) -> int:
    """The index that a row belongs to; of a checkpoint, the first that it covers."""
    if table == "log_checkpoints":
        return [0, *CHECKPOINTS][CHECKPOINTS.index(rowid)]
    if table == "log_tree":
        return rowid
    if table == "log_cosignatures":
        return [0, *CHECKPOINTS][rowid - 1]
    record = "id" if table == "log_records" else "record_id"
    (index,) = original.execute(
        f"SELECT idx FROM log_tree WHERE record_id = (SELECT {record} FROM {table} WHERE rowid = ?)", (rowid,)
    ).fetchone()
    return int(index)


def test_every_cell_of_every_column(good: Path, file: Path) -> None:
    """Several rows of all columns of all tables of the log, each in every way that changes it."""
    original, changed = sqlite3.connect(good), sqlite3.connect(file)
    engine = open_engine(f"sqlite:///{file}")
    changed.execute("PRAGMA synchronous=OFF")
    tried = 0
    for table, column in columns(good):
        before = cells(original, table, column)
        for rowid, *_ in before if table in ("log_checkpoints", "log_cosignatures") else before[2::9]:
            for name, expression in CHANGES.items():
                changed.rollback()
                original.backup(changed)
                try:
                    changed.execute(
                        f"UPDATE {table} SET {column} = {expression.format(c=column)} WHERE rowid = {rowid}"
                    )
                except sqlite3.IntegrityError:
                    continue  # SQLite itself refuses: NULL where none may be, a number taken, text for a number
                if cells(changed, table, column) == before:
                    continue
                changed.commit()
                tried += 1
                report = verified(engine, OFFLINE)
                what = f"{table}.{column} of row {rowid}: {name}: {report}"
                expected = index_of(original, table, rowid)
                if (table, column) == ("log_cosignatures", "size"):
                    # Under another size nothing says where it stood: the first leaf after the checkpoint before it.
                    assert report.first_bad in (0, *CHECKPOINTS), what
                    expected = report.first_bad
                assert (report.status, report.exit_code, report.first_bad) == ("bad", 1, expected), what
                last_good = max((size for size in CHECKPOINTS if size <= expected), default=None)
                assert report.last_good_checkpoint == last_good, what
    original.close()
    changed.close()
    engine.dispose()
    assert tried > 400


@pytest.mark.parametrize("index", range(SIZE))
def test_a_deleted_leaf(file: Path, index: int) -> None:
    by_hand(file, f"DELETE FROM log_tree WHERE idx = {index}")
    assert check(file).first_bad == index


@pytest.mark.parametrize("index", range(SIZE))
def test_a_deleted_record(file: Path, index: int) -> None:
    by_hand(file, f"DELETE FROM log_records WHERE id = (SELECT record_id FROM log_tree WHERE idx = {index})")
    assert check(file).first_bad == index


@pytest.mark.parametrize("index", range(1, SIZE))
def test_a_deleted_value(file: Path, index: int) -> None:
    assert by_hand(
        file,
        "DELETE FROM log_values WHERE rowid = (SELECT max(v.rowid) FROM log_values v"
        f" JOIN log_tree t ON t.record_id = v.record_id WHERE t.idx = {index})",
    )
    assert check(file).first_bad == index


@pytest.mark.parametrize(("size", "first"), [(5, 0), (10, 5), (13, 10)])
def test_a_deleted_checkpoint(file: Path, size: int, first: int) -> None:
    by_hand(file, f"DELETE FROM log_checkpoints WHERE size = {size}")
    assert check(file).first_bad == first


def test_a_whole_exchange_deleted(file: Path) -> None:
    chosen = "SELECT record_id FROM log_tree WHERE idx BETWEEN 4 AND 6"
    by_hand(
        file,
        f"DELETE FROM log_values WHERE record_id IN ({chosen})",
        f"DELETE FROM log_records WHERE id IN ({chosen})",
        "DELETE FROM log_tree WHERE idx BETWEEN 4 AND 6",
        "UPDATE log_tree SET idx = idx - 3 WHERE idx > 6",
    )
    assert check(file).first_bad == 4


def test_the_tail_cut_off(file: Path) -> None:
    """Without a witness only what is left behind betrays it."""
    by_hand(file, "DELETE FROM log_tree WHERE idx >= 11")
    assert check(file).first_bad == 11
    by_hand(file, "DELETE FROM log_checkpoints WHERE size = 13")
    assert check(file).first_bad == 10
    by_hand(file, "DELETE FROM log_tree WHERE idx >= 10")
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 10, 10)
    assert "neither" in report.reason
    left = "record_id NOT IN (SELECT record_id FROM log_tree)"
    by_hand(file, "DELETE FROM log_records WHERE id NOT IN (SELECT record_id FROM log_tree)")
    report = check(file)
    assert (report.status, report.first_bad) == ("bad", 10)
    assert "value" in report.reason
    by_hand(file, f"DELETE FROM log_values WHERE {left}")
    report = check(file)
    assert (report.status, report.first_bad) == ("bad", 10), "the cosignature of 13 is left"
    by_hand(file, "DELETE FROM log_cosignatures WHERE size = 13")
    assert check(file).status == "anchored", "now only the witness itself knows better"


@pytest.mark.parametrize(
    ("one", "first"),
    [
        (7, 7),  # an attempt before its exchange was opened
        (8, 5),  # an outcome before the attempt, which nothing but the signed root denies
    ],
)
def test_two_leaves_swapped(file: Path, one: int, first: int) -> None:
    by_hand(
        file,
        f"UPDATE log_tree SET idx = -1 WHERE idx = {one}",
        f"UPDATE log_tree SET idx = {one} WHERE idx = {one + 1}",
        f"UPDATE log_tree SET idx = {one + 1} WHERE idx = -1",
    )
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", first, 5)


def test_two_values_of_a_record_swapped(file: Path) -> None:
    of_it = "record_id = (SELECT record_id FROM log_tree WHERE idx = 6)"
    by_hand(
        file,
        f"UPDATE log_values SET name = 'x' WHERE name = 'subject' AND {of_it}",
        f"UPDATE log_values SET name = 'subject' WHERE name = 'official' AND {of_it}",
        f"UPDATE log_values SET name = 'official' WHERE name = 'x' AND {of_it}",
    )
    assert check(file).first_bad == 6


def test_the_border_of_salt_and_value_shifted(file: Path) -> None:
    of_it = "name = 'official' AND record_id = (SELECT record_id FROM log_tree WHERE idx = 6)"
    by_hand(
        file,
        "UPDATE log_values SET salt = CAST(salt || substr(value, 1, 1) AS BLOB), value = substr(value, 2)"
        f" WHERE {of_it}",
    )
    assert check(file).first_bad == 6


def test_a_record_rewritten_with_its_hash(file: Path) -> None:
    """Leaf, column and leaf hash all fit each other; the signed root does not."""
    from audit.merkle import leaf_hash

    connection = sqlite3.connect(file)
    id_, text = connection.execute(
        "SELECT r.id, r.leaf FROM log_records r JOIN log_tree t ON t.record_id = r.id WHERE t.idx = 9"
    ).fetchone()
    changed = text.replace('"outcome":"ok"', '"outcome":"no"')
    assert changed != text
    connection.execute("UPDATE log_records SET leaf = ?, outcome = 'no' WHERE id = ?", (changed, id_))
    connection.execute("UPDATE log_tree SET leaf_hash = ? WHERE idx = 9", (leaf_hash(changed.encode()),))
    connection.commit()
    connection.close()
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 5, 5)


def test_an_inserted_leaf(file: Path) -> None:
    by_hand(
        file,
        "INSERT INTO log_records SELECT 'other', exchange_id, kind, instant, system, operation, institution,"
        " outcome, leaf FROM log_records WHERE id = (SELECT record_id FROM log_tree WHERE idx = 3)",
        "INSERT INTO log_tree SELECT 13, 'other', leaf_hash, 13 FROM log_tree WHERE idx = 3",
    )
    assert check(file).first_bad == 13


@pytest.mark.parametrize("index", [-1, 13, 14])
def test_a_leaf_that_names_a_record_again(file: Path, index: int) -> None:
    by_hand(
        file,
        "CREATE TABLE copy AS SELECT * FROM log_tree",
        "DROP TABLE log_tree",
        "CREATE TABLE log_tree (idx INTEGER PRIMARY KEY, record_id TEXT, leaf_hash BLOB, checkpoint INTEGER)",
        "INSERT INTO log_tree SELECT * FROM copy",
        f"INSERT INTO log_tree SELECT {index}, record_id, leaf_hash, 13 FROM copy WHERE idx = 12",
    )
    assert check(file).first_bad == max(index, 0) if index < 14 else 13


def test_a_record_on_the_side(file: Path) -> None:
    by_hand(
        file,
        "INSERT INTO log_records SELECT 'other', exchange_id, kind, instant, system, operation, institution,"
        " outcome, leaf FROM log_records WHERE kind = 'opened' LIMIT 1",
    )
    assert check(file).first_bad == SIZE


def test_a_value_on_the_side(file: Path) -> None:
    by_hand(file, "INSERT INTO log_values VALUES ('nobody', 'case', zeroblob(16), '\"x\"')")
    assert check(file).first_bad == SIZE
    by_hand(
        file,
        "UPDATE log_values SET record_id = (SELECT record_id FROM log_tree WHERE idx = 2) WHERE record_id = 'nobody'",
    )
    assert check(file).first_bad == 2


def test_a_value_copied_whole(file: Path) -> None:
    by_hand(
        file,
        "CREATE TABLE copy AS SELECT * FROM log_values",
        "DROP TABLE log_values",
        "CREATE TABLE log_values AS SELECT * FROM copy",
        "INSERT INTO log_values SELECT * FROM copy WHERE rowid = 3",
    )
    assert check(file).status == "bad"


@pytest.mark.parametrize("size", [-3, 0, 1, 7, 14, 99])
def test_a_checkpoint_on_the_side(file: Path, size: int) -> None:
    by_hand(file, f"INSERT INTO log_checkpoints SELECT {size}, note FROM log_checkpoints WHERE size = 10")
    assert check(file).status == "bad"


def test_the_newest_checkpoint_of_another_key(file: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from audit.checkpoint import parse

    connection = sqlite3.connect(file)
    (note,) = connection.execute("SELECT note FROM log_checkpoints WHERE size = 13").fetchone()
    forged = parse(note).signed(Ed25519PrivateKey.generate()).note()
    connection.execute("UPDATE log_checkpoints SET note = ? WHERE size = 13", (forged,))
    connection.commit()
    connection.close()
    assert check(file).first_bad == 10


@pytest.mark.parametrize("table", TABLES[:-1])  # nothing is stamped in this log
def test_a_table_emptied_or_dropped(file: Path, table: str) -> None:
    by_hand(file, f"DELETE FROM {table}")
    # Without cosignatures nobody vouches for the log; that is never called anchored.
    assert check(file).status == ("unanchored" if table == "log_cosignatures" else "bad")
    by_hand(file, f"DROP TABLE {table}")
    assert check(file).status == "bad"


def test_everything_deleted(file: Path) -> None:
    by_hand(file, *(f"DELETE FROM {table}" for table in TABLES))
    report = check(file)
    assert (report.status, report.size, report.first_bad) == ("bad", 0, 0)
    assert report.reason == "the log has no origin record"


CHANGES_WHILE_WAITING: dict[str, Callable[[str], str]] = {
    "column": lambda id_: f"UPDATE log_records SET kind = 'admin' WHERE id = '{id_}'",
    "leaf": lambda id_: f"UPDATE log_records SET leaf = leaf || ' ' WHERE id = '{id_}'",
    "value": lambda id_: f"UPDATE log_values SET value = '1' WHERE record_id = '{id_}'",
    "value gone": lambda id_: f"DELETE FROM log_values WHERE record_id = '{id_}'",
    "record gone": lambda id_: f"DELETE FROM log_records WHERE id = '{id_}'",
    "not queued": lambda id_: f"DELETE FROM sequencer_queue WHERE record_id = '{id_}'",
}


@pytest.mark.parametrize("change", CHANGES_WHILE_WAITING)
def test_a_change_while_a_record_waits(file: Path, change: str) -> None:
    engine = open_engine(f"sqlite:///{file}")
    ids = open_log(engine).write(*exchange())
    engine.dispose()
    report = check(file)
    assert (report.status, report.pending) == ("anchored", 3)
    assert (report.exposure.size, report.exposure.records) == (SIZE, 3)
    by_hand(file, CHANGES_WHILE_WAITING[change](str(ids[2])))
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", SIZE, SIZE)


def test_a_cosignature_of_a_witness_that_the_log_does_not_know(file: Path) -> None:
    """As somebody adds it who has the database and a key of his own."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from audit.checkpoint import parse
    from audit.notes import cosign

    connection = sqlite3.connect(file)
    (note,) = connection.execute("SELECT note FROM log_checkpoints WHERE size = 10").fetchone()
    line = cosign(parse(note).body().decode(), "other.example", Ed25519PrivateKey.generate(), 1_700_000_000)
    connection.execute(
        "INSERT INTO log_cosignatures VALUES (10, 'other.example', ?, ?)", (line.key.hex(), line.line())
    )
    connection.commit()
    connection.close()
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 5, 5)
    assert "does not know" in report.reason


def test_a_cosignature_of_another_checkpoint(file: Path) -> None:
    by_hand(
        file,
        "UPDATE log_cosignatures SET line = (SELECT line FROM log_cosignatures WHERE size = 5) WHERE size = 10",
    )
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 5, 5)
    assert "does not hold" in report.reason


def test_a_record_back_dated(file: Path) -> None:
    """The instant changed in leaf and column alike, with the leaf's new hash: the signed root is another."""
    from audit.merkle import leaf_hash

    connection = sqlite3.connect(file)
    id_, text, instant = connection.execute(
        "SELECT r.id, r.leaf, r.instant FROM log_records r JOIN log_tree t ON t.record_id = r.id WHERE t.idx = 7"
    ).fetchone()
    earlier = f"{int(instant[:4]) - 1}{instant[4:]}"
    connection.execute("UPDATE log_records SET instant = ? WHERE id = ?", (earlier, id_))
    connection.commit()
    assert check(file).first_bad == 7, "only the column"
    changed = text.replace(instant, earlier)
    connection.execute("UPDATE log_records SET leaf = ? WHERE id = ?", (changed, id_))
    connection.commit()
    assert check(file).first_bad == 7, "the leaf too"
    connection.execute("UPDATE log_tree SET leaf_hash = ? WHERE idx = 7", (leaf_hash(changed.encode()),))
    connection.commit()
    connection.close()
    report = check(file)
    assert (report.status, report.first_bad, report.last_good_checkpoint) == ("bad", 5, 5), "and its hash"


# The same to the eye, or to a careless reader, and not the same bytes: each in a value, and in the leaf's own text.
FORMS = {
    "null against empty": ("null", '""'),
    "composed against decomposed": ('"\u0101"', '"a\u0304"'),
    "a letter against its escape": ('"\u0101"', '"\\u0101"'),
    "a compatible letter": ('"MT-1042"', '"\uff2dT-1042"'),
    "with a space that is not seen": ('"MT-1042"', '"MT-1042\u200b"'),
    "a number against its text": ("1042", '"1042"'),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_same_value_are_told_apart(file: Path, form: str) -> None:
    """A value under its own salt, with the commitment of the one spelling in its leaf, written in the other."""
    from audit import Entry, Kind
    from exchange import new_id, utc_now
    from tests.audit.logs import sequence

    true, other = FORMS[form]
    engine = open_engine(f"sqlite:///{file}")
    entry = Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "x"}, {"case": json.loads(true)})
    (id_,) = open_log(engine).write(entry)
    sequence(engine)
    engine.dispose()
    assert check(file).status == "anchored"
    connection = sqlite3.connect(file)
    assert connection.execute(
        "UPDATE log_values SET value = ? WHERE record_id = ?", (other, str(id_))
    ).rowcount
    connection.commit()
    connection.close()
    assert check(file).first_bad == SIZE


def test_a_field_moved_across_its_border(file: Path) -> None:
    """System and operation hold the same letters together, divided elsewhere: columns and leaf alike."""
    by_hand(
        file,
        "UPDATE log_records SET system = 'pml', operation = 'pGetPerson' WHERE system = 'pmlp' AND kind = 'attempt'",
    )
    assert check(file).first_bad == 2
    by_hand(
        file,
        "UPDATE log_records SET leaf = replace(replace(leaf, '\"pmlp\"', '\"pml\"'), '\"GetPerson\"',"
        " '\"pGetPerson\"') WHERE kind = 'attempt'",
    )
    assert check(file).first_bad == 2


@pytest.mark.parametrize("index", [4, 8])
def test_a_leaf_that_stands_there_twice(file: Path, index: int) -> None:
    """Inserted right behind itself, with all later ones moved on and the newest checkpoint left as it was."""
    by_hand(
        file,
        "CREATE TABLE copy AS SELECT * FROM log_tree",
        "DROP TABLE log_tree",
        "CREATE TABLE log_tree (idx INTEGER PRIMARY KEY, record_id TEXT, leaf_hash BLOB, checkpoint INTEGER)",
        f"INSERT INTO log_tree SELECT idx + (idx > {index}), record_id, leaf_hash, checkpoint FROM copy",
        f"INSERT INTO log_tree SELECT idx + 1, record_id, leaf_hash, checkpoint FROM copy WHERE idx = {index}",
    )
    report = check(file)
    assert report.status == "bad"
    # An `opened` twice is seen at once, any other where the next signed root is reached.
    last = max((size for size in CHECKPOINTS if size <= index), default=0)
    assert report.first_bad in (index + 1, last)
