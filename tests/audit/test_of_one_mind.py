"""Logs that somebody wrote who has the log's key: `audit verify` and the verifier of an export say the same of each.

What only an export can get wrong is changed in the export, and its manifest signed anew. Source: docs/exchange-log.md.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text

from audit import Entry, Kind, export_leaves, origin, retention
from audit.checkpoint import Checkpoint, parse
from audit.export import Wanted
from audit.leaf import canonical, commitment
from audit.merkle import Frontier, leaf_hash
from audit.tables import log_checkpoints, log_records, log_tree, log_values, sequencer_queue, tree_nodes
from errors import InvalidRequest, LogDamaged
from exchange import Json, instant_text, new_id, utc_now
from tests.audit.exports import exported, judged
from tests.audit.logs import KEY, exchange, fill, open_log, sequence, unguard, verified
from tests.audit.test_export import resigned
from tests.audit.test_verify import erase, erased, put_on_record, years_ago

SIZE = 13  # of a log that `fill` made
SALT = bytes(16)
# What is the same on any database is tried on one.
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def made(kind: str = "admin", **facts: Json) -> dict[str, Json]:
    """The members of a leaf that holds, but for what is given."""
    return {
        "v": 1,
        "id": str(new_id()),
        "exchange": str(new_id()),
        "kind": kind,
        "instant": instant_text(utc_now()),
        "commitments": {},
        "retention": "administration",
        **facts,
    }


def append(engine: Engine, leaf: dict[str, Json] | str, *values: tuple[str, str]) -> None:
    """One more leaf under a checkpoint of its own, whatever it says; with name and text of its values."""
    written = leaf if isinstance(leaf, str) else canonical(leaf)
    members = json.loads(written)
    with engine.begin() as connection:
        frontier, line = so_far(connection)
        if members.get("kind") == "origin":
            line = f"spolis-gateway/{members['environment']}/{members['log']}"
        hashed = leaf_hash(written.encode())
        frontier.append(hashed)
        columns = {name: members.get(name) for name in ("system", "operation", "institution", "outcome")}
        columns |= {"exchange_id": members["exchange"], "kind": members.get("kind", "")}
        columns |= {"id": members["id"], "instant": members["instant"], "leaf": written}
        note = Checkpoint(line, frontier.size, frontier.root()).signed(KEY).note()
        connection.execute(insert(log_records).values(columns))
        connection.execute(insert(log_checkpoints).values(size=frontier.size, note=note))
        row = {"idx": frontier.size - 1, "record_id": members["id"], "leaf_hash": hashed}
        connection.execute(insert(log_tree).values(row | {"checkpoint": frontier.size}))
        for name, value in values:
            value_row = {"record_id": members["id"], "name": name, "salt": SALT, "value": value}
            connection.execute(insert(log_values).values(value_row))


def so_far(connection: Connection) -> tuple[Frontier, str]:
    frontier = Frontier()
    for hashed in connection.execute(select(log_tree.c.leaf_hash).order_by(log_tree.c.idx)).scalars():
        frontier.append(hashed)
    newest = select(log_checkpoints.c.note).order_by(log_checkpoints.c.size.desc()).limit(1)
    note = connection.execute(newest).scalar()
    return frontier, "" if note is None else parse(note).origin


def both(engine: Engine, folder: Path, start: int = 0) -> int | None:
    """The index at which both say that the log is bad; None where both say that it is not."""
    exported(engine, folder / "export", Wanted(start), witnessed=False)
    code, found = judged(folder / "export")
    report = verified(engine)
    assert found["first_bad"] == report.first_bad, (found["reason"], report.reason)
    assert (code == 1) == (report.status == "bad") == (report.first_bad is not None), found["reason"]
    return report.first_bad


LEAVES: dict[str, Callable[[dict[str, Json]], dict[str, Json] | str]] = {
    "names by code points": lambda leaf: canonical(leaf)[:-1] + ',"\ufb33":1,"\U0001f600":2}',
    "an integer of 2^53": lambda leaf: canonical(leaf).replace('"v":1', f'"s":{2**53},"v":1'),
    "a fraction": lambda leaf: canonical(leaf).replace('"v":1', '"s":1.5,"v":1'),
    "a member twice": lambda leaf: canonical(leaf).replace('"v":1', '"v":1,"v":1'),
    "a space": lambda leaf: canonical(leaf).replace('"v":1', '"v": 1'),
    "another version": lambda leaf: leaf | {"v": 2},
    "a version that is true": lambda leaf: leaf | {"v": True},
    "an id that is none": lambda leaf: leaf | {"id": "1"},
    "an exchange in upper case": lambda leaf: leaf | {"exchange": str(leaf["exchange"]).upper() + "A"},
    "an exchange in braces": lambda leaf: leaf | {"exchange": f"{{{leaf['exchange']}}}"},
    "no such day": lambda leaf: leaf | {"instant": "2026-02-31T08:00:00.000000Z"},
    "hour 24": lambda leaf: leaf | {"instant": "2026-01-31T24:00:00.000000Z"},
    "three digits": lambda leaf: leaf | {"instant": "2026-01-31T08:00:00.000Z"},
    "another zone": lambda leaf: leaf | {"instant": "2026-01-31T08:00:00.000000+00:00"},
    "no kind": lambda leaf: {name: leaf[name] for name in leaf if name != "kind"},
    "a class that is a number": lambda leaf: leaf | {"retention": 5},
    "commitments that are a list": lambda leaf: leaf | {"commitments": []},
    "an erasure without names": lambda leaf: leaf | without("names"),
    "an erasure without a class": lambda leaf: leaf | without("class"),
    "an erasure of a number": lambda leaf: leaf | {"kind": "erasure", **erased(names=[1])},
    "an erasure with a text for names": lambda leaf: leaf | {"kind": "erasure", **erased(names="subject")},
    "an erasure of no day": lambda leaf: leaf | {"kind": "erasure", **erased(before="2015-02-31")},
    "an erasure in the future": lambda leaf: (
        leaf | {"kind": "erasure", "instant": instant_text(utc_now() + timedelta(days=1)), **erased()}
    ),
    "an erasure that is early": lambda leaf: (
        leaf | {"kind": "erasure", **erased(before=instant_text(years_ago(4)))}
    ),
    "an erasure of what is to come": lambda leaf: (
        leaf | {"kind": "erasure", **erased(before="9999-12-31T00:00:00.000000Z")}
    ),
    "an erasure of no class": lambda leaf: leaf | {"kind": "erasure", **erased(**{"class": "nothing"})},
    "an erasure of what is kept": lambda leaf: leaf | {"kind": "erasure", **erased(**{"class": "permanent"})},
    "an attempt never opened": lambda leaf: leaf | {"kind": "attempt"},
    "an outcome never opened": lambda leaf: leaf | {"kind": "outcome"},
}


@pytest.mark.parametrize(
    ("commitment_", "good"), [("a" * 64, True), ("A" * 64, False), ("aa", False), (" " + "a" * 64, False)]
)
def test_the_form_of_a_commitment(engine: Engine, tmp_path: Path, commitment_: str, good: bool) -> None:
    """Its value was erased, so that nothing but the form speaks against it."""
    fill(engine)
    append(engine, made(instant=instant_text(years_ago(8)), commitments={"case": commitment_}))
    facts: dict[str, Json] = {
        "class": "administration",
        "before": instant_text(years_ago(7)),
        "names": ["case"],
    }
    append(engine, made("erasure", **erased(**facts)))
    assert both(engine, tmp_path) == (None if good else SIZE)


def without(name: str) -> dict[str, Json]:
    return {"kind": "erasure", **{key: value for key, value in erased().items() if key != name}}


@pytest.mark.parametrize("change", LEAVES)
def test_a_leaf_that_must_not_be(engine: Engine, tmp_path: Path, change: str) -> None:
    fill(engine)
    append(engine, LEAVES[change](made()))
    assert both(engine, tmp_path) == SIZE


def test_a_leaf_that_may_be(engine: Engine, tmp_path: Path) -> None:
    """Of any kind, with any members; names in the order of their UTF-16 code units."""
    fill(engine)
    facts: dict[str, Json] = {"\ufb33": 2**53 - 1, "\U0001f600": [{"ā": None}]}
    append(engine, made("whatever", **facts))
    assert both(engine, tmp_path) is None


def test_opened_twice(engine: Engine, tmp_path: Path) -> None:
    """Also after its outcome, far behind."""
    entries = exchange()
    open_log(engine).write(*entries)
    sequence(engine)
    fill(engine)
    append(engine, made("opened", exchange=str(entries[0].exchange_id)))
    assert both(engine, tmp_path) == SIZE + 3


@pytest.mark.parametrize(
    ("instant", "allowed"), [("2021-02-28T23:59:59.999999Z", False), ("2021-03-01T00:00:00.000000Z", True)]
)
def test_months_are_added_to_year_and_month(
    engine: Engine, tmp_path: Path, instant: str, allowed: bool
) -> None:
    fill(engine)
    facts = erased(**{"class": "refusal", "before": "2019-08-31T21:00:00.000000Z"})
    append(engine, made("erasure", instant=instant, **facts))
    assert both(engine, tmp_path) == (None if allowed else SIZE)


@pytest.mark.parametrize(
    ("value", "canonical_"),
    [
        ('{"b":1,"a":2}', False),
        ('{"a":1,"a":1}', False),
        ("1.5", False),
        (str(2**53), False),
        (' "x"', False),
        ('"\\u0101"', False),
        ("x", False),
        ("", False),
        ('{"\ufb33":1,"\U0001f600":2}', False),
        ('{"\U0001f600":2,"\ufb33":1}', True),
        ('[1,"ā",null,{"a":true},"\\n"]', True),
    ],
)
def test_the_text_of_a_value(engine: Engine, tmp_path: Path, value: str, canonical_: bool) -> None:
    fill(engine)
    append(engine, made(commitments={"case": commitment(SALT, value)}), ("case", value))
    assert both(engine, tmp_path) == (None if canonical_ else SIZE)
    exported(engine, tmp_path / "values", Wanted(values=True), witnessed=False)
    assert judged(tmp_path / "values")[1]["first_bad"] == (None if canonical_ else SIZE)


def test_the_text_of_a_value_where_the_exporter_hides_it(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    append(engine, made(commitments={"case": commitment(SALT, "1.5")}), ("case", "1.5"))
    exported(engine, tmp_path / "export", Wanted(values=True), witnessed=False)
    change(tmp_path / "export", "tree.jsonl", SIZE, lambda row: row.pop("broken"))
    assert judged(tmp_path / "export")[1]["first_bad"] == SIZE


@pytest.mark.parametrize("lie", ["none", "a further member", "a name again", "another environment", "null"])
def test_a_log_that_begins_again(engine: Engine, tmp_path: Path, lie: str) -> None:
    fill(engine)
    with engine.begin() as connection:
        frontier, line = so_far(connection)
    past: dict[str, Json] = {"log": line, "size": SIZE, "root": base64.b64encode(frontier.root()).decode()}
    name = line.rpartition("/")[2] if lie == "a name again" else str(new_id())
    facts: dict[str, Json] = {
        "log": name,
        "exchange": name,
        "environment": "production" if lie == "another environment" else "test",
        "public_key": origin.key_text(KEY.public_key()),
        "continues": None if lie == "null" else past | ({"more": 1} if lie == "a further member" else {}),
    }
    append(engine, made("origin", **facts))
    assert both(engine, tmp_path) == (None if lie == "none" else SIZE)


@ON_SQLITE
@pytest.mark.parametrize("more", [{}, {"continues": None}, {"continues": {"log": "", "size": 0, "root": ""}}])
def test_the_first_leaf_continues_nothing(engine: Engine, tmp_path: Path, more: dict[str, Json]) -> None:
    name = str(new_id())
    facts: dict[str, Json] = {"log": name, "exchange": name, "environment": "test", "retention": "permanent"}
    append(engine, made("origin", **facts, public_key=origin.key_text(KEY.public_key()), **more))
    assert both(engine, tmp_path) == (0 if more else None)


def test_a_pending_outcome_counts(engine: Engine, tmp_path: Path) -> None:
    """A refusal of three years ago is erased; one more outcome, which waits for its place, says that it was none."""
    entries = exchange(instant=years_ago(3), outcome="denied")
    refused = Entry(Kind.OUTCOME, entries[0].exchange_id, years_ago(3), {"outcome": "denied"})
    open_log(engine).write(*entries[:2], refused)
    sequence(engine)
    put_on_record(engine, **erased(**{"class": "refusal", "before": instant_text(years_ago(2))}))
    erase(engine, 2, "subject")
    (tmp_path / "before").mkdir()
    assert both(engine, tmp_path / "before") is None
    open_log(engine).write(entries[2])
    assert both(engine, tmp_path) == 2


def test_a_pending_outcome_whose_class_is_over(engine: Engine, tmp_path: Path) -> None:
    entries = exchange(instant=years_ago(8))
    refused = Entry(Kind.OUTCOME, entries[0].exchange_id, years_ago(8), {"outcome": "denied"})
    open_log(engine).write(*entries[:2], refused)
    sequence(engine)
    put_on_record(engine, **erased())
    erase(engine, 2, "subject")
    open_log(engine).write(entries[2])
    assert both(engine, tmp_path) is None


def test_a_numbered_name_is_covered(engine: Engine, tmp_path: Path) -> None:
    entry = Entry(Kind.ADMIN, new_id(), years_ago(8), {}, {"subject": ["32010112345", "32010112346"]})
    open_log(engine).write(entry)
    sequence(engine)
    facts: dict[str, Json] = {"class": "administration", "before": instant_text(years_ago(7))}
    put_on_record(engine, **erased(**facts))
    erase(engine, 1, "subject", "subject_index.0", "subject_index.1")
    assert both(engine, tmp_path) is None


def test_the_longest_class_is_the_one_for_good(engine: Engine, tmp_path: Path) -> None:
    entries = exchange(instant=years_ago(8))
    open_log(engine).write(*entries)
    sequence(engine)
    append(engine, made("outcome", exchange=str(entries[0].exchange_id), retention="permanent"))
    put_on_record(engine, **erased())
    erase(engine, 2, "subject")
    assert both(engine, tmp_path) == 2
    change(tmp_path / "export", "tree.jsonl", 2, lambda row: row.update({"class": "exchange"}))
    assert judged(tmp_path / "export")[1]["first_bad"] == 2, "whatever the exporter says"
    of = retention.of_exchange
    assert of([{"retention": "refusal"}, {"retention": "permanent"}]) == "permanent"
    assert of([{"retention": "refusal"}, {"retention": "nobody knows"}]) == "nobody knows"
    assert of([{"retention": "refusal"}, {"retention": "reference"}]) == "reference", "the first by name"
    assert of([]) == ""


def test_leaves_that_name_no_class() -> None:
    """The rules for them stand in the verifier of exports too."""
    words = product(
        [*Kind], [None, "ok", "denied", "invalid"], [None, "ping", "addresses", "pmlp"], [None, "core"]
    )
    for kind, outcome, system, caller in words:
        leaf: dict[str, Any] = {"kind": kind.value, "outcome": outcome, "system": system, "caller": caller}
        if kind not in (Kind.OPENED, Kind.ATTEMPT):
            assert export_leaves.class_of(leaf) == retention.of(kind, leaf), leaf


def test_an_exchange_without_an_outcome_has_no_class(engine: Engine, tmp_path: Path) -> None:
    open_log(engine).write(*exchange(instant=years_ago(8))[:2])
    sequence(engine)
    put_on_record(engine, **erased())
    erase(engine, 2, "subject")
    assert both(engine, tmp_path) == 2


def test_an_erasure_of_a_numbered_name_excuses_nothing(engine: Engine, tmp_path: Path) -> None:
    open_log(engine).write(*exchange(instant=years_ago(8)))
    sequence(engine)
    put_on_record(engine, **erased(names=["subject_index.0", "subject"]))
    erase(engine, 2, "subject_index")
    assert both(engine, tmp_path) == 2


def test_a_row_of_the_queue_for_a_record_that_has_its_place(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    with engine.begin() as connection:
        placed = select(log_tree.c.record_id).where(log_tree.c.idx == 3).scalar_subquery()
        connection.execute(insert(sequencer_queue).values(record_id=placed))
    assert both(engine, tmp_path) == SIZE


def test_rows_of_tree_nodes_that_are_of_no_subtree(engine: Engine) -> None:
    fill(engine)
    for height, number in ((5, 0), (8, -1), (8, 0)):
        with engine.begin() as connection:
            connection.execute(delete(tree_nodes))
            connection.execute(insert(tree_nodes).values(height=height, number=number, hash=bytes(32)))
        report = verified(engine)
        assert report.status == "unanchored", "it is no evidence"
        assert f"row {height}, {number} of tree_nodes is wrong" in report.reason


@ON_SQLITE  # PostgreSQL keeps the types of its columns
def test_a_row_that_cannot_be_read_is_named(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    unguard(engine)
    with engine.begin() as connection:
        of_it = "record_id = (SELECT record_id FROM log_tree WHERE idx = 5)"
        connection.execute(text(f"UPDATE log_values SET salt = CAST(x'ff' AS TEXT) WHERE {of_it}"))  # noqa: S608
    assert verified(engine).first_bad == 5
    with pytest.raises(LogDamaged, match="index 5"):
        exported(engine, tmp_path / "export", Wanted())


def test_a_value_with_a_fraction_is_not_written(engine: Engine) -> None:
    with pytest.raises(InvalidRequest):
        open_log(engine).write(Entry(Kind.ADMIN, new_id(), utc_now(), {}, {"selection": {"a": [1.5]}}))


# What only an export can get wrong: the same of any database.


@pytest.fixture
def export(engine: Engine, tmp_path: Path) -> Path:
    """Of a log in which the subject at 2 was erased, with the law."""
    open_log(engine).write(*exchange(instant=years_ago(8)))
    sequence(engine)
    put_on_record(engine, **erased())
    put_on_record(engine, **erased(**{"class": "refusal"}))
    erase(engine, 2, "subject")
    exported(engine, tmp_path / "export", Wanted())
    assert judged(tmp_path / "export")[0] == 3
    return tmp_path / "export"


def change(folder: Path, file: str, number: int, how: Callable[[dict[str, Any]], object]) -> None:
    """Change one line as somebody can who has the log's key."""
    lines = (folder / file).read_bytes().splitlines()
    row = json.loads(lines[number])
    how(row)
    lines[number] = canonical(row).encode()
    (folder / file).write_bytes(b"".join(line + b"\n" for line in lines))
    resigned(folder, KEY)


