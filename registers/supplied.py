"""Rows that a supplier hands in under numbers of its own: by them it links, corrects and deletes what it handed in.

Another supplier's record is out of reach: a row belongs to the partner who signed it. Source: p17, p20.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Index, Row, Table, Text, select

from errors import InvalidRequest, NotFound
from exchange import Provenance
from mappings.codes import Code
from registers.history import Fed, Value, field, lock, recorded, replace, versioned
from registers.persons import hold_person, person_by_code, person_of


class Numbered(Protocol):
    """What every record that is handed in has: its supplier, and the supplier's numbers of case and record."""

    @property
    def supplier(self) -> str: ...

    @property
    def case_no(self) -> str: ...

    @property
    def record_no(self) -> str: ...


class Deleted(Numbered, Protocol):
    """A record that is to be deleted: what it is and why."""

    @property
    def kind(self) -> Code: ...

    @property
    def reason(self) -> Code: ...


class Deletion(Deleted, Protocol):
    """A record about a person that is to be deleted."""

    @property
    def person_code(self) -> str: ...


# Whom a record is about, found or made once case and number are held; None: nobody.
Whose = Callable[[], uuid.UUID | None]
# Looks at what is kept then. Raises: InvalidRequest.
Check = Callable[[], None]


def supplied(
    system: str,
    thing: str,
    *fields: Column[Any],
    person: bool = True,
    one_per: Sequence[str] = ("supplier", "record_no"),
) -> Table:
    """Declare the table `<system>_<thing>` of rows under their supplier's numbers; `person`: each is about one."""
    table = versioned(
        system,
        thing,
        field("supplier", Text(), rule="p17"),
        field("case_no", Text(), rule="p20"),
        field("record_no", Text(), rule="p20"),
        *fields,
        person=person,
        one_per=one_per,
    )
    Index(None, table.c.supplier, table.c.case_no)
    return table


def keep(
    connection: Connection,
    table: Table,
    record: Numbered,
    person_code: str,
    values: Mapping[str, Value],
    provenance: Provenance,
    check: Check = lambda: None,
) -> Fed:
    """Keep a record: the first of its number begins a row, the next corrects it.

    `check` looks at what is kept then, while nobody else can add to the case.
    Raises: InvalidRequest when the number, or the case, is of another person.
    """
    return keep_of(
        connection,
        table,
        record,
        lambda: person_of(connection, person_code, provenance),
        values,
        provenance,
        check,
    )


def keep_of(
    connection: Connection,
    table: Table,
    record: Numbered,
    whose: Whose,
    values: Mapping[str, Value],
    provenance: Provenance,
    check: Check = lambda: None,
) -> Fed:
    """Keep a record, as `keep` does, about a person who is known in another way, or about nobody."""
    hold(connection, table, record)
    person_id = whose()
    if person_id is not None:
        _same_person(connection, table, record, person_id)
    row = {"supplier": record.supplier, "case_no": record.case_no, "record_no": record.record_no, **values}
    fed = replace(connection, table, _owner(record, person_id), [row], provenance, key=())
    check()
    return fed


def delete(
    connection: Connection, table: Table, deletions: Table, record: Deletion, provenance: Provenance
) -> Fed:
    """End the row of a number, and keep why; its versions stay.

    Raises: NotFound when the supplier has no such record of this person in this case.
    """
    return delete_of(
        connection,
        table,
        deletions,
        record,
        lambda: person_by_code(connection, record.person_code),
        provenance,
    )


def delete_of(
    connection: Connection,
    table: Table,
    deletions: Table,
    record: Deleted,
    whose: Whose,
    provenance: Provenance,
    more: Mapping[str, Value] = MappingProxyType({}),
) -> Fed:
    """End a row, as `delete` does, about a person who is known in another way, or about nobody.

    `more` are values of further columns of the table of deletions.
    """
    hold(connection, table, record)
    before = current(connection, table, record)
    person_id = whose()
    if before is None or (getattr(before, "person_id", None), before.case_no) != (person_id, record.case_no):
        raise NotFound("record_no")
    if person_id is not None:
        hold_person(connection, person_id)
    owner = _owner(record, person_id)
    fed = replace(connection, table, owner, [], provenance, key=())
    row: dict[str, Value] = {
        "supplier": record.supplier,
        "case_no": record.case_no,
        "record_no": record.record_no,
        "kind": record.kind.code,
        "reason": record.reason.code,
        **more,
    }
    if person_id is None and "person_id" in deletions.columns:
        row["person_id"] = None
    return fed + replace(connection, deletions, owner | {"kind": record.kind.code}, [row], provenance, key=())


def _owner(record: Numbered, person_id: uuid.UUID | None) -> dict[str, object]:
    owner: dict[str, object] = {"supplier": record.supplier, "record_no": record.record_no}
    return owner if person_id is None else {"person_id": person_id, **owner}


def _same_person(connection: Connection, table: Table, record: Numbered, person_id: uuid.UUID) -> None:
    """Raises: InvalidRequest when the number, or the case, is of another person."""
    before = current(connection, table, record)
    if before is not None and before.person_id != person_id:
        raise InvalidRequest("record_no is of another person; delete that record first")
    strangers = select(table.c.id).where(
        table.c.supplier == record.supplier,
        table.c.case_no == record.case_no,
        table.c.person_id != person_id,
        recorded(table),
    )
    if connection.execute(strangers).first() is not None:
        raise InvalidRequest("case_no is of another person")


def hold(connection: Connection, table: Table, record: Numbered) -> None:
    """Hold case and number until the transaction ends, before the person is: everybody takes them in this order."""
    names = (f"case {record.case_no}", f"record {record.record_no}")
    lock(connection, [f"{table.schema} {record.supplier} {name}" for name in names])


def current(connection: Connection, table: Table, record: Numbered) -> Row[Any] | None:
    """The row that is kept under the supplier's number now."""
    return connection.execute(
        select(table).where(
            table.c.supplier == record.supplier, table.c.record_no == record.record_no, recorded(table)
        )
    ).first()
