"""Exactly one effect, over processes, restarts and time: two real gateways on one PostgreSQL, a journal behind them."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from lxml import etree
from sqlalchemy import Engine, func, select, text

import config
from audit.tables import log_records
from exchange import utc_now
from routing.parties import add_caller, disable_partner
from security import wsse
from security.certificates import load_authorities
from security.xml import canonical
from tests.attacks.live import PATH, client, configured, fresh, journal, new_state, simulated
from tests.endpoints.conftest import STAY, context
from tests.endpoints.serving import Served, serving
from tests.endpoints.soap.messages import CONTENT_TYPE, heard
from tests.instances import PrivatePostgres, unavailable
from tests.security.conftest import World, new_world
from tests.security.messages import NAMES, Recipe, make

pytestmark = pytest.mark.long

AT_ONCE = 50
GATEWAYS = 2
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
AHEAD = timedelta(minutes=7)

T = TypeVar("T")


@dataclass
class Cluster:
    """Gateways that share database, keys and settings; `said` is the message that all tests here repeat."""

    folder: Path
    settings: Path
    database: str
    engine: Engine
    world: World
    persons: list[str]
    core: str
    gateways: list[Served] = field(default_factory=list)
    ahead: timedelta = timedelta(0)
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def keys(self) -> Path:
        return self.folder / "state" / "keys"

    def start(self, number: int = GATEWAYS, **environ: str) -> None:
        for _ in range(number):
            more = {"GATEWAY_DATABASE_URL": self.database, **environ}
            served = serving(self.settings, "--embedded", "--workers", "2", "--threads", "5", more=more)
            self.gateways.append(self._running.enter_context(served))

    def stop(self, *, kill: bool = False) -> None:
        """End all: as told by a service manager, or with no chance to tidy up."""
        for served in self.gateways:
            if kill:
                served.process.kill()
            else:
                assert served.stop() == 0
        self._running.close()
        self.gateways.clear()

    def post(self, content: bytes, number: int = 0) -> requests.Response:
        with client(self.keys) as session:
            url = f"{self.gateways[number % len(self.gateways)].partners}{PATH}"
            return session.post(url, content, headers={"Content-Type": CONTENT_TYPE["1.1"]}, timeout=120)

    def payload(self, answer: requests.Response) -> bytes:
        """The canonical answer, if the gateway signed it now."""
        assert answer.status_code == 200, answer.content
        policy = wsse.Policy(load_authorities(self.keys / "authority.pem"))
        (element,) = wsse.verify(answer.content, policy, now=utc_now() + self.ahead).body
        return canonical(element)

    def code(self, answer: requests.Response) -> str:
        """The code of a signed fault, which is on record."""
        policy = wsse.Policy(load_authorities(self.keys / "authority.pem"))
        fault = heard(wsse.verify(answer.content, policy, now=utc_now() + self.ahead).envelope)
        code = fault.kluda["Kods"]
        assert self.leaves("outcome", exchange=answer.headers["X-Exchange-Id"])[0]["code"] == code
        return code

    def leaves(self, kind: str, *, exchange: str = "") -> list[dict[str, Any]]:
        """The leaves of one kind, oldest first."""
        asked = select(log_records.c.leaf).where(log_records.c.kind == kind).order_by(log_records.c.id)
        if exchange:
            asked = asked.where(log_records.c.exchange_id == exchange)
        with self.engine.connect() as connection:
            return [json.loads(leaf) for leaf in connection.execute(asked).scalars()]

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            asked = select(func.count()).select_from(text(table))
            return int(connection.execute(asked).scalar_one())

    def reached(self) -> int:
        return journal(self.folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL of its own: the connections of so many processes are no load for the shared one."""
    with PrivatePostgres() as server:
        yield from _cluster(tmp_path_factory, server.url)


