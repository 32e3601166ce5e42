"""Recompute the whole exchange log from its rows and say whether anything was changed, and where first.

Every leaf is hashed again, every column compared with its leaf, every value with its commitment, every root with its
signed checkpoint, every checkpoint with what witnesses signed of it, and all of it with what is known outside. What
follows a change is not judged: the first bad index is the answer.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from audit import checkpoint, guards, leaf, nodes, origin, ranges, snapshot, stamps, witnessed
from audit.merkle import Frontier
from audit.outside import NOBODY, Outside, loss
from audit.records import Bad, Records, check_range, in_place
from audit.report import Report
from audit.snapshot import Place
from audit.tables import LOG_TABLES, log_records, log_tree, log_values
from audit.witnessed import Exposure
from errors import ConfigurationError, LogUnavailable
from exchange import Json, instant_text, utc_now

__all__ = ["Progress", "Report", "verify"]

Progress = Callable[[int, int], None]

_TOLD_EVERY = 1000


def verify(
    engine: Engine,
    public_key: Ed25519PublicKey,
    subject_key: bytes | None = None,
    progress: Progress | None = None,
    outside: Outside = NOBODY,
    clock: Callable[[], datetime] = utc_now,
    large: int = ranges.LARGE,
) -> Report:
    """Verify the log as it lies in the database; with `subject_key` the subject index too.

    `outside` is what the witness and others hold; it must have been asked for before, since the log grows. `progress`
    hears now and then how many of how many leaves are done. By `clock` it is judged which erasures the law allowed.
    From `large` leaves on, all processors are used.
    Raises: ConfigurationError where there is no log at all, LogUnavailable when the database cannot be read.
    """
    try:
        with snapshot.at_one_moment(engine) as connection:
            missing = snapshot.missing_tables(connection)
            if len(missing) == len(LOG_TABLES):
                raise ConfigurationError("the database holds no exchange log; start the gateway once")
            if missing:
                return Report("bad", 0, "", 0, 0, None, f"the table {missing[0]} is missing")
            now, told = clock(), progress or _silent
            total = snapshot.count(connection, log_tree.c.idx)
            if total >= large and ranges.processes() > 1:
                moment = snapshot.moment(connection)
                with ranges.begun(engine, moment, subject_key, now, total, check_range) as begun:
                    walk = _Walk(connection, public_key, subject_key, told, outside, now, begun)
                    report = walk.report(total)
                if report.status != "bad":
                    return report
            return _Walk(connection, public_key, subject_key, told, outside, now).report(total)
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def _silent(_done: int, _total: int) -> None:
    pass


class _Walk:
    """One pass over the log, oldest leaf first."""

    def __init__(
        self,
        connection: Connection,
        public_key: Ed25519PublicKey,
        subject_key: bytes | None,
        progress: Progress,
        outside: Outside,
        now: datetime,
        beside: ranges.Ranges | None = None,
    ) -> None:
        self._connection = connection
        self._public_key = public_key
        self._records = Records(connection, subject_key, now)
        self._progress = progress
        self._now = now
        self._frontier = Frontier()
        self._kept = nodes.Comparison(connection)
        self._beside = beside
        self._origin = ""
        self._checkpoints: Iterator[tuple[object, object]] = snapshot.checkpoints(connection)
        self._next: checkpoint.Checkpoint | None = None
        self._last_good: checkpoint.Checkpoint | None = None
        self._stray: tuple[Bad, checkpoint.Checkpoint | None] | None = None
        self._open_exchanges: set[str] = set()
        self._opened_again: frozenset[str] | None = None
        self._pending = 0
        self._restored: list[str] = []
        self._outside = outside
        self._origins: set[str] = set()
        self._due = {one.tree.size for one in outside.held}
        self._cosignatures = witnessed.Cosignatures(connection, outside.witness)
        self._anchored: checkpoint.Checkpoint | None = None
        self._stamped: tuple[int, datetime] | None = None

    def report(self, total: int) -> Report:
        """Walk over so many leaves, and say what was found."""
        try:
            self._tree(total)
            self._rest()
            if self._frontier.size != total:
                raise Bad(0, "a leaf stands below index 0")
            if self._stray is not None:
                raise self._stray[0]
        except Bad as bad:
            if self._stray is not None and self._stray[0].index < bad.index:
                bad, self._last_good = self._stray
            return self._bad(total, bad)
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            return self._bad(total, Bad(self._frontier.size, "a row cannot be read"))
        size = None if self._anchored is None else self._anchored.size
        anchored, reason = self._outside.vouched(size, any_rows=self._cosignatures.checked > 0)
        return Report(
            status="anchored" if anchored else "unanchored",
            size=total,
            root=base64.b64encode(self._frontier.root()).decode(),
            pending=self._pending,
            first_bad=None,
            last_good_checkpoint=None if self._last_good is None else self._last_good.size,
            reason=reason + self._gaps() + self._kept.wrong(),
            exposure=self._exposure(total),
            witness=self._outside.json(self._origins),
            stamped=self._stamp_told(),
            erasures=tuple(self._records.erasures()),
            erased=self._records.erased,
            warnings=guards.missing(self._connection),
        )

    def _gaps(self) -> str:
        """Where the log was restored from a backup: the leaf at each of these indexes tells what was lost before."""
        return f"; restored at {', '.join(self._restored)}" if self._restored else ""

    def _stamp_told(self) -> Json:
        """The newest time stamp; whose it is was looked at only where the settings name authorities."""
        if self._stamped is None:
            return None
        size, at = self._stamped
        return {"size": size, "at": instant_text(at), "checked": bool(self._outside.authorities)}

    def _bad(self, total: int, bad: Bad) -> Report:
        good = self._anchored if bad.contradicted else self._last_good
        return Report(
            status="bad",
            size=total,
            root="" if good is None else base64.b64encode(good.root).decode(),
            pending=self._pending,
            first_bad=bad.index,
            last_good_checkpoint=None if good is None else good.size,
            reason=bad.reason,
            exposure=self._exposure(total),
            witness=self._outside.json(self._origins),
        )

    def _exposure(self, total: int) -> Exposure:
        size = None if self._anchored is None else self._anchored.size
        try:
            seconds = witnessed.seconds_from(self._connection, size or 0)
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            seconds = 0.0
        return Exposure(size, total + self._pending - (size or 0), seconds)

    def _tree(self, total: int) -> None:
        for place, members in self._records.leaves(0, None) if self._beside is None else self._outlined():
            index = self._frontier.size
            if self._beside is None and index % _TOLD_EVERY == 0:
                self._progress(index, total)
            self._meaning(index, members)
            self._covered(index, place)
        if self._beside is not None:
            try:
                self._records.values, self._records.erased = self._beside.found(self._progress)
            except ranges.Unsound as error:
                raise Bad(0, "a record does not hold") from error
        self._progress(total, total)

    def _outlined(self) -> Iterator[tuple[Place, dict[str, Json]]]:
        """The places with what their order is judged by, while others look at the records."""
        for index, (place, kind, exchange_id, text) in enumerate(snapshot.outline(self._connection)):
            in_place(index, place)
            try:
                yield place, {"kind": kind, "exchange": exchange_id} if text is None else leaf.parse(text)
            except (TypeError, ValueError) as error:
                raise Bad(index, "the leaf is not canonical JSON") from error

    def _meaning(self, index: int, members: dict[str, Json]) -> None:
        kind, exchange_id = members.get("kind"), str(members.get("exchange"))
        if index == 0 and kind != leaf.Kind.ORIGIN:
            raise Bad(index, "the log does not begin with its origin record")
        if kind == leaf.Kind.ORIGIN:
            self._begin(index, members)
        elif kind == leaf.Kind.ERASURE:
            if reason := next(one for one in self._records.erasures() if one.index == index).unlawful(
                self._now
            ):
                raise Bad(index, f"the erasure on record was not allowed: {reason}")
        elif kind == leaf.Kind.OPENED:
            if exchange_id in self._open_exchanges or self._opened_before(index, exchange_id):
                raise Bad(index, "the exchange is opened twice")
            self._open_exchanges.add(exchange_id)
        elif kind in (leaf.Kind.ATTEMPT, leaf.Kind.OUTCOME):
            if exchange_id not in self._open_exchanges and not snapshot.opened_before(
                self._connection, exchange_id, index
            ):
                raise Bad(index, "the exchange was never opened")
            if kind == leaf.Kind.OUTCOME:
                self._open_exchanges.discard(exchange_id)

    def _opened_before(self, index: int, exchange_id: str) -> bool:
        if self._opened_again is None:
            self._opened_again = snapshot.opened_again(self._connection)
        again = exchange_id in self._opened_again
        return again and snapshot.opened_before(self._connection, exchange_id, index)

    def _begin(self, index: int, members: dict[str, Json]) -> None:
        try:
            ours = origin.read(members)
        except ValueError as error:
            raise Bad(index, "the first leaf is not an origin") from error
        if ours.public_key != origin.key_text(self._public_key):
            raise Bad(index, "the log is of another key than log.pub")
        # A log that was restored goes on under a new origin, right after a checkpoint and with that one's root.
        so_far = self._origin, index, base64.b64encode(self._frontier.root()).decode()
        again = ours.continues == (so_far if index else None) and ("continues" in members) == (index > 0)
        if not again or self._next is not None:
            raise Bad(index, "the log begins again without a record of where it was restored")
        if index and (
            ours.line in self._origins or not self._origin.startswith(ours.line.rpartition("/")[0])
        ):
            raise Bad(index, "the log begins again under a name that it had, or in another environment")
        if index:
            try:
                seen = self._outside.beyond(self._origin, index)
                self._restored.append(f"{index}{loss(seen, members)}")
            except ValueError as error:
                raise Bad(index, str(error), contradicted=True) from error
        self._origin = ours.line
        self._origins.add(ours.line)

    def _covered(self, index: int, place: Place) -> None:
        if self._next is None:
            self._next = self._checkpoint(index, place)
        if type(place.checkpoint) is not int or place.checkpoint != self._next.size:
            raise Bad(index, "the tree names another checkpoint than the next one")
        self._frontier.append(place.leaf_hash)
        self._kept.leaf(place.leaf_hash)
        if self._frontier.size == self._next.size:
            if self._frontier.root() != self._next.root:
                first = 0 if self._last_good is None else self._last_good.size
                raise Bad(first, f"the root signed at {self._next.size} is not that of the records")
            self._witnessed(0 if self._last_good is None else self._last_good.size, self._next)
            self._last_good, self._next = self._next, None
        if self._frontier.size in self._due:
            self._agreed()

    def _witnessed(self, after: int, signed: checkpoint.Checkpoint) -> None:
        try:
            if self._cosignatures.check(after, signed):
                self._anchored = signed
        except ValueError as error:
            raise Bad(after, str(error)) from error
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            raise Bad(after, f"a cosignature of {signed.size} cannot be read") from error

    def _agreed(self) -> None:
        """See that what is held outside at this size is this tree."""
        size, root = self._frontier.size, self._frontier.root()
        for held in self._outside.at(self._origin, size):
            if held.tree.root != root:
                first = 0 if self._anchored is None else self._anchored.size
                reason = f"{held.by} has another root at {size} records: the log was rewritten"
                raise Bad(first, reason, contradicted=True)
            if held.cosigned is not None:
                self._anchored = held.tree

    def _checkpoint(self, index: int, place: Place) -> checkpoint.Checkpoint:
        for size, note in self._checkpoints:
            try:
                return self._sound(index, size, note)
            except Bad as bad:
                if size == place.checkpoint:
                    raise
                # Its own place is elsewhere, or nowhere: go on to see what else fails, and where.
                self._stray = self._stray or (bad, self._last_good)
        raise Bad(index, "no checkpoint covers this leaf")

    def _sound(self, index: int, size: object, note: object) -> checkpoint.Checkpoint:
        try:
            if type(size) is not int or type(note) is not str:
                raise ValueError
            found = checkpoint.parse(note)
        except ValueError as error:
            raise Bad(index, f"the note of checkpoint {size} is malformed") from error
        if found.origin != self._origin or not found.signed_by(self._public_key):
            raise Bad(index, f"the signature of checkpoint {size} does not hold")
        if found.size != size:
            # One that has stood in its own place already is a copy: what is wrong begins here.
            copied = found.size <= index
            first = None if copied else snapshot.first_under(self._connection, found.size)
            raise Bad(index if first is None else first, f"checkpoint {size} says that it is {found.size}")
        if size <= index:
            raise Bad(index, f"checkpoint {size} covers nothing new")
        return found

    def _rest(self) -> None:
        size = self._frontier.size
        beyond = self._next.size if self._next is not None else next(self._checkpoints, (None, None))[0]
        if beyond is not None:
            raise Bad(size, f"checkpoint {beyond} covers leaves that are missing")
        begun = size > 0
        for stored, values in snapshot.waiting(self._connection):
            members = self._records.check(size, stored, values)
            begun = begun or members.get("kind") == leaf.Kind.ORIGIN
            self._pending += 1
        if not begun:
            raise Bad(0, "the log has no origin record")
        if snapshot.dangling(self._connection):
            raise Bad(size, "a record that waits for its place is missing, or has one")
        if snapshot.count(self._connection, log_records.c.id) != size + self._pending:
            raise Bad(size, "a record stands neither in the tree nor in the queue")
        if snapshot.count(self._connection, log_values.c.name) != self._records.values:
            raise Bad(size, "a value belongs to no record or stands there twice")
        try:
            self._cosignatures.finish(size)
        except ValueError as error:
            raise Bad(size, str(error)) from error
        self._stamps(size)
        self._whole(size)

    def _stamps(self, size: int) -> None:
        for stamped, token, note in snapshot.stamps(self._connection):
            try:
                self._stamped = stamped, stamps.check(token, note, self._outside.authorities)
            except ValueError as error:
                first = snapshot.first_under(self._connection, stamped)
                raise Bad(
                    size if first is None else first, f"the time stamp of checkpoint {stamped}: {error}"
                ) from error

    def _whole(self, size: int) -> None:
        """See that nothing is held outside that the log does not reach."""
        seen = self._outside.beyond(self._origin, size)
        if seen is not None:
            reason = (
                f"{seen.by} has seen {seen.tree.size} records and {size} are here: the end was cut off, or a backup "
                "restored without `gateway recover`"
            )
            raise Bad(size, reason, contradicted=True)
        stranger = self._outside.stranger(self._origins)
        if stranger is not None:
            self._anchored = None  # of the log that was here before nothing is left that agrees
            reason = (
                f"{stranger.by} is of another log with this key, which is not here: {stranger.tree.origin}"
            )
            raise Bad(0, reason, contradicted=True)
