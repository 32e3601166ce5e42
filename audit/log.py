"""The exchange log as the gateway writes it: rows are appended and never updated.

Nobody is answered before the commit that holds his record. Commits are shared: while one thread writes, the works of
the others gather and go together in the next transaction, each in a savepoint of its own.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, insert
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError

from audit import leaf as leaves
from audit import origin
from audit.tables import log_records, log_values, sequencer_queue
from config import Settings
from errors import Busy, LogUnavailable
from exchange import Environment, new_id
from security.keys import load_secret
from storage.patience import is_silence
from storage.statements import Statement, driver

T = TypeVar("T")

# How often a work is run alone when another transaction is in its way.
_TRIES = 5

# Above 64 savepoints in one transaction PostgreSQL's snapshots get slow for everybody.
_BATCH = 50


class _Job:
    """One caller's work on its way through a shared transaction."""

    __slots__ = ("done", "error", "leads", "touches_database", "value", "work")

    def __init__(self, work: Callable[[Connection], Any], *, touches_database: bool) -> None:
        self.work = work
        self.touches_database = touches_database
        self.done = threading.Event()
        self.leads = False
        self.value: Any = None
        self.error: BaseException | None = None

    def fail(self, error: LogUnavailable, cause: BaseException | None = None) -> None:
        """Tell the caller that nothing of its work is kept."""
        self.value = None
        error.__cause__ = cause
        self.error = error


