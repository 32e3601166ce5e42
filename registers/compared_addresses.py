"""The addresses that PMLP gave of a person, compared with the State Address Register.

They agree when the code exists and the full address is the text that PMLP keeps, spaces apart. Source: p8.12, p17.10.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from exchange import Json, Lineage, Provenance
from mappings.codes import Code
from mappings.vzd import RegisteredAddress
from registers import addresses
from registers.comparing import Agreement, Asked, Comparison, Question, current
from registers.differences import DIFFERENCE, Finding
from registers.history import recorded
from registers.persons import ADDRESS

_EXISTS = "EKS"
_RULE = "p8.12"


def questions(connection: Connection, person_id: uuid.UUID) -> Iterator[Question]:
    """One for each address with a code; an address abroad has none."""
    for row in current(connection, ADDRESS, person_id):
        if row.varis_code is not None:
            yield Question({"varis_code": row.varis_code}, row.id)


def compare(
    connection: Connection,
    asked: Asked,
    found: RegisteredAddress,
    _lineage: Sequence[Lineage],
    _provenance: Provenance,
) -> Agreement:
    """The text that PMLP keeps, and whether the code is of an address that exists."""
    row, looked_at = _asked_about(connection, asked)
    differing = []
    if row is not None and found.status.code != _EXISTS:
        successor = _successor(connection, row.text, found)
        gone: dict[str, Json] = {
            "status": _texts(found.status),
            "valid_to": found.valid_to.isoformat() if found.valid_to else None,
            "text": found.text,
            "successor": successor,
        }
        differing.append(_finding(row, "varis_code", gone))
    elif row is not None and " ".join(row.text.split()) != " ".join(found.text.split()):
        differing.append(_finding(row, "text", found.text))
    return Agreement(differing, looked_at, ours=0 if row is None else 1, theirs=1)


def unknown_code(connection: Connection, asked: Asked) -> Agreement:
    """The register of addresses has no such code."""
    row, looked_at = _asked_about(connection, asked)
    differing = [] if row is None else [_finding(row, "varis_code", None)]
    return Agreement(differing, looked_at, ours=len(differing), theirs=0)


def _asked_about(connection: Connection, asked: Asked) -> tuple[Row[Any] | None, Any]:
    """The address asked about, None when it is another one now; and its differences, with those of addresses gone."""
    rows = current(connection, ADDRESS, asked.person_id)
    row = next((row for row in rows if row.id == asked.question.thing_id), None)
    if row is not None and row.varis_code != asked.question.arguments["varis_code"]:
        row = None
    others = DIFFERENCE.c.thing_id.not_in([row.id for row in rows])
    return row, or_(DIFFERENCE.c.thing_id == asked.question.thing_id, others)


def _successor(connection: Connection, text: str, found: RegisteredAddress) -> Json:
    """The code of the address that is called so today, where our register of addresses has exactly one."""
    table = addresses.ADDRESS
    called = select(table.c.varis_code).where(
        recorded(table), table.c.status == _EXISTS, table.c.text.in_({text, found.text})
    )
    codes = connection.execute(called.limit(2)).scalars().all()
    return codes[0] if len(codes) == 1 else None


def _texts(code: Code) -> Json:
    return {"code": code.code, "text_lv": code.text_lv, "text_en": code.text_en}


def _finding(row: Row[Any], column: str, theirs: Json) -> Finding:
    return Finding(
        field=f"addresses[].{column}",
        rule=_RULE,
        table=ADDRESS.name,
        column=column,
        row_key={"kind": row.kind},
        ours=getattr(row, column),
        theirs=theirs,
        kept=row,
    )


COMPARISONS = (
    Comparison(
        system="vzd",
        operation="ResolveCode",
        rule="p17.10",
        questions=questions,
        compare=compare,
        missing=unknown_code,
    ),
)
