"""The watch: one incident and one message for what is wrong, whatever process sees it and however often."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

import config
from audit import Entry, Kind
from audit.tables import sequencer_queue
from config import AlertSettings, RevocationSource
from endpoints.alert_texts import TEXTS
from endpoints.readiness import Readiness
from endpoints.work.background import Background
from endpoints.work.certificates import Certificates
from endpoints.work.looks import Look, looks, nearly_full
from endpoints.work.watch import Times, Watch
from errors import ConfigurationError, GatewayError
from exchange import Environment, new_id, today_in_riga, utc_now
from gateway import Gateway, wire
from routing import incidents, jobs, outbox, revocations
from routing.breakers import MOST_FAILURES
from routing.incidents import Finding, Incident
from routing.jobs import JobState, JobStatus
from routing.parties import add_partner
from routing.quota import note as refused_for_quota
from security.keys import fingerprint, issue
from security.revocation import Status
from security.revocation_ocsp import Answer
from storage import database_now, migrate, open_engine
from tests.endpoints.test_readiness import wired
from tests.endpoints.work.exchanging import exchanging
from tests.instances import PrivatePostgres
from tests.security.revoking import issued, pem, revoking
from tests.told import Told, listening

__all__ = ["wired"]

# Nothing is waited for: what is seen is told, what is not seen in the next step is over.
AT_ONCE = Times(patience=0.0, quiet=timedelta(0))
STOP = threading.Event()


@pytest.fixture
def told() -> Iterator[Told]:
    with listening() as found:
        yield found


class Seen:
    """Something that is wrong as long as a test says so."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = list(findings)
        self.error: Exception | None = None

    def __call__(self) -> list[Finding]:
        if self.error is not None:
            raise self.error
        return list(self.findings)


def watch(
    engine: Engine, seen: Mapping[str, Look], told: Told, *, times: Times = AT_ONCE, **arguments: Any
) -> Watch:
    return Watch(
        engine,
        seen,
        arguments.pop("settings", told.settings),
        environment=Environment.TEST,
        holder=str(new_id()),
        times=times,
        **arguments,
    )


def listed(engine: Engine) -> list[Incident]:
    with engine.begin() as connection:
        return incidents.listed(connection, closed=True)


BREAKER = Finding("breaker", "pmlp", "failures=5")


def test_it_is_told_once_when_it_begins_and_once_when_it_is_over(engine: Engine, told: Told) -> None:
    seen = Seen(BREAKER)
    watching = watch(
        engine, {"one": Look(seen)}, told, times=Times(patience=0.0, quiet=timedelta(seconds=0.5))
    )
    for _ in range(5):
        assert watching.step(STOP) > 0
    assert told.events == [("opened", "breaker")]
    post, mail = told.posts[0], told.mails[0]
    assert post["subject"] == "pmlp"
    assert post["environment"] == "test"
    assert post["title"]["en"] == "An external system does not answer: pmlp"
    assert str(mail["To"]) == "operators@example.lv, duty@example.lv"
    assert told.subjects == [
        "[SPOLIS test] Sākās: Ārējā sistēma neatbild: pmlp / Opened: An external system does not answer: pmlp"
    ]
    assert "Sazinieties ar tās turētāju" in mail.get_content()
    assert "Call its holder" in mail.get_content()
    seen.findings.clear()
    until = time.monotonic() + 30
    while len(told.posts) < 2:
        assert time.monotonic() < until
        watching.step(STOP)
        time.sleep(0.05)
    assert told.events[1:] == [("closed", "breaker")]
    assert told.posts[1]["id"] == post["id"]
    assert told.posts[1]["closed_at"] > post["opened_at"]
    assert "Beidzās" in told.subjects[1]
    watching.step(STOP)
    assert (len(told.posts), len(told.mails)) == (2, 2)


def test_what_follows_from_a_log_that_cannot_be_written_is_no_incident_of_its_own(
    engine: Engine, told: Told
) -> None:
    clock = [0.0]
    seen = Seen(Finding("log", "", "refused=3"), Finding("job_silent", "deliveries"), BREAKER)
    times = Times(patience=0.0, quiet=timedelta(seconds=60))
    watching = watch(engine, {"one": Look(seen)}, told, times=times, monotonic=lambda: clock[0])
    watching.step(STOP)
    assert sorted(told.events) == [("opened", "breaker"), ("opened", "log")]
    seen.findings.remove(Finding("log", "", "refused=3"))
    clock[0] = 59.0
    watching.step(STOP)
    assert len(told.events) == 2, "they have their chance to be done again first"
    clock[0] = 61.0
    watching.step(STOP)
    assert ("opened", "job_silent") in told.events


