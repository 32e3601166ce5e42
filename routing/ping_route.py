"""The route of `ping`: no system and no register is asked, the gateway tells what it found of the message itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

import errors
from exchange import RIGA, Caller, Disclosed, Environment, Grant, Lease, Provenance, Request, Sealed
from mappings.services import Service
from mappings.services.ping import (
    PING_ANSWER,
    SYSTEM,
    FoundCertificate,
    FoundSignature,
    Granted,
    PingAnswer,
    SoapVersion,
)
from registers import Fed
from routing.access import Access
from routing.delivery import Exchanged
from routing.routes import HERE, OWN_SOURCE, BeforeSend, Manner, Route

_VERSION = "v1-0"


def ping_routes(
    access: Access, services: Mapping[str, Service], environment: Environment
) -> dict[tuple[str, str], Route]:
    """The one route that there is to the gateway itself."""
    return {(SYSTEM, "Ping"): PingRoute(access, services, environment)}


@dataclass(frozen=True, slots=True)
class PingRoute:
    """To the gateway itself."""

    access: Access
    services: Mapping[str, Service]
    environment: Environment

    def plan(self, request: Request, grant: Grant) -> PingPlan:
        """Raises: InvalidRequest for a request that is not signed: there is nothing to tell of it."""
        if request.sealed is None:
            raise errors.InvalidRequest("ping is for signed messages")
        text = request.arguments.get("text")
        return PingPlan(self, request.caller, request.sealed, text if isinstance(text, str) else None)

    def granted(self, recipient: str) -> tuple[Granted, ...]:
        """What a recipient may ask of our services, by operation; purposes and rules of several rights add up."""
        rights = self.access.rights_of(recipient)
        found: list[Granted] = []
        for service in self.services.values():
            for operation in service.operations:
                name = f"{service.name}.{operation.name}"
                own = [right for right in rights if name in right.operations]
                if own:
                    purposes = dict.fromkeys(purpose for right in own for purpose in right.purposes)
                    rules = dict.fromkeys(rule for right in own for rule in right.rules)
                    found.append(Granted(operation=name, purposes=tuple(purposes), rules=tuple(rules)))
        return tuple(sorted(found, key=lambda one: one.operation))


@dataclass(frozen=True, slots=True)
class PingPlan:
    """What is known of the message, to be told to its sender."""

    route: PingRoute
    caller: Caller
    sealed: Sealed
    text: str | None
    subject: str | None = None
    manner: Manner = HERE

    def deliver(
        self, exchange_id: uuid.UUID, deadline: float, before_send: BeforeSend, lease: Lease | None = None
    ) -> Pong:
        """Tell it after the attempt is on record and counted."""
        before_send(1, b"")
        sealed = self.sealed
        return Pong(
            PingAnswer(
                exchange_id=exchange_id,
                text=self.text,
                partner=self.caller.name,
                recipient=self.caller.recipient,
                environment=self.route.environment,
                soap_version=SoapVersion(sealed.soap_version),
                signature=FoundSignature(
                    algorithm=sealed.algorithm,
                    addressing=sealed.addressing,
                    clock_offset=round((sealed.created - sealed.verified_at).total_seconds()),
                ),
                certificate=FoundCertificate(
                    fingerprint=sealed.fingerprint,
                    valid_until=sealed.valid_until.astimezone(RIGA).date(),
                    days_left=max(0, (sealed.valid_until - sealed.verified_at).days),
                ),
                granted=self.route.granted(self.caller.recipient),
            )
        )


@dataclass(frozen=True, slots=True)
class Pong:
    """What the gateway tells of a message."""

    record: PingAnswer
    subjects: tuple[str, ...] = ()
    attempts: tuple[Exchanged, ...] = ()
    error: errors.GatewayError | None = None
    request_signed: bool = False
    answer_signed: bool = False
    origin: tuple[str, str, str] = (OWN_SOURCE, _VERSION, PING_ANSWER.version)

    def disclose(self, grant: Grant) -> Disclosed:
        """All of it: no field is one of law."""
        record = PING_ANSWER.json(self.record)
        return Disclosed(record, tuple(record), ())

    def store(self, connection: Connection, provenance: Provenance) -> Fed:
        """Nothing is kept."""
        return Fed()
