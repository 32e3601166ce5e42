"""Whose changes PMLP tells, and what it told: which data sets of whom changed on which day, not what is in them.

Of persons whom no register knows nothing is kept: PMLP tells of those alone that were followed. Source: p8.3, p17.2.
"""

from __future__ import annotations

import uuid
from dataclasses import replace as with_values

from sqlalchemy import Connection, Date, Table, Text, select
from sqlalchemy.sql import ColumnElement

from exchange import Arguments, Provenance
from mappings.pmlp import MOST_PERSONS, PersonSet
from mappings.pmlp_changes import PersonChange, PersonChanges, Subscription, Subscriptions
from registers.history import Fed, Texts, Values, field, recorded, replace, versioned
from registers.persons import (
    ADDRESS,
    DOCUMENT,
    FAMILY,
    IDENTITY,
    PARTICULARS,
    REPRESENTATIVE,
    code_contested,
    feed_person,
    one_person,
    person_by_code,
    person_of,
)
from registers.reading import Register
from registers.taken import Taken, taken

SUBSCRIPTION = versioned(
    "pmlp",
    "subscription",
    field("code", Text(), rule="p8.3"),
    one_per=("person_id",),
)

CHANGE = versioned(
    "pmlp",
    "change",
    field("changed_on", Date(), rule="p17.2"),
    field("data_sets", Texts(), rule="p17.2"),
)

# Where each data set of PMLP is kept.
_FAMILY = "FAMILY"
_HELD = {
    "NAME_AND_CODE": IDENTITY,
    "IDENTITY": PARTICULARS,
    "REPRESENTATIVES": REPRESENTATIVE,
    "DOCUMENTS": DOCUMENT,
    "ADDRESSES": ADDRESS,
    _FAMILY: FAMILY,
}

REGISTERS = (
    Register(name="person-subscriptions", table=SUBSCRIPTION, source="pmlp", order=("code",)),
    Register(
        name="person-changes",
        table=CHANGE,
        source="pmlp",
        criteria={"changed_on": CHANGE.c.changed_on},
        order=("changed_on",),
    ),
)


def feed_person_set(connection: Connection, answer: PersonSet, provenance: Provenance) -> Fed:
    """Keep every person of a set that was found; the code asked for and the code answered are of one person."""
    found = [(entry.asked_code, entry.person) for entry in answer.entries if entry.person is not None]
    fed = Fed()
    for asked, person in sorted(found, key=lambda pair: pair[1].person_code):
        if code_contested(connection, asked, person.person_code):
            continue
        fed += one_person(connection, asked, person.person_code, provenance)
        fed += feed_person(connection, with_values(person, data_sets=answer.data_sets), provenance)
    return fed


def feed_subscriptions(connection: Connection, answer: Subscriptions, provenance: Provenance) -> Fed:
    """Keep who is followed; of who is not, the subscription ends where there was one."""
    fed = Fed()
    for subscription in sorted(answer.subscriptions, key=lambda one: one.person_code):
        fed += _feed_subscription(connection, subscription, provenance)
    return fed


def _feed_subscription(connection: Connection, subscription: Subscription, provenance: Provenance) -> Fed:
    code = subscription.person_code
    if not subscription.subscribed and person_by_code(connection, code) is None:
        return Fed()
    rows: list[Values] = [{"code": code}] if subscription.subscribed else []
    owner = {"person_id": person_of(connection, code, provenance)}
    return replace(connection, SUBSCRIPTION, owner, rows, provenance, key=())


def feed_changes(connection: Connection, page: PersonChanges, provenance: Provenance) -> Fed:
    """Keep what changed of whom, and that an old code and a new one are of one person, from the day of the change."""
    fed = Fed()
    for change in sorted(page.changes, key=lambda one: (one.person_code, one.changed_on)):
        fed += _feed_change(connection, change, provenance)
    return fed


def _feed_change(connection: Connection, change: PersonChange, provenance: Provenance) -> Fed:
    codes = [code for code in (change.person_code, change.previous_code) if code is not None]
    if all(person_by_code(connection, code) is None for code in codes):
        return Fed()
    fed = Fed()
    if change.previous_code is not None:
        day = change.changed_on
        fed = one_person(connection, change.previous_code, change.person_code, provenance, since=day)
    owner = {"person_id": person_of(connection, change.person_code, provenance)}
    row: Values = {"changed_on": change.changed_on, "data_sets": change.data_sets}
    return fed + replace(
        connection,
        CHANGE,
        owner,
        [row],
        provenance,
        key=("changed_on", "data_sets"),
        within=lambda _row: False,
    )


def taken_changes(connection: Connection, page: PersonChanges) -> Taken:
    """How many changes of a page are kept, once it was fed."""

    def held(change: PersonChange) -> bool | None:
        person_id = person_by_code(connection, change.person_code)
        if person_id is None:
            return None
        kept = select(CHANGE.c.data_sets).where(
            CHANGE.c.person_id == person_id, CHANGE.c.changed_on == change.changed_on, recorded(CHANGE)
        )
        return change.data_sets in connection.execute(kept).scalars().all()

    return taken(page.changes, held)


def changed_sets(connection: Connection, page: PersonChanges) -> tuple[Arguments, ...]:
    """What to ask anew after a page: the changed data sets, but for the family, in sets of persons.

    Of who is subscribed all that changed, of others only what a register held of them before: that a person changed
    gives no right to more than was wanted of him.
    """
    return _questions(connection, page, without=(_FAMILY,), subscribed=True)


def changed_families(connection: Connection, page: PersonChanges) -> tuple[Arguments, ...]:
    """The same of families: they have a purpose of their own, so only those that a register held are asked anew."""
    return _questions(connection, page, without=tuple(set(_HELD) - {_FAMILY}), subscribed=False)


def _questions(
    connection: Connection, page: PersonChanges, *, without: tuple[str, ...], subscribed: bool
) -> tuple[Arguments, ...]:
    wanted: dict[str, set[str]] = {}
    for change in page.changes:
        person_id = person_by_code(connection, change.person_code)
        if person_id is None:
            continue
        everything = subscribed and _any(connection, SUBSCRIPTION, person_id, recorded(SUBSCRIPTION))
        wanted.setdefault(change.person_code, set()).update(
            name
            for name in change.data_sets
            if name not in without and (everything or _any(connection, _HELD[name], person_id))
        )
    together: dict[tuple[str, ...], list[str]] = {}
    for code, names in sorted(wanted.items()):
        if names:
            together.setdefault(tuple(sorted(names)), []).append(code)
    return tuple(
        {"person_codes": tuple(codes[begin : begin + MOST_PERSONS]), "data_sets": names}
        for names, codes in sorted(together.items())
        for begin in range(0, len(codes), MOST_PERSONS)
    )


def _any(connection: Connection, table: Table, person_id: uuid.UUID, *also: ColumnElement[bool]) -> bool:
    kept = select(table.c.version_id).where(table.c.person_id == person_id, *also).limit(1)
    return connection.execute(kept).first() is not None


FEEDS = {PersonSet: feed_person_set, Subscriptions: feed_subscriptions, PersonChanges: feed_changes}
