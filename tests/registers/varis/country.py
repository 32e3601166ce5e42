"""Small editions made up for tests: rows by file, written in either form."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from registers.varis.forms import Form
from registers.varis.layouts import EVERY
from storage import reading

T = TypeVar("T")
SAMPLE = Path(__file__).parent / "sample"
ROOT = "100000000"
COLUMNS = {layout.file: layout.columns for layout in EVERY}
KINDS = {"101": "", "113": "novads", "105": "pagasts", "104": "pilseta", "106": "ciems", "107": "iela"}


class Country:
    """An edition to be: rows by file, each a mapping of its columns."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, str]]] = {}

    def add(self, file: str, kind: str, code: str, name: str, parent: str, std: str, **more: str) -> Country:
        """One object. Its parent is written as code and type, `100000001/107`."""
        parent_code, _, parent_kind = parent.partition("/")
        row = {
            "KODS": code,
            "TIPS_CD": kind,
            "NOSAUKUMS": name,
            "VKUR_CD": parent_code,
            "VKUR_TIPS": parent_kind or "101",
            "APSTIPR": "Y",
            "APST_PAK": "252",
            "STATUSS": "EKS",
            "SORT_NOS": name,
            "DAT_SAK": "2000.01.01",
            "DAT_MOD": "2020.01.01",
            "STD": std,
            **more,
        }
        unknown = row.keys() - set(COLUMNS[file])
        assert unknown <= {"APSTIPR", "APST_PAK", "STATUSS", "SORT_NOS", "STD", "DAT_SAK", "DAT_MOD"}, unknown
        self.rows.setdefault(file, []).append(row)
        return self

    def change(self, code: str, **values: str) -> Country:
        """Other values in the row of a code."""
        found = [row for rows in self.rows.values() for row in rows if row["KODS"] == code]
        assert len(found) == 1
        found[0].update(values)
        return self

    def drop(self, code: str) -> Country:
        """No row of a code."""
        for rows in self.rows.values():
            rows[:] = [row for row in rows if row["KODS"] != code]
        return self

    def write(self, directory: Path, form: Form = Form.CURRENT, newline: str = "\r\n") -> Path:
        """Write the files that have rows and return the directory."""
        directory.mkdir(parents=True, exist_ok=True)
        comma, quote = form.value
        for file, rows in self.rows.items():
            encoding = "utf-8-sig" if form is Form.CURRENT else "utf-8"
            with (directory / f"aw_{file}.csv").open("w", encoding=encoding, newline="") as target:
                writer = csv.writer(
                    target, delimiter=comma, quotechar=quote, quoting=csv.QUOTE_ALL, lineterminator=newline
                )
                writer.writerow(COLUMNS[file])
                writer.writerows([row.get(column, "") for column in COLUMNS[file]] for row in rows)
        return directory


def small() -> Country:
    """Two municipalities, a state city, streets of one name, houses with and without numbers, premises."""
    c = Country()
    c.add("novads", "113", "200000001", "Augšas nov.", ROOT, "Augšas nov.", ATRIB="0021000")
    c.add("novads", "113", "200000002", "Lejas nov.", ROOT, "Lejas nov.", ATRIB="0022000")
    c.add(
        "pagasts",
        "105",
        "200000011",
        "Kalnu pag.",
        "200000001/113",
        "Kalnu pag., Augšas nov.",
        ATRIB="0021010",
    )
    c.add("pilseta", "104", "200000021", "Rīga", ROOT, "Rīga", ATRIB="0001000")
    c.add("pilseta", "104", "200000022", "Mazpils", "200000002/113", "Mazpils, Lejas nov.", ATRIB="0022010")
    c.add("ciems", "106", "200000031", "Ķirši", "200000011/105", "Ķirši, Kalnu pag., Augšas nov.")
    c.add("iela", "107", "200000041", "Brīvības iela", "200000021/104", "Brīvības iela, Rīga")
    c.add("iela", "107", "200000042", "Brīvības gatve", "200000021/104", "Brīvības gatve, Rīga")
    c.add("iela", "107", "200000043", "Brīvības iela", "200000022/104", "Brīvības iela, Mazpils, Lejas nov.")
    c.add("iela", "107", "200000044", "13. janvāra iela", "200000021/104", "13. janvāra iela, Rīga")
    c.add("iela", "107", "200000045", "Mazā Brīvības iela", "200000021/104", "Mazā Brīvības iela, Rīga")
    for street, base, place in (
        ("200000041", 200000100, "Brīvības iela {}, Rīga"),
        ("200000042", 200000200, "Brīvības gatve {}, Rīga"),
        ("200000043", 200000300, "Brīvības iela {}, Mazpils, Lejas nov."),
        ("200000044", 200000400, "13. janvāra iela {}, Rīga"),
        ("200000045", 200000500, "Mazā Brīvības iela {}, Rīga"),
    ):
        for at, name in enumerate(("1", "12", "12A", "12 k-1", "120")):
            std = f"{place.format(name)}, LV-1001"
            c.add("eka", "108", str(base + at), name, f"{street}/107", std, ATRIB="LV-1001")
    house = ("eka", "108")
    c.add(
        *house,
        "200000601",
        "Riņņi",
        "200000011/105",
        '"Riņņi", Kalnu pag., Augšas nov., LV-4211',
        ATRIB="LV-4211",
    )
    c.add(
        *house,
        "200000602",
        'Stacija "Riņņi"',
        "200000031/106",
        '"Stacija "Riņņi"", Ķirši, Kalnu pag., Augšas nov., LV-4211',
        ATRIB="LV-4211",
    )
    for building, base, head in (
        ("200000101", 200000700, "Brīvības iela 12"),
        ("200000201", 200000800, "Brīvības gatve 12"),
    ):
        for number in (1, 3, 30):
            c.add(
                "dziv",
                "109",
                str(base + number),
                str(number),
                f"{building}/108",
                f"{head} - {number}, Rīga, LV-1001",
            )
    c.add("dziv", "109", "200000901", "2", "200000601/108", '"Riņņi" - 2, Kalnu pag., Augšas nov., LV-4211')
    return c


def ask(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run a reading work in a transaction of its own."""
    with reading(engine).begin() as connection:
        return work(connection)
