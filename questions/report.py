"""The report to a person on who accessed his data, in words: what article 15 of Regulation 2016/679 gives him.

It tells institutions and roles. The official behind a request is told to auditors only: a person has no right to the
name of an employee who acted for his institution (judgment C-579/21).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

import registers
from audit import search
from exchange import RIGA, Json
from mappings.person_code import is_personal_code, normalise
from questions import words
from questions.accesses import Access, accesses, opened
from questions.withholding import AskedBy, Withholding, withheld
from questions.words import Language
from storage import reading

# One sentence for everybody, whether anything is withheld or not.
_MAY_BE_WITHHELD = words.Words(
    "Ierakstus, kuru izpaušanu aizliedz likums, pārskatā neiekļauj; par tiem var vērsties Datu valsts inspekcijā.",
    "Entries that the law forbids to disclose are not in this report; the Data State Inspectorate can be asked.",
)
_TITLE = words.Words("Pārskats par piekļuvi personas datiem", "Report on access to personal data")
_COUNT = words.Words("Piekļuves: {count}", "Accesses: {count}")


@dataclass(frozen=True, slots=True)
class Told:
    """One access in words. `given` and `withheld` are fields, `asked` the operation with the data sets chosen."""

    instant: datetime
    institution: str
    role: str
    purpose: str
    rule: str
    asked: str
    given: tuple[str, ...]
    withheld: tuple[str, ...]
    source: str
    outcome: str
    exchange_id: str
    indexes: tuple[int, ...]
    official: str = ""

    def json(self) -> dict[str, Json]:
        """As the commands print it."""
        return {
            "instant": self.instant.astimezone(RIGA).isoformat(timespec="seconds"),
            "institution": self.institution,
            "role": self.role,
            "purpose": self.purpose,
            "rule": self.rule,
            "asked": self.asked,
            "given": list(self.given),
            "withheld": list(self.withheld),
            "source": self.source,
            "outcome": self.outcome,
            "exchange_id": self.exchange_id,
            "indexes": list(self.indexes),
            **({"official": self.official} if self.official else {}),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The report, and for the record of the question alone how many entries each rule withheld.

    `entries` are all, or the part that was asked for, of which the first has the number `first`; `institutions` says of
    the whole how many accesses each institution had, the one with most first.
    """

    codes: tuple[str, ...]
    language: Language
    asked_by: AskedBy
    entries: tuple[Told, ...]
    first: int
    institutions: Mapping[str, int]
    withheld_by: Mapping[str, int]

    @property
    def accesses(self) -> int:
        """How many accesses the whole report tells of."""
        return sum(self.institutions.values())

    @property
    def last(self) -> int:
        """The number of its last entry."""
        return self.first + len(self.entries) - 1

    @property
    def is_whole(self) -> bool:
        """Whether its entries are all."""
        return len(self.entries) == self.accesses

    @property
    def title(self) -> str:
        """What the report is."""
        return _TITLE.of(self.language)

    @property
    def count(self) -> str:
        """How many accesses it tells of, in words."""
        return _COUNT.of(self.language).format(count=self.accesses)

    @property
    def notice(self) -> str:
        """What every report says of entries that may be missing."""
        return _MAY_BE_WITHHELD.of(self.language)

    def json(self) -> dict[str, Json]:
        """As `--json` prints it: what was withheld is not in it."""
        return {
            "language": self.language.value,
            "asked_by": self.asked_by.value,
            "notice": self.notice,
            "entries": [entry.json() for entry in self.entries],
        }

    def facts(self) -> dict[str, Json]:
        """What the record of the question says of the answer; of a part, which entries were shown."""
        return {
            "asked_by": self.asked_by.value,
            "entries": self.accesses,
            "withheld_entries": dict(self.withheld_by),
            **({} if self.is_whole else {"shown": [self.first, self.last]}),
        }

    def text(self) -> Iterator[str]:
        """The lines of the report."""
        yield self.title
        yield self.count
        for number, entry in enumerate(self.entries, start=1):
            moment = entry.instant.astimezone(RIGA)
            yield ""
            yield f"{number}. {moment:%Y-%m-%d %H:%M:%S} — {entry.institution}" + (
                f" ({entry.role})" if entry.role else ""
            )
            for name, value in self.details(entry):
                yield f"   {name}: {value}"
        yield ""
        yield self.notice

    def details(self, entry: Told) -> Iterator[tuple[str, str]]:
        """What an entry tells beside when and who, under headings of the language."""
        for heading, value in (
            (words.Words("Nolūks", "Purpose"), entry.purpose),
            (words.Words("Tiesiskais pamats", "Rule"), entry.rule),
            (words.Words("Pieprasīts", "Asked"), entry.asked),
            (words.Words("Izsniegts", "Given"), "; ".join(entry.given)),
            (words.Words("Neizsniegts", "Withheld"), "; ".join(entry.withheld)),
            (words.Words("Avots", "Source"), entry.source),
            (words.Words("Iznākums", "Outcome"), entry.outcome),
            (words.Words("Darbinieks", "Official"), entry.official),
            (words.Words("Apmaiņas numurs", "Exchange"), entry.exchange_id),
        ):
            if value:
                yield heading.of(self.language), value


