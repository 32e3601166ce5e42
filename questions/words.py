"""What stands in records, in words of Latvian and English: files of `words/`, one line a name, for lawyers to edit.

A name that no file has stays as it is: a report with a bare name is better than none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import adapters
from adapters import Operation
from errors import ConfigurationError
from exchange import Arguments, Json, Lineage
from mappings import regulation
from mappings.codes import DATA_SET
from mappings.services import Reading, discover
from registers import REGISTERS, Register

FOLDER = Path(__file__).parent / "words"
_HEADS = ["name", "text_lv", "text_en"]
_ACTS = ("Search", "Read", "Write", "Follow")


class Language(StrEnum):
    """The languages of a report."""

    LATVIAN = "lv"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """The same in both languages."""

    lv: str
    en: str

    def of(self, language: Language) -> str:
        """The text of a language."""
        return self.lv if language is Language.LATVIAN else self.en


@cache
def table(name: str, folder: Path = FOLDER) -> dict[str, Words]:
    """The words of one file of `words/` by name, such as purposes, roles, registers or acts.

    Raises: ConfigurationError naming file and line.
    """
    path = folder / f"{name}.tsv"
    found: dict[str, Words] = {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(lines, None) != _HEADS:
            raise ConfigurationError(f"{path.name}: the columns are {', '.join(_HEADS)}")
        for row in lines:
            if len(row) != len(_HEADS) or not all(row) or row[0] in found:
                raise ConfigurationError(f"{path.name}, line {lines.line_num}: a name stands once, in words")
            found[row[0]] = Words(row[1], row[2])
    return found


def named(file: str, name: str) -> Words:
    """A name in words; as it is where the file does not have it."""
    return table(file).get(name) or Words(name, name)


def institution(number: str, recipient: str) -> Words:
    """An institution by its registration number, else by the recipient in whose name it asked."""
    known = table("institutions")
    return known.get(number) or known.get(recipient) or Words(number or recipient, number or recipient)


def operation(system: str, name: str) -> Words:
    """What was asked: an operation in words, of a register with the register's name."""
    known = table("operations")
    if found := known.get(f"{system}.{name}"):
        return found
    for act in _ACTS:
        if system == "registers" and name.startswith(act) and (generic := known.get(f"registers.{act}")):
            spaced = _spaced(name.removeprefix(act))
            of = table("registers").get(spaced.replace(" ", "-")) or Words(spaced, spaced)
            return Words(f"{generic.lv}: {of.lv}", f"{generic.en}: {of.en}")
    return Words(f"{system} {_spaced(name)}", f"{system} {_spaced(name)}")


def rule(number: str) -> Words:
    """A rule with its text from the regulation, which is in Latvian only."""
    point = number.removeprefix("p")
    known = regulation.rules().get(number)
    text = f": {known.text}" if known is not None else ""
    return Words(
        f"MK noteikumu Nr. 587 {point}. punkts{text}", f"Cabinet Regulation 587, point {point}{text}"
    )


def data_sets(selection: Json) -> tuple[Words, ...]:
    """The data sets that a request chose; nothing else of it, since it may name other persons."""
    chosen = selection.get("data_sets") if isinstance(selection, dict) else None
    codes = [code for code in chosen if isinstance(code, str)] if isinstance(chosen, list) else []
    return tuple(
        Words(DATA_SET[code].text_lv, DATA_SET[code].text_en) if code in DATA_SET else Words(code, code)
        for code in codes
    )


def asked_for(system: str, name: str, selection: Json) -> frozenset[str] | None:
    """The rules that the data sets of a request stand for; None where it could not choose, or left it open."""
    asked = _asked(system, name)
    chosen = asked.selection if asked is not None else None
    if chosen is None or not isinstance(selection, dict):
        return None
    values = selection.get(chosen.argument)
    arguments: Arguments = (
        {chosen.argument: tuple(str(one) for one in values)} if isinstance(values, list) else {}
    )
    return chosen.rules_of(arguments)


@cache
def _answering(system: str, name: str) -> tuple[str, str]:
    """The operation that answers one of our services; else the operation itself."""
    service = discover().get(system)
    own = service.operation(name) if service is not None else None
    return own.via if own is not None and isinstance(own.via, tuple) else (system, name)


@cache
def _asked(system: str, name: str) -> Operation | None:
    """The operation of a partner's system that answers; None where a register does, or nobody."""
    answering, own = _answering(system, name)
    adapter = adapters.discover().get(answering)
    return None if adapter is None else adapter.operation(own)


@cache
def rules_of_fields(system: str, name: str) -> dict[str, tuple[str, ...]]:
    """By its name in the log, the rules of every field that an operation can give."""
    found: dict[str, dict[str, None]] = {}
    for path, lines in lines_of_fields(system, name).items():
        found[path] = dict.fromkeys(line.rule for line in lines)
    return {field: tuple(rules) for field, rules in found.items()}


@cache
def lines_of_fields(system: str, name: str) -> dict[str, tuple[Lineage, ...]]:
    """By its name in the log, where every field that an operation can give comes from."""
    found: dict[str, dict[Lineage, None]] = {}
    for line in _lines(system, name):
        # The log names whole paths of what was withheld, and sometimes only the head of what was given.
        head = line.field.partition(".")[0]
        for known in {line.field, head, head.removesuffix("[]")}:
            found.setdefault(known, {})[line] = None
    return {field: tuple(lines) for field, lines in found.items()}


def _lines(system: str, name: str) -> Iterator[Lineage]:
    answering, own = _answering(system, name)
    asked = _asked(system, name)
    if asked is not None:
        yield from asked.answer.lineage(answering)
        yield from asked.request.lineage(answering)
    service = discover().get(system)
    of_service = service.operation(name) if service is not None else None
    if of_service is not None:
        via = of_service.via
        yield from of_service.answer.lineage("")
        if isinstance(via, Reading):
            for line in via.table.lineage(""):
                yield replace(line, field=f"{via.name}[].{line.field}")
    if (register := _register(own)) is not None:
        yield from _columns(register, "")


def fields(
    system: str, name: str, names: list[str], rules: frozenset[str] | None = None
) -> tuple[Words, ...]:
    """Fields of an operation in words, each once; of what was chosen only, where `rules` says that.

    Latvian is the text of the field's rule, English its canonical name. What has no rule is no data of a person.
    """
    known = rules_of_fields(system, name)
    found: dict[str, Words] = {}
    for field in names:
        numbers = known.get(field, ())
        if not numbers or all(number.startswith("p19") for number in numbers):
            continue
        if rules is not None and not rules.intersection(numbers) and field != "person_code":
            continue
        english = field.replace("[]", "").replace(".", " – ").replace("_", " ")
        texts = [regulation.rules()[number].text for number in numbers if number in regulation.rules()]
        latvian = ", ".join(dict.fromkeys(text.rstrip(".;: ") for text in texts)) or english
        found.setdefault(latvian + english, Words(latvian, english))
    return tuple(found.values())


def _register(operation_name: str) -> Register | None:
    """The register that an operation reads or writes: `SearchCareStays` is of `care-stays`."""
    for act in _ACTS:
        if operation_name.startswith(act):
            wanted = _spaced(operation_name.removeprefix(act)).replace(" ", "-")
            return REGISTERS.get(wanted)
    return None


def _columns(register: Register, prefix: str) -> Iterator[Lineage]:
    for name, number in register.fields.items():
        yield Lineage(f"{prefix}{name}", number, register.source, "", f"{register.table.name}.{name}")
    for name, part in register.parts.items():
        yield from _columns(part.register, f"{name}." if part.single else f"{name}[].")


def _spaced(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
