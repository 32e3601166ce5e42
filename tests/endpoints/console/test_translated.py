"""Every text of these pages has its Latvian."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from endpoints import console
from endpoints.console.pages import overview
from endpoints.console.words import latvian
from questions.quality import SCALE

HOUSE = Path(console.__file__).parent
TEMPLATES = (
    "overview",
    "systems",
    "system",
    "system_parts",
    "lineage",
    "access",
    "access_parts",
    "access_check",
)
MODULES = (
    "activity_charts.py",
    "pages/overview.py",
    "pages/systems.py",
    "pages/lineage.py",
    "pages/access.py",
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_of_a_template(template: str) -> None:
    text = (HOUSE / "templates" / f"{template}.html.jinja").read_text(encoding="utf-8")
    texts = set(re.findall(r"""\b_\("([^"]+)"[,)]""", text))
    assert texts
    assert texts - latvian().keys() == set()


@pytest.mark.parametrize("module", MODULES)
def test_of_a_module(module: str) -> None:
    said = set()
    for node in ast.walk(ast.parse((HOUSE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("say", "visit.say"):
            said |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Page":
            said |= {
                word.value.value
                for word in node.keywords
                if word.arg in ("title", "group") and isinstance(word.value, ast.Constant)
            }
    assert said - latvian().keys() == set()


def test_of_what_is_said_by_name() -> None:
    said = {text for texts in overview._OWN.values() for text in texts} | set(SCALE.values())
    assert said - latvian().keys() == set()