class ExchangeLog:
    """The one way in which records, and what must be committed with them, reach the database.

    `writers` transactions run at a time (PostgreSQL; SQLite has one writer), `capacity` works wait at most, and each at
    most `patience` seconds until it is begun. An object made before a fork works in the child, with connections of its
    own.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        environment: Environment,
        public_key: Ed25519PublicKey,
        subject_key: bytes,
        writers: int = 1,
        capacity: int = 1000,
        patience: float = 15.0,
    ) -> None:
        self._engine = engine
        self._environment = environment
        self._public_key = public_key
        self._subject_key = subject_key
        self._writers = writers if engine.dialect.name == "postgresql" else 1
        self._capacity = capacity
        self._patience = patience
        self._closed = False
        self._begun = False
        self._line = ""
        self._reset()
        _every_log.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._origin_lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._leaders = 0

    def _after_fork(self) -> None:
        self._reset()
        # The parent's connections must not be closed here, nor used.
        self._engine.dispose(close=False)

    def append(self, connection: Connection, entry: leaves.Entry) -> leaves.Record:
        """Add one record in the caller's transaction, queued for the sequencer; the record as it will stand there.

        In a work of `commit` the rows are inserted with those of the other works, just before the commit.
        Raises: InvalidRequest where a value has no canonical JSON form.
        """
        record = leaves.seal(entry, new_id(entry.instant), self._subject_key)
        gathered = connection.get_execution_options().get(_GATHERED)
        if gathered is None:
            _insert(connection, [record])
        else:
            gathered.append(record)
        return record

    def commit(self, work: Callable[[Connection], T]) -> T:
        """Run quick database work in a shared transaction and return its result once that is committed.

        A work that raises is rolled back alone and its exception is raised here. It must not end the transaction.
        Raises: Busy when too many wait, or one too long, LogUnavailable when the database fails; then nothing of the
        work is kept, unless the connection broke at the very commit.
        """
        result: T = self._through(_Job(work, touches_database=True))
        return result

    def commit_apart(self, work: Callable[[Connection], T]) -> T:
        """Run database work in a transaction of its own, where it must see what others have committed and nothing else.

        Raises: LogUnavailable, and what the work raises.
        """
        self._begin()
        job = _Job(work, touches_database=True)
        self._alone(job)
        if job.error is not None:
            raise job.error
        result: T = job.value
        return result

    def write(self, *entries: leaves.Entry) -> list[str]:
        """Append and commit entries that go with nothing else; the ids of their records.

        Raises: InvalidRequest, Busy, LogUnavailable.
        """
        appended: list[str] = self._through(
            _Job(
                lambda connection: [self.append(connection, entry).id for entry in entries],
                touches_database=False,
            )
        )
        return appended

    def line(self) -> str:
        """The name of the log, as its checkpoints and receipts bear it.

        Raises: LogUnavailable, ConfigurationError.
        """
        self._begin()
        return self._line

    def close(self) -> None:
        """Take no more works; those that wait are still done."""
        with self._lock:
            self._closed = True

    def _through(self, job: _Job) -> Any:
        self._begin()
        with self._lock:
            if self._closed:
                raise LogUnavailable("the log is closed")
            if self._leaders < self._writers:
                self._leaders += 1
                job.leads = True
            elif len(self._waiting) >= self._capacity:
                raise Busy(retry_after=1)
            else:
                self._waiting.append(job)
        if not job.leads:
            self._await(job)
        if job.leads:
            self._lead(job)
        if job.error is not None:
            raise job.error
        return job.value

    def _await(self, job: _Job) -> None:
        """Wait until a work is done, or its turn has come to lead; it is withdrawn where it is not even begun in time.

        Raises: Busy.
        """
        if job.done.wait(self._patience):
            return
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                raise Busy("the log does not keep up", retry_after=5)
        # It is being committed, which ends in time by itself: the database is not waited for without end.
        job.done.wait()

    def _begin(self) -> None:
        if self._begun:
            return
        if not self._origin_lock.acquire(timeout=self._patience):
            raise LogUnavailable("the database is silent")
        try:
            if not self._begun:
                self._line = origin.ensure(self._engine, self._environment, self._public_key)
            self._begun = True
        except SQLAlchemyError as error:
            raise LogUnavailable(type(error).__name__) from error
        finally:
            self._origin_lock.release()

    def _lead(self, own: _Job) -> None:
        with self._lock:
            batch = [own, *(self._waiting.popleft() for _ in range(min(_BATCH - 1, len(self._waiting))))]
        try:
            self._run(batch)
        finally:
            with self._lock:
                heir = self._waiting.popleft() if self._waiting else None
                if heir is None:
                    self._leaders -= 1
            if heir is not None:
                heir.leads = True
                heir.done.set()
            for job in batch[1:]:
                job.done.set()

    def _run(self, batch: Sequence[_Job]) -> None:
        try:
            try:
                self._together(batch)
            except DBAPIError as error:
                if not _is_conflict(error):
                    raise
                # Works that lock several rows in one transaction can meet a deadlock with another process's group.
                for number, job in enumerate(batch):
                    if (silence := self._alone(job)) is not None:
                        self._give_up(batch[number + 1 :], silence)
                        break
        except SQLAlchemyError as error:
            self._give_up(batch, error)
        except BaseException:
            # The leader's thread is being ended: the others must not wait for ever, nor believe in a commit.
            for job in batch:
                job.fail(LogUnavailable("the writer was interrupted"))
            raise

    def _give_up(self, batch: Sequence[_Job], error: SQLAlchemyError) -> None:
        """Fail a batch; and those that wait, where they would each wait as long again for a silent database."""
        for job in batch:
            job.fail(LogUnavailable(type(error).__name__), error)
        if not is_silence(error):
            return
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for job in waiting:
            job.fail(LogUnavailable(type(error).__name__), error)
            job.done.set()

    def _together(self, batch: Sequence[_Job]) -> None:
        with suppress(_Undone), self._engine.begin() as connection:
            gathered: list[leaves.Record] = []
            connection.execution_options(**{_GATHERED: gathered})
            for job in batch:
                _attempt(connection, job, gathered, alone=len(batch) == 1)
            _insert(connection, gathered)

    def _alone(self, job: _Job) -> SQLAlchemyError | None:
        """Run one work by itself, again where another is in its way; gives the error of a silent database."""
        for tries_left in reversed(range(_TRIES)):
            job.error = None
            try:
                self._together([job])
                break
            except SQLAlchemyError as error:
                if not tries_left or not (isinstance(error, DBAPIError) and _is_conflict(error)):
                    job.fail(LogUnavailable(type(error).__name__), error)
                    return error if is_silence(error) else None
        return None


def open_log(settings: Settings, engine: Engine) -> ExchangeLog:
    """The exchange log of these settings, with the keys in `settings.keys`.

    Raises: ConfigurationError when a key is missing.
    """
    return ExchangeLog(
        engine,
        environment=settings.environment,
        public_key=origin.load_public_key(settings.keys / "log.pub"),
        subject_key=load_secret(settings.keys / "subject.key"),
    )


def check_log(settings: Settings, engine: Engine) -> None:
    """Refuse, before anything is done with it, a database whose log is of the other environment or of another key.

    Raises: ConfigurationError.
    """
    origin.check(engine, settings.environment, origin.load_public_key(settings.keys / "log.pub"))


_INSERT_RECORD = Statement(insert(log_records))
_INSERT_QUEUE = Statement(insert(sequencer_queue).inline())
_INSERT_VALUE = Statement(insert(log_values))


# The execution option under which a shared transaction gathers its records: three statements for the whole group.
_GATHERED = "gathered_log_records"


def _insert(connection: Connection, records: Sequence[leaves.Record]) -> None:
    if not records:
        return
    _INSERT_RECORD.run_each(
        connection, ({"id": record.id, "leaf": record.leaf, **record.columns} for record in records)
    )
    _INSERT_QUEUE.run_each(connection, ({"record_id": record.id} for record in records))
    values = [
        {"record_id": record.id, "name": value.name, "salt": value.salt, "value": value.text}
        for record in records
        for value in record.values
    ]
    if values:
        _INSERT_VALUE.run_each(connection, values)


class _Undone(Exception):
    """Ends a transaction whose only work failed."""


def _attempt(connection: Connection, job: _Job, gathered: list[leaves.Record], *, alone: bool) -> None:
    """Do one work; what it raises is kept for its caller and undone: to a savepoint, or with it the transaction."""
    before = len(gathered)
    savepoint = job.touches_database and not alone
    if savepoint:
        driver(connection).execute("SAVEPOINT work")
    try:
        job.value = job.work(connection)
    except Exception as error:
        if _is_failure_of_the_database(error):
            raise
        job.error = error
        del gathered[before:]
        if alone:
            raise _Undone from error
        if savepoint:
            driver(connection).execute("ROLLBACK TO SAVEPOINT work")
    if savepoint:
        driver(connection).execute("RELEASE SAVEPOINT work")


def _is_conflict(error: DBAPIError) -> bool:
    """Whether PostgreSQL ended the transaction for another's sake: deadlock, or no serial order."""
    return getattr(error.orig, "sqlstate", None) in ("40P01", "40001")


def _is_failure_of_the_database(error: BaseException) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (OperationalError, InterfaceError, InternalError))


_every_log: weakref.WeakSet[ExchangeLog] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for log in list(_every_log):
        log._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
