"""What the exchange log says of a demonstration: every exchange read back from its outcome record."""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from rich.box import SIMPLE
from rich.table import Table
from sqlalchemy import Connection, select

from audit import leaf
from audit.tables import log_records, log_tree
from exchange import Json, Way

_SOME = 500  # ids in one query


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange. `direction`: `out` asks a state system, `in` is a partner's call or a write to a register.

    `register_rows` are the rows written; `ms` from arrival to answer. Signed: as the log has it for the leg between
    us and the other institution; a write to a register has none.
    """

    system: str
    operation: str
    direction: str
    outcome: str
    request_signed: bool
    answer_signed: bool
    register_rows: int
    log_index: int | None
    attempts: int
    ms: int


def read_lines(connection: Connection, exchange_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Line]:
    """The exchanges of these ids that have an outcome on record."""
    ids = [str(each) for each in exchange_ids]
    found: dict[uuid.UUID, Line] = {}
    for first in range(0, len(ids), _SOME):
        rows = connection.execute(
            select(log_records.c.leaf, log_tree.c.idx)
            .outerjoin(log_tree, log_tree.c.record_id == log_records.c.id)
            .where(log_records.c.kind == "outcome", log_records.c.exchange_id.in_(ids[first : first + _SOME]))
            .order_by(log_records.c.id)  # of an exchange that was queued first, the last outcome counts
        )
        for row in rows:
            fields = leaf.parse(row.leaf)
            found[uuid.UUID(str(fields["exchange"]))] = _line(fields, row.idx)
    return found


def _line(fields: dict[str, Json], index: int | None) -> Line:
    return Line(
        system=str(fields.get("system", "")),
        operation=str(fields.get("operation", "")),
        direction="in" if fields["way"] == Way.SOAP or fields.get("system") == "registers" else "out",
        outcome=str(fields["outcome"]),
        request_signed=fields["request_signed"] is True,
        answer_signed=fields["answer_signed"] is True,
        register_rows=cast(int, fields["written"]),
        log_index=index,
        attempts=cast(int, fields["attempts"]),
        ms=cast(int, fields["ms"]),
    )


def content(lines: Sequence[Line], audit: dict[str, Json]) -> dict[str, Json]:
    """What `gateway demo --json` writes: the exchanges between institutions, not the writes to our own register."""
    return {
        "exchanges": [asdict(line) for line in lines if line.system != "registers"],
        "denied": sum(line.outcome == "denied" for line in lines),
        "retried": sum(line.attempts > 1 for line in lines),
        "audit": audit,
    }


def table(lines: Sequence[Line]) -> Table:
    """One row for each operation, in the order in which it was first used."""
    shown = Table(box=SIMPLE, pad_edge=False)
    for head in ("system", "operation"):
        shown.add_column(head, no_wrap=True)
    for head in ("exchanges", "signed both ways", "register rows", "median ms", "p95 ms"):
        shown.add_column(head, justify="right")
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.system, line.operation), []).append(line)
    for (system, operation), group in groups.items():
        answered = [line for line in group if line.outcome == "ok"]
        signed = sum(line.request_signed and line.answer_signed for line in answered)
        times = sorted(line.ms for line in answered) or [0]
        shown.add_row(
            system,
            operation,
            str(len(group)),
            str(signed) if system != "registers" else "—",
            str(sum(line.register_rows for line in group)),
            f"{statistics.median(times):.0f}",
            str(times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]),
        )
    return shown
