"""How long the server takes for each page of the console over a log of a million records.

    python -m bench.console_pages --records 1000000                     SQLite in a temporary folder
    python -m bench.console_pages --records 1000000 --url postgresql+psycopg://127.0.0.1/empty_database

The records are those of `bench.person_report`, of the month that ends today. Prints one line of JSON: for each page
the milliseconds of the first request of the process, the median of the next three, and for how many of these the
processor worked for this process; and which pages are over the limit.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeAlias

import click
from sqlalchemy import text
from werkzeug.test import Client, TestResponse

import config
from adapters import discover
from audit.catalogue import catch_up
from audit.sequencer import Sequencer
from bench.person_report import CODE, KEY, MONTH, fill
from endpoints import console
from endpoints.console import pages, sessions
from endpoints.console.roles import Role
from exchange import Json, utc_now
from gateway import Gateway, wire
from security.keys import load_log_key, new_keys, write_file
from storage import migrate, open_engine

LIMIT_MS = 300.0
# The first time in this process; the median of the next ones; the processor's part of that.
Times: TypeAlias = tuple[float, float, float]
_AGAIN = 3
_FORM = re.compile(r'name="csrf" value="([^"]+)"')


@click.command()
@click.option("--records", default=1_000_000, show_default=True, help="Records of the log: two an exchange.")
@click.option("--url", default="", help="An empty database; without one SQLite in a temporary folder.")
def bench(records: int, url: str) -> None:
    """Measure every page, as who may see it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new_keys(folder / "keys", sorted(discover()))
        write_file(folder / "keys" / "subject.key", KEY)
        known = config.load({})
        settings = replace(
            known,
            state=folder,
            database_url=url or f"sqlite:///{folder / 'bench.db'}",
            limits=replace(known.limits, requests_per_s=100_000),
        )
        engine = open_engine(settings.database_url, patience=None)
        migrate.upgrade(engine)
        key = load_log_key(settings.keys / "log.key")
        Sequencer(engine, key, environment=settings.environment).run_once()  # the log begins
        one, filled = fill(engine, records, utc_now() - MONTH - timedelta(hours=6))
        catch_up(engine)
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
        engine.dispose()
        gateway = wire(settings)
        times = measure(gateway, one)
        gateway.log.close()
        gateway.engine.dispose()
    slow: list[Json] = [page for page, (first, again, _) in times.items() if max(first, again) > LIMIT_MS]
    told: dict[str, Json] = {page: list[Json](all_) for page, all_ in times.items()}
    click.echo(json.dumps({"database": engine.dialect.name, "records": filled, "ms": told, "slow": slow}))


def measure(gateway: Gateway, one: uuid.UUID) -> dict[str, Times]:
    """By page, milliseconds."""
    console.warm()
    application = console.application(gateway)
    clients: dict[Role, Client] = {}
    for role in Role:
        clients[role] = Client(application)
        with gateway.engine.begin() as connection:
            token = sessions.begin(connection, f"bench-{role.value}", role, utc_now())
        clients[role].set_cookie("console", token, path="/")
    found: dict[str, Times] = {}
    for page in pages.discover():
        if "GET" in page.methods and "<" not in page.path:
            client = clients[min(page.roles)]
            found[page.path or "overview"] = _timed(partial(client.get, f"/console/{page.path}"))
    auditor = clients[Role.AUDITOR]
    for query in (
        "system=vdeavk",
        "outcome=denied",
        "kind=outcome&rule=p8.13",
        "institution=90000000003",
        "system=nothing",
        "caller=municipality-5&outcome=denied",
    ):
        found[f"search?{query}"] = _timed(partial(auditor.get, f"/console/search?{query}"))
    found["overview?period=month"] = _timed(partial(auditor.get, "/console/?period=month"))
    found["exchange"] = _timed(partial(auditor.get, f"/console/exchanges/{one}"))
    form = _FORM.search(auditor.get("/console/person").text)
    if form is None:
        raise SystemExit("the page of a person's report has no form")
    asked = {"csrf": form[1], "purpose": "bench", "person": CODE, "asked_by": "auditor"}
    for name, part in {"": {}, ", its last page": {"page": "20"}, ", whole": {"as": "whole"}}.items():
        ask = partial(auditor.post, "/console/person", data=asked | part)
        found[f"person, a thousand accesses{name}"] = _timed(ask)
    found["search, ten thousand rows as CSV"] = _timed(
        partial(auditor.get, "/console/search?kind=outcome&as=csv")
    )
    return found


def _timed(ask: Callable[[], TestResponse]) -> Times:
    times, worked = [], []
    for _ in range(1 + _AGAIN):
        began, before = time.perf_counter(), time.process_time()
        answer = ask()
        times.append(round((time.perf_counter() - began) * 1000, 1))
        worked.append(round((time.process_time() - before) * 1000, 1))
        if answer.status_code not in (200, 303):  # a page that is asked by a form alone leads to the form
            raise SystemExit(f"a page answered {answer.status_code}")
    middle = _AGAIN // 2
    return times[0], sorted(times[1:])[middle], sorted(worked[1:])[middle]


if __name__ == "__main__":
    bench()
