"""What of a register's row may be given: only the fields permitted, by rule and by the source of each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Column

from exchange import Json, instant_text
from mappings.codes import CodeList
from registers.history import Month, Value
from registers.reading import Row

Permits = Callable[[str, str], bool]


def disclose(row: Row, permits: Permits) -> tuple[dict[str, Json], tuple[str, ...]]:
    """What of a row may be given, and the names of the fields withheld.

    `permits(rule, source)` judges every value by the source of its own row. A row of which nothing may be given is
    an empty object: that it exists is told to nobody. So are rows of its parts, which are left out.
    """
    withheld: dict[str, None] = {}
    given = _fields(row, permits, "", withheld)
    for name, part in row.register.parts.items():
        rows = row.parts[name]
        several = isinstance(rows, tuple)
        prefix = f"{name}." if part.single else f"{name}[]."
        listed = rows if isinstance(rows, tuple) else (rows,) if rows else ()
        if not listed:
            refused = [
                n for n, rule in part.register.fields.items() if not permits(rule, part.register.source)
            ]
            withheld.update({f"{prefix}{n}": None for n in refused})
            if len(refused) == len(part.register.fields):
                continue
        disclosed: list[Json] = [
            {"id": str(each.id), **fields, **_origin(each)}
            for each in listed
            if (fields := _fields(each, permits, prefix, withheld))
        ]
        if disclosed or not listed:
            given[name] = disclosed if several else (disclosed[0] if disclosed else None)
    if not given:
        return {}, tuple(withheld)
    head: dict[str, Json] = {"id": str(row.id)}
    if row.person_id is not None:
        head["person_id"] = str(row.person_id)
    return {**head, **given, **_origin(row)}, tuple(withheld)


def _fields(row: Row, permits: Permits, prefix: str, withheld: dict[str, None]) -> dict[str, Json]:
    given: dict[str, Json] = {}
    for name, rule in row.register.fields.items():
        if permits(rule, row.provenance.source):
            given[name] = _json(row.values[name], row.register.table.c[name])
        else:
            withheld[f"{prefix}{name}"] = None
    return given | _validity(row, given)


def _validity(row: Row, given: Mapping[str, Json]) -> dict[str, Json]:
    """Valid time under its general names, as far as the columns behind it may be given."""
    names = zip(("valid_from", "valid_to"), row.register.valid or (), strict=False)
    return {general: given[column] for general, column in names if column in given}


def _origin(row: Row) -> dict[str, Json]:
    provenance = row.provenance
    return {
        "recorded_at": instant_text(row.recorded_at),
        "superseded_at": instant_text(row.superseded_at) if row.superseded_at else None,
        "provenance": {
            "exchange_id": str(provenance.exchange_id),
            "source": provenance.source,
            "contract_version": provenance.contract_version,
            "mapping_version": provenance.mapping_version,
        },
    }


def _json(value: Value, column: Column[Any]) -> Json:
    codes: CodeList | None = column.info.get("codes")
    if codes is not None and isinstance(value, str):
        return _code(codes, value)
    if codes is not None and isinstance(value, tuple):
        return [_code(codes, one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return f"{value:%Y-%m}" if isinstance(column.type, Month) else value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _code(codes: CodeList, value: str) -> Json:
    code = codes[value]
    return {"code": code.code, "text_lv": code.text_lv, "text_en": code.text_en}
