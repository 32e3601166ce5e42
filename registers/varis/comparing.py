"""One edition compared with the one in use, row by row, and what differs written beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select, text, update

from errors import InvalidRequest
from exchange import today_in_riga
from registers.edition import CENTROID, FORMER, PLACE, WORD, seen_in
from registers.varis import editions, layouts
from registers.varis.bulk import Numbers, among, batches, insert_rows, insert_words, refresh_digests
from registers.varis.forms import File
from registers.varis.intake import Intake
from registers.varis.layouts import Broken, Fields, Layout
from registers.varis.rows import Above, Place, Row, digest, reader_of, words_of
from registers.varis.standard import Kind, under
from registers.varis.summary import Counts, Summary

Progress = Callable[[int, int | None], None]
# Line of the file, fields in the order of the layout, and the eight bytes that tell them from others.
Given = tuple[int, Fields, int]

_BATCH = 10_000
# An edition that lacks more of the objects of a kind than this is taken for half a file.
_FEWER = 0.05
_FEW = 10
_TWICE = "KODS stands twice in the edition"
_HOUSES = (Kind.BUILDING, Kind.PREMISES)
# What a row says of its object; the rest is how it is kept.
_TOLD_OF_A_PLACE = tuple(name for name in Place._fields if name not in ("holds_from", "digest"))


class Comparison:
    """One load under way: the connections, what was seen, and what is known of the places that rows stand under."""

    def __init__(self, writer: Connection, reader: Connection, summary: Summary, progress: Progress) -> None:
        self.writer, self.reader, self.summary, self.progress = writer, reader, summary, progress
        self.number = summary.edition
        self.empty = False
        self.newest: str = ""
        self.intake = Intake()
        self.above: dict[int, Above] = {}
        self.seen: dict[str, Numbers] = {table.name: Numbers() for table in (PLACE, FORMER, CENTROID)}
        self.next: dict[str, int] = {}
        self.loaded: list[Layout] = []
        # Places that are new or told anew: the full addresses of what stands under them have to be built again.
        self.told_anew = Numbers()
        self.written = 0

    def read(self, files: Sequence[tuple[Layout, Path]]) -> None:
        """Read all files and write what differs. Raises: InvalidRequest naming the rows that are broken."""
        opened = [(layout, File(path, path.stat().st_size)) for layout, path in files]
        total = sum(file.size for _, file in opened)
        with self.reader.begin():
            self.empty = self.reader.execute(select(PLACE.c.code).limit(1)).first() is None
            for table in (FORMER, CENTROID):
                highest = self.reader.execute(select(func.max(table.c.number))).scalar()
                self.next[table.name] = int(highest or 0) + 1
            self._remember_kept(layout for layout, _ in files)
        for layout, file in opened:
            self.loaded.append(layout)
            self.summary.counts[layout.file] = Counts()
            before = sum(other.done for _, other in opened)
            with self.intake.enough():
                for batch in batches(self.intake.fields(layout, file), _BATCH):
                    self._take(layout, file, batch)
                    self.progress(before + file.done, total)
            self.summary.files.append({"name": file.path.name, "sha256": file.sha256, "bytes": file.done})
        self.intake.refuse()

    def _take(self, layout: Layout, file: File, batch: Sequence[tuple[int, Fields]]) -> None:
        read, table = reader_of(layout)
        counts = self.summary.counts[layout.file]
        given = [(line, fields, digest(fields)) for line, fields in batch]
        with self.reader.begin():
            if table is PLACE:
                known = self._known_places(given)
                given = self._skip_same(layout, file, given, known, counts)
            else:
                known = {}
                given = self._skip_seen(table, given, counts)
            above = self._buildings(given, layout) if layout.kind is Kind.PREMISES else self.above
        rows: list[Row] = []
        for line, fields, bytes_of in given:
            try:
                row = read(fields, layout, above)._replace(digest=bytes_of)
                if isinstance(row, Place):
                    self._remember(row)
                rows.append(row)
            except Broken as error:
                self.intake.tell(file, line, error)
        if self.intake.broken:
            return
        if table is PLACE:
            self._keep_places([row for row in rows if isinstance(row, Place)], known, counts)
        else:
            self._keep_others(table, rows, counts)

    def _skip_same(
        self, layout: Layout, file: File, given: Sequence[Given], known: Mapping[int, int], counts: Counts
    ) -> list[Given]:
        """Leave out houses and premises whose rows are as they were, under parents that are.

        Nothing of them needs to be read again. Places above them are few, and needed for what stands under them.
        """
        if layout.kind not in _HOUSES or not known:
            return list(given)
        parent, modified = layout.columns.index("VKUR_CD"), layout.columns.index("DAT_MOD")
        left: list[Given] = []
        newest = ""
        for line, fields, bytes_of in given:
            number = int(fields[0]) if fields[0].isdecimal() else 0
            if known.get(number) != bytes_of or int(fields[parent]) in self.told_anew:
                left.append((line, fields, bytes_of))
            elif not self.seen[PLACE.name].add(number):
                self.intake.tell(file, line, Broken(_TWICE))
            else:
                newest = max(newest, fields[modified])
                counts.unchanged += 1
        self.newest = max(self.newest, newest.replace(".", "-"))
        return left

    def _skip_seen(self, table: Table, given: Sequence[Given], counts: Counts) -> list[Given]:
        """Leave out rows that are kept already, of tables whose rows have no code of their own."""
        seen = self.seen[table.name]
        found = self.reader.execute(
            select(table.c.code, table.c.digest, table.c.number).where(
                among(self.reader, table.c.code, _codes(given)), table.c.ended_edition.is_(None)
            )
        )
        known = {(code, bytes_of): number for code, bytes_of, number in found}
        left: list[Given] = []
        for line, fields, bytes_of in given:
            number = known.get((int(fields[0]) if fields[0].isdecimal() else 0, bytes_of))
            if number is None:
                left.append((line, fields, bytes_of))
            else:
                seen.add(number)
                counts.unchanged += 1
        return left

    def _remember(self, row: Place) -> None:
        if not self.seen[PLACE.name].add(row.code):
            raise Broken(_TWICE)
        if row.modified_on and row.modified_on > self.newest:
            self.newest = row.modified_on
        if row.kind not in _HOUSES:
            upper = self.above.get(row.parent)
            built = under(upper.standard if upper else None, row.kind, row.name)
            self.above[row.code] = Above(built, None, row.valid_from, row.valid_to)

    def _remember_kept(self, given: Iterable[Layout]) -> None:
        """Places above buildings that the edition does not bring: where only some of the files are loaded."""
        brought = [layout.kind for layout in given if layout in layouts.PLACES]
        order = [layout.kind for layout in layouts.PLACES if layout.kind not in brought]
        for kind in order:
            if kind not in _HOUSES:
                found = select(PLACE).where(PLACE.c.kind == kind, PLACE.c.ended_edition.is_(None))
                for row in self.reader.execute(found):
                    upper = self.above.get(row.parent)
                    self.above[row.code] = Above(
                        under(upper.standard if upper else None, row.kind, row.name),
                        None,
                        row.valid_from.isoformat(),
                        row.valid_to.isoformat() if row.valid_to else None,
                    )

    def _buildings(self, given: Sequence[Given], layout: Layout) -> Mapping[int, Above]:
        """What the buildings of some premises say: they are too many to be kept in memory."""
        if self.intake.broken or not given:
            return {}
        codes = _codes(given, layout.columns.index("VKUR_CD"))
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

    def _known_places(self, given: Sequence[Given]) -> Mapping[int, int]:
        if self.empty:
            return {}
        found = self.reader.execute(
            select(PLACE.c.code, PLACE.c.digest).where(
                among(self.reader, PLACE.c.code, _codes(given)), PLACE.c.ended_edition.is_(None)
            )
        )
        return {code: bytes_of for code, bytes_of in found}  # noqa: C416 — rows are no pairs to mypy

    def _keep_places(self, rows: Sequence[Place], known: Mapping[int, int], counts: Counts) -> None:
        news = [row for row in rows if row.code not in known]
        with self.reader.begin():
            before = self._before([row.code for row in rows if row.code in known])
        same = [row for row in rows if row.code in known and _same(row, before[row.code])]
        stays = {row.code for row in same}
        changed = [row for row in rows if row.code in known and row.code not in stays]
        replaced = [row._replace(holds_from=self._holds_from(row, before[row.code])) for row in changed]
        self._expect_new_addresses(same, [*news, *changed])
        gone = sum(row.status != "EKS" and before[row.code].status == "EKS" for row in changed)
        counts.added += len(news)
        counts.unchanged += len(same)
        counts.ended += gone
        counts.changed += len(changed) - gone
        # Where the full address alone is another, because of what the object stands under.
        stale = [(row.code, row.digest) for row in same if known[row.code] != row.digest]
        if not (news or changed or stale):
            return
        with self._writing():
            refresh_digests(self.writer, stale)
            self._end(PLACE, PLACE.c.code, [row.code for row in changed])
            self._insert(PLACE, [(row.code, self.number, None, *row[1:]) for row in (*news, *replaced)])
            renamed = [row for row in replaced if row.name != before[row.code].name]
            self._insert_words((*news, *renamed))

    def _expect_new_addresses(self, same: Iterable[Place], others: Iterable[Place]) -> None:
        """Note under which places full addresses have to be built again: changed ones, and all that is beneath them."""
        for row in others:
            self.told_anew.add(row.code)
        for row in same:
            if row.parent in self.told_anew:
                self.told_anew.add(row.code)

    def _keep_others(self, table: Table, rows: Sequence[Row], counts: Counts) -> None:
        """Rows that have no code of their own, and are new; a row that stands twice is kept once."""
        news: dict[tuple[int, int], tuple[int, Row]] = {}
        for row in rows:
            if (row.code, row.digest) in news:
                counts.unchanged += 1
                continue
            number = self.next[table.name]
            self.next[table.name] += 1
            self.seen[table.name].add(number)
            news[row.code, row.digest] = (number, row)
        counts.added += len(news)
        if news:
            with self._writing():
                self._insert(table, [(number, self.number, None, *row) for number, row in news.values()])
                self._insert_words([row for _, row in news.values()])

    def _before(self, codes: Collection[int]) -> Mapping[int, Any]:
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

    def count_differing(self) -> None:
        """How many full addresses of the edition are not what their chains give."""
        wanted = PLACE.c.given_text.is_not(None), *seen_in(PLACE, self.number)
        with self.reader.begin():
            found = self.reader.execute(select(func.count()).select_from(PLACE).where(*wanted))
            self.summary.differs = found.scalar_one()

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


def _codes(given: Sequence[Given], column: int = 0) -> set[int]:
    """The codes in a column, where they are numbers at all; what is none is told when the row is read."""
    texts = {fields[column] for _, fields, _ in given}
    return {int(text) for text in texts if len(text) == 9 and text.isdecimal()}


def _same(row: Place, before: Any) -> bool:
    """Whether a row says what is kept; dates and decimals of rows are text."""
    for name in _TOLD_OF_A_PLACE:
        said, kept = getattr(row, name), getattr(before, name)
        if said != kept and (
            not isinstance(said, str)
            or kept is None
            or (isinstance(kept, date) and said != kept.isoformat())
            or (isinstance(kept, Decimal) and Decimal(said) != kept)
            or isinstance(kept, str)
        ):
            return False
    return True