def test_what_passes_in_a_moment_is_not_told(engine: Engine, told: Told) -> None:
    clock = [0.0]
    seen = Seen(BREAKER)
    watching = watch(
        engine, {"one": Look(seen)}, told, times=Times(patience=15.0), monotonic=lambda: clock[0]
    )
    watching.step(STOP)
    clock[0] = 10.0
    seen.findings.clear()
    watching.step(STOP)
    seen.findings.append(BREAKER)
    clock[0] = 20.0
    watching.step(STOP)
    clock[0] = 34.0
    watching.step(STOP)
    assert (told.posts, listed(engine)) == ([], [])
    clock[0] = 35.0
    watching.step(STOP)
    assert told.events == [("opened", "breaker")]


def test_what_becomes_graver_is_told_again(engine: Engine, told: Told) -> None:
    seen = Seen(Finding("certificate", "gateway gateway.pem", "days=29.9"))
    watching = watch(engine, {"one": Look(seen)}, told, times=Times(patience=0.0))
    watching.step(STOP)
    seen.findings = [Finding("certificate", "gateway gateway.pem", "days=6.9", grade=1)]
    watching.step(STOP)
    watching.step(STOP)
    assert told.events == [("opened", "certificate"), ("graver", "certificate")]
    assert told.posts[1]["detail"] == "days=6.9"


def test_of_many_processes_one_tells(engine: Engine, told: Told) -> None:
    seen = {"one": Look(Seen(BREAKER, Finding("disk", "host", "free_percent=5.0")))}
    watches = [watch(engine, seen, told, times=Times(patience=0.0)) for _ in range(6)]
    threads = [
        threading.Thread(target=lambda each=each: [each.step(STOP) for _ in range(3)]) for each in watches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told.events) == [("opened", "breaker"), ("opened", "disk")]
    assert len(told.mails) == 2


def test_a_channel_that_fails_is_tried_until_it_takes_it_and_the_other_is_not_told_twice(
    engine: Engine, told: Told
) -> None:
    told.status, told.reply = 503, "250 OK"
    watching = watch(engine, {"one": Look(Seen(BREAKER))}, told, times=Times(patience=0.0))
    watching.step(STOP)
    watching.step(STOP)
    assert (len(told.posts), len(told.mails)) == (0, 1)
    told.status = 200
    with engine.begin() as connection:
        connection.execute(incidents.incidents.update().values(try_at=utc_now() - timedelta(seconds=1)))
    watching.step(STOP)
    assert (len(told.posts), len(told.mails)) == (1, 1)


def test_nothing_is_closed_while_not_all_can_be_seen(engine: Engine, told: Told) -> None:
    seen = Seen(BREAKER)
    watching = watch(
        engine, {"one": Look(seen)}, told, times=Times(patience=0.0, quiet=timedelta(seconds=0.1))
    )
    watching.step(STOP)
    seen.error = OperationalError("", {}, Exception())
    for _ in range(5):
        time.sleep(0.05)
        watching.step(STOP)
    assert told.events == [("opened", "breaker")]


def test_without_the_table_each_process_tells_once_and_the_table_learns_of_it(
    engine: Engine, told: Told
) -> None:
    seen = Seen()
    seen.error = OperationalError("INSERT 390000-00001", {}, Exception("390000-00001"))
    look = {"log": Look(seen, Finding("log", ""))}
    times = Times(patience=0.0, quiet=timedelta(seconds=0.2))
    watches = [watch(engine, look, told, times=times) for _ in range(2)]
    for _ in range(3):
        for each in watches:
            each.step(STOP)
    assert told.events == [("opened", "log")] * 2
    assert told.posts[0]["detail"] == "error=OperationalError"
    assert listed(engine) == []
    seen.error = None
    until = time.monotonic() + 30
    while len(told.posts) < 3:
        assert time.monotonic() < until
        for each in watches:
            each.step(STOP)
        time.sleep(0.05)
    assert told.events[2:] == [("closed", "log")]
    (incident,) = listed(engine)
    assert incident.opened_at <= incident.closed_at if incident.closed_at else False
    assert not any(b"390000" in raw for raw in told.raw)