def _cluster(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    world = new_world(utc_now().replace(microsecond=0))
    engine = new_state(folder, world, database)
    with engine.begin() as connection:
        core = add_caller(connection, "core", "spolis-core", utc_now())
    with simulated(folder) as (pmlp, persons):
        limits: dict[str, object] = {"requests_per_s": 100_000, "exchange_seconds": 120.0}
        settings = configured(folder, world, pmlp, limits=limits)
        shutil.copytree(config.DEFAULTS / "access.d", settings / "access.d")
        made = Cluster(folder, settings, database, engine, world, persons, core)
        made.start()
        try:
            yield made
        finally:
            made.stop(kill=True)
            engine.dispose()


@pytest.fixture(scope="module")
def said(cluster: Cluster) -> Recipe:
    """One message, which is sent and sent again."""
    return fresh(cluster.world, cluster.persons).recipe


@pytest.fixture(scope="module")
def content(said: Recipe) -> bytes:
    return make(said)


@pytest.fixture(scope="module")
def first(cluster: Cluster, content: bytes) -> list[requests.Response]:
    """What many senders of the same bytes at the same instant hear."""
    return at_once(lambda number: cluster.post(content, number))


def at_once(work: Callable[[int], T]) -> list[T]:
    together = threading.Barrier(AT_ONCE)
    done: list[T] = []

    def one(number: int) -> None:
        together.wait(60)
        done.append(work(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def again(cluster: Cluster, said: Recipe) -> bytes:
    """The same message, signed anew."""
    return make(replace(said, created=utc_now() + cluster.ahead, expires=None))


def test_many_at_once_have_one_effect_and_equal_answers(
    cluster: Cluster, first: list[requests.Response]
) -> None:
    assert len(first) == AT_ONCE
    assert len({cluster.payload(answer) for answer in first}) == 1
    assert cluster.reached() == 1
    assert len(cluster.leaves("attempt")) == 1
    assert cluster.count("pmlp.pmlp_identity") == 1
    outcomes = cluster.leaves("outcome")
    assert [outcome["outcome"] for outcome in outcomes] == ["ok"] * AT_ONCE
    (done,) = [outcome for outcome in outcomes if outcome["repeats"] is None]
    assert [outcome["repeats"] for outcome in outcomes].count(done["exchange"]) == AT_ONCE - 1
    assert sum(outcome["written"] for outcome in outcomes) == done["written"] > 0


def test_each_answer_has_a_signature_of_its_own(first: list[requests.Response]) -> None:
    roots = [etree.fromstring(answer.content) for answer in first]
    assert len({root.findtext(".//ds:SignatureValue", namespaces=NAMES) for root in roots}) == AT_ONCE
    assert len({root.findtext(".//wsa:MessageID", namespaces=NAMES) for root in roots}) == AT_ONCE
    assert len({answer.headers["X-Exchange-Id"] for answer in first}) == AT_ONCE


def test_many_writes_at_once_make_one_row_and_one_notice(cluster: Cluster) -> None:
    body = {
        "context": context(purpose="care-placement", rule="p12.8.13", request_id=str(uuid.uuid4())),
        "arguments": STAY,
    }

    def write(number: int) -> requests.Response:
        return requests.post(
            f"{cluster.gateways[number % GATEWAYS].internal}/api/v1/registers/care-stays",
            json=body,
            headers={"Authorization": f"Bearer {cluster.core}"},
            timeout=120,
        )

    answers = at_once(write)
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert len({answer.content for answer in answers}) == 1
    assert (cluster.count("spolis.spolis_care_stay"), cluster.count("routing.routing_outbox")) == (1, 1)


@pytest.mark.usefixtures("first")
def test_other_content_under_the_same_id(cluster: Cluster, said: Recipe) -> None:
    reached = cluster.reached()
    other = replace(said, body=fresh(cluster.world, cluster.persons).evil)
    for number in range(GATEWAYS):
        assert cluster.code(cluster.post(make(other), number)) == "message_id_reused"
    assert cluster.reached() == reached


@pytest.mark.usefixtures("first")
def test_a_timestamp_that_is_stale(cluster: Cluster, said: Recipe) -> None:
    old = replace(said, created=utc_now() - AHEAD, expires=None)
    assert cluster.code(cluster.post(make(old))) == "stale"


@pytest.mark.usefixtures("first")
def test_another_partner_with_the_same_id_says_another_thing(cluster: Cluster, said: Recipe) -> None:
    reached = cluster.reached()
    theirs = make(replace(said, identity=cluster.world.p256))
    answers = [cluster.payload(cluster.post(theirs, number)) for number in range(GATEWAYS)]
    assert cluster.reached() == reached + 1
    assert answers[0] == answers[1] != cluster.payload(cluster.post(again(cluster, said)))


@pytest.mark.parametrize("kill", [True, False])
def test_after_a_restart_the_answer_is_the_same(
    cluster: Cluster, said: Recipe, first: list[requests.Response], kill: bool
) -> None:
    reached = cluster.reached()
    cluster.stop(kill=kill)
    cluster.start(1)
    assert cluster.payload(cluster.post(again(cluster, said))) == cluster.payload(first[0])
    assert cluster.reached() == reached


def test_after_the_window_the_same_bytes_are_stale(
    cluster: Cluster, said: Recipe, content: bytes, first: list[requests.Response]
) -> None:
    """Whoever kept them gets nothing; the partner, who can sign anew, gets his answer."""
    if not FAKETIME.exists():
        unavailable("libfaketime is not installed")
    answer, reached = cluster.payload(first[0]), cluster.reached()
    cluster.stop()
    cluster.ahead = AHEAD
    seconds = f"{AHEAD.total_seconds():+.0f}s"
    cluster.start(1, LD_PRELOAD=str(FAKETIME), FAKETIME=seconds, FAKETIME_DONT_RESET="1")
    assert cluster.code(cluster.post(content)) == "stale"
    assert cluster.payload(cluster.post(again(cluster, said))) == answer
    assert cluster.reached() == reached


@pytest.mark.usefixtures("first")
def test_a_right_taken_away_keeps_the_stored_answer_back(cluster: Cluster, said: Recipe) -> None:
    """First the partner alone, who is disabled and taken up again; then the right in access.d."""
    reached = cluster.reached()
    with cluster.engine.begin() as connection:
        disable_partner(connection, "rsa", utc_now())
    assert cluster.code(cluster.post(again(cluster, said))) == "unknown_partner"
    (cluster.settings / "access.d" / "persons.toml").unlink()
    cluster.stop(kill=True)
    cluster.ahead = timedelta(0)
    cluster.start(1)
    theirs = replace(said, identity=cluster.world.p256, created=utc_now(), expires=None)
    assert cluster.code(cluster.post(make(theirs))) == "access_denied"
    assert cluster.reached() == reached
