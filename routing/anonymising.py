"""Anonymise register rows whose purpose has ended, each step with its record in one transaction.

The record says which rules were in force, what went by table, and how many rows the archive got under the step's id:
`disproved` compares them. Source: p22.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import date

from sqlalchemy import Connection, Engine

from audit import Entry, ExchangeLog, Kind, search
from audit.account import operating_user
from exchange import Environment, Json, new_id, utc_now
from registers.anonymising import archived, step
from registers.purposes import Purposes, purposes
from routing import reconciliation
from storage import metadata, reading
from storage.compaction import compact

ACT = "registers anonymise"

# Imported so that every table that names a person is declared.
_ROOMS = (reconciliation,)

_MOST = 500
_RECORDS = 10_000


def anonymise(
    engine: Engine,
    log: ExchangeLog,
    environment: Environment,
    today: date,
    why: str,
    progress: Callable[[int], None] = lambda _done: None,
    most: int = _MOST,
) -> Counter[str]:
    """Do all that is due and say what went; killed at any moment, the next call goes on.

    At the end the deleted rows are taken out of the files, as far as this role may.
    Raises: LogUnavailable, Busy.
    """
    gone: Counter[str] = Counter()
    while True:
        counts = log.commit_apart(lambda connection: _step(connection, log, environment, today, why, most))
        if not counts:
            break
        gone += counts
        progress(gone.total())
    if gone:
        compact(engine, [metadata.tables[name] for name in gone if name in metadata.tables])
    return gone


def disproved(engine: Engine) -> list[uuid.UUID]:
    """The steps whose record says another number of archived rows than the archive holds.

    Raises: LogUnavailable.
    """
    records = [
        one.leaf
        for one in search.search(engine, operation=ACT, limit=_RECORDS)
        if one.leaf.get("kind") == Kind.ADMIN.value
    ]
    with reading(engine).begin() as connection:
        return [
            uuid.UUID(str(leaf["exchange"]))
            for leaf in records
            if archived(connection, uuid.UUID(str(leaf["exchange"]))) != leaf["archived"]
        ]


def _step(
    connection: Connection, log: ExchangeLog, environment: Environment, today: date, why: str, most: int
) -> Counter[str]:
    run, rules = new_id(), purposes()
    counts = step(connection, rules, run, today, most)
    if not counts:
        return counts
    log.append(connection, _record(run, rules, counts, environment, today, why))
    return counts


def _record(
    run: uuid.UUID, rules: Purposes, counts: Counter[str], environment: Environment, today: date, why: str
) -> Entry:
    years: dict[str, Json] = {
        name: one.years for name, one in rules.by_table.items() if one.column and name in counts
    }
    if counts["persons"]:
        years["persons"] = rules.person_years
    facts: dict[str, Json] = {
        "environment": environment.value,
        "act": ACT,
        "operation": ACT,
        "name": str(run),
        "recipient": "",
        "on": today.isoformat(),
        "years": years,
        "archived": counts["archived"],
        "erased": {name: number for name, number in sorted(counts.items()) if name != "archived"},
    }
    return Entry(Kind.ADMIN, run, utc_now(), facts, {"official": operating_user(), "reason": why})
