"""Refused messages leave nothing behind: what a worker needs for hostile ones stays near what it needs at rest."""

from __future__ import annotations

import http.client
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import pytest

from security.keys import new_keys
from tests.endpoints.serving import Served, below, configure, serving
from tests.endpoints.soap.messages import SOAP

LARGEST = 4_194_304
SIZES = [4_000] * 12 + [64_000] * 8 + [600_000] * 4 + [LARGEST]
MESSAGES = 500
MOST_KIB = 64 * 1024


def envelope(inside: bytes) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{SOAP["1.1"]}"><s:Header/><s:Body>'.encode()
        + inside
        + b"</s:Body></s:Envelope>"
    )


def filled(unit: Callable[[int], bytes], size: int) -> bytes:
    """An envelope as large as may be, of pieces that may differ by their number."""
    parts, left, number = [], size - 200, 0
    while left > 0:
        parts.append(unit(number))
        left -= len(parts[-1])
        number += 1
    return envelope(b"".join(parts[:-1]))


KINDS: dict[str, Callable[[int], bytes]] = {
    "laughs": lambda size: (
        b"<!DOCTYPE a [" + b"<!ENTITY a 'ha'>" * (size // 16 - 10) + b"]>" + envelope(b"&a;")
    ),
    "empty elements": lambda size: filled(lambda _: b"<b/>", size),
    "as many elements as may be": lambda size: envelope(b"<b/>" * min(size // 4 - 50, 100_000)),
    "records": lambda size: filled(lambda _: b"<record>what a record holds, or more</record>", size),
    "attributes": lambda size: envelope(
        b"<a " + b" ".join(b"a%d=''" % n for n in range(min(size // 10, 90_000))) + b"/>"
    ),
    "depth": lambda size: b"<a>" * (size // 3),
    "one text": lambda size: filled(lambda _: b"x" * 1000, size),
    "a text of rare characters": lambda size: filled(lambda _: "\U0001f600".encode() * 200, size),
    "namespaces": lambda size: filled(lambda n: b"<b xmlns:p%d='urn:%d'/>" % (n, n), min(size, 1_500_000)),
    "names made up anew": lambda size: filled(
        lambda n: b"<n%s%d/>" % (os.urandom(100).hex().encode(), n), min(size, 3_000_000)
    ),
    "noise": lambda size: os.urandom(size),
    "noise in letters": lambda size: envelope(os.urandom(size // 2 - 100).hex().encode()),
    "comments": lambda size: filled(lambda _: b"<!-- x -->", size),
    "CDATA": lambda size: filled(lambda _: b"<![CDATA[x]]>", size),
    "references": lambda size: filled(lambda _: b"&#65;", size),
    "UTF-16": lambda size: filled(lambda _: b"x" * 1000, size // 2 - 100).decode().encode("utf-16"),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("memory")
    new_keys(folder / "state" / "keys", ["pmlp", "vdeavk", "sais", "npais", "vzd"])
    config = configure(folder, limits={"requests_per_s": 100_000})
    with serving(config, "--embedded", "--threads", "8") as served:
        yield served


def worker(served: Served) -> int:
    """The process that serves partners: the one of that name with no other below it."""
    family = [
        number for number in served.family() if b"partners" in Path(f"/proc/{number}/cmdline").read_bytes()
    ]
    (found,) = [number for number in family if not below(number)]
    return found


def peak(process: int) -> int:
    """The most memory that a process has had, in KiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(found)


def test_hostile_messages_cost_no_more_than_so_much(served: Served) -> None:
    """One after the other and four at a time, each refused."""

    def post(content: bytes) -> int:
        connection = http.client.HTTPConnection(*served.address("partners"), timeout=120)
        connection.request("POST", "/soap/persons/v1-0", content, {"Content-Type": "text/xml"})
        answer = connection.getresponse()
        assert b"Kods>" in answer.read()
        connection.close()
        return answer.status

    process = worker(served)
    for _ in range(20):
        post(envelope(b"<x/>"))
    idle = peak(process)
    made = (make(size) for make, size in zip(cycle(KINDS.values()), cycle(SIZES), strict=False))
    statuses = Counter(map(post, islice(made, MESSAGES // 2)))
    alone = peak(process)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(MESSAGES // 20):
            statuses.update(pool.map(post, list(islice(made, 10))))
    assert sum(statuses.values()) == MESSAGES
    assert set(statuses) <= {500, 413}
    assert worker(served) == process, "it is the same process"
    assert alone - idle < MOST_KIB, (idle, alone)
    assert peak(process) - idle < MOST_KIB, (idle, alone, peak(process))