def test_what_was_open_before_the_database_went_is_not_told_again(engine: Engine, told: Told) -> None:
    seen, log = Seen(BREAKER), Seen()
    look = {"one": Look(seen), "log": Look(log, Finding("log", ""))}
    watching = watch(engine, look, told, times=Times(patience=0.0))
    watching.step(STOP)
    log.error = OperationalError("", {}, Exception())
    watching.step(STOP)
    assert told.events == [("opened", "breaker"), ("opened", "log")]


def test_a_channel_set_up_by_half_is_told_at_the_start(engine: Engine, told: Told) -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        {"smtp_host": ""},
        {"mail_from": ""},
        {"mail_to": "nobody\nat all"},
        {"webhook_url": "ftp://example.lv"},
    )
    for wrong in wrongs:
        settings = dataclasses.replace(told.settings, **wrong)
        with pytest.raises(ConfigurationError, match=r"alerts\."):
            watch(engine, {}, told, settings=settings)
    nothing = AlertSettings("", "", "", "", 25)
    watch(engine, {"one": Look(Seen(BREAKER))}, told, settings=nothing, times=Times(patience=0.0)).step(STOP)
    assert len(listed(engine)) == 1
    assert told.raw == []


def found(gateway: Gateway, **arguments: Any) -> dict[tuple[str, str], Finding]:
    certificates = Certificates(gateway, **arguments)
    certificates.look()
    every = [
        finding for look in looks(gateway, certificates.found, **arguments).values() for finding in look.run()
    ]
    return {(finding.kind, finding.subject): finding for finding in every if finding.kind != "disk"}


def test_a_gateway_that_is_well(wired: Gateway) -> None:
    assert found(wired) == {}


def test_everything_that_can_be_wrong_in_the_tables(wired: Gateway) -> None:
    wired.log.write(Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "test"}))
    states = ["dead"] * 11 + ["unknown", "parked"] + ["waiting"] * 3
    with wired.engine.begin() as connection:
        old = database_now(connection) - timedelta(seconds=90)
        connection.execute(sequencer_queue.update().values(queued_at=old))
        for state in states:
            row = new_id()
            outbox.put(connection, row, ("sais", "NotifyCareStay"), give_up_after=timedelta(hours=1))
            connection.execute(outbox.outbox.update().where(outbox.outbox.c.id == row).values(state=state))
        jobs.report(
            connection,
            [
                JobStatus("sweeper", "one", JobState.FAILING, None, None, None, None, "log_unavailable"),
                JobStatus("bell", "one", JobState.IDLE, None, None, None, None, None),
                JobStatus("postman", "two", JobState.IDLE, None, None, None, None, None),
            ],
        )
        connection.execute(
            jobs.jobs.update()
            .where(jobs.jobs.c.process == "two")
            .values(seen_at=utc_now() - timedelta(seconds=45))
        )
    for _ in range(MOST_FAILURES):
        wired.breakers.failed(wired.breakers.admit("pmlp", 1.0))
    small = dataclasses.replace(
        wired,
        settings=dataclasses.replace(
            wired.settings, outbox=dataclasses.replace(wired.settings.outbox, backlog=3)
        ),
    )
    wrong = found(small, clock=lambda: utc_now() + timedelta(minutes=10))
    assert wrong.pop(("sequencer", "")).detail.startswith("seconds=9")
    if wired.engine.dialect.name == "postgresql":
        assert wrong.pop(("clock", socket.gethostname())).detail.startswith("seconds=600")
    notices = "sais.NotifyCareStay"
    assert wrong == {
        (one.kind, one.subject): one
        for one in (
            Finding("outbox_dead", notices, "count=11", grade=1),
            Finding("outbox_unknown", notices, "count=1"),
            Finding("backlog", "", "count=3 limit=3", grade=1),
            Finding("breaker", "pmlp", "failures=5"),
            Finding("job_failing", "sweeper", "error=log_unavailable processes=1"),
            Finding("job_silent", "postman"),
        )
    }


def test_a_quota_that_is_used_up_is_one_incident_a_recipient_and_day(wired: Gateway) -> None:
    today, tomorrow = today_in_riga(), today_in_riga() + timedelta(days=1)
    with wired.engine.begin() as connection:
        for recipient, times in (("vsaa", 3), ("riga", 1)):
            for _ in range(times):
                refused_for_quota(connection, recipient, today)
    wrong = {subject: one.detail for (kind, subject), one in found(wired).items() if kind == "quota"}
    assert wrong == {f"vsaa {today}": "refused=3", f"riga {today}": "refused=1"}
    later = found(wired, clock=lambda: utc_now() + timedelta(days=1))
    assert not [name for name in later if name[0] == "quota"]
    with wired.engine.begin() as connection:
        refused_for_quota(connection, "vsaa", tomorrow)
    later = found(wired, clock=lambda: utc_now() + timedelta(days=1))
    assert [subject for kind, subject in later if kind == "quota"] == [f"vsaa {tomorrow}"]


