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

from audit import checkpoint, guards, leaf, origin, retention, snapshot, stamps, witnessed
from audit.erasure import Erasure
from audit.merkle import Frontier, leaf_hash
from audit.outside import NOBODY, Outside, loss
from audit.report import Report
from audit.snapshot import Place, Stored, Values
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
) -> Report:
    """Verify the log as it lies in the database; with `subject_key` the subject index too.

    `outside` is what the witness and others hold; it must have been asked for before, since the log grows. `progress`
    hears now and then how many of how many leaves are done. By `clock` it is judged which erasures the law allowed.
    Raises: ConfigurationError where there is no log at all, LogUnavailable when the database cannot be read.
    """
    try:
        with snapshot.at_one_moment(engine) as connection:
            missing = snapshot.missing_tables(connection)
            if len(missing) == len(LOG_TABLES):
                raise ConfigurationError("the database holds no exchange log; start the gateway once")
            if missing:
                return Report("bad", 0, "", 0, 0, None, f"the table {missing[0]} is missing")
            walk = _Walk(connection, public_key, subject_key, progress or _silent, outside, clock())
            return walk.report()
    except SQLAlchemyError as error:
        raise LogUnavailable(type(error).__name__) from error


def _silent(_done: int, _total: int) -> None:
    pass


class _Bad(Exception):
    """Something does not hold. The first index that is not good, and what is wrong with it.

    `contradicted`: the log's own signatures may hold, but something outside says otherwise.
    """

    def __init__(self, index: int, reason: str, *, contradicted: bool = False) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason
        self.contradicted = contradicted


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
        self._restored: list[str] = []
        self._outside = outside
        self._origins: set[str] = set()
        self._due = {one.tree.size for one in outside.held}
        self._cosignatures = witnessed.Cosignatures(connection, outside.witness)
        self._anchored: checkpoint.Checkpoint | None = None
        self._stamped: tuple[int, datetime] | None = None

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
            return self._bad(total, bad)
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            return self._bad(total, _Bad(self._frontier.size, "a row cannot be read"))
        size = None if self._anchored is None else self._anchored.size
        anchored, reason = self._outside.vouched(size, any_rows=self._cosignatures.checked > 0)
        return Report(
            status="anchored" if anchored else "unanchored",
            size=total,
            root=base64.b64encode(self._frontier.root()).decode(),
            pending=self._pending,
            first_bad=None,
            last_good_checkpoint=None if self._last_good is None else self._last_good.size,
            reason=reason + self._gaps(),
            exposure=self._exposure(total),
            witness=self._outside.json(self._origins),
            stamped=self._stamp_told(),
            erasures=tuple(self._erasures()),
            erased=self._erased,
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

    def _bad(self, total: int, bad: _Bad) -> Report:
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
        if index:
            try:
                seen = self._outside.beyond(self._origin, index)
                self._restored.append(f"{index}{loss(seen, members)}")
            except ValueError as error:
                raise _Bad(index, str(error), contradicted=True) from error
        self._origin = ours.line
        self._origins.add(ours.line)

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
            self._witnessed(0 if self._last_good is None else self._last_good.size, self._next)
            self._last_good, self._next = self._next, None
        if self._frontier.size in self._due:
            self._agreed()

    def _witnessed(self, after: int, signed: checkpoint.Checkpoint) -> None:
        try:
            if self._cosignatures.check(after, signed):
                self._anchored = signed
        except ValueError as error:
            raise _Bad(after, str(error)) from error
        except DBAPIError as error:
            if not snapshot.is_damage(error):
                raise
            raise _Bad(after, f"a cosignature of {signed.size} cannot be read") from error

    def _agreed(self) -> None:
        """See that what is held outside at this size is this tree."""
        size, root = self._frontier.size, self._frontier.root()
        for held in self._outside.at(self._origin, size):
            if held.tree.root != root:
                first = 0 if self._anchored is None else self._anchored.size
                reason = f"{held.by} has another root at {size} records: the log was rewritten"
                raise _Bad(first, reason, contradicted=True)
            if held.cosigned is not None:
                self._anchored = held.tree

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
            # One that has stood in its own place already is a copy: what is wrong begins here.
            copied = found.size <= index
            first = None if copied else snapshot.first_under(self._connection, found.size)
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
        try:
            self._cosignatures.finish(size)
        except ValueError as error:
            raise _Bad(size, str(error)) from error
        self._stamps(size)
        self._whole(size)

    def _stamps(self, size: int) -> None:
        for stamped, token, note in snapshot.stamps(self._connection):
            try:
                self._stamped = stamped, stamps.check(token, note, self._outside.authorities)
            except ValueError as error:
                first = snapshot.first_under(self._connection, stamped)
                raise _Bad(
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
            raise _Bad(size, reason, contradicted=True)
        stranger = self._outside.stranger(self._origins)
        if stranger is not None:
            self._anchored = None  # of the log that was here before nothing is left that agrees
            reason = (
                f"{stranger.by} is of another log with this key, which is not here: {stranger.tree.origin}"
            )
            raise _Bad(0, reason, contradicted=True)
