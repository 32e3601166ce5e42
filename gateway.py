"""The eight steps of an exchange and their wiring: every way in, every system, every register goes through `run`.

receive → open_record → authenticate → authorise → route → deliver → answer → commit
"""

from __future__ import annotations

import hashlib
import logging
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

import adapters
import errors
import mappings.services
from adapters.profiles import Profile, transports
from audit import Archive, ExchangeLog, Record, open_log, receipt, retention, subject_index
from audit.receipts import HEADER as RECEIPT
from audit.sweeper import refuse_if_closed
from config import Settings
from exchange import (
    Arrival,
    Disclosed,
    Provenance,
    Received,
    Reply,
    Request,
    new_id,
    today_in_riga,
    utc_now,
)
from registers import Fed
from registers.care_stays import open_stay
from routing import access, outbox, quota, repeats, settling
from routing.breakers import Breakers
from routing.comparisons import comparison_routes
from routing.delivery import lines
from routing.ping_route import ping_routes
from routing.queue import Queue
from routing.register_routes import register_routes
from routing.routes import HERE, Delivered, Plan, Routes, system_routes
from routing.service_routes import service_routes
from routing.trail import Trail, attempt_record, opened_record, outcome_record
from security.keys import load_log_key, load_secret
from storage import open_engine, reading
from telemetry import Tracing, about, exchange_lines, traced

diagnostics = logging.getLogger("gateway")


class Inlet(Protocol):
    """A way in: how a request is read and authenticated, and how an answer or a refusal is put into its form."""

    def read(self, received: Received) -> Request:
        """Parse and authenticate. Raises: NotAuthenticated, InvalidRequest and what lies beneath them."""

    def compose(self, request: Request, exchange_id: uuid.UUID, disclosed: Disclosed) -> bytes:
        """The canonical answer, checked by the contract and not yet signed: what a repeat gets again."""

    def seal(self, received: Received, request: Request, answer: bytes) -> Reply:
        """The bytes that leave: the answer in its envelope, signed where the way in asks for it."""

    def refuse(self, received: Received, error: errors.GatewayError) -> Reply:
        """The error in the way's own form: SOAP Fault, problem+json."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything an exchange needs, wired once per process."""

    settings: Settings
    engine: Engine
    log: ExchangeLog
    log_key: Ed25519PrivateKey
    archive: Archive
    subject_key: bytes
    queue: Queue
    access: access.Access
    routes: Routes
    transport: Callable[[str], Profile]
    breakers: Breakers
    tracing: Tracing
    adapters: Mapping[str, adapters.Adapter]
    services: Mapping[str, mappings.services.Service]


@exchange_lines()
def run(
    gateway: Gateway, arrival: Arrival, inlet: Inlet, seen: Callable[[Trail], None] = lambda _trail: None
) -> Reply:
    """One exchange, top to bottom. Every error becomes a refusal with the exchange id and is on record.

    `seen` is told the trail at the end, for counting.
    """
    trail = Trail(receive(arrival), gateway.settings.environment)
    try:
        open_record(gateway, trail)
        try:
            request = authenticate(gateway, trail, inlet)
            decision = authorise(gateway, trail, request)
            plan = route(gateway, trail, request, decision)
            if trail.repeated is None:
                delivered = deliver(gateway, trail, request, decision, plan)
                answer(trail, request, decision, delivered, inlet)
            return commit(gateway, trail, inlet.seal(trail.received, request, trail.answer))
        except repeats.AnsweredMeanwhile as earlier:
            repeat(gateway, trail, earlier.exchange_id)
            return commit(gateway, trail, inlet.seal(trail.received, request, trail.answer))
        except errors.LogUnavailable:
            raise
        except Exception as error:
            return commit(gateway, trail, refuse(trail, inlet, error))
    except Exception as error:  # it cannot be put on record: nothing but the refusal leaves
        unclear = trail.error is None and trail.delivered is not None and trail.delivered.error is None
        return refuse(trail, inlet, errors.OutcomeUnknown() if unclear else error)
    finally:
        seen(trail)


@traced
def receive(arrival: Arrival) -> Received:
    """Step 1: the arrival gets its id, instant and digest; the way in has checked peer and size already.

    What comes from the outbox keeps the id under which it was queued.
    """
    instant = utc_now()
    exchange_id = arrival.lease.exchange_id if arrival.lease is not None else new_id(instant)
    about(exchange_id)
    return Received(arrival, exchange_id, instant, hashlib.sha256(arrival.body).digest())


@traced
def open_record(gateway: Gateway, trail: Trail) -> None:
    """Step 2: the record `opened` and the sealed bytes are durable before anything is parsed.

    Those of an exchange from the outbox have been since it was queued.
    Raises: LogUnavailable, Busy: then the exchange does not take place.
    """
    received = trail.received
    gateway.archive.begin_month(gateway.log, received.instant)
    if received.arrival.lease is not None:
        return

    def work(connection: Connection) -> None:
        gateway.archive.put(
            connection, received.exchange_id, "request", received.arrival.body, received.instant
        )
        gateway.log.append(connection, opened_record(trail))

    gateway.log.commit(work)


