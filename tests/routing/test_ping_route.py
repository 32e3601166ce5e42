"""What the route of ping tells of a message, for what no whole message can show yet."""

from __future__ import annotations

import dataclasses
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

import errors
from exchange import (
    Addressing,
    Caller,
    Context,
    Environment,
    Grant,
    Official,
    Request,
    Sealed,
    new_id,
)
from mappings.services import discover
from mappings.services.ping import Granted, PingAnswer
from routing.access import EVERYONE, Access, Right
from routing.ping_route import PingRoute

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SEALED = Sealed(
    fingerprint="0" * 64,
    valid_until=NOW + timedelta(days=30, hours=11),
    algorithm=None,
    addressing=Addressing.UNSIGNED,
    soap_version="1.2",
    created=NOW - timedelta(seconds=7),
    verified_at=NOW,
)
RIGHT = Right("riga", ("persons.GetPerson",), ("a",), ("p8.1",), ("pmlp",), 1, 1)
RIGHTS = (
    RIGHT,
    dataclasses.replace(RIGHT, purposes=("a", "b"), rules=("p8.2",)),
    dataclasses.replace(RIGHT, recipient="ogre", purposes=("c",)),
    dataclasses.replace(RIGHT, operations=("pmlp.GetPerson",)),
    dataclasses.replace(RIGHT, recipient=EVERYONE, operations=("ping.Ping",)),
)
ROUTE = PingRoute(Access(RIGHTS), discover(), Environment.TEST)
REQUEST = Request(
    caller=Caller("riga-it", "riga"),
    context=Context("a", "p20", Official("u", "i", "l"), "", uuid.UUID(int=1), Environment.TEST),
    system="ping",
    operation="Ping",
    arguments={},
    message_id="1",
    content=b"",
    sealed=SEALED,
)


def told(request: Request = REQUEST) -> PingAnswer:
    plan = ROUTE.plan(request, Grant(frozenset()))
    numbers: list[int] = []
    delivered = plan.deliver(new_id(), time.monotonic() + 5, lambda number, _content: numbers.append(number))
    assert numbers == [1], "on record before it is told"
    assert delivered.disclose(Grant(frozenset())).withheld == ()
    return delivered.record


def test_headers_that_are_not_signed_are_told() -> None:
    found = told()
    assert (found.signature.addressing, found.signature.algorithm) == (Addressing.UNSIGNED, None)
    assert found.signature.clock_offset == -7
    assert found.certificate.days_left == 30
    assert found.certificate.valid_until.isoformat() == "2026-12-29"  # in Riga the day has begun


def test_a_recipient_hears_of_its_own_rights_to_services_and_of_no_others() -> None:
    assert told().granted == (
        Granted(operation="persons.GetPerson", purposes=("a", "b"), rules=("p8.1", "p8.2")),
        Granted(operation="ping.Ping", purposes=("a",), rules=("p8.1",)),
    )


def test_what_is_not_signed_is_no_ping() -> None:
    with pytest.raises(errors.InvalidRequest):
        told(dataclasses.replace(REQUEST, sealed=None))