PLACES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another class": lambda row: row.update({"class": "refusal"}),
    "nothing missing, said": lambda row: row.update(missing=[]) or row.pop("class"),
    "nothing missing": lambda row: row.update(missing=[]),
    "the class alone": lambda row: row.pop("missing"),
    "no class": lambda row: row.pop("class"),
    "a name that was never committed": lambda row: row.update(missing=["case", "subject"]),
    "a name twice": lambda row: row.update(missing=["subject", "subject"]),
    "an index that is true": lambda row: row.update(index="2"),
}


@ON_SQLITE
@pytest.mark.parametrize("how", PLACES)
def test_a_line_of_the_tree(export: Path, how: str) -> None:
    change(export, "tree.jsonl", 2, PLACES[how])
    assert judged(export)[1]["first_bad"] == 2


def test_a_longer_class_that_no_outcome_names(engine: Engine, tmp_path: Path) -> None:
    """Not even where what is erased would be free under it."""
    open_log(engine).write(*exchange(instant=years_ago(8)))
    sequence(engine)
    facts: dict[str, Json] = {"class": "administration", "before": instant_text(years_ago(7))}
    put_on_record(engine, **erased(**facts))
    erase(engine, 2, "subject")
    assert both(engine, tmp_path) == 2
    change(tmp_path / "export", "tree.jsonl", 2, lambda row: row.update({"class": "administration"}))
    assert judged(tmp_path / "export")[1]["first_bad"] == 2


