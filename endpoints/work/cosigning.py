"""The job that shows checkpoints to the witness: one process at a time, at most ten seconds behind the newest.

A witness that is away stops nothing: the job is shown as failing, and how much is exposed grows where everybody sees
it. A witness that contradicts the log is the gravest thing that this gateway can hear: it is an incident at once.
"""

from __future__ import annotations

import logging
import threading
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, select, update

from audit import ExchangeLog, snapshot, submission, witnessed
from audit.notes import VerifierKey
from audit.tables import leases
from audit.witness_client import WitnessClient
from config import Settings
from errors import GatewayError
from routing import incidents
from routing.incidents import Finding
from storage import database_now, reading, upsert

FORK = "fork"

_LEASE = "witness"
_LEASE_TIME = timedelta(seconds=30)  # longer than two questions to a silent witness
_LOOK_SECONDS = 1.0
# With the time of a question and of a look well below ten seconds.
_REST_SECONDS = 3.0
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

diagnostics = logging.getLogger("gateway.witness")


class Cosigning:
    """One candidate for the lease; does nothing where no witness is set."""

    def __init__(
        self, settings: Settings, engine: Engine, log: ExchangeLog, client: WitnessClient | None = None
    ) -> None:
        """Raises: ConfigurationError when the witness's key cannot be read."""
        witnessed.chosen(settings)
        self._settings = settings
        self._engine = engine
        self._log = log
        self._client = client or WitnessClient(settings.log.witness_url)
        self._holder = str(uuid.uuid4())
        self._introduced = False

    def step(self, _stop: threading.Event) -> float:
        """Have the newest checkpoint cosigned, and give the seconds to rest.

        Raises: ConfigurationError, LogUnavailable, PartnerError when the witness cannot be had.
        """
        return _REST_SECONDS if self.run_once() else _LOOK_SECONDS

    def run_once(self) -> bool:
        """Have the newest checkpoint cosigned where this process may; whether the witness was asked."""
        known = witnessed.chosen(self._settings)
        if known is not None and self._introduced:
            with reading(self._engine).begin() as connection:
                if submission.due(connection, known.key) is None:
                    return False
        if not self._take_lease():
            return False
        key = self._introduce(known)
        said = submission.submit(self._engine, key, self._client.add_checkpoint)
        if said is not None and said.contradiction is not None:
            self._alarm(key, said)
        return said is not None

    def last(self) -> None:
        """Before the end: show once more, so that what was written last is not left exposed. Never raises."""
        try:
            self.run_once()
            with self._engine.begin() as connection:
                connection.execute(
                    update(leases)
                    .where(leases.c.name == _LEASE, leases.c.holder == self._holder)
                    .values(until=_LONG_AGO)
                )
        except GatewayError as error:
            diagnostics.warning("the newest records are not cosigned: %s", error)

    def lag(self) -> float:
        """For how many seconds the oldest record waits for a cosignature."""
        known = witnessed.chosen(self._settings)
        with reading(self._engine).begin() as connection:
            return witnessed.exposure(connection, None if known is None else known.key).seconds

    def _introduce(self, known: witnessed.Chosen | None) -> VerifierKey:
        """The witness's key, which the log names before it keeps the first of its cosignatures."""
        key = self._client.key() if known is None else known.key
        if not self._introduced:
            with reading(self._engine).begin() as connection:
                named = _is_named(connection, key)
            if not named or known is None:
                self._log.write(
                    witnessed.introduction(
                        self._settings.environment, key, pinned=known is None or known.pinned
                    )
                )
            if known is None:
                witnessed.pin(self._settings.keys, key)
                diagnostics.warning("the key of the witness is pinned on first use: %s", key)
            self._introduced = True
        return key

    def _alarm(self, key: VerifierKey, said: submission.Submitted) -> None:
        diagnostics.error("the witness %s contradicts the log: %s", key.name, said.contradiction)
        finding = Finding(FORK, key.name[:200], str(said.contradiction)[:200])
        with self._engine.begin() as connection:
            incidents.see(connection, finding)

    def _take_lease(self) -> bool:
        with self._engine.begin() as connection:
            connection.execute(
                upsert(connection, leases)
                .values(name=_LEASE, holder="", until=_LONG_AGO)
                .on_conflict_do_nothing(index_elements=["name"])
            )
            now = database_now(connection)
            row = connection.execute(
                select(leases.c.holder, leases.c.until)
                .where(leases.c.name == _LEASE)
                .with_for_update(skip_locked=True)
            ).first()
            if row is None or (row.holder != self._holder and row.until > now):
                return False
            connection.execute(
                update(leases)
                .where(leases.c.name == _LEASE)
                .values(holder=self._holder, until=now + _LEASE_TIME)
            )
            return True


def _is_named(connection: Connection, key: VerifierKey) -> bool:
    """Whether the log names a witness's key already; that it keeps a cosignature of it says so at no cost."""
    if witnessed.newest(connection, key) is not None:
        return True
    return any(witnessed.introduced(leaf) == key for leaf in snapshot.witnesses(connection))
