"""When the purpose of a register row ends, and what may be kept of it without a person: `purpose_ends.tsv`.

`ended_by` is the column of the day on which the purpose ends (empty: it goes on), or `person`: the row goes when all
of the person does, by the line `person`; so does that of a table without a line, and nothing of it is kept. `years`
count from then. `kept` columns go to the archive, days as years.
Source: p22.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Table

from errors import ConfigurationError
from storage import metadata

FILE = Path(__file__).parent / "purpose_ends.tsv"
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Purpose:
    """One line; `column` "" where the rows go with the person."""

    table: Table
    column: str
    years: int
    kept: tuple[str, ...]
    basis: str


@dataclass(frozen=True, slots=True)
class Purposes:
    """Every line by its table, and after how many years without a purpose a person goes."""

    by_table: Mapping[str, Purpose]
    person_years: int

    @property
    def own(self) -> tuple[Purpose, ...]:
        """Those with a day of their own."""
        return tuple(one for one in self.by_table.values() if one.column)

    @property
    def with_person(self) -> tuple[Purpose, ...]:
        """Every table that holds rows of persons."""
        return tuple(one for one in self.by_table.values() if "person_id" in one.table.c)


@cache
def purposes(path: Path = FILE) -> Purposes:
    """The lines of the file, and those of every other table of persons.

    Raises: ConfigurationError for a table or column that there is not.
    """
    found: dict[str, Purpose] = {}
    person_years = 0
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            if line["table"] == PERSON:
                person_years = int(line["years"])
                continue
            found[line["table"]] = _purpose(path, line)
    for name, table in metadata.tables.items():
        if {"person_id", "superseded_at"} <= set(table.columns.keys()) and name not in found:
            found[name] = Purpose(table, "", 0, (), "goes with the person")
    return Purposes(found, person_years)


def _purpose(path: Path, line: Mapping[str, str]) -> Purpose:
    kept = tuple(name for name in line["kept"].split(",") if name != "-")
    column = "" if line["ended_by"] == PERSON else line["ended_by"]
    try:
        table = metadata.tables[line["table"]]
        for name in (*kept, *filter(None, [column])):
            table.c[name]
    except KeyError as error:
        raise ConfigurationError(f"{path}: {line['table']} has no {error.args[0]}") from error
    return Purpose(table, column, int(line["years"]), kept, line["basis"])
