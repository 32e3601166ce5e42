"""PostgreSQL beneath a role that only adds to the log, and one that only erases: the gateway works, nobody rewrites."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

import config
from audit import Entry, Kind, eraser, guards, holds, open_log, retention, roles
from audit.sequencer import Sequencer
from audit.tables import LOG_TABLES
from audit.verify import verify
from config import Settings
from endpoints.console import accounts
from endpoints.console.accounts import Typed
from endpoints.console.passwords import Passwords
from endpoints.console.roles import Role
from endpoints.readiness import Readiness
from exchange import new_id, utc_now
from security.keys import load_log_key
from security.masters import MasterKeys
from storage import migrate, open_engine
from tests.audit.logs import exchange
from tests.steps.wired import Door, Wire, arrive, person, stay, wired

OLD = retention.months_before(utc_now(), 70)


@pytest.fixture
def names(migrated_postgresql: str) -> Iterator[tuple[str, str]]:
    """The application's role and the eraser's, for this test alone."""
    mark = uuid.uuid4().hex[:8]
    names = f"test_app_{mark}", f"test_eraser_{mark}"
    owner = open_engine(migrated_postgresql)
    try:
        with owner.begin() as connection:
            roles.make(connection, *names)
            roles.make(connection, *names)  # a second time changes nothing
        yield names
    finally:
        with owner.begin() as connection:
            for name in names:
                connection.exec_driver_sql(f'DROP OWNED BY "{name}"')
                connection.exec_driver_sql(f'DROP ROLE "{name}"')
        owner.dispose()


def as_role(url: str, name: str) -> str:
    return make_url(url).set(username=name).render_as_string(hide_password=False)


def refused(engine: Engine, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
        connection.execute(text(statement))


def test_an_exchange_and_an_erasure(keys: Path, migrated_postgresql: str, names: tuple[str, str]) -> None:
    application, eraser_url = (as_role(migrated_postgresql, name) for name in names)
    ours = dataclasses.replace(config.load({}), state=keys, database_url=application, eraser_url=eraser_url)
    migrate.upgrade(open_engine(application))
    transport = Wire()
    transport.answers = [person()]
    with wired(ours, transport) as gateway:
        assert arrive(gateway, Door()).status == 200
        assert arrive(gateway, stay()).status == 200
        held, old = exchange(instant=OLD), exchange(instant=OLD)
        gateway.log.write(*held, *old)
        with gateway.engine.begin() as connection:
            gateway.archive.put(connection, held[0].exchange_id, "request", b"held", OLD)
            gateway.archive.put(connection, old[0].exchange_id, "request", b"old", OLD)
        sequence(ours, gateway.engine)
        assert Readiness(gateway).report()["checks"]["rights"] == {"ok": True, "warnings": []}  # type: ignore[index, call-overload]

        erasing = open_engine(eraser_url)
        with erasing.begin() as connection:
            holds.begin(connection, "court")
            holds.put_under(connection, gateway.archive, "court", [str(held[0].exchange_id)])
        scope = eraser.look(
            erasing,
            retention.named("exchange"),
            retention.months_before(utc_now(), 61),
            lambda _done, _of: None,
        )
        assert (scope.exchanges, scope.held) == (1, 1)
        open_log(ours, gateway.engine).write(Entry(Kind.ERASURE, new_id(), utc_now(), scope.facts()))
        sequence(ours, gateway.engine)
        gone = eraser.erase(erasing, scope, lambda _done, _of: None)
        assert (gone.values, gone.payloads, gone.keys) == (7, 1, 1)
        with gateway.engine.begin() as connection:
            assert gateway.archive.get(connection, held[0].exchange_id, "request") == b"held"
        report = verify(gateway.engine, load_log_key(ours.keys / "log.key").public_key())
        assert (report.status, report.erased, report.warnings) == ("unanchored", 7, ())

        for table in LOG_TABLES:
            name, column = table.fullname, next(iter(table.columns)).name
            for statement in (
                f"UPDATE {name} SET {column} = {column}",  # noqa: S608 — names of our own tables
                f"DELETE FROM {name}",  # noqa: S608 — as above
                f"TRUNCATE {name} CASCADE",
            ):
                refused(gateway.engine, statement)
                if statement != "DELETE FROM log.log_values":
                    refused(erasing, statement)
        for kept in ("archive_payloads", "archive_keys"):
            refused(gateway.engine, f"DELETE FROM archive.{kept}")  # noqa: S608 — as above
        refused(gateway.engine, "UPDATE archive.archive_payloads SET sealed = ''")
        refused(gateway.engine, "INSERT INTO archive.archive_holds VALUES ('x', now(), NULL)")
        refused(erasing, "INSERT INTO log.log_values VALUES ('x', 'x', '', '')")
        refused(erasing, "SELECT * FROM spolis.spolis_person")
        erasing.dispose()


def test_the_eraser_wraps_secrets_of_accounts_anew_and_reads_no_password(
    keys: Path, migrated_postgresql: str, names: tuple[str, str]
) -> None:
    application, erasing = (open_engine(as_role(migrated_postgresql, name)) for name in names)
    masters, new = MasterKeys(keys / "keys"), os.urandom(32)
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords, now = Passwords(hasher), utc_now()
    given = accounts.given_password(passwords)
    with application.begin() as connection:
        accounts.add(connection, "ilze", Role.AUDITOR, given, now)
    # The first sign-in makes the secret.
    seen = accounts.see(application, masters, passwords, Typed("ilze", given.password, ""), now)
    with application.begin() as connection:
        assert accounts.judge(connection, masters, seen, now).confined
    with erasing.begin() as connection:
        assert accounts.rewrap(connection, masters, new) == 1
        assert accounts.outdated(connection, new) == 0
    refused(erasing, "SELECT hash FROM console.console_accounts")
    refused(erasing, "UPDATE console.console_accounts SET role = 'dpo'")
    refused(erasing, "SELECT digest FROM console.console_sessions")
    application.dispose()
    erasing.dispose()


def test_an_administrator_is_told(migrated_postgresql: str) -> None:
    with open_engine(migrated_postgresql).begin() as connection:
        (warning,) = guards.missing(connection)
    assert "gateway database roles" in warning


def sequence(settings: Settings, engine: Engine) -> None:
    one = Sequencer(engine, load_log_key(settings.keys / "log.key"), environment=settings.environment)
    while one.run_once():
        pass
    one.release()
