"""The register of persons: an internal person, codes as dated aliases, and what PMLP says of the person.

A person is not a code: a code may change, a person stays. Names are a table apart from the other particulars, because
PMLP also gives name and code alone, and a row has one provenance for all of its values.
Source: p8.1–p8.12, p9.2.5.1–p9.2.5.2, p17.2.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Row,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from errors import Busy, UnknownCode
from exchange import RIGA, Provenance, new_id
from mappings.codes import (
    ADDRESS_KIND,
    DOCUMENT_KIND,
    FAMILY_RELATION,
    NATIONALITY_KIND,
    REGISTRY_STATUS,
    REPRESENTATIVE_KIND,
    SEX,
)
from mappings.person_code import canonical
from mappings.pmlp import Person
from registers import differences
from registers.history import (
    Fed,
    Texts,
    Values,
    field,
    later,
    one_current,
    provenance_columns,
    recorded,
    replace,
    source_values,
    versioned,
)
from registers.reading import Part, Register
from storage import Instant, identifier, metadata
from storage.statements import Statement

PERSON = Table(
    "spolis_person",
    metadata,
    Column("id", identifier(), primary_key=True),
    Column("recorded_at", Instant, nullable=False),
    *provenance_columns(),
    schema="spolis",
)

PERSON_CODE = versioned(
    "spolis",
    "person_code",
    field("code", Text(), rule="p8.3"),
    field("valid_from", Date(), rule="p8.3", optional=True),
    field("valid_to", Date(), rule="p8.3", optional=True),
    one_per=("code",),
)

IDENTITY = versioned(
    "pmlp",
    "identity",
    field("given_names", Texts(), rule="p8.1"),
    field("family_name", Text(), rule="p8.2"),
    one_per=("person_id",),
)

PARTICULARS = versioned(
    "pmlp",
    "particulars",
    field("birth_date", Date(), rule="p8.4", optional=True),
    field("sex", Text(), rule="p8.5", codes=SEX, optional=True),
    field("nationality", Text(), rule="p8.6", optional=True),
    field("nationality_kind", Text(), rule="p8.6", codes=NATIONALITY_KIND, optional=True),
    field("deceased", Boolean(), rule="p8.7", optional=True),
    field("death_date", Date(), rule="p8.7", optional=True),
    field("capacity_restricted", Boolean(), rule="p8.8", optional=True),
    field("capacity_review_date", Date(), rule="p8.8", optional=True),
    field("registry_status", Text(), rule="p8.10", codes=REGISTRY_STATUS, optional=True),
    one_per=("person_id",),
)

REPRESENTATIVE = versioned(
    "pmlp",
    "representative",
    field("person_code", Text(), rule="p8.9"),
    field("kind", Text(), rule="p8.9", codes=REPRESENTATIVE_KIND),
)

DOCUMENT = versioned(
    "pmlp",
    "document",
    field("kind", Text(), rule="p8.11.1", codes=DOCUMENT_KIND),
    field("number", Text(), rule="p8.11.2"),
    field("issued_on", Date(), rule="p8.11.3"),
    field("valid_to", Date(), rule="p8.11.4", optional=True),
    field("country", Text(), rule="p8.11.5"),
    field("authority", Text(), rule="p8.11.5"),
)

ADDRESS = versioned(
    "pmlp",
    "address",
    field("kind", Text(), rule="p8.12", codes=ADDRESS_KIND),
    field("varis_code", Text(), rule="p8.12", optional=True),
    field("text", Text(), rule="p8.12"),
)

FAMILY = versioned(
    "pmlp",
    "family",
    field("relation", Text(), rule="p9.2.5.2", codes=FAMILY_RELATION),
    field("person_code", Text(), rule="p9.2.5.1"),
    field("given_names", Texts(), rule="p9.2.5.1"),
    field("family_name", Text(), rule="p9.2.5.1"),
)


def _part(
    name: str, table: Table, *, single: bool = False, source: str = "pmlp", **more: tuple[str, ...]
) -> Part:
    valid = more.get("valid")
    return Part(
        register=Register(
            name=name,
            table=table,
            source=source,
            valid=(valid[0], valid[1]) if valid else None,
            order=more.get("order", ()),
        ),
        single=single,
    )


REGISTERS = (
    Register(
        name="persons",
        table=PERSON,
        source="pmlp",
        criteria={"family_name": IDENTITY.c.family_name, "birth_date": PARTICULARS.c.birth_date},
        parts={
            "identity": _part("identity", IDENTITY, single=True),
            "particulars": _part("particulars", PARTICULARS, single=True),
            "codes": _part("codes", PERSON_CODE, valid=("valid_from", "valid_to"), order=("code",)),
            "representatives": _part("representatives", REPRESENTATIVE, order=("kind", "person_code")),
            "documents": _part(
                "documents", DOCUMENT, valid=("issued_on", "valid_to"), order=("kind", "number")
            ),
            "addresses": _part("addresses", ADDRESS, order=("kind", "text")),
            "family": _part("family", FAMILY, order=("relation", "person_code")),
        },
    ),
)

_BY_CODE = Statement(
    select(PERSON_CODE.c.person_id).where(PERSON_CODE.c.code == bindparam("code"), recorded(PERSON_CODE))
)
_LOCK = Statement(select(PERSON.c.id).where(PERSON.c.id == bindparam("id")).with_for_update())
_NEW_PERSON = Statement(insert(PERSON))
_NEW_CODE = Statement(
    lambda insert_into: insert_into(PERSON_CODE).on_conflict_do_nothing(
        index_elements=["code"], index_where=text("superseded_at IS NULL")
    )
)


def person_by_code(connection: Connection, code: str) -> uuid.UUID | None:
    """The person who has or had this code, or None. Raises: InvalidPersonCode."""
    found = _BY_CODE.first(connection, code=canonical(code))
    return None if found is None else found.person_id


def codes_of(connection: Connection, person_id: uuid.UUID) -> tuple[str, ...]:
    """The codes of a person, the one in force first."""
    rows = connection.execute(
        select(PERSON_CODE.c.code, PERSON_CODE.c.valid_to).where(
            PERSON_CODE.c.person_id == person_id, recorded(PERSON_CODE)
        )
    ).all()
    return tuple(row.code for row in sorted(rows, key=lambda row: row.valid_to or date.max, reverse=True))


def person_of(connection: Connection, code: str, provenance: Provenance) -> uuid.UUID:
    """The person of a code, made when there is none, and locked until the transaction ends.

    Two transactions that meet the same new code make one person: the second waits for the first at the unique index
    of current codes.
    """
    locked: uuid.UUID | None = None
    # Asked again under the lock: two persons may have become one meanwhile.
    while (person_id := person_by_code(connection, code)) is None or person_id != locked:
        if person_id is None and (made := _new_person(connection, code, provenance)) is not None:
            return made  # nobody else has seen it
        if (locked := person_id) is not None:
            _LOCK.first(connection, id=locked)
    return person_id


def hold_person(connection: Connection, person_id: uuid.UUID) -> None:
    """Hold a person until the transaction ends, as `person_of` does."""
    _LOCK.first(connection, id=person_id)


def _new_person(connection: Connection, code: str, provenance: Provenance) -> uuid.UUID | None:
    """A new person with this code, or None where another transaction was first."""
    person_id = new_id()
    origin = {**source_values(provenance), "recorded_at": provenance.recorded_at}
    _NEW_PERSON.run(connection, id=person_id, **origin)
    alias = {"version_id": new_id(), "id": new_id(), "person_id": person_id, "code": canonical(code)}
    unknown = {"valid_from": None, "valid_to": None, "superseded_at": None}
    if _NEW_CODE.run(connection, **alias, **unknown, **origin):
        return person_id
    connection.execute(delete(PERSON).where(PERSON.c.id == person_id))
    return None


def one_person(
    connection: Connection, asked: str, answered: str, provenance: Provenance, since: date | None = None
) -> Fed:
    """Keep that PMLP, asked for one code, answered with another: both are codes of one person (p8.3).

    The code of the answer is the one in force, from the day `since`. Where PMLP does not say it, the other ends at the
    latest on the day before the answer; it stays an alias. Where two persons were kept until now, what is kept of the
    one asked for becomes the other's.
    Raises: Busy when one of the codes was met for the first time by another exchange at this moment.
    """
    asked, answered = canonical(asked), canonical(answered)
    if asked == answered:
        return Fed()
    known = [code for code in sorted((asked, answered)) if person_by_code(connection, code) is not None]
    held = {code: person_of(connection, code, provenance) for code in known or [answered]}
    kept = held.get(answered) or held[asked]
    aliases = _aliases(connection, kept)
    if asked in held and held[asked] != kept:
        aliases += _aliases(connection, held[asked])
        _join(connection, held[asked], kept, provenance)
    day_before = (since or provenance.recorded_at.astimezone(RIGA).date()) - timedelta(days=1)
    spans: dict[str, tuple[date | None, date | None]] = {
        **dict.fromkeys((asked, answered), (None, None)),
        **{row.code: (row.valid_from, row.valid_to) for row in aliases},
    }
    rows: list[Values] = [
        {
            "code": code,
            "valid_from": begin or (since if code == answered else None),
            "valid_to": None if code == answered else end or max(day_before, begin or day_before),
        }
        for code, (begin, end) in spans.items()
    ]
    try:
        return replace(connection, PERSON_CODE, {"person_id": kept}, rows, provenance, key=("code",))
    except IntegrityError as error:
        raise Busy("the code is being registered", retry_after=1) from error


def code_contested(connection: Connection, asked: str, answered: str) -> bool:
    """Whether somebody is to decide that these two codes are of one person, or has decided that they are not."""
    asked, answered = canonical(asked), canonical(answered)
    if asked == answered:
        return False
    person_id = person_by_code(connection, asked)
    rows = differences.contested(connection, PERSON_CODE.name, person_id)
    return any(row.theirs == answered for row in rows)


def _aliases(connection: Connection, person_id: uuid.UUID) -> list[Row[Any]]:
    query = select(PERSON_CODE).where(PERSON_CODE.c.person_id == person_id, recorded(PERSON_CODE))
    return list(connection.execute(query).all())


def _join(connection: Connection, gone: uuid.UUID, kept: uuid.UUID, provenance: Provenance) -> None:
    """Give all that is kept of one person to another; its codes end here, the caller records them anew.

    The versions keep their ids and times. A current version that would stand beside one of which there may be one
    only is superseded.
    """
    for table in metadata.sorted_tables:
        if not {"person_id", "superseded_at"} <= set(table.columns.keys()):
            continue
        theirs, ours = (
            connection.execute(select(table).where(table.c.person_id == one, recorded(table))).all()
            for one in (gone, kept)
        )
        key = [name for name in one_current(table) if name != "person_id"]
        for row in theirs:
            if table is PERSON_CODE or any(
                all(getattr(row, name) == getattr(other, name) for name in key) for other in ours
            ):
                superseded = update(table).where(table.c.version_id == row.version_id)
                connection.execute(superseded.values(superseded_at=later((row,), provenance.recorded_at)))
        if table is not PERSON_CODE:
            connection.execute(update(table).where(table.c.person_id == gone).values(person_id=kept))
    differences.move(connection, gone, kept, provenance.recorded_at)


def present_id(connection: Connection, person_id: uuid.UUID) -> uuid.UUID:
    """The person that an id stands for now: another one where the two turned out to be one person."""
    last = (
        select(PERSON_CODE.c.code, PERSON_CODE.c.superseded_at)
        .where(PERSON_CODE.c.person_id == person_id)
        .order_by(PERSON_CODE.c.superseded_at.is_(None).desc(), PERSON_CODE.c.superseded_at.desc())
    )
    found = connection.execute(last.limit(1)).first()
    if found is None or found.superseded_at is None:
        return person_id
    return person_by_code(connection, found.code) or person_id


def _identity(person: Person) -> list[Values]:
    return [{"given_names": person.given_names, "family_name": person.family_name}]


def _particulars(person: Person) -> list[Values]:
    return [
        {
            "birth_date": person.birth_date,
            "sex": person.sex.code if person.sex else None,
            "nationality": person.nationality,
            "nationality_kind": person.nationality_kind.code if person.nationality_kind else None,
            "deceased": person.deceased,
            "death_date": person.death_date,
            "capacity_restricted": person.capacity_restricted,
            "capacity_review_date": person.capacity_review_date,
            "registry_status": person.registry_status.code if person.registry_status else None,
        }
    ]


def _representatives(person: Person) -> list[Values]:
    return [{"person_code": r.person_code, "kind": r.kind.code} for r in person.representatives]


def _documents(person: Person) -> list[Values]:
    return [
        {
            "kind": d.kind.code,
            "number": d.number,
            "issued_on": d.issued_on,
            "valid_to": d.valid_to,
            "country": d.country,
            "authority": d.authority,
        }
        for d in person.documents
    ]


def _addresses(person: Person) -> list[Values]:
    return [{"kind": a.kind.code, "varis_code": a.varis_code, "text": a.text} for a in person.addresses]


def _family(person: Person) -> list[Values]:
    return [
        {
            "relation": m.relation.code,
            "person_code": m.person_code,
            "given_names": m.given_names,
            "family_name": m.family_name,
        }
        for m in person.family
    ]


# What each data set of PMLP feeds besides the name: table, rows, and the columns that tell one thing from another.
_Feed = tuple[Table, Callable[[Person], list[Values]], tuple[str, ...]]
_DATA_SETS: Mapping[str, _Feed | None] = {
    "NAME_AND_CODE": None,
    "IDENTITY": (PARTICULARS, _particulars, ()),
    "REPRESENTATIVES": (REPRESENTATIVE, _representatives, ("person_code", "kind")),
    "DOCUMENTS": (DOCUMENT, _documents, ("kind", "country", "number")),
    "ADDRESSES": (ADDRESS, _addresses, ("kind",)),
    "FAMILY": (FAMILY, _family, ("person_code",)),
}


def feed_person(connection: Connection, person: Person, provenance: Provenance) -> Fed:
    """Keep what PMLP says of a person; data sets that were not delivered stay as they are.

    Raises: UnknownCode for a data set that is not in the contract.
    """
    unknown = set(person.data_sets) - set(_DATA_SETS)
    if unknown:
        raise UnknownCode("data_sets")
    owner = {"person_id": person_of(connection, person.person_code, provenance)}
    fed = replace(connection, IDENTITY, owner, _identity(person), provenance, key=())
    for name in dict.fromkeys(person.data_sets):
        delivered = _DATA_SETS[name]
        if delivered is not None:
            table, rows, key = delivered
            fed += replace(connection, table, owner, rows(person), provenance, key=key)
    return fed


FEEDS = {Person: feed_person}
