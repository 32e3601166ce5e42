"""Recompute the whole exchange log from its rows and say whether anything was changed, and where first.

Every leaf is hashed again, every column compared with its leaf, every value with its commitment, every root with its
signed checkpoint. What follows a change is not judged: the first bad index is the answer.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from audit import checkpoint, guards, leaf, origin, retention, snapshot
from audit.erasure import Erasure
from audit.merkle import Frontier, leaf_hash
from audit.snapshot import Place, Stored, Values
from audit.tables import LOG_TABLES, log_records, log_tree, log_values
from errors import ConfigurationError, LogUnavailable
from exchange import Json, utc_now

Progress = Callable[[int, int], None]

_TOLD_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `root` is base64 as in the checkpoints, of the last good one where the log is bad.

    `first_bad` is the first index that does not hold; where a signature or a root fails, the first that it covers.
    `unanchored`: all holds together, but no witness outside vouches that this is the log it always was. `erasures` are
    those on record, `erased` counts the values that they excuse. `warnings` say what protects the rows too little.
    """

    status: Literal["anchored", "unanchored", "bad"]
    size: int
    root: str
    pending: int
    first_bad: int | None
    last_good_checkpoint: int | None
    reason: str
    erasures: tuple[Erasure, ...] = ()
    erased: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 anchored, 3 unanchored, 1 bad."""
        return {"anchored": 0, "unanchored": 3, "bad": 1}[self.status]

    def json(self) -> dict[str, Json]:
        """As `gateway audit verify --json` prints it."""
        return {
            "status": self.status,
            "size": self.size,
            "root": self.root,
            "pending": self.pending,
            "first_bad": self.first_bad,
            "last_good_checkpoint": self.last_good_checkpoint,
            "reason": self.reason,
            "erased": self.erased,
            "erasures": [
                {"index": one.index, "class": one.retention, "before": one.before, "instant": one.instant}
                for one in self.erasures
            ],
            "warnings": list[Json](self.warnings),
        }


def verify(
    engine: Engine,
    public_key: Ed25519PublicKey,
    subject_key: bytes | None = None,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Report:
    """Verify the log as it lies in the database; with `subject_key` the subject index too.

    `progress` hears now and then how many of how many leaves are done. By `clock` it is judged which erasures the law
    allowed.
    Raises: ConfigurationError where there is no log at all, LogUnavailable when the database cannot be read.
    """
    try:
        with snapshot.at_one_moment(engine) as connection:
            missing = snapshot.missing_tables(connection)
            if len(missing) == len(LOG_TABLES):
                raise ConfigurationError("the database holds no exchange log; start the gateway once")
            if missing:
                return Report("bad", 0, "", 0, 0, None, f"the table {missing[0]} is missing")
            return _Walk(connection, public_key, subject_key, progress or _silent, clock()).report()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def _silent(_done: int, _total: int) -> None:
    pass


class _Bad(Exception):
    """Something does not hold. The first index that is not good, and what is wrong with it."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class _Walk:
    """One pass over the log, oldest leaf first."""

    def __init__(
        self,
        connection: Connection,
        public_key: Ed25519PublicKey,
        subject_key: bytes | None,
        progress: Progress,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._public_key = public_key
        self._subject_key = subject_key
        self._progress = progress
        self._now = now
        self._frontier = Frontier()
        self._origin = ""
        self._checkpoints: Iterator[tuple[object, object]] = snapshot.checkpoints(connection)
        self._next: checkpoint.Checkpoint | None = None
        self._last_good: checkpoint.Checkpoint | None = None
        self._stray: tuple[_Bad, checkpoint.Checkpoint | None] | None = None
        self._open_exchanges: set[str] = set()
        self._known: list[Erasure] | None = None
        self._erased = 0
        self._values = 0
        self._pending = 0
        self._restored: list[int] = []

    def report(self) -> Report:
        """Walk, and say what was found."""
        total = snapshot.count(self._connection, log_tree.c.idx)
        try:
            self._tree(total)
            self._rest()
            if self._frontier.size != total:
                raise _Bad(0, "a leaf stands below index 0")
            if self._stray is not None:
                raise self._stray[0]
        except _Bad as bad:
            if self._stray is not None and self._stray[0].index < bad.index:
                bad, self._last_good = self._stray
            return self._bad(total, bad.index, bad.reason)
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            return self._bad(total, self._frontier.size, "a row cannot be read")
        return Report(
            status="unanchored",
            size=total,
            root=base64.b64encode(self._frontier.root()).decode(),
            pending=self._pending,
            first_bad=None,
            last_good_checkpoint=None if self._last_good is None else self._last_good.size,
            reason="no witness has cosigned a checkpoint" + self._gaps(),
            erasures=tuple(self._erasures()),
            erased=self._erased,
            warnings=guards.missing(self._connection),
        )

    def _gaps(self) -> str:
        """Where the log was restored from a backup: the leaf at each of these indexes tells what was lost before."""
        return f"; restored at {', '.join(map(str, self._restored))}" if self._restored else ""

    def _bad(self, total: int, index: int, reason: str) -> Report:
        good = self._last_good
        return Report(
            status="bad",
            size=total,
            root="" if good is None else base64.b64encode(good.root).decode(),
            pending=self._pending,
            first_bad=index,
            last_good_checkpoint=None if good is None else good.size,
            reason=reason,
        )

    def _tree(self, total: int) -> None:
        for place, stored, values in snapshot.leaves(self._connection):
            index = self._frontier.size
            if place.idx != index:
                raise _Bad(index, f"leaf {index} is missing from the tree")
            if index % _TOLD_EVERY == 0:
                self._progress(index, total)
            members = self._record(index, stored, values)
            if type(place.leaf_hash) is not bytes or place.leaf_hash != leaf_hash(stored.leaf.encode()):
                raise _Bad(index, "the record is not the one that the tree has")
            self._meaning(index, members)
            self._covered(index, place)
        self._progress(total, total)

    def _record(self, index: int, stored: Stored, values: Values) -> dict[str, Json]:
        if stored.id is None:
            raise _Bad(index, "the record is missing")
        try:
            members = leaf.parse(stored.leaf)
        except (TypeError, ValueError) as error:
            raise _Bad(index, "the leaf is not canonical JSON") from error
        derived = (
            members.get("id"),
            members.get("exchange"),
            members.get("kind"),
            members.get("instant"),
            members.get("system"),
            members.get("operation"),
            members.get("institution"),
            members.get("outcome"),
        )
        if stored[:8] != derived:
            wrong = next(n for n, (a, b) in enumerate(zip(stored, derived, strict=False)) if a != b)
            raise _Bad(index, f"the column {Stored._fields[wrong]} does not match the leaf")
        self._committed(index, members, values)
        return members

    def _committed(self, index: int, members: dict[str, Json], values: Values) -> None:
        commitments = members.get("commitments")
        if type(commitments) is not dict:
            raise _Bad(index, "the leaf has no commitments")
        texts: dict[str, str] = {}
        for name, salt, text in values:
            # Without its length the border between salt and value could be shifted.
            if type(name) is not str or type(salt) is not bytes or len(salt) != leaf.SALT_BYTES:
                raise _Bad(index, "a value's name or salt has another form")
            if type(text) is not str or commitments.get(name) != leaf.commitment(salt, text):
                raise _Bad(index, f"the value {name} does not match its commitment")
            texts[name] = text
        self._values += len(texts)
        if len(texts) != len(commitments):
            self._excuse(index, members, commitments.keys() - texts.keys())
        if self._subject_key is not None and leaf.SUBJECT in texts:
            self._indexed(index, texts, self._subject_key)

    def _excuse(self, index: int, members: dict[str, Json], missing: set[str]) -> None:
        kept, instant = self._class(members), str(members.get("instant"))
        for name in sorted(missing):
            excuses = [one for one in self._erasures() if one.excuses(index, instant, kept, name)]
            if not excuses:
                raise _Bad(index, f"the value {name} is missing and no erasure is on record")
            reasons = [one.unlawful(self._now) for one in excuses]
            if all(reasons):
                where = excuses[0].index
                raise _Bad(
                    index, f"the value {name} is missing, and not by the erasure at {where}: {reasons[0]}"
                )
        self._erased += len(missing)

    def _erasures(self) -> list[Erasure]:
        if self._known is None:
            self._known = [Erasure.read(*row) for row in snapshot.erasures(self._connection)]
        return self._known

    def _class(self, members: dict[str, Json]) -> str:
        """The retention class of a record: of what is of an exchange, that of the exchange."""
        if members.get("kind") in retention.OF_EXCHANGES:
            texts = snapshot.outcomes(self._connection, str(members.get("exchange")))
            try:
                return retention.of_exchange([leaf.parse(text) for text in texts])
            except (TypeError, ValueError):  # damaged, and named where the walk comes to it
                return ""
        return retention.of(str(members.get("kind")), members)

    def _indexed(self, index: int, texts: dict[str, str], key: bytes) -> None:
        try:
            expected = leaf.subject_indexes(key, leaf.value(texts[leaf.SUBJECT]))
        except ValueError as error:
            raise _Bad(index, "the subject is not a personal code or a list of them") from error
        for name, text in expected.items():
            if name in texts and leaf.value(texts[name]) != text:
                raise _Bad(index, "the subject index is not of this subject, or subject.key is another")

    def _meaning(self, index: int, members: dict[str, Json]) -> None:
        kind, exchange_id = members.get("kind"), str(members.get("exchange"))
        if index == 0 and kind != leaf.Kind.ORIGIN:
            raise _Bad(index, "the log does not begin with its origin record")
        if kind == leaf.Kind.ORIGIN:
            self._begin(index, members)
        elif kind == leaf.Kind.ERASURE:
            if reason := next(one for one in self._erasures() if one.index == index).unlawful(self._now):
                raise _Bad(index, f"the erasure on record was not allowed: {reason}")
        elif kind == leaf.Kind.OPENED:
            if exchange_id in self._open_exchanges:
                raise _Bad(index, "the exchange is opened twice")
            self._open_exchanges.add(exchange_id)
        elif kind in (leaf.Kind.ATTEMPT, leaf.Kind.OUTCOME):
            if exchange_id not in self._open_exchanges and not snapshot.opened_before(
                self._connection, exchange_id, index
            ):
                raise _Bad(index, "the exchange was never opened")
            if kind == leaf.Kind.OUTCOME:
                self._open_exchanges.discard(exchange_id)

    def _begin(self, index: int, members: dict[str, Json]) -> None:
        try:
            ours = origin.read(members)
        except ValueError as error:
            raise _Bad(index, "the first leaf is not an origin") from error
        if ours.public_key != origin.key_text(self._public_key):
            raise _Bad(index, "the log is of another key than log.pub")
        # A log that was restored goes on under a new origin, right after a checkpoint and with that one's root.
        so_far = self._origin, index, base64.b64encode(self._frontier.root()).decode()
        if ours.continues != (so_far if index else None) or self._next is not None:
            raise _Bad(index, "the log begins again without a record of where it was restored")
        self._origin = ours.line
        self._restored += [index] if index else []

    def _covered(self, index: int, place: Place) -> None:
        if self._next is None:
            self._next = self._checkpoint(index, place)
        if type(place.checkpoint) is not int or place.checkpoint != self._next.size:
            raise _Bad(index, "the tree names another checkpoint than the next one")
        self._frontier.append(place.leaf_hash)
        if self._frontier.size == self._next.size:
            if self._frontier.root() != self._next.root:
                first = 0 if self._last_good is None else self._last_good.size
                raise _Bad(first, f"the root signed at {self._next.size} is not that of the records")
            self._last_good, self._next = self._next, None

    def _checkpoint(self, index: int, place: Place) -> checkpoint.Checkpoint:
        for size, note in self._checkpoints:
            try:
                return self._sound(index, size, note)
            except _Bad as bad:
                if size == place.checkpoint:
                    raise
                # Its own place is elsewhere, or nowhere: go on to see what else fails, and where.
                self._stray = self._stray or (bad, self._last_good)
        raise _Bad(index, "no checkpoint covers this leaf")

    def _sound(self, index: int, size: object, note: object) -> checkpoint.Checkpoint:
        try:
            if type(size) is not int or type(note) is not str:
                raise ValueError
            found = checkpoint.parse(note)
        except ValueError as error:
            raise _Bad(index, f"the note of checkpoint {size} is malformed") from error
        if found.origin != self._origin or not found.signed_by(self._public_key):
            raise _Bad(index, f"the signature of checkpoint {size} does not hold")
        if found.size != size:
            first = snapshot.first_under(self._connection, found.size)
            raise _Bad(index if first is None else first, f"checkpoint {size} says that it is {found.size}")
        if size <= index:
            raise _Bad(index, f"checkpoint {size} covers nothing new")
        return found

    def _rest(self) -> None:
        size = self._frontier.size
        beyond = self._next.size if self._next is not None else next(self._checkpoints, (None, None))[0]
        if beyond is not None:
            raise _Bad(size, f"checkpoint {beyond} covers leaves that are missing")
        begun = size > 0
        for stored, values in snapshot.waiting(self._connection):
            members = self._record(size, stored, values)
            begun = begun or members.get("kind") == leaf.Kind.ORIGIN
            self._pending += 1
        if not begun:
            raise _Bad(0, "the log has no origin record")
        if snapshot.dangling(self._connection):
            raise _Bad(size, "a record that waits for its place is missing")
        if snapshot.count(self._connection, log_records.c.id) != size + self._pending:
            raise _Bad(size, "a record stands neither in the tree nor in the queue")
        if snapshot.count(self._connection, log_values.c.name) != self._values:
            raise _Bad(size, "a value belongs to no record or stands there twice")