@ON_SQLITE
def test_a_class_where_nothing_is_missing(export: Path) -> None:
    change(export, "tree.jsonl", 1, lambda row: row.update({"class": "exchange"}))
    assert judged(export)[1]["first_bad"] == 1


def test_a_class_is_believed_where_its_outcome_is_not_in_the_export(engine: Engine, tmp_path: Path) -> None:
    entries = exchange(instant=years_ago(8))
    open_log(engine).write(entries[0], entries[2])
    sequence(engine)
    open_log(engine).write(entries[1])
    sequence(engine)
    put_on_record(engine, **erased())
    erase(engine, 3, "subject")
    assert both(engine, tmp_path, start=3) is None
    change(tmp_path / "export", "tree.jsonl", 0, lambda row: row.update({"class": "administration"}))
    assert judged(tmp_path / "export")[1]["first_bad"] == 3, "no erasure is of that class"


@ON_SQLITE
def test_an_erasure_twice_in_the_file(export: Path) -> None:
    file = export / "erasures.jsonl"
    file.write_bytes(file.read_bytes() + file.read_bytes().splitlines(keepends=True)[-1])
    resigned(export, KEY)
    assert judged(export)[1]["first_bad"] == 6


MANIFEST: dict[str, Callable[[dict[str, Any]], object]] = {
    "form": lambda told: told.update(form="x"),
    "environment": lambda told: told.update(environment="production"),
    "root": lambda told: told.update(root=base64.b64encode(bytes(32)).decode()),
    "origin": lambda told: told.update(origin="x"),
    "frontier": lambda told: told.update(frontier=[base64.b64encode(bytes(32)).decode()]),
    "pending": lambda told: told.update(pending=-1),
    "pending true": lambda told: told.update(pending=True),
    "made_at": lambda told: told.update(made_at="today"),
    "strays": lambda told: told["strays"].pop("values"),
    "a member more": lambda told: told.update(more=1),
    "a member less": lambda told: told.pop("made_at"),
}


