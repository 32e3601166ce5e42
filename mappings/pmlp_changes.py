"""PMLP, whose changes are followed and what has changed: canonical records and mapping tables.

Source: wsdl/pmlp/v1-0, rules p8.3, p17.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from exchange import Context
from mappings import codes
from mappings.context import context
from mappings.fields import boolean, key, many, nested, person_code, text
from mappings.fields import date as day
from mappings.mapping import Mapping
from mappings.paging import one_of_two
from mappings.pmlp import NAMESPACE, PERSON_CODES, bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Whether PMLP tells of the changes of one person (abonements); no also where it knows no such person.

    Source: p8.3.
    """

    person_code: str
    subscribed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """How it stands with the persons of a request after it. Source: p17.2."""

    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChange:
    """A change in the data of a person that is followed (izmaiņa): in which data sets, not what.

    `person_code` is the code in force; `previous_code` the one before, where the code itself changed on that day.
    Source: p8.3, p17.2.
    """

    person_code: str
    previous_code: str | None
    changed_on: date
    data_sets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChanges:
    """A page of changes, oldest first; `cursor` is where to go on, now where there are `more`, else the next time."""

    changes: tuple[PersonChange, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """Which persons are to be followed, or no more (Subscribe, Unsubscribe)."""

    context: Context
    person_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChangesRequest:
    """From which day, or from which cursor of an answer before (GetChanges): one of the two."""

    context: Context
    since: date | None
    cursor: str | None


SUBSCRIPTION = Mapping(
    Subscription,
    NAMESPACE,
    "Abonements",
    (
        person_code("person_code", "PersonasKods", rule="p8.3", column="pmlp_subscription.code"),
        boolean("subscribed", "Seko", rule="p8.3", column="pmlp_subscription.code"),
    ),
)

CHANGE = Mapping(
    PersonChange,
    NAMESPACE,
    "Izmaina",
    (
        person_code("person_code", "PersonasKods", rule="p8.3", column="spolis_person_code.code"),
        person_code(
            "previous_code",
            "IepriekssejaisKods",
            rule="p8.3",
            column="spolis_person_code.code",
            optional=True,
        ),
        day("changed_on", "MainitsDatums", rule="p17.2", column="pmlp_change.changed_on"),
        many(
            key(
                "data_sets",
                "DatuKopas/DatuKopa",
                codes.DATA_SET,
                rule="p17.2",
                column="pmlp_change.data_sets",
            ),
            minimum=1,
        ),
    ),
)

SUBSCRIBE_REQUEST = Mapping(
    SubscriptionRequest,
    NAMESPACE,
    "Subscribe",
    (context(NAMESPACE), PERSON_CODES),
    request=True,
    check=lambda request: bounded(request.person_codes),
)

UNSUBSCRIBE_REQUEST = Mapping(
    SubscriptionRequest,
    NAMESPACE,
    "Unsubscribe",
    (context(NAMESPACE), PERSON_CODES),
    request=True,
    check=lambda request: bounded(request.person_codes),
)

_SUBSCRIPTIONS = (many(nested("subscriptions", "Abonementi/Abonements", SUBSCRIPTION), minimum=1),)

SUBSCRIBE_ANSWER = Mapping(Subscriptions, NAMESPACE, "SubscribeResponse", _SUBSCRIPTIONS)

UNSUBSCRIBE_ANSWER = Mapping(Subscriptions, NAMESPACE, "UnsubscribeResponse", _SUBSCRIPTIONS)

GET_CHANGES_REQUEST = Mapping(
    GetChangesRequest,
    NAMESPACE,
    "GetChanges",
    (
        context(NAMESPACE),
        day("since", "KopsDatuma", rule="p17.2", optional=True),
        text("cursor", "Kursors", rule="p17.2", optional=True, longest=100),
    ),
    request=True,
    check=one_of_two,
)

# Where to go on is said of the answer, not of a person.
GET_CHANGES_ANSWER = Mapping(
    PersonChanges,
    NAMESPACE,
    "GetChangesResponse",
    (
        many(nested("changes", "Izmainas/Izmaina", CHANGE)),
        text("cursor", "Kursors", rule="p17.2", always=True),
        boolean("more", "VelIr", rule="p17.2", always=True),
    ),
)


def subscriptions_answered(request: SubscriptionRequest, answer: Subscriptions) -> str:
    """Which field of an answer does not belong to the request that it answers, or ""."""
    told = sorted(subscription.person_code for subscription in answer.subscriptions)
    return "" if told == sorted(request.person_codes) else "subscriptions[].person_code"


def nobody_followed(request: SubscriptionRequest, answer: Subscriptions) -> str:
    """The same of an end: nobody named in it is still followed."""
    wrong = subscriptions_answered(request, answer)
    still = any(subscription.subscribed for subscription in answer.subscriptions)
    return wrong or ("subscriptions[].subscribed" if still else "")
