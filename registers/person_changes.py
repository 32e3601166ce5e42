"""Whose changes PMLP tells, and what it told: which data sets of whom changed on which day, not what is in them.

Of persons whom no register knows nothing is kept: PMLP tells of those alone that were followed. Source: p8.3, p17.2.
"""

from __future__ import annotations

from dataclasses import replace as with_values

from sqlalchemy import Connection, Date, Text

from exchange import Provenance
from mappings.pmlp import PersonSet
from mappings.pmlp_changes import PersonChange, PersonChanges, Subscription, Subscriptions
from registers.history import Fed, Texts, Values, field, replace, versioned
from registers.persons import code_contested, feed_person, one_person, person_by_code, person_of
from registers.reading import Register

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


FEEDS = {PersonSet: feed_person_set, Subscriptions: feed_subscriptions, PersonChanges: feed_changes}
