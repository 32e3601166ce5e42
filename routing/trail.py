"""What is known of an exchange so far, and the log records written from it, however far it came.

Persons stand in a record as commitments only. Source: p19.2; design of the log in docs/adr/0003.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import errors
from audit import Entry, Kind
from errors import InvalidPersonCode
from exchange import Addressing, Argument, Arguments, Disclosed, Environment, Json, Outcome, Received, Request
from mappings.mapping import plain
from mappings.person_code import canonical, check_digit_fits, is_personal_code
from registers import Fed
from routing.access import Decision
from routing.routes import Delivered, Plan

# No lawful request names more; a refused one is not let write without end.
MOST_NAMED = 100


@dataclass(slots=True)
class Trail:
    """The steps leave here what they found; `repeated` is the earlier exchange whose answer is given again.

    `cause` is the exchange that this one follows from, `notices` are the exchanges that follow from this one;
    `queued` says that it goes on later, from the outbox; `sent` is how many messages left.
    """

    received: Received
    environment: Environment
    request: Request | None = None
    decision: Decision | None = None
    plan: Plan | None = None
    delivered: Delivered | None = None
    disclosed: Disclosed | None = None
    answer: bytes = b""
    repeated: uuid.UUID | None = None
    cause: uuid.UUID | None = None
    notices: tuple[uuid.UUID, ...] = ()
    queued: bool = False
    sent: int = 0
    error: errors.GatewayError | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def named(self) -> tuple[str, ...]:
        """The persons whom the request names, as far as it was understood."""
        if self.plan is None or self.plan.subject is None:
            return ()
        return (self.plan.subject, *self.plan.manner.also_about)


def opened_record(trail: Trail) -> Entry:
    """The record that an exchange began: the way in; who called from where and with which bytes as commitments."""
    arrival = trail.received.arrival
    personal: dict[str, Json] = {
        "address": arrival.peer.address,
        "target": arrival.target,
        "request_sha256": trail.received.digest.hex(),
    }
    facts = _way(trail) | _connection(trail) | ({} if trail.cause is None else {"cause": str(trail.cause)})
    return Entry(Kind.OPENED, trail.received.exchange_id, trail.received.instant, facts, personal)


def attempt_record(trail: Trail, number: int, content: bytes, instant: datetime) -> Entry:
    """The record that bytes are about to leave for a system, or a register is about to be read."""
    personal = _persons(trail) | {"sent_sha256": hashlib.sha256(content).hexdigest()}
    facts = _way(trail) | _request(trail) | {"attempt": number}
    return Entry(Kind.ATTEMPT, trail.received.exchange_id, instant, facts, personal)


def outcome_record(trail: Trail, fed: Fed, content: bytes, instant: datetime) -> Entry:
    """The record of how it ended: what was given and withheld, what the registers took, or the error."""
    personal = _persons(trail) | {
        "reply_sha256": hashlib.sha256(content).hexdigest(),
        "address": trail.received.arrival.peer.address,
    }
    if trail.request is not None:
        personal["selection"] = plain(trail.request.arguments)
    if received := _received(trail):
        personal["received_sha256"] = received
    facts = _way(trail) | _connection(trail) | _request(trail) | _outcome(trail, fed)
    return Entry(Kind.OUTCOME, trail.received.exchange_id, instant, facts, personal)


def persons_in(argument: Argument | Arguments) -> tuple[str, ...]:
    """The personal codes that arguments name as such, however deep they stand, in the canonical form.

    What has not the form of one is left out: nobody knows what it is.
    """
    found: dict[str, None] = {}
    if isinstance(argument, Mapping):
        for name, value in argument.items():
            if isinstance(value, str) and name.endswith("person_code"):
                found |= _code(value)
            elif isinstance(value, tuple) and name.endswith("person_codes"):
                for one in value:
                    found |= _code(one) if isinstance(one, str) else {}
            elif name.endswith("person_codes") and isinstance(value, str):
                for one in value.split(","):
                    found |= _code(one)
            else:
                found |= dict.fromkeys(persons_in(value))
    elif isinstance(argument, tuple):
        for each in argument:
            found |= dict.fromkeys(persons_in(each))
    return tuple(list(found)[:MOST_NAMED])


def _code(text: str) -> dict[str, None]:
    try:
        return {canonical(text): None}
    except InvalidPersonCode:
        return {}


def outcome(trail: Trail) -> Outcome:
    """How the exchange ended, or that it goes on later."""
    if trail.queued:
        return Outcome.QUEUED
    return Outcome.OK if trail.error is None else trail.error.outcome


def _way(trail: Trail) -> dict[str, Json]:
    return {"way": trail.received.arrival.way.value, "environment": trail.environment.value}


def _connection(trail: Trail) -> dict[str, Json]:
    """The certificate of the connection, where it has one; that of a signature is another."""
    certificate = trail.received.arrival.peer.certificate
    return {} if certificate is None else {"tls_certificate": hashlib.sha256(certificate).hexdigest()}


def _received(trail: Trail) -> list[Json]:
    """The digests of the exact bytes that systems answered with, an attempt each."""
    attempts = () if trail.delivered is None else trail.delivered.attempts
    return [hashlib.sha256(one.received).hexdigest() for one in attempts if one.received is not None]


def _request(trail: Trail) -> dict[str, Json]:
    if (request := trail.request) is None:
        return {}
    context, sealed = request.context, request.sealed
    weaker = sealed is not None and sealed.addressing is Addressing.UNSIGNED
    return {
        **({} if sealed is None else {"certificate": sealed.fingerprint}),
        **({"signature_profile": "body-timestamp"} if weaker else {}),
        "caller": request.caller.name,
        "recipient": request.caller.recipient,
        "system": request.system,
        "operation": request.operation,
        "institution": context.official.institution,
        "role": context.official.role,
        "purpose": context.purpose,
        "rule": context.rule,
        "request_id": str(context.request_id),
    }


def _persons(trail: Trail) -> dict[str, Json]:
    personal: dict[str, Json] = {}
    if trail.request is not None:
        context = trail.request.context
        personal |= {"official": context.official.id, "case": context.case}
    seen = trail.delivered.subjects if trail.delivered is not None else ()
    refused = trail.error if trail.plan is None else None
    # What was refused before it was planned is about whom it asked for, too: he may ask who tried.
    tried = () if trail.request is None or refused is None else persons_in(trail.request.arguments)
    subjects: list[Json] = list(dict.fromkeys((*trail.named, *seen, *tried)))
    if subjects:
        personal["subject"] = subjects if len(subjects) > 1 else subjects[0]
    return personal


def _outcome(trail: Trail, fed: Fed) -> dict[str, Json]:
    delivered, disclosed, error = trail.delivered, trail.disclosed, trail.error
    # Where no system was asked, the signatures are those of the message itself and of our answer to it.
    ours = (
        delivered is not None
        and not delivered.attempts
        and trail.request is not None
        and trail.request.sealed is not None
    )
    earlier = 0 if trail.received.arrival.lease is None else trail.received.arrival.lease.attempts
    facts: dict[str, Json] = {
        "outcome": outcome(trail).value,
        "code": None if error is None else error.code,
        "detail": None if error is None else error.detail,
        "attempts": earlier + (0 if delivered is None else len(delivered.attempts)),
        "request_signed": ours or (delivered is not None and delivered.request_signed),
        "answer_signed": (ours and error is None) or (delivered is not None and delivered.answer_signed),
        "written": fed.written,
        "confirmed": fed.confirmed,
        "given": [] if disclosed is None else list(disclosed.given),
        "withheld": [] if disclosed is None else list(disclosed.withheld),
        "repeats": None if trail.repeated is None else str(trail.repeated),
        "notices": [str(notice) for notice in trail.notices],
        "ms": int((time.monotonic() - trail.began) * 1000),
    }
    if trail.decision is not None:  # the points of the law that entitle the caller, as access.d names them
        facts["bases"] = list[Json](sorted({right.basis for right in trail.decision.rights if right.basis}))
    if delivered is not None:
        source, contract, mapping = delivered.origin
        facts |= {"source": source, "contract": contract, "mapping": mapping}
    if not all(map(check_digit_fits, filter(is_personal_code, trail.named))):
        facts["warnings"] = ["person_code_check_digit"]
    return facts