def test_certificates_that_end_soon(wired: Gateway) -> None:
    keys = wired.settings.keys
    for name, days in (("gateway", 31), ("pmlp", 8)):
        issue(keys, "short", days=days)
        shutil.copy(keys / "short.pem", keys / f"{name}.pem")
    with wired.engine.begin() as connection:
        for days in (3, 300):
            add_partner(connection, "riga", "riga", issue(keys, "short", days=days).certificate, utc_now())
        add_partner(connection, "ogre", "ogre", issue(keys, "short", days=3).certificate, utc_now())

    def grades(days: float) -> dict[str, int]:
        wrong = found(wired, clock=lambda: utc_now() + timedelta(days=days))
        return {subject: one.grade for (kind, subject), one in wrong.items() if kind == "certificate"}

    assert grades(0) == {"system pmlp": 0, "partner ogre": 1}
    assert grades(2.5) == {"system pmlp": 1, "partner ogre": 2, "gateway gateway.pem": 0}
    (keys / "gateway.pem").write_text("no certificate")
    assert grades(0) == {"files": 0, "partner ogre": 1}


def test_what_the_last_look_at_certificates_found_stands_while_the_database_is_away(wired: Gateway) -> None:
    keys = wired.settings.keys
    issue(keys, "short", days=3)
    with wired.engine.begin() as connection:
        add_partner(connection, "ogre", "ogre", issue(keys, "short", days=3).certificate, utc_now())
    certificates = Certificates(wired)
    certificates.look()
    (ogre,) = certificates.found()
    shutil.copy(keys / "short.pem", keys / "gateway.pem")
    with wired.engine.begin() as connection:
        alter = "ALTER TABLE {} RENAME TO away"
        name = "routing_partners" if connection.dialect.name == "sqlite" else "routing.routing_partners"
        connection.exec_driver_sql(alter.format(name))
    with pytest.raises(SQLAlchemyError):
        certificates.look()
    assert {one.subject for one in certificates.found()} == {ogre.subject, "gateway gateway.pem"}


def test_certificates_are_a_job_of_their_own(wired: Gateway) -> None:
    background = Background(wired.settings, threads=1)
    try:
        end = time.monotonic() + 120
        while True:
            with wired.engine.connect() as connection:
                found = {status.job: status for status in jobs.status(connection)}
            if found.get("certificates") and found["certificates"].next_run is not None:
                break
            assert time.monotonic() < end, "not in time"
            time.sleep(0.2)
    finally:
        background.stop(10)
    assert found["certificates"].state is JobState.IDLE
    assert found["certificates"].error is None


