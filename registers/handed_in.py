"""Rows that a municipality or planning region hands in under its own ids of objects, by which it corrects and deletes.

Another supplier's record is out of reach: a row belongs to the partner who signed it. A report is about no person.
Source: p17.3, p17.11, p20.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Row, Table, Text, select

from errors import InvalidRequest, NotFound
from exchange import Json, Provenance
from mappings.codes import Code, CodeList
from mappings.long_term_care import DELETION_REASON
from mappings.mapping import Mapping as Mapped
from registers.history import Fed, Value, Values, business_columns, field, lock, recorded, replace, versioned
from registers.persons import person_by_code, person_of
from registers.reading import Register


class HandedIn(Protocol):
    """What every record has: its supplier, and the supplier's own id of the object."""

    @property
    def supplier(self) -> str: ...

    @property
    def object_no(self) -> str: ...


class Deletion(HandedIn, Protocol):
    """A record that is to be deleted: whose it is, what it is and why."""

    @property
    def person_code(self) -> str | None: ...

    @property
    def kind(self) -> Code: ...

    @property
    def reason(self) -> Code: ...


def handed_in(
    system: str, thing: str, *fields: Column[Any], person: bool = True, also_by: tuple[str, ...] = ()
) -> Table:
    """Declare the table `<system>_<thing>` of rows by supplier and object; `also_by` allows several to an object."""
    return versioned(
        system,
        thing,
        field("supplier", Text(), rule="p17"),
        field("object_no", Text(), rule="p20"),
        *fields,
        person=person,
        one_per=("supplier", "object_no", *also_by),
    )


def deletions(system: str, kinds: CodeList) -> Table:
    """Declare the table of what was deleted and why; whom it was about say the versions of the row itself."""
    return versioned(
        system,
        "deletion",
        field("supplier", Text(), rule="p17"),
        field("object_no", Text(), rule="p20"),
        field("kind", Text(), rule="p20", codes=kinds),
        field("reason", Text(), rule="p20", codes=DELETION_REASON),
        person=False,
        one_per=("supplier", "kind", "object_no"),
    )


def register(
    name: str,
    table: Table,
    source: str,
    *criteria: str,
    order: str = "object_no",
    valid: tuple[str, str] | None = None,
) -> Register:
    """A register over such a table, found by the object, what orders it and further columns."""
    known = dict.fromkeys(("object_no", order, *criteria))
    return Register(
        name=name,
        table=table,
        source=source,
        criteria={column: table.c[column] for column in known},
        valid=valid,
        order=(order, "object_no"),
    )


def keep(
    connection: Connection,
    table: Table,
    record: HandedIn,
    person_code: str | None,
    provenance: Provenance,
    **given: Value,
) -> Fed:
    """Keep a record: the first of its object begins a row, the next corrects it.

    A column holds the record's value of the same name, unless it is `given`.
    Raises: InvalidRequest when the object is of another person.
    """
    owner = _owner(connection, table, record, person_code, provenance)
    return replace(connection, table, owner, [_values(table, record, given)], provenance, key=())


def keep_several(
    connection: Connection,
    table: Table,
    record: HandedIn,
    person_code: str,
    rows: Iterable[Values],
    provenance: Provenance,
    key: str,
) -> Fed:
    """Keep the rows that one record has in a table, each by its `key`; those that it names no more are ended."""
    owner = _owner(connection, table, record, person_code, provenance)
    whole = [_values(table, record, row) for row in rows]
    return replace(connection, table, owner, whole, provenance, key=(key,))


def delete(
    connection: Connection,
    tables: tuple[Table, ...],
    why: Table,
    record: Deletion,
    provenance: Provenance,
) -> Fed:
    """End the rows of an object in its tables, and keep why; their versions stay.

    Raises: NotFound when the supplier has no such record of this person.
    """
    hold(connection, tables[0], record)
    before = current(connection, tables[0], record)
    person_id = getattr(before, "person_id", None)
    asked = None if record.person_code is None else person_by_code(connection, record.person_code)
    if before is None or asked != person_id:
        raise NotFound("object_no")
    owner: dict[str, object] = {"supplier": record.supplier, "object_no": record.object_no}
    whose: dict[str, object] = {}
    if record.person_code is not None:
        whose = {"person_id": person_of(connection, record.person_code, provenance)}
    fed = Fed()
    for table in tables:
        fed += replace(connection, table, owner | whose, [], provenance, key=())
    row: Values = {
        "supplier": record.supplier,
        "object_no": record.object_no,
        "kind": record.kind.code,
        "reason": record.reason.code,
    }
    return fed + replace(connection, why, owner | {"kind": record.kind.code}, [row], provenance, key=())


def current(connection: Connection, table: Table, record: HandedIn) -> Row[Any] | None:
    """The row that is kept of the supplier's object now."""
    return connection.execute(
        select(table).where(
            table.c.supplier == record.supplier, table.c.object_no == record.object_no, recorded(table)
        )
    ).first()


def known(
    connection: Connection,
    tables: Iterable[Table],
    supplier: str,
    object_no: str,
    person_id: uuid.UUID | None,
) -> bool:
    """Whether the supplier has handed in that object, of that person, in one of the tables."""
    return any(
        connection.execute(
            select(table.c.id).where(
                table.c.supplier == supplier,
                table.c.object_no == object_no,
                table.c.person_id == person_id,
                recorded(table),
            )
        ).first()
        is not None
        for table in tables
    )


def hold(connection: Connection, table: Table, record: HandedIn) -> None:
    """Hold the object until the transaction ends, before the person is: everybody takes them in this order."""
    lock(connection, [f"{table.name} {record.supplier} {record.object_no}"])


def listed(table: Mapped[Any], records: Iterable[object]) -> list[Json]:
    """Records within a record as one column holds them: JSON, a code with its texts."""
    return [table.json(one) for one in records]


def _owner(
    connection: Connection, table: Table, record: HandedIn, person_code: str | None, provenance: Provenance
) -> dict[str, object]:
    """Raises: InvalidRequest when the object is of another person."""
    hold(connection, table, record)
    owner: dict[str, object] = {"supplier": record.supplier, "object_no": record.object_no}
    if person_code is not None:
        before = current(connection, table, record)
        owner["person_id"] = person_of(connection, person_code, provenance)
        if before is not None and before.person_id != owner["person_id"]:
            raise InvalidRequest("object_no is of another person; delete that record first")
    return owner


def _values(table: Table, record: HandedIn, given: Values) -> Values:
    return {
        name: given[name] if name in given else _plain(getattr(record, name))
        for name in business_columns(table)
    }


def _plain(value: Any) -> Value:
    if isinstance(value, Code):
        return value.code
    if isinstance(value, tuple):
        return tuple(one.code if isinstance(one, Code) else one for one in value)
    plain: Value = value
    return plain
