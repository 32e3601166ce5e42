"""How up to date is what partners' issuers say of revocation: their lists, and the answers of their responders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from endpoints.partner_trust import PartnerTrust, authorities, issuer
from errors import RevocationUnknown
from routing import revocations
from security import revocation
from security.revocation import Memory, Status
from storage import reading


@dataclass(frozen=True, slots=True)
class Source:
    """One issuer's lists, or its responder.

    `kind` is list or responder, `name` the file in trust/, `ends` when the newest list or the first of the answers
    ends; None when nothing is known of a certificate. `revoked` and `unknown` count active certificates of partners
    of which the responder says so.
    """

    kind: str
    name: str
    ends: datetime | None
    revoked: int = 0
    unknown: int = 0

    def hours_left(self, now: datetime) -> float | None:
        """Hours until the end; negative when it is over, None when nothing is known."""
        return None if self.ends is None else (self.ends - now) / timedelta(hours=1)

    def is_current(self, now: datetime) -> bool:
        """Whether it is known, and up to date without any grace."""
        return self.ends is not None and now <= self.ends


def sources(trust: PartnerTrust, now: datetime) -> list[Source]:
    """Every issuer that is held to a list or a responder.

    Raises: ConfigurationError naming a file that cannot be read, SQLAlchemyError.
    """
    return [*lists(trust, now), *responders(trust, now)]


def lists(trust: PartnerTrust, now: datetime) -> Iterator[Source]:
    """Every authority that has a list, or of which one is to be fetched. Raises: ConfigurationError."""
    policy = trust.policy()
    memory = policy.revocation.memory or Memory()
    for name, certificates in authorities(trust.settings):
        for certificate in certificates:
            try:
                own = revocation.own(policy.crls, certificate, policy.authorities, memory)
            except RevocationUnknown:  # a list in its name is forged: its partners are refused
                yield Source("list", name, None)
                continue
            newest = revocation.newest(own, certificate, now, memory)
            if newest is not None:
                yield Source("list", name, revocation.ends(newest))
            elif certificate in policy.revocation.listed:
                yield Source("list", name, None)


def responders(trust: PartnerTrust, now: datetime) -> Iterator[Source]:
    """Every responder that is asked about some certificate. Raises: ConfigurationError, SQLAlchemyError."""
    for source in trust.settings.revocation.ocsp:
        above = issuer(trust.settings, source)
        with reading(trust.engine).begin() as connection:
            marks = [one.fingerprint for one in revocations.asked_about(connection, above, now)]
            known = revocations.stored(connection, marks)
        # One that was registered just now has not been asked about yet; after "revoked" nothing is asked any more.
        verdicts = [known[mark].verdict for mark in marks if mark in known]
        statuses = [verdict.status for verdict in verdicts if verdict is not None]
        ends = [
            None if verdict is None else verdict.ends
            for verdict in verdicts
            if verdict is None or verdict.status is not Status.REVOKED
        ]
        if not ends:
            continue
        yield Source(
            "responder",
            source.issuer,
            None if None in ends else min(end for end in ends if end is not None),
            revoked=statuses.count(Status.REVOKED),
            unknown=statuses.count(Status.UNKNOWN),
        )


def soonest(found: Iterable[Source], now: datetime) -> dict[str, float]:
    """Hours left of the one that ends first, by kind; one of which nothing is known has ended now."""
    hours: dict[str, float] = {}
    for source in found:
        left = source.hours_left(now) or 0.0
        hours[source.kind] = min(left, hours.get(source.kind, left))
    return hours
