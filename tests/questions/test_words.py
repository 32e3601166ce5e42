"""Files of words: whole, in both languages, and complete for what the law allows as a purpose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import adapters
import config
from commands import cli
from endpoints.console.roles import Role
from errors import ConfigurationError
from exchange import Way
from mappings import services
from questions import words
from registers import REGISTERS
from registers.corrections import Answer
from routing.access import Access

GRANTED = Access.load(config.DEFAULTS / "access.d").rights
FILES = (
    "purposes",
    "roles",
    "ways",
    "institutions",
    "sources",
    "registers",
    "operations",
    "acts",
    "outcomes",
)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read(name: str) -> None:
    assert words.table(name)


def test_every_purpose_that_is_granted_has_its_words() -> None:
    granted = {p for right in GRANTED for p in right.purposes}
    assert granted - words.table("purposes").keys() == set()


@pytest.mark.parametrize(
    "line", ["care\taprūpe", "care\taprūpe\t", "care\taprūpe\tcare\ncare\taprūpe\tcare again"]
)
def test_half_a_line_and_a_second_one_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "purposes.tsv").write_text(f"name\ttext_lv\ttext_en\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"purposes\.tsv, line"):
        words.table("purposes", tmp_path)


def test_fields_are_told_by_the_texts_of_their_rules() -> None:
    (number,) = words.fields("pmlp", "GetPerson", ["documents[].number"])
    assert (number.lv, number.en) == ("dokumenta numurs", "documents – number")
    (stay,) = words.fields("care-stays", "GetStays", ["stays[].ended_on"])
    assert stay.lv.startswith("pakalpojuma izbeigšanas datums")
    (identity,) = words.fields("registers", "SearchPersons", ["id", "provenance", "identity"])
    assert identity.lv == "vārds (vārdi), uzvārds"


def test_only_what_was_chosen_is_told_as_given() -> None:
    chosen = words.asked_for("persons", "GetPerson", {"data_sets": ["DOCUMENTS"]})
    told = words.fields("persons", "GetPerson", ["addresses[].text", "documents[].number"], chosen)
    assert [one.en for one in told] == ["documents – number"]
    assert words.asked_for("vdeavk", "GetDisability", {}) is None


def test_a_name_that_no_file_has_stays() -> None:
    assert words.operation("nowhere", "GetSuchThings").en == "nowhere get such things"
    assert words.institution("90009999999", "") == words.Words("90009999999", "90009999999")
    assert words.rule("p999").lv == "MK noteikumu Nr. 587 999. punkts"


def test_every_register_and_every_operation_has_its_words() -> None:
    named = {name for right in GRANTED for name in right.operations}
    named |= {f"{one.name}.{each.name}" for one in adapters.discover().values() for each in one.operations}
    named |= {f"{one.name}.{each.name}" for one in services.discover().values() for each in one.operations}
    assert REGISTERS.keys() - words.table("registers").keys() == set()
    own = {name for name in named if not name.startswith("registers.")}
    assert own - words.table("operations").keys() == set()
    assert {name.partition(".")[0] for name in named} - words.table("sources").keys() == set()
    assert words.operation("registers", "SearchCareStays").lv == (
        "reģistra meklēšana: uzturēšanās ilgstošas aprūpes institūcijā"
    )


def test_every_act_that_is_put_on_record_has_its_words() -> None:
    """An act is named as its command, wherever it is done; these have none."""
    without_command = {
        *("start", "settings reload", "witness", "registers anonymise", "backup", "recover", "sync"),
        *("sign in", "sign in refused", "sign in locked", "sign out"),
        *(f"children {act}" for act in ("watch", "acknowledge", "alerts", "calendar", "handovers")),
        *(f"children report {act}" for act in ("prepared", "handed over", "acknowledged")),
        *(f"reconcile {act}" for act in ("run", "list", "show", "sent", "take", "keep", "return", "undo")),
        *(f"reconcile answered {answer}" for answer in Answer),
        *(f"outbox {act}" for act in ("replay", "park")),
        *(f"corrections {act}" for act in ("notice", "received")),
    }
    acts = without_command | (
        _commands(cli) & set(_constants("commands", "routing", "endpoints", "questions"))
    )
    acts -= {"children reports"}  # the name of a lock
    assert {"partner add", "audit hold release", "keys rotate-master"} <= acts
    assert acts - words.table("acts").keys() == set()


def test_every_role_and_every_way_in_has_its_words() -> None:
    assert {role.value for role in Role} | {"system", "reconciliation"} <= words.table("roles").keys()
    assert {way.value for way in Way} <= words.table("ways").keys()
    assert words.named("roles", "social worker").lv == "sociālais darbinieks"
    assert words.named("roles", "kurators").of(words.Language.ENGLISH) == "kurators", "as the caller wrote it"


def _commands(group: click.Group, before: str = "") -> set[str]:
    found = set()
    context = click.Context(group)
    for name in group.list_commands(context):
        command, path = group.get_command(context, name), f"{before} {name}".strip()
        found |= _commands(command, path) if isinstance(command, click.Group) else {path}
    return found


def _constants(*folders: str) -> Iterator[str]:
    for folder in folders:
        for path in (config.CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                    yield node.value
