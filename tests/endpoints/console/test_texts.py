"""Every text of the console's templates and pages has its Latvian."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoints import console
from endpoints.console import look, telling
from endpoints.console.look import GROUPS, ROLES
from endpoints.console.pages import discover, outbox, overview, parties, reconciliation
from endpoints.console.words import latvian
from questions.quality import SCALE

HERE = Path(console.__file__).parent
TEMPLATES = sorted(HERE.glob("templates/*.jinja"))
# A text, alone or with another one for another case.
_TEXT = re.compile(r'_\(((?:"[^"]*"(?: if [^"]+"[^"]*" else )?)+)')


def texts_of_template(path: Path) -> Iterator[str]:
    for found in _TEXT.findall(path.read_text("utf-8")):
        yield from re.findall(r'"([^"]*)"', re.sub(r'if [^"]+"[^"]*" else', "", found))


def texts_of_module(path: Path) -> Iterator[str]:
    """What is said by name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "say":
            yield from (str(one.value) for one in node.args[:1] if isinstance(one, ast.Constant))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_is_translated(path: Path) -> None:
    assert [text for text in texts_of_template(path) if text not in latvian()] == []


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: path.name)
def test_every_text_of_a_module_is_translated(path: Path) -> None:
    assert [text for text in texts_of_module(path) if text not in latvian()] == []


def test_texts_are_found_at_all() -> None:
    assert {"Search", "Older"} <= set(texts_of_template(HERE / "templates/search.html.jinja"))
    assert "A day is written 2026-01-31." in set(texts_of_module(HERE / "telling.py"))


def test_what_is_told_of_decisions_is_translated() -> None:
    said = [*reconciliation._DONE.values(), reconciliation._MOVED, outbox._MOVED, parties._MOVED]
    refused = [f"the row is {state}" for state in ("delivered", "leased", "parked")]
    assert [text for text in (*said, *refused) if text not in latvian()] == []


def test_what_stands_in_tables_is_translated() -> None:
    checks = {text for texts in overview._OWN.values() for text in texts}
    told = {*telling.KINDS.values(), *telling.OUTCOMES.values(), *ROLES.values()}
    assert (checks | set(SCALE.values()) | told) - latvian().keys() == set()


def test_every_page_of_the_menu_is_translated() -> None:
    titles = {page.title for page in discover()} | {page.group for page in discover()} | set(GROUPS)
    assert len(titles) > 15
    assert titles - latvian().keys() == {""}


def test_no_page_waits_for_a_template_to_be_compiled() -> None:
    console.warm()
    compiled = look._templates().cache
    assert compiled is not None
    assert len(compiled) == len(TEMPLATES)
