"""Loading an edition: files are read once, row by row; what differs is written beside what is there; then the switch.

Every row of the edition is compared with the row of the edition in use by eight bytes. What is new or different is
written under the number of the new edition, which nobody reads yet, some thousands at a time, so that on SQLite others
can write meanwhile. A broken row, or a process that is killed, leaves the edition in use as it is.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, func, select, text, update

from errors import InvalidRequest
from exchange import Json, new_id, today_in_riga
from registers.edition import CENTROID, FORMER, PLACE, WORD
from registers.varis import editions, layouts
from registers.varis.bulk import Numbers, among, batches, insert_rows, insert_words
from registers.varis.exclusive import alone
from registers.varis.forms import File, Line
from registers.varis.layouts import Broken, Fields, Layout
from registers.varis.rows import Above, Place, Row, reader_of, words_of
from registers.varis.standard import Kind, under
from storage import reading, unhurried

T = TypeVar("T")
Progress = Callable[[int, int | None], None]
# Runs a work in one transaction, with whatever is to be committed with it.
Settle = Callable[[Callable[[Connection], None], "Summary"], None]

_BATCH = 10_000
_TOLD = 20  # broken rows that are told at most
# An edition that lacks more of the objects of a kind than this is taken for half a file.
_FEWER = 0.05
_FEW = 10


@dataclass(slots=True)
class Counts:
    """What an edition did to the rows of one file: `ended` are those deleted, wrong or not listed any more."""

    added: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class Summary:
    """What a load did. `differs` counts rows whose full address is not what their chain gives."""

    edition: int
    newest_on: date | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    differs: int = 0
    files: list[Json] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)

    def counted(self) -> dict[str, Json]:
        """The counts by file."""
        return {name: dict[str, Json](asdict(counts)) for name, counts in self.counts.items()}

    def json(self) -> dict[str, Json]:
        """The summary as it is printed and put on record."""
        return {
            "edition": self.edition,
            "newest_on": self.newest_on.isoformat() if self.newest_on else None,
            "counts": self.counted(),
            "differs": self.differs,
            "files": self.files,
            "ignored": list[Json](self.ignored),
            "undone": list[Json](self.undone),
        }


def find_files(paths: Iterable[Path]) -> tuple[list[tuple[Layout, Path]], list[str]]:
    """The files of an edition in the order in which they are loaded, and the names of CSV files that hold other things.

    A directory stands for its `*.csv`.
    Raises: InvalidRequest where there is none, a file stands twice, or a named file is not one of an edition.
    """
    known = {f"aw_{layout.file}.csv": layout for layout in layouts.EVERY}
    found: dict[str, Path] = {}
    ignored: list[str] = []
    for path in paths:
        inside = path.is_dir()
        for each in sorted(path.iterdir()) if inside else [path]:
            name = each.name.lower()
            if name in found:
                raise InvalidRequest(f"{name} is there twice")
            if name in known:
                found[name] = each
            elif not inside:
                raise InvalidRequest(f"{each.name} is no file of an edition; they are {', '.join(known)}")
            elif name.endswith(".csv"):
                ignored.append(each.name)
    if not found:
        raise InvalidRequest("there is no file of an edition: aw_novads.csv, aw_eka.csv and so on")
    return [(layout, found[name]) for name, layout in known.items() if name in found], ignored


def load(
    engine: Engine,
    paths: Iterable[Path],
    *,
    settle: Settle | None = None,
    progress: Progress = lambda _done, _total: None,
    exchange_id: uuid.UUID | None = None,
    accept_removals: bool = False,
    accept_older: bool = False,
) -> Summary:
    """Load an edition and switch to it, all or nothing.

    Only the kinds of objects whose files are given are compared; the others stay as they are. `settle` commits the
    switch, by default in a transaction of its own. `progress` hears the bytes read, of how many.
    Raises: InvalidRequest with file, line and reason of broken rows, or where the edition is older than the one in use
    or lacks a large part of it; Busy while another load is under way. The edition in use is then as it was.
    """
    files, ignored = find_files(paths)
    with ExitStack() as stack:
        writer = stack.enter_context(engine.connect())
        reader = stack.enter_context(reading(engine).connect())
        for connection in (writer, reader):
            with connection.begin():
                unhurried(connection)
        stack.enter_context(alone(writer))
        with reader.begin():
            left = editions.unfinished(reader)
        for number in left:
            editions.undo(writer, number, "abandoned")
        with writer.begin():
            summary = Summary(editions.begin(writer, exchange_id or new_id()), ignored=ignored, undone=left)
        try:
            running = _Load(writer, reader, summary, progress)
            running.read(files)
            running.end_missing(accept_removals)
            running.check_age(accept_older)
            running.analyse()
            (settle or _settle_alone(engine))(running.switch, summary)
        except Exception:
            editions.undo(writer, summary.edition, "refused")
            raise
    return summary


def _settle_alone(engine: Engine) -> Settle:
    def settle(work: Callable[[Connection], None], _summary: Summary) -> None:
        with engine.begin() as connection:
            work(connection)

    return settle


class _Load:
    """One load under way: the connections, what was seen, and what is known of the places that rows stand under."""

    def __init__(self, writer: Connection, reader: Connection, summary: Summary, progress: Progress) -> None:
        self.writer, self.reader, self.summary, self.progress = writer, reader, summary, progress
        self.number = summary.edition
        self.first = False
        self.newest: str = ""
        self.broken: list[str] = []
        self.above: dict[int, Above] = {}
        self.seen: dict[str, Numbers] = {table.name: Numbers() for table in (PLACE, FORMER, CENTROID)}
        self.next: dict[str, int] = {}
        self.loaded: list[Layout] = []
        self.written = 0

    def read(self, files: Sequence[tuple[Layout, Path]]) -> None:
        """Read all files and write what differs. Raises: InvalidRequest naming the rows that are broken."""
        opened = [(layout, File(path, path.stat().st_size)) for layout, path in files]
        total = sum(file.size for _, file in opened)
        with self.reader.begin():
            self.first = self.reader.execute(select(PLACE.c.code).limit(1)).first() is None
            for table in (FORMER, CENTROID):
                highest = self.reader.execute(select(func.max(table.c.number))).scalar()
                self.next[table.name] = int(highest or 0) + 1
            self._remember_kept(layout for layout, _ in files)
        for layout, file in opened:
            self.loaded.append(layout)
            self.summary.counts[layout.file] = Counts()
            before = sum(other.done for _, other in opened)
            with self._complete():
                for batch in batches(self._fields(layout, file), _BATCH):
                    self._take(layout, file, batch)
                    self.progress(before + file.done, total)
            self.summary.files.append({"name": file.path.name, "sha256": file.sha256, "bytes": file.done})
        if self.broken:
            raise InvalidRequest(f"the edition is broken, nothing of it is loaded: {'; '.join(self.broken)}")

    @contextmanager
    def _complete(self) -> Iterator[None]:
        """Stop reading at the last broken row that is told."""
        try:
            yield
        except _EnoughBroken:
            self.broken.append("and there may be more")

    def _fields(self, layout: Layout, file: File) -> Iterator[tuple[int, Fields]]:
        """Line number and fields of each row, in the order of the layout."""
        lines = file.lines()
        heading = next(lines, Line(1, None, "the file is empty"))
        try:
            if heading.values is None:
                raise Broken(heading.reason)
            arrange = layout.arrange(heading.values)
        except Broken as error:
            self._tell(file, heading.number, error)
            return
        for line in lines:
            try:
                if line.values is None:
                    raise Broken(line.reason)
                yield line.number, arrange(line.values)
            except Broken as error:
                self._tell(file, line.number, error)

    def _tell(self, file: File, line: int, error: Broken) -> None:
        if len(self.broken) >= _TOLD:
            raise _EnoughBroken
        self.broken.append(f"{file.path.name} line {line}: {error}")

    def _take(self, layout: Layout, file: File, batch: Sequence[tuple[int, Fields]]) -> None:
        read, table = reader_of(layout)
        with self.reader.begin():
            above = self._buildings(batch, layout) if layout.kind is Kind.PREMISES else self.above
        rows: list[Row] = []
        for line, fields in batch:
            try:
                row = read(fields, layout, above)
                if isinstance(row, Place):
                    self._remember(row)
                rows.append(row)
            except Broken as error:
                self._tell(file, line, error)
        counts = self.summary.counts[layout.file]
        if self.broken:
            return
        if table is PLACE:
            self._keep_places([row for row in rows if isinstance(row, Place)], counts)
        else:
            self._keep_others(table, rows, counts)

    def _remember(self, row: Place) -> None:
        if not self.seen[PLACE.name].add(row.code):
            raise Broken("KODS stands twice in the edition")
        if row.modified_on and row.modified_on > self.newest:
            self.newest = row.modified_on
        self.summary.differs += row.given_text is not None
        if row.kind not in (Kind.BUILDING, Kind.PREMISES):
            upper = self.above.get(row.parent)
            built = under(upper.standard if upper else None, row.kind, row.name)
            self.above[row.code] = Above(built, None, row.valid_from, row.valid_to)

    def _remember_kept(self, given: Iterable[Layout]) -> None:
        """Places above buildings that the edition does not bring: where only some of the files are loaded."""
        brought = [layout.kind for layout in given if layout in layouts.PLACES]
        order = [layout.kind for layout in layouts.PLACES if layout.kind not in brought]
        for kind in order:
            if kind not in (Kind.BUILDING, Kind.PREMISES):
                found = select(PLACE).where(PLACE.c.kind == kind, PLACE.c.ended_edition.is_(None))
                for row in self.reader.execute(found):
                    upper = self.above.get(row.parent)
                    self.above[row.code] = Above(
                        under(upper.standard if upper else None, row.kind, row.name),
                        None,
                        row.valid_from.isoformat(),
                        row.valid_to.isoformat() if row.valid_to else None,
                    )

    def _buildings(self, batch: Sequence[tuple[int, Fields]], layout: Layout) -> Mapping[int, Above]:
        """What the buildings of a batch of premises say: they are too many to be kept in memory."""
        if self.broken:
            return {}
        at = layout.columns.index("VKUR_CD")
        codes = {int(fields[at]) for _, fields in batch if fields[at].isdecimal() and len(fields[at]) == 9}
        found = self.reader.execute(
            select(PLACE.c.code, PLACE.c.name, PLACE.c.kind, PLACE.c.parent, PLACE.c.postcode).where(
                among(self.reader, PLACE.c.code, codes), PLACE.c.ended_edition.is_(None)
            )
        )
        told: dict[int, Above] = {}
        for row in found:
            upper = self.above.get(row.parent)
            built = under(upper.standard if upper else None, row.kind, row.name)
            told[row.code] = Above(built, row.postcode, "", None)
        return told

    def _keep_places(self, rows: Sequence[Place], counts: Counts) -> None:
        known: dict[int, int] = {}
        if not self.first:
            with self.reader.begin():
                known = dict(tuple(found) for found in self._known(PLACE, rows))
        news = [row for row in rows if row.code not in known]
        changed = [row for row in rows if known.get(row.code, row.digest) != row.digest]
        counts.added += len(news)
        counts.unchanged += len(rows) - len(news) - len(changed)
        if not news and not changed:
            return
        with self.reader.begin():
            before = self._before([row.code for row in changed])
        replaced = [row._replace(holds_from=self._holds_from(row, before[row.code])) for row in changed]
        gone = sum(row.status != "EKS" and before[row.code].status == "EKS" for row in changed)
        counts.ended += gone
        counts.changed += len(changed) - gone
        with self._writing():
            self._end(PLACE, PLACE.c.code, [row.code for row in changed])
            self._insert(PLACE, [(row.code, self.number, None, *row[1:]) for row in (*news, *replaced)])
            renamed = [row for row in replaced if row.name != before[row.code].name]
            self._insert_words((*news, *renamed))

    def _keep_others(self, table: Table, rows: Sequence[Row], counts: Counts) -> None:
        """Rows that have no code of their own: the same row stays, all others are new."""
        seen = self.seen[table.name]
        known: dict[tuple[int, int], int] = {}
        with self.reader.begin():
            found = self._known(table, rows, table.c.number)
            known = {(code, digest): number for code, digest, number in found}
        news: list[tuple[int, Row]] = []
        for row in rows:
            number = known.get((row.code, row.digest))
            if number is None:
                number = known[row.code, row.digest] = self.next[table.name]
                self.next[table.name] += 1
                news.append((number, row))
            else:
                counts.unchanged += 1
            seen.add(number)
        counts.added += len(news)
        if news:
            with self._writing():
                self._insert(table, [(number, self.number, None, *row) for number, row in news])
                self._insert_words([row for _, row in news])

    def _known(self, table: Table, rows: Sequence[Row], *more: Any) -> Iterable[Any]:
        return self.reader.execute(
            select(table.c.code, table.c.digest, *more).where(
                among(self.reader, table.c.code, {row.code for row in rows}), table.c.ended_edition.is_(None)
            )
        )

    def _before(self, codes: Sequence[int]) -> Mapping[int, Any]:
        if not codes:
            return {}
        wanted = among(self.reader, PLACE.c.code, codes), PLACE.c.ended_edition.is_(None)
        return {row.code: row for row in self.reader.execute(select(PLACE).where(*wanted))}

    def _holds_from(self, row: Place, before: Any) -> str | None:
        """From when the present name, parent and postcode hold.

        The day of modification is that of any change, often of a later one: a parent's beginning and the end of the
        parent before it say more.
        """
        same = (row.name, row.parent, row.postcode) == (before.name, before.parent, before.postcode)
        known = before.holds_from.isoformat() if before.holds_from else None
        if same:
            return known
        modified = before.modified_on.isoformat() if before.modified_on else None
        day = today_in_riga().isoformat()
        if row.modified_on and row.modified_on != modified:
            day = row.modified_on
        if row.parent != before.parent:
            old, new = self.above.get(before.parent), self.above.get(row.parent)
            if old and old.valid_to:
                day = min(day, old.valid_to)
            if new:
                day = max(day, new.valid_from)
        return max(day, known) if known else day

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self.writer.begin():
            editions.still_loading(self.writer, self.number)
            yield

    def _end(self, table: Table, key: Any, keys: Sequence[int]) -> None:
        if keys:
            self.writer.execute(
                update(table)
                .where(
                    among(self.writer, key, keys),
                    table.c.ended_edition.is_(None),
                    table.c.first_edition < self.number,
                )
                .values(ended_edition=self.number)
            )
            self.written += len(keys)

    def _insert(self, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        insert_rows(self.writer, table, rows)
        self.written += len(rows)

    def _insert_words(self, rows: Iterable[Row]) -> None:
        found = {(word, row.kind, row.code, self.number) for row in rows for word in words_of(row)}
        insert_words(self.writer, sorted(found))

    def end_missing(self, accept: bool) -> None:
        """End what the edition does not list any more, of the kinds whose files were read.

        Raises: InvalidRequest where that is a large part of a kind, unless it is accepted.
        """
        for table in {reader_of(layout)[1] for layout in self.loaded}:
            files = {layout.kind: layout.file for layout in self.loaded if reader_of(layout)[1] is table}
            key = PLACE.c.code if table is PLACE else table.c.number
            missing, kept = self._missing(table, key, files)
            for file, keys in missing.items():
                if len(keys) > max(_FEW, _FEWER * kept[file]) and not accept:
                    raise InvalidRequest(
                        f"aw_{file}.csv lacks {len(keys)} of {kept[file]} objects, as half a file would; "
                        "where they are gone indeed: --accept-removals"
                    )
                for some in batches(keys, _BATCH):
                    with self._writing():
                        self._end(table, key, some)
                self.summary.counts[file].ended += len(keys)

    def _missing(
        self, table: Table, key: Any, files: Mapping[Kind | None, str]
    ) -> tuple[Mapping[str, list[int]], Mapping[str, int]]:
        """The keys that were kept and not seen, and how many were kept, by file."""
        seen = self.seen[table.name]
        missing: dict[str, list[int]] = {file: [] for file in files.values()}
        kept: Counter[str] = Counter()
        wanted = select(key, table.c.kind).where(
            table.c.ended_edition.is_(None), table.c.first_edition < self.number
        )
        if None not in files:
            wanted = wanted.where(table.c.kind.in_([int(kind) for kind in files if kind]))
        with self.reader.begin():
            for number, kind in self.reader.execute(wanted.execution_options(yield_per=_BATCH)):
                file = files[None] if None in files else files[Kind(kind)]
                kept[file] += 1
                if number not in seen:
                    missing[file].append(number)
        return missing, kept

    def check_age(self, accept: bool) -> None:
        """Raises: InvalidRequest where the edition in use has rows that are newer than all of this one."""
        self.summary.newest_on = date.fromisoformat(self.newest) if self.newest else None
        with self.reader.begin():
            present = editions.newest_day(self.reader)
        newest = self.summary.newest_on
        if present and newest and newest < present and not accept:
            raise InvalidRequest(
                f"the newest row is of {newest}, that of the edition in use of {present}; "
                "to go back to an older edition: --accept-older"
            )

    def analyse(self) -> None:
        """Let PostgreSQL count anew before the first reader comes, where much is different."""
        if self.writer.dialect.name == "postgresql" and self.written > _BATCH:
            for table in (PLACE, FORMER, CENTROID, WORD):
                with self.writer.begin():
                    self.writer.execute(text(f"ANALYZE {table.schema}.{table.name}"))

    def switch(self, connection: Connection) -> None:
        """The switch, in whatever transaction it is to be."""
        editions.switch(
            connection, self.number, self.summary.newest_on, self.summary.counted(), self.summary.files
        )


class _EnoughBroken(Exception):
    """More broken rows than are told."""