@traced
def authenticate(gateway: Gateway, trail: Trail, inlet: Inlet) -> Request:
    """Step 3: hardened parse, signature or key, caller and context; a message of the other environment is refused."""
    trail.request = request = inlet.read(trail.received)
    if request.context.environment is not gateway.settings.environment:
        raise errors.WrongEnvironment
    return request


@traced
def authorise(gateway: Gateway, trail: Trail, request: Request) -> access.Decision:
    """Step 4: caller × operation × purpose × (rule × source), again for a message that was answered before."""
    trail.decision = decision = gateway.access.decide(request.caller.recipient, request.name, request.context)
    if request.effect_once:
        with gateway.engine.connect() as connection:
            earlier = repeats.earlier(connection, request.caller.name, request.message_id, request.content)
        if earlier is not None:
            repeat(gateway, trail, earlier)
    return decision


def repeat(gateway: Gateway, trail: Trail, earlier: uuid.UUID) -> None:
    """A message answered before gets the stored answer of that exchange, and nothing takes effect again."""
    with reading(gateway.engine).begin() as connection:
        trail.answer = gateway.archive.get(connection, earlier, "answer")
    trail.repeated, trail.delivered, trail.disclosed = earlier, None, None


@traced
def route(gateway: Gateway, trail: Trail, request: Request, decision: access.Decision) -> Plan:
    """Step 5: where it goes, in canonical form, asking for no more than may be given and lawful for this person."""
    way = gateway.routes.find(request.system, request.operation)
    trail.plan = plan = way.plan(request, decision.grant)
    if plan.manner.from_outbox_only and trail.received.arrival.lease is None:
        raise errors.UnknownOperation
    if plan.manner.needs_open_stay:
        with reading(gateway.engine).begin() as connection:
            if plan.subject is None or not open_stay(connection, plan.subject, today_in_riga()):
                raise errors.NoOpenStay(plan.manner.needs_open_stay)
    return plan


@traced
def deliver(
    gateway: Gateway, trail: Trail, request: Request, decision: access.Decision, plan: Plan
) -> Delivered:
    """Step 6: each attempt and the use of the quota are on record before bytes leave or a register is read.

    A message that must have one effect is carried out by one exchange at a time; the same one meanwhile waits for it.
    What comes from the outbox leaves only while its lease is held.
    Raises: AnsweredMeanwhile; QuotaExceeded also when the answer tells of more persons than may still be seen today.
    """
    lease = trail.received.arrival.lease
    before = 0 if lease is None else lease.attempts

    def on_record(sending: int, content: bytes) -> None:
        instant, arrival, number = utc_now(), trail.received.arrival, before + sending

        def work(connection: Connection) -> None:
            if lease is not None:
                outbox.begin(connection, lease)
            if request.effect_once:
                ends = min(arrival.deadline, time.monotonic() + gateway.settings.longest_call)
                repeats.claim(connection, request, trail.received.exchange_id, ends)
            if number == 1:
                named = [subject_index(gateway.subject_key, code) for code in trail.named]
                quota.use(connection, request.caller.recipient, named, decision.quota, today_in_riga())
            gateway.archive.put(connection, trail.received.exchange_id, f"sent-{number}", content, instant)
            gateway.log.append(connection, attempt_record(trail, number, content, instant))

        gateway.log.commit(work)
        trail.sent = sending

    while True:
        try:
            trail.delivered = delivered = plan.deliver(
                exchange_id=trail.received.exchange_id,
                deadline=trail.received.arrival.deadline,
                before_send=on_record,
                lease=lease,
            )
            break
        except repeats.InHand:  # whoever waits for another's answer holds no place at the system meanwhile
            repeats.wait(gateway.engine, request, trail.received.arrival.deadline)
    if delivered.error is not None:
        raise delivered.error
    others = [code for code in delivered.subjects if code not in trail.named]
    if others:  # they count too, before anybody sees them
        seen = [subject_index(gateway.subject_key, code) for code in others]
        recipient, day = request.caller.recipient, today_in_riga()
        gateway.log.commit(lambda connection: quota.meet(connection, recipient, seen, decision.quota, day))
    return delivered


@traced
def answer(
    trail: Trail, request: Request, decision: access.Decision, delivered: Delivered, inlet: Inlet
) -> None:
    """Step 7: only permitted fields, mapped and checked by the contract, in memory."""
    trail.disclosed = delivered.disclose(decision.grant)
    trail.answer = inlet.compose(request, trail.received.exchange_id, trail.disclosed)


