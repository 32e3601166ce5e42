"""A flood at the door is no flood of records: all of it is in a few leaves, and counted to the last request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from lxml import etree
from sqlalchemy import Engine, func, select

from audit.tables import log_records
from tests.attacks.live import PATH, client, new_state, summed_up, tls
from tests.endpoints.serving import Served, configure, serving
from tests.endpoints.soap.messages import FAULT

REQUESTS = 2000
THREADS = 8
A_SECOND = 20

GARBAGE: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("POST", PATH, {"Content-Type": "text/xml; charset=utf-8"}),
    ("POST", PATH, {"Content-Type": "application/json"}),
    ("POST", PATH, {"Content-Type": "text/xml", "Content-Encoding": "gzip"}),
    ("PUT", PATH, {"Content-Type": "text/xml"}),
    ("POST", "/soap/nobody/v1-0", {"Content-Type": "text/xml"}),
    ("POST", "/api/v1/pmlp/get-person", {"Content-Type": "application/json"}),
    ("POST", PATH, {"Content-Type": "text/xml", "Host": ""}),
)


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[tuple[Served, Engine]]:
    engine = new_state(tmp_path)
    keys = tmp_path / "state" / "keys"
    sections: dict[str, dict[str, object]] = {
        "listen.partners": tls(keys),
        "limits": {"requests_per_s": A_SECOND},
    }
    config = configure(tmp_path, **sections)
    with serving(config, "--embedded", "--threads", str(THREADS)) as served:
        yield served, engine
    engine.dispose()


def test_a_flood_is_summed_up(flooded: tuple[Served, Engine], tmp_path: Path) -> None:
    served, engine = flooded
    heard: Counter[str] = Counter()
    lock = threading.Lock()

    def flood(first: int) -> None:
        mine: Counter[str] = Counter()
        with client(tmp_path / "state" / "keys") as session:
            for number in range(first, REQUESTS, THREADS):
                method, path, headers = GARBAGE[number % len(GARBAGE)]
                answer = session.request(
                    method, f"{served.partners}{path}", data=b"<garbage/>", headers=headers, timeout=60
                )
                mine[_told(answer)] += 1
        with lock:
            heard.update(mine)

    threads = [threading.Thread(target=flood, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served.stop() == 0
    assert heard.total() == REQUESTS
    # What was no envelope had come as far as an exchange, at no higher rate than one address has.
    exchanges = heard.pop("exchange", 0)
    assert _leaves(engine) == {"opened": exchanges, "outcome": exchanges}
    summed, leaves = summed_up(engine)
    assert summed == heard
    assert summed["busy"] > REQUESTS / 4
    assert summed.total() == REQUESTS - exchanges
    assert 1 <= leaves <= 6


def _told(answer: requests.Response) -> str:
    """The code of a refusal, as the sum has it; `exchange` where there was one."""
    kind = answer.headers["Content-Type"].partition(";")[0]
    if kind == "application/problem+json":
        return str(answer.json()["code"])
    if kind == "text/plain":
        return {404: "unknown_operation", 405: "invalid_request"}[answer.status_code]
    fault = etree.fromstring(answer.content).find(f".//{{{FAULT}}}Kluda")
    return (
        "exchange"
        if fault.find(f"{{{FAULT}}}ApmainasId") is not None
        else str(fault.findtext(f"{{{FAULT}}}Kods"))
    )


def _leaves(engine: Engine) -> dict[str, int]:
    """The records of exchanges by kind."""
    counted = select(log_records.c.kind, func.count().label("records")).group_by(log_records.c.kind)
    with engine.connect() as connection:
        found = {row.kind: int(row.records) for row in connection.execute(counted)}
    return {kind: found.get(kind, 0) for kind in ("opened", "outcome")}
