"""What is queued for other systems: notices that a change in a register causes, and what a schedule asks for.

An exchange that is queued is complete from the start: the records `opened` and `outcome` (queued), its canonical
request, sealed, and its row of the outbox are committed together with what caused it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import rfc8785
from sqlalchemy import Connection

import errors
from adapters import Adapter, Anew, Operation, Sync
from audit import Archive, ExchangeLog
from config import Settings
from exchange import (
    RIGA,
    Argument,
    Arguments,
    Arrival,
    Caller,
    Context,
    Environment,
    Json,
    Official,
    Peer,
    Received,
    Request,
    Way,
    new_id,
    utc_now,
)
from mappings.mapping import plain
from registers import Fed
from registers.history import Change
from routing import following, outbox
from routing.routes import Delivered, SystemAnswer
from routing.trail import Trail, opened_record, outcome_record

PAYLOAD = "request"  # the name under which the archive keeps what is queued
_PEER = Peer("outbox")
_COUNT_EVERY = 1.0
_CATCH_UP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Follower:
    """An operation that tells of changes."""

    adapter: Adapter
    operation: Operation


class Queue:
    """Puts exchanges into the outbox in the transaction of their cause.

    Raises: Busy, from every `put`, while more wait than `[outbox] backlog` allows.
    """

    def __init__(
        self,
        settings: Settings,
        adapters: Mapping[str, Adapter],
        archive: Archive,
        log: ExchangeLog,
        subject_key: bytes,
    ) -> None:
        self._settings = settings
        self._adapters = adapters
        self._archive = archive
        self._log = log
        self._subject_key = subject_key
        self._give_up_after = timedelta(hours=settings.outbox.give_up_hours)
        self._counted = (0.0, 0)
        self._followers: dict[type, list[_Follower]] = {}
        for adapter in adapters.values():
            for operation in adapter.operations:
                if operation.notice is not None:
                    follows = self._followers.setdefault(operation.notice.follows, [])
                    follows.append(_Follower(adapter, operation))

    def tell(
        self, connection: Connection, changes: Sequence[Change], cause: uuid.UUID, context: Context
    ) -> tuple[uuid.UUID, ...]:
        """Queue the notices that changes of a register cause, in order, and name their exchanges.

        They carry the official and the case of what caused them, and a purpose and rule of their own.
        """
        queued = []
        for change in changes:
            for follower in self._followers.get(type(change.after or change.before), ()):
                notice = follower.operation.notice
                assert notice is not None  # noqa: S101 — only operations with one are followers
                for arguments in notice.arguments(change):
                    own = Context(
                        purpose=notice.purpose,
                        rule=notice.rule,
                        official=context.official,
                        case=context.case,
                        request_id=new_id(),
                        environment=context.environment,
                    )
                    request = Request(
                        caller=Caller(f"notice-{notice.recipient}", notice.recipient),
                        context=own,
                        system=follower.adapter.name,
                        operation=follower.operation.name,
                        arguments=arguments,
                        message_id="",
                        content=b"",
                    )
                    person = arguments.get(follower.operation.subject or "")
                    queued.append(
                        self.put(connection, request, cause, person if isinstance(person, str) else None)
                    )
        return tuple(queued)

    def ask(
        self,
        connection: Connection,
        adapter: Adapter,
        operation: Operation,
        now: datetime,
        *,
        slot: datetime | None = None,
        since: date | None = None,
    ) -> uuid.UUID | None:
        """Begin a run of an operation's sync: queue its first question, from where the last answer ended.

        `since` begins at a day whatever was answered. None while the run before is under way: it will bring what this
        one would. A run whose question nobody will put again is left, and this one goes on from where it came to.
        """
        sync = operation.sync
        if sync is None:
            raise errors.InvalidRequest(f"{adapter.name}.{operation.name} is not asked on a schedule")
        place = following.hold(connection, adapter.name, operation.name)
        running = following.under_way(connection, adapter.name, operation.name)
        if running is not None and running.state is following.RunState.RUNNING:
            return None
        following.leave(connection, adapter.name, operation.name)
        if sync.cursor is not None and place.cursor is not None and since is None:
            beginning, arguments = (
                following.Beginning(after=place.cursor, slot=slot),
                sync.cursor.arguments(place.cursor),
            )
        else:
            # A day more, so that nothing falls between two days or two clocks.
            last = (place.asked_at or now - _CATCH_UP) - timedelta(days=1)
            day = since or last.astimezone(RIGA).date()
            beginning, arguments = following.Beginning(since=day, slot=slot), sync.arguments(day)
        question = self._own_question(connection, adapter.name, operation.name, sync, arguments, None)
        following.begin(connection, question, (adapter.name, operation.name), beginning, question=question)
        return question

    def follow(
        self, connection: Connection, request: Request, delivered: Delivered, exchange_id: uuid.UUID
    ) -> tuple[uuid.UUID, ...]:
        """Go on with a run whose question was answered, in the transaction that keeps the answer.

        Where it ends is kept, the next page is queued where there is more, and so are the questions about who changed.
        Names the exchanges that were queued.
        """
        adapter = self._adapters.get(request.system)
        operation = None if adapter is None else adapter.operation(request.operation)
        if operation is None or operation.sync is None or not isinstance(delivered, SystemAnswer):
            return ()
        sync = operation.sync
        following.hold(connection, request.system, operation.name)
        run = following.of_question(connection, exchange_id)
        if run is None:
            return ()
        record = delivered.record
        cursor, more = (None, False) if sync.cursor is None else sync.cursor.ends(record)
        queued = [
            self._own_question(
                connection, request.system, anew.operation, anew, arguments, exchange_id, sync.recipient
            )
            for anew in sync.anew
            for arguments in anew.questions(connection, record)
        ]
        counted, asked_anew = sync.taken(connection, record), len(queued)
        next_page = None
        if sync.cursor is not None and cursor is not None and more:
            arguments = sync.cursor.arguments(cursor)
            next_page = self._own_question(
                connection, request.system, operation.name, sync, arguments, exchange_id
            )
            queued.append(next_page)
        following.advance(connection, run, counted, cursor=cursor, following=next_page, asked_anew=asked_anew)
        return tuple(queued)

    def _own_question(
        self,
        connection: Connection,
        system: str,
        operation: str,
        why: Sync | Anew,
        arguments: Arguments,
        cause: uuid.UUID | None,
        recipient: str = "",
    ) -> uuid.UUID:
        """Queue a question of our own. There is always room for it: it takes the place of the one that caused it, and
        who would be told to come later is nobody.
        """
        context = Context(
            purpose=why.purpose,
            rule=why.rule,
            official=Official("schedule", self._settings.institution, "system"),
            case="",
            request_id=new_id(),
            environment=self._settings.environment,
        )
        request = Request(
            caller=Caller("schedule", why.recipient if isinstance(why, Sync) else recipient),
            context=context,
            system=system,
            operation=operation,
            arguments=arguments,
            message_id="",
            content=b"",
        )
        return self._put(connection, request, cause, None)

    def put(
        self, connection: Connection, request: Request, cause: uuid.UUID | None, person: str | None = None
    ) -> uuid.UUID:
        """Queue one exchange: its records, its sealed request and its row. Rows of one `person` keep their order."""
        self._see_that_there_is_room(connection)
        return self._put(connection, request, cause, person)

    def _put(
        self, connection: Connection, request: Request, cause: uuid.UUID | None, person: str | None
    ) -> uuid.UUID:
        instant = utc_now()
        exchange_id = new_id(instant)
        body = dump(request)
        received = Received(
            Arrival(Way.OUTBOX, _PEER, request.name, body),
            exchange_id,
            instant,
            hashlib.sha256(body).digest(),
        )
        trail = Trail(received, request.context.environment, request=request, cause=cause, queued=True)
        self._archive.put(connection, exchange_id, PAYLOAD, body, instant)
        self._log.append(connection, opened_record(trail))
        self._log.append(connection, outcome_record(trail, Fed(), b"", utc_now()))
        outbox.put(
            connection,
            exchange_id,
            (request.system, request.operation),
            give_up_after=self._give_up_after,
            subject_order=self._order(request, person),
            cause=cause,
        )
        return exchange_id

    def _order(self, request: Request, person: str | None) -> str | None:
        if person is None:
            return None
        key = f"{request.system}.{person}".encode()
        return hmac.new(self._subject_key, key, hashlib.sha256).hexdigest()

    def _see_that_there_is_room(self, connection: Connection) -> None:
        counted_at, count = self._counted
        if time.monotonic() - counted_at > _COUNT_EVERY:
            count = outbox.waiting(connection, self._settings.outbox.backlog)
            self._counted = (time.monotonic(), count)
        if count >= self._settings.outbox.backlog:
            raise errors.Busy("too much waits to be delivered", retry_after=60)


def dump(request: Request) -> bytes:
    """A request as it is queued: canonical JSON."""
    context, official = request.context, request.context.official
    values: dict[str, Json] = {
        "caller": {"name": request.caller.name, "recipient": request.caller.recipient},
        "context": {
            "purpose": context.purpose,
            "rule": context.rule,
            "official": {"id": official.id, "institution": official.institution, "role": official.role},
            "case": context.case,
            "request_id": str(context.request_id),
            "environment": context.environment.value,
        },
        "system": request.system,
        "operation": request.operation,
        "arguments": plain(request.arguments),
    }
    return rfc8785.dumps(values)


def load(body: bytes, exchange_id: uuid.UUID) -> Request:
    """A queued request; its message id is the exchange's.

    Raises: MalformedMessage when it was not queued by us.
    """
    try:
        values = json.loads(body)
        context = values["context"]
        arguments: dict[str, Argument] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values["arguments"].items()
        }
        return Request(
            caller=Caller(**values["caller"]),
            context=Context(
                purpose=context["purpose"],
                rule=context["rule"],
                official=Official(**context["official"]),
                case=context["case"],
                request_id=uuid.UUID(context["request_id"]),
                environment=Environment(context["environment"]),
            ),
            system=values["system"],
            operation=values["operation"],
            arguments=arguments,
            message_id=str(exchange_id),
            content=hashlib.sha256(body).digest(),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.MalformedMessage("a queued request") from error
