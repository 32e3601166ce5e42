"""An edition of any size, made up around the real rows of `tests/registers/varis/sample`.

Real are the rows of the sample, and the form. Everything else is invented: places and their names, houses, all
premises, the municipalities that the reform of 2021 ended, and the rows of former names and parents that tell of it.
Invented objects have codes from 500000001 on, and INVENTED.md beside the files says so.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registers.varis.forms import Form
from registers.varis.layouts import EVERY

SAMPLE = Path(__file__).parent.parent.parent / "tests" / "registers" / "varis" / "sample"
FIRST_CODE = 500_000_001
ROOT = "100000000"
_REFORM, _BEFORE = "2021.07.01", "2021.06.30"
_COLUMNS = {layout.file: layout.columns for layout in EVERY}

# fmt: off
_TREES = (
    "Ozolu", "Bērzu", "Liepu", "Kļavu", "Ošu", "Egļu", "Priežu", "Vītolu", "Apšu", "Alkšņu",
    "Gobu", "Kastaņu", "Ābeļu", "Ķiršu", "Ceriņu", "Rožu", "Skolas", "Parka", "Dārza", "Meža",
    "Upes", "Ezera", "Jūras", "Saules", "Rīta", "Vakara", "Ziemeļu", "Dienvidu", "Stacijas", "Tirgus",
    "Baznīcas", "Pils", "Kalna", "Lauku", "Pļavu", "Brīvības", "Bauskas", "Atpūtas", "Jēkaba", "Raiņa",
    "Aspazijas", "Zvaigžņu", "Miera", "Darba", "Centra", "Jaunatnes", "Sporta", "Smilšu", "Krasta", "Dzirnavu",
    "Avotu",
)
_BEGIN = (
    "Bal", "Bir", "Cel", "Dau", "Dzel", "Gaur", "Gul", "Jaun", "Kal", "Kār",
    "Ķel", "Lau", "Lej", "Lie", "Maz", "Mež", "Ņau", "Pļau", "Pur", "Rau",
    "Rūj", "Sau", "Sil", "Smil", "Šķi", "Tau", "Ziem", "Zil", "Zvir", "Žīg",
)
_END = (
    "bēni", "ciemi", "dēni", "galvi", "kalni", "kāji", "lāči", "lejas", "mali", "nieki",
    "ori", "ozoli", "paegļi", "pēni", "rini", "sili", "stieņi", "tēni", "upes", "vēni",
    "viļņi", "zari", "žņi", "āres", "ēni", "īši",
)
# fmt: on
_SIZES = ("", "", "", "Mazā ", "Lielā ", "Jaunā ", "Vecā ")
_WAYS = ("iela",) * 12 + ("gatve", "bulvāris", "prospekts", "ceļš", "aleja", "laukums")


@dataclass(frozen=True, slots=True)
class Size:
    """How many objects of each kind."""

    municipalities: int = 36
    ended_municipalities: int = 119
    parishes: int = 510
    cities: int = 81
    villages: int = 6_400
    streets: int = 26_000
    buildings: int = 640_000
    premises: int = 960_000
    former_buildings: int = 120_000

    def times(self, share: float) -> Size:
        """The same country, smaller."""
        return Size(*(max(2, round(getattr(self, name) * share)) for name in self.__slots__))


@dataclass(slots=True)
class _Spot:
    """A place as those beneath it see it."""

    code: str
    kind: str
    name: str
    text: str
    chain_before: str = ""
    former: list[str] = field(default_factory=list)


def write_edition(
    directory: Path, size: Size, *, number: int = 1, form: Form = Form.CURRENT, seed: int = 587
) -> Mapping[str, int]:
    """Write all files of an edition and tell the rows of each.

    Edition 2 is edition 1 with few changes: streets renamed, houses deleted, under another postcode, or new.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "INVENTED.md").write_text(
        "Objects with codes from 500000001 on are invented, all premises and all rows of former names among them.\n"
        "The others are real rows of Valsts zemes dienests, Valsts adrešu reģistra atvērtie dati, data.gov.lv, "
        "CC BY 4.0.\n",
        encoding="utf-8",
    )
    with ExitStack() as stack:
        files = {name: stack.enter_context(_File.open(directory, name, form)) for name in _COLUMNS}
        _Country(files, size, number, random.Random(seed)).write()  # noqa: S311 — made-up data, the same each time
        return {name: file.rows for name, file in files.items()}


