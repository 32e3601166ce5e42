"""Every text of the console's templates and pages has its Latvian."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoints import console
from endpoints.console import look
from endpoints.console.pages import children, discover, outbox, parties, reconciliation
from endpoints.console.words import latvian

HERE = Path(console.__file__).parent
TEMPLATES = sorted(HERE.glob("templates/*.jinja"))
# A text, alone or with another one for another case.
_TEXT = re.compile(r'_\(((?:"[^"]*"(?: if [^"]+"[^"]*" else )?)+)')


def texts_of_template(path: Path) -> Iterator[str]:
    for found in _TEXT.findall(path.read_text("utf-8")):
        yield from re.findall(r'"([^"]*)"', re.sub(r'if [^"]+"[^"]*" else', "", found))


def texts_of_module(path: Path) -> Iterator[str]:
    """What is said by name, and the sentences that stand in dictionaries and constants of a page."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        said = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say"
        if isinstance(node, ast.Call) and said and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_is_translated(path: Path) -> None:
    assert [text for text in texts_of_template(path) if text not in latvian()] == []


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: path.name)
def test_every_text_of_a_module_is_translated(path: Path) -> None:
    assert [text for text in texts_of_module(path) if text not in latvian()] == []


def test_what_is_told_of_decisions_is_translated() -> None:
    said = [*reconciliation._DONE.values(), reconciliation._MOVED, outbox._MOVED, parties._MOVED]
    refused = [f"the row is {state}" for state in ("delivered", "leased", "parked")]
    assert [text for text in (*said, *refused) if text not in latvian()] == []


def test_every_page_of_the_menu_is_translated() -> None:
    titles = [page.title for page in discover() if page.title]
    assert titles
    assert [title for title in titles if title not in latvian()] == []
    assert children.PAGES[0].title in titles


def test_no_page_waits_for_a_template_to_be_compiled() -> None:
    console.warm()
    compiled = look._templates().cache
    assert compiled is not None
    assert len(compiled) == len(TEMPLATES)