def test_lists_and_answers_that_are_out_of_date(wired: Gateway, tmp_path: Path) -> None:
    now = utc_now()
    agency, listing = (issued(name, None, now, ca=True) for name in ("agency", "listing"))
    for name in ("trust", "crl"):
        (tmp_path / name).mkdir()
    for name, authority in (("agency", agency), ("listing", listing)):
        (tmp_path / "trust" / f"{name}.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "crl" / "listing.pem").write_bytes(pem(revoking(listing, now)))
    source = RevocationSource("agency.pem", "http://127.0.0.1:9/")
    gateway = dataclasses.replace(
        wired,
        settings=dataclasses.replace(
            wired.settings,
            trust=tmp_path / "trust",
            crl=tmp_path / "crl",
            revocation=dataclasses.replace(wired.settings.revocation, ocsp=(source,), crl=(source,)),
        ),
    )
    partner = issued("riga", agency, now)
    mark = fingerprint(partner.certificate)
    answer = Answer(Status.GOOD, False, now, now + timedelta(hours=1), now + timedelta(days=5))
    with gateway.engine.begin() as connection:
        add_partner(connection, "riga", "riga", partner.certificate, now)
        assert revocations.put(connection, mark, "agency.pem", answer, now)

    def grades(hours: float) -> dict[str, tuple[int, str]]:
        wrong = found(gateway, clock=lambda: now + timedelta(hours=hours))
        return {
            subject: (one.grade, one.detail) for (kind, subject), one in wrong.items() if kind == "revocation"
        }

    unknown = {"list agency.pem": (1, "nothing is known")}
    assert grades(0) == unknown
    assert grades(2) == unknown | {"responder agency.pem": (0, "hours=-1.0")}
    assert grades(25.5) == unknown | {
        "responder agency.pem": (1, "hours=-24.5"),
        "list listing.pem": (0, "hours=-1.5"),
    }
    ending = [one for (_, subject), one in found(gateway).items() if subject == "responder agency.pem"]
    assert [(one.kind, one.grade) for one in ending] == [("certificate", 1)]
    report = Readiness(gateway, clock=lambda: now + timedelta(hours=2)).report()
    told = report["checks"]
    assert isinstance(told, dict)
    assert told["revocation"] == {
        "ok": False,
        "sources": {
            "list agency.pem": {"hours_left": None, "revoked": 0, "unknown": 0},
            "list listing.pem": {"hours_left": 22.0, "revoked": 0, "unknown": 0},
            "responder agency.pem": {"hours_left": -1.0, "revoked": 0, "unknown": 0},
        },
    }
    (tmp_path / "crl" / "listing.pem").write_text("no list")
    look = looks(gateway, list)["lists"]
    with pytest.raises(ConfigurationError):
        look.run()
    assert look.broken == Finding("revocation", "files")


def test_a_disk_nearly_full_and_a_broker_that_is_away(wired: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = dataclasses.replace(wired.settings, amqp_url=f"amqp://guest:secret@127.0.0.1:{port}")
    away = looks(dataclasses.replace(wired, settings=settings), list)["broker"]
    assert away.run() == [Finding("broker", "")]
    # /proc says of itself that it has no room at all.
    nowhere = dataclasses.replace(wired, settings=dataclasses.replace(wired.settings, state=Path("/proc")))
    assert looks(nowhere, list)["disk"].run() == nearly_full(socket.gethostname(), 0, 0)
    assert nearly_full("here", 10, 100) == []
    assert nearly_full("here", 9, 100) == [Finding("disk", "here", "free_percent=9.0")]
    assert nearly_full("here", 1, 100) == [Finding("disk", "here", "free_percent=1.0", grade=1)]


def until(condition: Callable[[], bool], watching: Watch, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        watching.step(STOP)
        time.sleep(0.2)


@pytest.fixture
def stopped(api_keys: Path, tmp_path: Path) -> Iterator[tuple[PrivatePostgres, Gateway]]:
    """A gateway on a PostgreSQL of its own, on a small disk, that a test may stop."""
    shutil.copytree(api_keys / "keys", tmp_path / "keys")
    with PrivatePostgres(data_size_mb=128) as server:
        migrator = open_engine(server.url)
        migrate.upgrade(migrator)
        migrator.dispose()
        gateway = wire(dataclasses.replace(config.load({}), state=tmp_path, database_url=server.url))
        yield server, gateway
        gateway.log.close()
        gateway.engine.dispose()


@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_a_database_that_is_away_is_told_and_is_told_to_be_back(
    stopped: tuple[PrivatePostgres, Gateway], told: Told, fault: str
) -> None:
    server, gateway = stopped
    seen = {name: look for name, look in looks(gateway, list).items() if name != "disk"}
    times = Times(patience=1.0, quiet=timedelta(seconds=1))
    watches = [watch(gateway.engine, seen, told, times=times) for _ in range(2)]
    for each in watches:
        each.step(STOP)
    assert told.events == []
    getattr(server, fault)()
    for number, each in enumerate(watches, start=1):
        until(lambda number=number: len(told.posts) == number == len(told.mails), each)  # type: ignore[misc] # — mypy cannot infer a lambda with a default
    assert told.events == [("opened", "log")] * 2
    if fault == "stop":
        server.start()
    else:
        server.resume()
    until(lambda: ("closed", "log") in told.events, watches[0])
    for each in watches:
        each.step(STOP)
    assert [event for event in told.events if event[1] == "log"][2:] == [("closed", "log")]


def test_a_full_disk_of_the_database_is_told(stopped: tuple[PrivatePostgres, Gateway], told: Told) -> None:
    server, gateway = stopped
    watching = watch(gateway.engine, looks(gateway, list), told, times=Times(patience=1.0))
    with exchanging(gateway):
        watching.step(STOP)
        server.fill_disk()
        until(lambda: ("opened", "log") in told.events, watching)
        server.free_disk()
    with suppress(GatewayError):
        gateway.log.write(Entry(Kind.ADMIN, new_id(), utc_now(), {"act": "test"}))


def test_each_kind_has_its_words() -> None:
    for kind, text in TEXTS.items():
        for words in (text.title, text.action):
            assert words.lv != words.en, kind