class _File:
    """One file being written, in one of the two forms."""

    def __init__(self, name: str, writer: Any) -> None:
        self.columns, self._writer, self.rows = _COLUMNS[name], writer, 0
        self._writer.writerow(self.columns)

    @classmethod
    @contextmanager
    def open(cls, directory: Path, name: str, form: Form) -> Iterator[_File]:
        comma, quote = form.value
        path = directory / f"aw_{name}.csv"
        with path.open("w", encoding="utf-8-sig" if form is Form.CURRENT else "utf-8", newline="") as target:
            writer = csv.writer(
                target, delimiter=comma, quotechar=quote, quoting=csv.QUOTE_ALL, lineterminator="\r\n"
            )
            yield cls(name, writer)

    def put(self, row: Mapping[str, str]) -> None:
        self._writer.writerow([row.get(column, "") for column in self.columns])
        self.rows += 1


class _Country:
    """Places from the large to the small, each written when it is made up."""

    def __init__(self, files: Mapping[str, _File], size: Size, number: int, rng: random.Random) -> None:
        self.files, self.size, self.number, self.rng = files, size, number, rng
        self.next = FIRST_CODE
        self.real: dict[str, _Spot] = {}

    def write(self) -> None:
        """The whole edition."""
        ended = [self._ended() for _ in range(self.size.ended_municipalities)]
        municipalities = self._copy("novads") + [
            self._upper("novads", "113", f"{self._place_name()} nov.", None, atvk=True)
            for _ in range(self.size.municipalities)
        ]
        parishes = self._copy("pagasts")
        for _ in range(self.size.parishes):
            parishes.append(
                self._moved("pagasts", "105", f"{self._place_name()} pag.", municipalities, ended)
            )
        cities = self._copy("pilseta")
        riga = next(spot for spot in cities if spot.name == "Rīga")
        for at in range(self.size.cities):
            if at < 6:
                cities.append(self._upper("pilseta", "104", self._place_name(), None, atvk=True))
            else:
                cities.append(self._moved("pilseta", "104", self._place_name(), municipalities, ended))
        villages = self._copy("ciems") + [
            self._upper("ciems", "106", self._place_name(), self.rng.choice(parishes))
            for _ in range(self.size.villages)
        ]
        streets = self._copy("iela")
        for at in range(self.size.streets):
            around = riga if at % 8 == 0 else self.rng.choice(cities if at % 2 else villages)
            streets.append(self._street(at, around))
        self._copy("eka")
        self._houses(streets, [*villages, *parishes])
        for spot in (*cities, *parishes):
            self._centroid(spot)

    def _copy(self, name: str) -> list[_Spot]:
        """The real rows of a file."""
        made: list[_Spot] = []
        with (SAMPLE / f"aw_{name}.csv").open(encoding="utf-8-sig", newline="") as source:
            for row in csv.DictReader(source):
                self.files[name].put(row)
                made.append(_Spot(row["KODS"], row["TIPS_CD"], row["NOSAUKUMS"], row["STD"]))
        return made

    def _code(self) -> str:
        code, self.next = self.next, self.next + 1
        return str(code)

    def _place_name(self) -> str:
        return f"{self.rng.choice(_BEGIN)}{self.rng.choice(_END)}"

    def _ended(self) -> _Spot:
        """A municipality that the reform ended."""
        spot = _Spot(self._code(), "113", name := f"{self._place_name()} nov.", name)
        self._put_upper(
            "novads", spot, None, STATUSS="DEL", DAT_SAK="2009.07.01", DAT_BEIG=_BEFORE, DAT_MOD=_BEFORE
        )
        return spot

    def _upper(self, file: str, kind: str, name: str, parent: _Spot | None, *, atvk: bool = False) -> _Spot:
        spot = _Spot(self._code(), kind, name, f"{name}, {parent.text}" if parent else name)
        self._put_upper(file, spot, parent, ATRIB=f"{int(spot.code) % 10_000_000:07}" if atvk else "")
        return spot

    def _moved(self, file: str, kind: str, name: str, now: Sequence[_Spot], before: Sequence[_Spot]) -> _Spot:
        """A parish or a city that stood in another municipality before the reform."""
        spot = self._upper(file, kind, name, self.rng.choice(now), atvk=True)
        old = self.rng.choice(before)
        spot.chain_before = old.text
        self.files[f"{file}_his"].put(
            {
                "KODS": spot.code,
                "TIPS_CD": kind,
                "DAT_SAK": "2009.07.01",
                "DAT_MOD": _BEFORE,
                "DAT_BEIG": _BEFORE,
                "STD": f"{name}, {old.text}",
                "NOSAUKUMS": name,
                "VKUR_CD": old.code,
                "VKUR_TIPS": "113",
            }
        )
        return spot

    def _put_upper(self, file: str, spot: _Spot, parent: _Spot | None, **more: str) -> None:
        began = _REFORM if spot.kind == "113" else "1999.03.16"
        self.files[file].put(
            {
                "KODS": spot.code,
                "TIPS_CD": spot.kind,
                "NOSAUKUMS": spot.name,
                "VKUR_CD": parent.code if parent else ROOT,
                "VKUR_TIPS": parent.kind if parent else "101",
                "APSTIPR": "Y",
                "APST_PAK": "252",
                "STATUSS": "EKS",
                "SORT_NOS": spot.name,
                "DAT_SAK": began,
                "DAT_MOD": "2021.06.30",
                "STD": spot.text,
                **more,
            }
        )

    def _street(self, at: int, around: _Spot) -> _Spot:
        first = _TREES[int(len(_TREES) * self.rng.random() ** 2)]
        name = f"{self.rng.choice(_SIZES)}{first} {self.rng.choice(_WAYS)}"
        if self.rng.random() < 0.4:
            name = f"{self._place_name()} {self.rng.choice(_WAYS)}"
        modified = "2024.05.02"
        if self.number > 1 and at % 1000 == 7:
            name, modified = f"Jaunvārda {name}", "2026.11.02"
        spot = _Spot(self._code(), "107", name, f"{name}, {around.text}")
        self._put_upper("iela", spot, around, DAT_MOD=modified)
        return spot

    def _houses(self, streets: Sequence[_Spot], country: Sequence[_Spot]) -> None:
        numbered = self.size.buildings * 6 // 10
        each = max(1, self.size.premises * 2 // max(1, numbered))
        left = self.size.premises
        for at in range(numbered):
            street = streets[at % len(streets)]
            name = str(at // len(streets) + 1)
            if at % 11 == 0:
                name += "ABC"[at % 3]
            if at % 37 == 0:
                name += f" k-{at % 4 + 1}"
            code, text = self._house(
                at, street, name, f"{street.name} {name}{street.text[len(street.name) :]}"
            )
            if at % 2 == 0 and left > 0:
                left -= self._premises(code, f"{street.name} {name}", text, min(each, left))
        for at in range(numbered, self.size.buildings):
            place = self.rng.choice(country)
            name = self._place_name()
            if self.rng.random() < 0.3:
                name = f"{self.rng.choice(('Jaun', 'Vec', 'Lej', 'Kaln'))}{name.lower()}"
            self._house(at, place, name, f'"{name}", {place.text}')
        if self.number > 1:
            for at in range(max(1, self.size.buildings // 1000)):
                place = self.rng.choice(country)
                self._house(at, place, name := f"Jauncelti {at}", f'"{name}", {place.text}', new=True)

    def _house(self, at: int, parent: _Spot, name: str, text: str, *, new: bool = False) -> tuple[str, str]:
        code = self._code() if not new else str(900_000_000 + at)
        postcode = f"LV-{1001 + int(parent.code) % 4000:04}"
        status, modified, ended = "EKS", "2024.05.02", ""
        if at % 33 == 0:
            status, ended = "DEL", "2019.02.11"
        if self.number > 1 and not new and at % 2000 == 3:
            status, modified, ended = "DEL", "2026.11.02", "2026.11.02"
        if self.number > 1 and not new and at % 1500 == 5:
            postcode, modified = "LV-5999", "2026.11.03"
        self.files["eka"].put(
            {
                "KODS": code,
                "TIPS_CD": "108",
                "STATUSS": status,
                "APSTIPR": "Y",
                "APST_PAK": "252",
                "VKUR_CD": parent.code,
                "VKUR_TIPS": parent.kind,
                "NOSAUKUMS": name,
                "SORT_NOS": name.rjust(4, "0") if name.isdigit() else name,
                "ATRIB": postcode,
                "PNOD_CD": "100036693",
                "DAT_SAK": "2001.01.25" if not new else "2026.11.03",
                "DAT_MOD": modified if not new else "2026.11.03",
                "DAT_BEIG": ended,
                "FOR_BUILD": "N",
                "PLAN_ADR": "N",
                "STD": f"{text}, {postcode}",
                "KOORD_X": f"{250000 + at % 90000}.{at % 1000:03}",
                "KOORD_Y": f"{420000 + at % 250000}.{at % 1000:03}",
                "DD_N": f"56.{at % 1000000:06}",
                "DD_E": f"24.{at * 7 % 1000000:06}",
            }
        )
        if not new and at * self.size.former_buildings % self.size.buildings < self.size.former_buildings:
            self._former_house(code, parent, name, text)
        return code, f"{text}, {postcode}"

    def _former_house(self, code: str, parent: _Spot, name: str, text: str) -> None:
        self.files["eka_his"].put(
            {
                "KODS": code,
                "TIPS_CD": "108",
                "DAT_SAK": "2001.01.25",
                "DAT_MOD": "2008.03.04",
                "DAT_BEIG": "2008.03.04",
                "STD": text.replace(name, f"{name}X", 1),
                "NOSAUKUMS": f"{name}X",
                "VKUR_CD": parent.code,
                "VKUR_TIPS": parent.kind,
            }
        )

    def _premises(self, building: str, head: str, text: str, count: int) -> int:
        for number in range(1, count + 1):
            self.files["dziv"].put(
                {
                    "KODS": self._code(),
                    "TIPS_CD": "109",
                    "STATUSS": "EKS",
                    "APSTIPR": "Y",
                    "APST_PAK": "252",
                    "VKUR_CD": building,
                    "VKUR_TIPS": "108",
                    "NOSAUKUMS": str(number),
                    "SORT_NOS": f"{number:05}",
                    "DAT_SAK": "2003.02.01",
                    "DAT_MOD": "2024.05.02",
                    "STD": f"{head} - {number}{text[len(head) :]}",
                }
            )
        return count

    def _centroid(self, spot: _Spot) -> None:
        self.files["vietu_centroidi"].put(
            {
                "KODS": spot.code,
                "TIPS_CD": spot.kind,
                "NOSAUKUMS": spot.name,
                "VKUR_CD": ROOT,
                "VKUR_TIPS": "101",
                "STD": spot.text,
                "KOORD_X": "300000.5",
                "KOORD_Y": "500000.5",
                "DD_N": "56.9",
                "DD_E": "24.1",
            }
        )