@ON_SQLITE
@pytest.mark.parametrize("member", MANIFEST)
def test_a_member_of_the_manifest(export: Path, member: str) -> None:
    manifest = json.loads((export / "manifest.json").read_bytes())
    MANIFEST[member](manifest)
    (export / "manifest.json").write_text(json.dumps(manifest))
    resigned(export, KEY)
    code, found = judged(export)
    assert (code, found["first_bad"]) == (1, None), found["reason"]


@ON_SQLITE
def test_the_key_of_the_witness(export: Path) -> None:
    file = export / "keys" / "witness.vkey"
    name, key_id, key = file.read_text().strip().split("+", 2)
    file.write_text(f"{name}+{'0' * len(key_id)}+{key}\n")
    resigned(export, KEY)
    assert judged(export)[1]["status"] == "bad"


NOTES: dict[str, Callable[[str], str]] = {
    "the log's signature twice": lambda note: note + note.splitlines(keepends=True)[-1],
    "a line that is none": lambda note: note + "garbage\n",
    "another dash": lambda note: note + "- other.example/w AAAAAAAA\n",
    "no base64": lambda note: note + "— other.example/w !!\n",
    "a line more": lambda note: note.replace("\n\n", "\nmore\n\n"),
}


@ON_SQLITE
@pytest.mark.parametrize("how", NOTES)
def test_a_note_of_another_form(export: Path, how: str) -> None:
    change(export, "checkpoints.jsonl", 0, lambda row: row.update(note=NOTES[how](row["note"])))
    assert judged(export)[1]["first_bad"] == 0


@ON_SQLITE
def test_a_signature_of_somebody_else_is_passed_over(export: Path) -> None:
    change(
        export,
        "checkpoints.jsonl",
        0,
        lambda row: row.update(note=f"{row['note']}— other.example/w AAAAAAAA\n"),
    )
    assert judged(export)[0] == 3