@traced
def commit(gateway: Gateway, trail: Trail, reply: Reply) -> Reply:
    """Step 8: registers, what is queued because of them, outcome, exact bytes, the answered message id and the row of
    the outbox in one transaction; then the bytes leave, with the log's receipt for the outcome.
    """
    exchange_id, instant = trail.received.exchange_id, utc_now()
    request, delivered, lease = trail.request, trail.delivered, trail.received.arrival.lease
    before = 0 if lease is None else lease.attempts

    def work(connection: Connection) -> Record:
        trail.notices = ()
        kept: dict[str, bytes] = {}
        if lease is None and time.monotonic() - trail.began > gateway.settings.limits.exchange_seconds:
            refuse_if_closed(connection, exchange_id)
        if lease is not None:
            manner = HERE if trail.plan is None else trail.plan.manner
            settled = settling.judge(trail.error, manner.repeat, lease, trail.sent, manner.settles_after)
            outbox.settle(connection, lease, settled)
            trail.queued = settled.state is outbox.State.WAITING
        if request is not None and request.effect_once:
            repeats.release(connection, request, exchange_id)
        if request is not None and request.effect_once and trail.error is None and trail.repeated is None:
            repeats.remember(
                connection, request.caller.name, request.message_id, request.content, exchange_id, instant
            )
            kept["answer"] = trail.answer
        if request is not None and isinstance(trail.error, errors.QuotaExceeded):
            quota.note(connection, request.caller.recipient, today_in_riga())
        fed = Fed()
        if delivered is not None:
            for number, attempt in enumerate(delivered.attempts, start=before + 1):
                if attempt.received is not None:
                    kept[f"received-{number}"] = attempt.received
            if trail.error is None:
                fed = delivered.store(connection, Provenance(exchange_id, *delivered.origin, instant))
        if fed.changes and request is not None:
            trail.notices = gateway.queue.tell(connection, fed.changes, exchange_id, request.context)
        if lease is not None and request is not None and delivered is not None and trail.error is None:
            trail.notices += gateway.queue.follow(connection, request, delivered, exchange_id)
        if lease is None:
            kept["reply"] = reply.body
        record = outcome_record(trail, fed, reply.body, instant)
        of = retention.of(record.kind, record.facts)
        gateway.archive.put_all(connection, exchange_id, kept, instant, of)
        return gateway.log.append(connection, record)

    given = receipt(gateway.log.line(), gateway.log_key, gateway.log.commit(work))
    return replace(reply, headers={**reply.headers, RECEIPT: given.header()})


def refuse(trail: Trail, inlet: Inlet, error: Exception) -> Reply:
    """Any error in the form of the way in, with the exchange id."""
    # Without its traceback: that holds the frames that read the message, and they the trail, so that a refused
    # message would stay in memory until cyclic garbage is looked for.
    trail.error = ours = _ours(error).with_traceback(None)
    ours.exchange_id = trail.received.exchange_id
    return inlet.refuse(trail.received, ours)


def wire(
    settings: Settings,
    profile: Callable[[str], Profile] | None = None,
    rights: access.Access | None = None,
) -> Gateway:
    """Open everything by the settings; nothing is shared with another process.

    `profile` gives a system's transport; without it each system gets the one that its settings name. `rights` are
    those that were read already; without them the files are read now.
    Raises: ConfigurationError.
    """
    engine = open_engine(settings.database_url)
    found, services = adapters.discover(), mappings.services.discover()
    transport = profile or transports(settings, found)
    breakers = Breakers(engine, on_closed=outbox.due_again)
    line = lines(settings, found, transport, breakers)
    granted = rights or access.Access.load(settings.access)
    own = ping_routes(granted, services, settings.environment)
    subject_key = load_secret(settings.keys / "subject.key")
    routes = system_routes(found, line) | register_routes(engine, subject_key) | own
    routes |= comparison_routes(engine, routes)
    log, archive = open_log(settings, engine), Archive(settings)
    return Gateway(
        settings=settings,
        engine=engine,
        log=log,
        log_key=load_log_key(settings.keys / "log.key"),
        archive=archive,
        subject_key=subject_key,
        queue=Queue(settings, found, archive, log, subject_key),
        access=granted,
        routes=Routes(routes | service_routes(engine, services, routes)),
        transport=transport,
        breakers=breakers,
        tracing=Tracing(settings.telemetry.otlp_url, settings.environment),
        adapters=found,
        services=services,
    )


def warm(gateway: Gateway) -> None:
    """Open every system's transport now, so that no caller waits for a contract to be read.

    A system whose settings are wrong stays closed, and says so when it is asked.
    """
    for name in gateway.adapters:
        try:
            gateway.transport(name)
        except errors.ConfigurationError as error:
            diagnostics.warning("%s: %s", name, error)


def main() -> None:
    """The command line, for who starts it by `python -c`; the script `gateway` begins there, and loads less."""
    from commands import cli  # the command line stands above: it is imported when called

    cli()


def _ours(error: Exception) -> errors.GatewayError:
    """An error of the tree. Of any other only type and place are noted: its message could hold personal data."""
    if isinstance(error, errors.GatewayError):
        return error
    if isinstance(error, SQLAlchemyError):
        return errors.LogUnavailable(type(error).__name__)
    place = "".join(traceback.format_tb(error.__traceback__))
    diagnostics.error("unforeseen %s\n%s", type(error).__name__, place)
    return errors.GatewayError()
