"""Statements that go to the driver: the same rows, transactions and errors as if SQLAlchemy had run them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from registers.history import Exact, Texts
from storage import DatabaseClock, Instant, identifier, open_engine, reading
from storage.statements import Row, Statement, driver

THINGS = Table(
    "things",
    MetaData(),
    Column("id", identifier(), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("count", Integer),
    Column("seen_at", Instant),
    Column("day", Date),
    Column("right", Boolean),
    Column("amount", Exact()),
    Column("names", Texts()),
    Column("content", LargeBinary),
    Column("written_at", Instant, default=DatabaseClock()),
)
GIVEN = [column.name for column in THINGS.columns if column.name != "written_at"]
INSERT = Statement(insert(THINGS))
BY_NAME = Statement(select(THINGS).where(THINGS.c.name == bindparam("wanted")))
ALL = Statement(select(THINGS.c.name).order_by(THINGS.c.name))


def one(connection: Connection, name: str) -> Row:
    found = BY_NAME.first(connection, wanted=name)
    assert found is not None
    return found


def thing(**values: object) -> dict[str, object]:
    return dict.fromkeys(GIVEN) | {"id": uuid.uuid4(), "name": "one"} | values


@pytest.fixture
def things(engine: Engine) -> Engine:
    THINGS.create(engine, checkfirst=True)
    return engine


ROWS = st.fixed_dictionaries(
    {
        "count": st.none() | st.integers(-(2**31), 2**31 - 1),
        "seen_at": st.none() | st.datetimes(timezones=st.just(UTC)),
        "day": st.none() | st.dates(min_value=date(1, 1, 1)),
        "right": st.none() | st.booleans(),
        "amount": st.none() | st.decimals(-10_000, 10_000, places=2),
        "names": st.none()
        | st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), max_size=3).map(tuple),
        "content": st.none() | st.binary(max_size=50),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=ROWS)
def test_a_row_is_what_it_is_by_sqlalchemy(things: Engine, values: dict[str, object]) -> None:
    name = str(uuid.uuid4())
    with things.begin() as connection:
        assert INSERT.run(connection, **thing(name=name, **values)) == 1
        ours = one(connection, name)
        theirs = connection.execute(select(THINGS).where(THINGS.c.name == name)).one()
    assert tuple(ours) == tuple(theirs)
    assert {key: getattr(ours, key) for key in values} == values
    assert ours.written_at is not None


def test_several_rows_and_how_many_were_changed(things: Engine) -> None:
    upsert = Statement(
        lambda insert_into: insert_into(THINGS).on_conflict_do_update(
            index_elements=["name"], set_={"count": THINGS.c.count + 1}, where=THINGS.c.count < 7
        )
    )
    rename = Statement(
        update(THINGS).where(THINGS.c.count > bindparam("least")).values(name=func.upper(THINGS.c.name))
    )
    with things.begin() as connection:
        rows = [thing(name=name, id=uuid.uuid4(), count=count) for name, count in (("a", 1), ("b", 7))]
        assert INSERT.run_each(connection, rows) == 2
        assert upsert.run(connection, **thing(name="a", id=uuid.uuid4(), count=0)) == 1
        assert upsert.run(connection, **thing(name="b", id=uuid.uuid4(), count=0)) == 0
        assert one(connection, "a").count == 2
        assert rename.run(connection, least=1) == 2
        assert [row.name for row in ALL.all(connection)] == ["A", "B"]
        assert Statement(delete(THINGS)).run(connection) == 2
        assert ALL.all(connection) == []
        assert BY_NAME.first(connection, wanted="a") is None


def test_it_is_undone_with_the_transaction(things: Engine) -> None:
    with things.connect() as connection:
        transaction = connection.begin()
        INSERT.run(connection, **thing())
        transaction.rollback()
    with things.begin() as connection:
        driver(connection).execute("SAVEPOINT work")
        INSERT.run(connection, **thing(name="gone"))
        driver(connection).execute("ROLLBACK TO SAVEPOINT work")
        INSERT.run(connection, **thing(name="kept"))
    with things.connect() as connection:
        assert [row.name for row in ALL.all(connection)] == ["kept"]


def test_outside_a_transaction_it_leaves_no_lock(things: Engine) -> None:
    with things.connect() as asking:
        assert ALL.all(asking) == []
        with things.begin() as writing:
            INSERT.run(writing, **thing())
    with reading(things).begin() as connection:
        assert len(ALL.all(connection)) == 1


def test_errors_are_those_of_sqlalchemy_and_tell_no_values(things: Engine) -> None:
    with things.begin() as connection:
        INSERT.run(connection, **thing(name="Anna Ozola"))
    with pytest.raises(IntegrityError) as twice, things.begin() as connection:
        INSERT.run(connection, **thing(name="Anna Ozola"))
    assert "Anna" not in str(twice.value.statement)
    assert twice.value.params is None
    with pytest.raises(IntegrityError), things.begin() as connection:
        INSERT.run_each(connection, [thing(name="Anna Ozola")])
    nowhere = Statement(select(Table("nowhere", MetaData(), Column("x", Integer)).c.x))
    with pytest.raises((OperationalError, ProgrammingError)), things.connect() as connection:
        nowhere.all(connection)
    with things.begin() as connection, pytest.raises(KeyError):
        INSERT.run(connection, name="without an id")


def test_a_connection_that_broke_is_not_used_again(migrated_postgresql: str) -> None:
    things = open_engine(migrated_postgresql)
    THINGS.create(things)
    with things.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        connection.rollback()
        with things.begin() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(OperationalError) as broken:
            ALL.all(connection)
        assert broken.value.connection_invalidated
        assert connection.invalidated
    with things.connect() as connection:
        assert ALL.all(connection) == []
    things.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        select(THINGS).where(THINGS.c.count.in_(bindparam("counts", expanding=True))),
        insert(Table("made", MetaData(), Column("id", identifier(), default=uuid.uuid4))),
    ],
)
def test_what_sqlalchemy_makes_at_each_run_is_refused(things: Engine, statement: object) -> None:
    with things.connect() as connection, pytest.raises(TypeError):
        Statement(statement).all(connection, counts=[1])  # type: ignore[arg-type] # — either is a statement


def test_a_naive_instant_and_another_amount_are_refused(things: Engine) -> None:
    with things.begin() as connection:
        with pytest.raises(ValueError, match="time zone"):
            INSERT.run(connection, **thing(seen_at=datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)))
        INSERT.run(connection, **thing(amount=Decimal("1234.50")))
        assert str(one(connection, "one").amount) == "1234.50"
