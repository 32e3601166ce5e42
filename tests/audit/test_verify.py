"""What `verify` says of good logs, of erased values, and of what is not damage but absence."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from unittest.mock import ANY

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, select, update

from audit import Entry, Kind, retention
from audit.tables import log_records, log_tree, log_values
from audit.verify import verify
from errors import ConfigurationError, LogUnavailable
from exchange import Json, instant_text, new_id, utc_now
from storage import open_engine
from tests.audit.logs import KEY, SUBJECT_KEY, exchange, fill, open_log, opened, sequence, unguard, verified
from tests.audit.test_merkle import by_definition


def erase(engine: Engine, index: int, *names: str) -> str:
    """Delete values of the record at an index, and say its id."""
    unguard(engine)
    with engine.begin() as connection:
        id_ = connection.execute(select(log_tree.c.record_id).where(log_tree.c.idx == index)).scalar_one()
        connection.execute(
            delete(log_values).where(log_values.c.record_id == id_, log_values.c.name.in_(names))
        )
    return str(id_)


def put_on_record(engine: Engine, **facts: Json) -> None:
    open_log(engine).write(Entry(Kind.ERASURE, new_id(), utc_now(), facts))
    sequence(engine)


def test_a_good_log(engine: Engine) -> None:
    fill(engine)
    open_log(engine).write(*exchange())
    with engine.begin() as connection:
        rows = connection.execute(
            select(log_records.c.leaf)
            .join(log_tree, log_tree.c.record_id == log_records.c.id)
            .order_by(log_tree.c.idx)
        ).scalars()
        root = by_definition([text.encode() for text in rows])
    report = verified(engine).json()
    assert report.pop("warnings") == ([] if engine.dialect.name == "sqlite" else [ANY])
    assert report == {
        "status": "unanchored",
        "size": 13,
        "root": base64.b64encode(root).decode(),
        "pending": 3,
        "first_bad": None,
        "last_good_checkpoint": 13,
        "reason": "no witness has cosigned a checkpoint",
        "anchored_size": None,
        "exposure": {"records": 16, "seconds": pytest.approx(0, abs=60)},
        "witness": None,
        "stamped": None,
        "erased": 0,
        "erasures": [],
    }
    assert verified(engine).exit_code == 3


def test_many_leaves_of_every_kind(engine: Engine) -> None:
    """More than one batch of each query, with exchanges that overlap, fail, are queued and are sent again later."""
    log = open_log(engine)
    running = [exchange() for _ in range(300)]
    for step in range(3):
        log.write(*(entries[step] for entries in running))
    for entries in running[::3]:
        again = Entry(Kind.ATTEMPT, entries[0].exchange_id, utc_now(), {"attempt": 2})
        log.write(again, Entry(Kind.OUTCOME, entries[0].exchange_id, utc_now(), {"outcome": "failed"}))
    log.write(
        *(
            Entry(Kind.REFUSALS, new_id(), utc_now(), {"refused": n, "peer": "192.0.2.0/24"})
            for n in range(1200)
        ),
        Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "caller add"}, {"official": "root"}),
    )
    sequence(engine, batch=500)
    told: list[tuple[int, int]] = []
    report = verify(engine, KEY.public_key(), SUBJECT_KEY, lambda done, total: told.append((done, total)))
    assert (report.status, report.size) == ("unanchored", 2302)
    assert told == [(0, 2302), (1000, 2302), (2000, 2302), (2302, 2302)]


@pytest.mark.parametrize(
    ("kinds", "first"),
    [
        ((Kind.ATTEMPT,), 1),
        ((Kind.OUTCOME,), 1),
        ((Kind.OPENED, Kind.OPENED), 2),
        ((Kind.OPENED, Kind.ORIGIN), 1),
    ],
)
def test_an_exchange_out_of_order(engine: Engine, kinds: tuple[Kind, ...], first: int) -> None:
    exchange_id = new_id()
    open_log(engine).write(*(Entry(kind, exchange_id, utc_now()) for kind in kinds))
    sequence(engine)
    assert verified(engine).first_bad == first


def test_without_the_subject_key(engine: Engine) -> None:
    fill(engine)
    assert verify(engine, KEY.public_key()).status == "unanchored"


def test_with_another_subject_key(engine: Engine) -> None:
    fill(engine)
    report = verify(engine, KEY.public_key(), bytes(32))
    assert (report.status, report.first_bad) == ("bad", 2)


def test_with_another_log_key(engine: Engine) -> None:
    fill(engine)
    report = verify(engine, Ed25519PrivateKey.generate().public_key())
    assert (report.status, report.first_bad) == ("bad", 0)


def test_before_the_first_checkpoint(engine: Engine) -> None:
    open_log(engine).write(opened())
    report = verified(engine)
    assert (report.status, report.size, report.pending) == ("unanchored", 0, 2)


def test_a_migrated_database_without_a_log(engine: Engine) -> None:
    report = verified(engine)
    assert (report.status, report.first_bad, report.reason) == ("bad", 0, "the log has no origin record")


def test_a_database_without_tables(empty_database: str) -> None:
    with pytest.raises(ConfigurationError):
        verified(open_engine(empty_database))


def test_a_database_out_of_reach() -> None:
    with pytest.raises(LogUnavailable):
        verified(open_engine("postgresql+psycopg://127.0.0.1:1/nowhere"))


def years_ago(years: int) -> datetime:
    return retention.months_before(utc_now(), 12 * years)


def erased(**facts: Json) -> dict[str, Json]:
    """The facts of an erasure that the law allows, but for what is given."""
    names: list[Json] = ["subject", "subject_index", "official"]
    return {"class": "exchange", "before": instant_text(years_ago(6)), "names": names, **facts}


def test_a_missing_value_without_an_erasure(engine: Engine) -> None:
    fill(engine)
    erase(engine, 5, "subject", "subject_index")
    assert (verified(engine).first_bad, verified(engine).reason) == (
        5,
        "the value subject is missing and no erasure is on record",
    )


def test_values_erased_by_age(engine: Engine) -> None:
    log = open_log(engine)
    for years in (8, 7, 5):
        log.write(*exchange(instant=years_ago(years)))
    sequence(engine)
    put_on_record(engine, **erased())
    for index in (2, 3, 5, 6):
        erase(engine, index, "subject", "subject_index", "official")
    report = verified(engine)
    assert (report.status, report.erased, len(report.erasures)) == ("unanchored", 12, 1)
    erase(engine, 1, "address")
    assert verified(engine).first_bad == 1, "the record does not name it"
    erase(engine, 8, "subject")
    assert verified(engine).first_bad == 1


@pytest.mark.parametrize("index", [8, 9])
def test_an_erasure_excuses_nothing_younger(engine: Engine, index: int) -> None:
    log = open_log(engine)
    for years in (8, 7, 5):
        log.write(*exchange(instant=years_ago(years)))
    sequence(engine)
    put_on_record(engine, **erased())
    erase(engine, index, "subject")
    assert verified(engine).first_bad == index


def test_an_erasure_excuses_nothing_of_another_class(engine: Engine) -> None:
    open_log(engine).write(*exchange(instant=years_ago(8)))
    open_log(engine).write(
        Entry(Kind.ADMIN, new_id(), years_ago(8), {"act": "caller add"}, {"official": "root"})
    )
    sequence(engine)
    put_on_record(engine, **erased())
    erase(engine, 4, "official")
    assert verified(engine).first_bad == 4


def test_one_more_outcome_shortens_nothing(engine: Engine) -> None:
    """A refusal is kept for eighteen months: one written behind an old exchange does not make it one."""
    about = exchange(instant=years_ago(3))
    open_log(engine).write(*about)
    open_log(engine).write(Entry(Kind.OUTCOME, about[0].exchange_id, years_ago(3), {"outcome": "denied"}))
    sequence(engine)
    before = instant_text(years_ago(2))
    put_on_record(engine, **erased(**{"class": "refusal", "before": before}))
    assert verified(engine).status == "unanchored"
    erase(engine, 2, "subject")
    assert verified(engine).first_bad == 2


def test_an_erasure_excuses_nothing_written_later(engine: Engine) -> None:
    put_on_record(engine, **erased())
    open_log(engine).write(*exchange(instant=years_ago(8)))
    sequence(engine)
    erase(engine, 3, "subject")
    assert verified(engine).first_bad == 3


@pytest.mark.parametrize(
    ("facts", "instant", "reason"),
    [
        ({"before": instant_text(years_ago(4))}, utc_now(), "kept for 60 months"),
        ({"before": "9999-12-31T23:59:59.999999Z"}, utc_now(), "kept for 60 months"),
        ({"before": instant_text(utc_now())}, utc_now() + timedelta(days=6 * 366), "in the future"),
        ({"class": "permanent"}, utc_now(), "for good"),
        ({"class": "nothing"}, utc_now(), "no retention class"),
    ],
    ids=["too early", "everything", "dated ahead", "the proof", "no class"],
)
def test_an_erasure_that_the_law_does_not_allow(
    engine: Engine, facts: dict[str, Json], instant: datetime, reason: str
) -> None:
    """Whoever holds the database can write one himself; it hides nothing, and is named even before he uses it."""
    fill(engine, exchanges=1)
    open_log(engine).write(Entry(Kind.ERASURE, new_id(), instant, erased(**facts)))
    sequence(engine)
    report = verified(engine)
    assert (report.status, report.first_bad) == ("bad", 4)
    assert reason in report.reason
    erase(engine, 2, "subject")
    assert verified(engine).first_bad == 2


def test_it_sees_one_moment_while_others_write(engine: Engine) -> None:
    fill(engine)

    def write(done: int, _total: int) -> None:
        if done == 0:
            open_log(engine).write(*exchange())
            sequence(engine)

    report = verify(engine, KEY.public_key(), SUBJECT_KEY, write)
    assert (report.status, report.size, report.pending) == ("unanchored", 13, 0)
    assert verified(engine).size == 16


def test_by_several_processes(engine: Engine) -> None:
    fill(engine)
    told: list[tuple[int, int]] = []
    report = verify(
        engine, KEY.public_key(), SUBJECT_KEY, lambda done, total: told.append((done, total)), large=1
    )
    assert report.json() | {"exposure": None} == verified(engine).json() | {"exposure": None}
    assert told == [(13, 13), (13, 13)], "one process would begin with 0"
    if engine.dialect.name == "sqlite":
        unguard(engine)
        with engine.begin() as connection:
            of_it = select(log_tree.c.record_id).where(log_tree.c.idx == 8).scalar_subquery()
            connection.execute(
                update(log_values).where(log_values.c.record_id == of_it).values(salt=bytes(16))
            )
        report = verify(engine, KEY.public_key(), SUBJECT_KEY, large=1)
        assert (report.status, report.first_bad) == ("bad", 8)
