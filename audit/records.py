"""One record of the log by itself: leaf, the columns that repeat it, values, and which of them may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from audit import leaf, ranges, retention, snapshot
from audit.erasure import Erasure
from audit.merkle import leaf_hash
from audit.snapshot import Place, Stored, Values
from exchange import Json
from storage import open_engine

# The records of an exchange stand near each other.
_REMEMBERED = 10_000


class Bad(Exception):
    """Something does not hold. The first index that is not good, and what is wrong with it.

    `contradicted`: the log's own signatures may hold, but something outside says otherwise.
    """

    def __init__(self, index: int, reason: str, *, contradicted: bool = False) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason
        self.contradicted = contradicted


def in_place(index: int, place: Place) -> None:
    """See that a place is the next one. Raises: Bad."""
    if place.idx != index:
        raise Bad(index, f"leaf {index} is missing from the tree")


class Records:
    """Checks records; `values` and `erased` count those that are there and those that are not."""

    def __init__(self, connection: Connection, subject_key: bytes | None, now: datetime) -> None:
        self._connection = connection
        self._subject_key = subject_key
        self._now = now
        self._known: list[Erasure] | None = None
        self._classes: dict[str, str] = {}
        self.values = 0
        self.erased = 0

    def leaves(self, start: int, stop: int | None) -> Iterator[tuple[Place, dict[str, Json]]]:
        """The places of a range with the members of their leaves, after all that can be asked of a record by itself."""
        for index, (place, stored, values) in enumerate(snapshot.leaves(self._connection, start), start):
            if index == stop:
                return
            in_place(index, place)
            members = self.check(index, stored, values)
            if type(place.leaf_hash) is not bytes or place.leaf_hash != leaf_hash(stored.leaf.encode()):
                raise Bad(index, "the record is not the one that the tree has")
            yield place, members

    def check(self, index: int, stored: Stored, values: Values) -> dict[str, Json]:
        """The members of a record's leaf, after columns and values. Raises: Bad at the index."""
        if stored.id is None:
            raise Bad(index, "the record is missing")
        try:
            members = leaf.parse(stored.leaf)
        except (TypeError, ValueError) as error:
            raise Bad(index, "the leaf is not canonical JSON") from error
        try:
            leaf.check(members)
        except ValueError as error:
            raise Bad(index, f"the leaf has another form: {error}") from error
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
            raise Bad(index, f"the column {Stored._fields[wrong]} does not match the leaf")
        self._committed(index, members, values)
        return members

    def _committed(self, index: int, members: dict[str, Json], values: Values) -> None:
        commitments = members["commitments"]
        assert isinstance(commitments, dict)  # noqa: S101 — `leaf.check` has seen it
        texts: dict[str, str] = {}
        for name, salt, text in values:
            # Without its length the border between salt and value could be shifted.
            if type(name) is not str or type(salt) is not bytes or len(salt) != leaf.SALT_BYTES:
                raise Bad(index, "a value's name or salt has another form")
            if type(text) is not str or commitments.get(name) != leaf.commitment(salt, text):
                raise Bad(index, f"the value {name} does not match its commitment")
            if not leaf.is_canonical(text):
                raise Bad(index, f"the value {name} is not canonical JSON")
            texts[name] = text
        self.values += len(texts)
        if len(texts) != len(commitments):
            self._excuse(index, members, commitments.keys() - texts.keys())
        if self._subject_key is not None and leaf.SUBJECT in texts:
            self._indexed(index, texts, self._subject_key)

    def _excuse(self, index: int, members: dict[str, Json], missing: set[str]) -> None:
        kept, instant = self.class_of(members), str(members.get("instant"))
        for name in sorted(missing):
            excuses = [one for one in self.erasures() if one.excuses(index, instant, kept, name)]
            if not excuses:
                raise Bad(index, f"the value {name} is missing and no erasure is on record")
            reasons = [one.unlawful(self._now) for one in excuses]
            if all(reasons):
                where = excuses[0].index
                raise Bad(
                    index, f"the value {name} is missing, and not by the erasure at {where}: {reasons[0]}"
                )
        self.erased += len(missing)

    def erasures(self) -> list[Erasure]:
        """Every erasure on record."""
        if self._known is None:
            self._known = [Erasure.read(*row) for row in snapshot.erasures(self._connection)]
        return self._known

    def class_of(self, members: dict[str, Json]) -> str:
        """The retention class of a record: of what is of an exchange, that of the exchange."""
        if members.get("kind") not in retention.OF_EXCHANGES:
            return retention.of(str(members.get("kind")), members)
        exchange_id = str(members.get("exchange"))
        if exchange_id not in self._classes:
            if len(self._classes) >= _REMEMBERED:
                self._classes.clear()
            self._classes[exchange_id] = self._class_of_exchange(exchange_id)
        return self._classes[exchange_id]

    def _class_of_exchange(self, exchange_id: str) -> str:
        try:
            texts = snapshot.outcomes(self._connection, exchange_id)
            return retention.of_exchange([leaf.parse(text) for text in texts])
        except (TypeError, ValueError):  # damaged, and named where the walk comes to it
            return ""

    def _indexed(self, index: int, texts: dict[str, str], key: bytes) -> None:
        try:
            expected = leaf.subject_indexes(key, leaf.value(texts[leaf.SUBJECT]))
        except ValueError as error:
            raise Bad(index, "the subject is not a personal code or a list of them") from error
        for name, text in expected.items():
            if name in texts and leaf.value(texts[name]) != text:
                raise Bad(index, "the subject index is not of this subject, or subject.key is another")


def check_range(part: ranges.Range) -> ranges.Found | None:
    """Check the records of a range in a process of its own; None where one of them does not hold."""
    engine = open_engine(part.url, patience=None)
    try:
        with snapshot.at_one_moment(engine, part.moment) as connection:
            records = Records(connection, part.subject_key, part.now)
            found = sum(1 for _ in records.leaves(part.start, part.stop))
            whole = found == part.stop - part.start
            return ranges.Found(found, records.values, records.erased) if whole else None
    except (Bad, SQLAlchemyError):
        return None
    finally:
        engine.dispose()
