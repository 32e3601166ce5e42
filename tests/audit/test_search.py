"""Searching: by what is public, by official, by person."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from audit import Entry, Kind
from audit.catalogue import catch_up, differing
from audit.merkle import leaf_hash
from audit.search import Filters, page, search, show, subject
from errors import InvalidPersonCode, InvalidRequest, NotFound
from exchange import Json, new_id, utc_now
from tests.audit.logs import SUBJECT_KEY, exchange, open_log, opened, sequence


def test_by_what_is_public(engine: Engine) -> None:
    log = open_log(engine)
    log.write(*exchange(outcome="ok"), *exchange(outcome="denied"))
    log.write(Entry(Kind.OUTCOME, new_id(), utc_now(), {"system": "sais", "outcome": "ok"}))
    assert [found.leaf["outcome"] for found in search(engine, system="pmlp", outcome="denied")] == ["denied"]
    assert len(search(engine, system="pmlp", operation="GetPerson", institution="90000022632")) == 4
    assert [found.leaf["system"] for found in search(engine, limit=1)] == ["sais"]
    assert search(engine, system="PMLP") == []


def test_waiting_records_are_found_without_index(engine: Engine) -> None:
    log = open_log(engine)
    log.write(opened())
    sequence(engine)
    log.write(opened())
    assert {found.index for found in search(engine)} == {None, 0, 1}


def test_pages_hold_every_record_once_waiting_ones_too(engine: Engine) -> None:
    log = open_log(engine)
    log.write(*exchange(), *exchange())
    sequence(engine)
    log.write(*exchange())
    seen: list[Json] = []
    after = ""
    for _ in range(6):
        found = search(engine, limit=2, after=after)
        if not found:
            break
        seen += [one.leaf["id"] for one in found]
        after = found[-1].cursor
    assert len(seen) == len(set(seen)) == 10  # with the origin
    assert seen == [one.leaf["id"] for one in search(engine)]
    assert differing(engine) == []
    for wrong in ("yesterday", "/7", "2026-01-31/seven"):
        with pytest.raises(InvalidRequest):
            search(engine, after=wrong)


def test_whoever_searches_brings_the_catalogue_up_to_date(engine: Engine) -> None:
    open_log(engine).write(*exchange())
    sequence(engine)
    assert len(search(engine, rule="p8", kind="outcome")) == 0
    assert len(search(engine, kind="outcome")) == 1
    assert catch_up(engine) == 0


def test_by_every_other_fact(engine: Engine) -> None:
    facts = {"rule": "p8.13", "caller": "core", "recipient": "vsaa", "purpose": "care", "act": "audit show"}
    entry = Entry(Kind.ADMIN, new_id(), utc_now(), dict(facts))
    log = open_log(engine)
    log.write(*exchange(), entry)
    for place in ("in the queue", "in the tree"):
        for name, value in facts.items():
            found = page(engine, dataclasses.replace(Filters(kind="admin"), **{name: value}))  # type: ignore[arg-type] # — all are text
            assert [one.leaf["id"] for one in found] == [found[0].leaf["id"]], (place, name)
            assert page(engine, dataclasses.replace(Filters(), **{name: f"{value}?"})) == []  # type: ignore[arg-type] # — all are text
        assert len(search(engine, exchange=entry.exchange_id)) == 1
        sequence(engine)


def test_by_official(engine: Engine) -> None:
    log = open_log(engine)
    log.write(*exchange())
    log.write(
        Entry(Kind.OUTCOME, new_id(), utc_now(), {"outcome": "ok"}, {"official": "MT-7", "case": "MT-1042"})
    )
    assert len(search(engine, official="MT-1042")) == 2
    assert len(search(engine, official="MT-7")) == 1
    assert search(engine, official="MT-%") == []


def test_by_time(engine: Engine) -> None:
    now = utc_now()
    log = open_log(engine)
    log.write(*(dataclasses.replace(opened(), instant=now + timedelta(days=day)) for day in (10, 11, 12)))
    found = search(engine, since=now + timedelta(days=11), until=now + timedelta(days=12))
    assert len(found) == 1


def test_by_person(engine: Engine) -> None:
    log = open_log(engine)
    log.write(*exchange("320101-12345"))
    log.write(*exchange("32010112346"))
    several = ["32010112345", "32010112399"]
    log.write(Entry(Kind.OUTCOME, new_id(), utc_now(), {"outcome": "ok"}, {"subject": list(several)}))
    assert len(subject(engine, SUBJECT_KEY, ["32010112345"])) == 3
    assert len(subject(engine, SUBJECT_KEY, ["320101-12346"])) == 2
    assert len(subject(engine, SUBJECT_KEY, ["320101-12399"])) == 1
    assert subject(engine, bytes(32), ["32010112345"]) == []
    with pytest.raises(InvalidPersonCode):
        subject(engine, SUBJECT_KEY, ["320101"])


def test_show(engine: Engine) -> None:
    log = open_log(engine)
    log.write(*exchange("320101-12345"))
    sequence(engine)
    shown = show(engine, 3)
    assert shown.leaf["outcome"] == "ok"
    assert shown.values["subject"] == "320101-12345"
    assert shown.checkpoint.startswith("spolis-gateway/test/")
    (found,) = search(engine, outcome="ok")
    assert found.index == 3
    assert len(shown.leaf_hash) == len(leaf_hash(b""))
    with pytest.raises(NotFound):
        show(engine, 4)


def test_long_and_strange_values(engine: Engine) -> None:
    """PostgreSQL's ordered indexes refuse a value of more than 2,700 bytes, and its text a NUL."""
    strange = "ā" * 20_000 + "\0"
    log = open_log(engine)
    log.write(Entry(Kind.OUTCOME, new_id(), utc_now(), {"outcome": "ok"}, {"official": strange}))
    assert len(search(engine, official=strange)) == 1