def codes_of(engine: Engine, code: str) -> tuple[str, ...]:
    """The code that is asked with, and every other that the registers know for the same person; the code under which
    a provider knows a client is the only one.

    Raises: InvalidPersonCode.
    """
    if not is_personal_code(code):
        return (code,)
    with reading(engine).begin() as connection:
        person = registers.person_by_code(connection, code)
        known = registers.codes_of(connection, person) if person is not None else ()
    return tuple(dict.fromkeys(normalise(one) for one in (code, *known)))


def subject_report(
    engine: Engine,
    key: bytes,
    code: str,
    *,
    asked_by: AskedBy,
    now: datetime,
    language: Language = Language.LATVIAN,
    since: datetime | None = None,
    until: datetime | None = None,
    rules: tuple[Withholding, ...] | None = None,
    part: slice = slice(None),
) -> Report:
    """Who accessed a person's data, under all codes that he has or had, without what law withholds from who asks.

    All is found and counted; with `part` only so many of the entries, oldest first, are opened and put into words.
    Raises: InvalidPersonCode, LogUnavailable.
    """
    codes = codes_of(engine, code)
    found = accesses(engine, search.indexes(key, codes), since, until)
    told, counts = withheld(found, asked_by, now, rules)
    official = asked_by is AskedBy.AUDITOR
    return Report(
        codes=codes,
        language=language,
        asked_by=asked_by,
        entries=tuple(_told(one, language, official) for one in opened(engine, told[part])),
        first=part.indices(len(told))[0] + 1,
        institutions=dict(Counter(_institution(one, language) for one in told).most_common()),
        withheld_by=counts,
    )


def _institution(access: Access, language: Language) -> str:
    return words.institution(access.institution, access.recipient).of(language) or _GATEWAY.of(language)


def _told(access: Access, language: Language, with_official: bool) -> Told:
    return Told(
        instant=access.instant,
        institution=_institution(access, language),
        role=words.named("roles", access.role).of(language),
        purpose=words.named("purposes", access.purpose).of(language),
        rule=words.rule(access.rule).of(language) if access.rule else "",
        asked=_asked(access, language),
        given=_fields(access, access.given, language),
        withheld=_fields(access, access.withheld, language),
        source=words.named("sources", access.source or access.system).of(language),
        outcome=words.named("outcomes", access.outcome).of(language) if access.outcome else "",
        exchange_id=access.exchange_id,
        indexes=access.indexes,
        official=access.official if with_official else "",
    )


_GATEWAY = words.Words(
    "Labklājības ministrija (vārtejas uzturētājs)", "Ministry of Welfare (gateway operators)"
)


def _asked(access: Access, language: Language) -> str:
    if access.act:
        return words.named("acts", access.act).of(language)
    operation = words.operation(access.system, access.operation).of(language)
    sets = [one.of(language) for one in words.data_sets(access.selection)]
    return f"{operation} ({', '.join(sets)})" if sets else operation


def _fields(access: Access, names: Sequence[str], language: Language) -> tuple[str, ...]:
    chosen = words.asked_for(access.system, access.operation, access.selection)
    found = words.fields(access.system, access.operation, list(names), chosen)
    return tuple(dict.fromkeys(one.of(language) for one in found))
