"""The house itself: names at the root, and the promises that a checkout makes."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared() -> set[str]:
    setuptools = PROJECT["tool"]["setuptools"]
    return {name.partition(".")[0] for name in [*setuptools["packages"], *setuptools["py-modules"]]}


def test_root_names_shadow_neither_the_standard_library_nor_a_distribution() -> None:
    own = PROJECT["project"]["name"]
    taken = {
        name
        for name, distributions in metadata.packages_distributions().items()
        if set(distributions) != {own}
    }
    assert not declared() & set(sys.stdlib_module_names)
    assert not declared() & taken


def test_every_package_at_the_root_is_declared() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {
        path.stem for path in ROOT.glob("*.py")
    }
    assert rooms - {"tests", "bench"} == declared()


def test_subpackages_are_declared_too() -> None:
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for room in declared()
        for path in (ROOT / room).rglob("__init__.py")
    }
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert {name for name in found if "migrations" not in name} == listed


def test_constraints_name_versions_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert lines
    assert all("==" in line and "/" not in line and "@" not in line for line in lines)


def test_the_gateway_stays_readable() -> None:
    """`gateway.py` names no partner and no system: what does would be a leak from a room below."""
    text = (ROOT / "gateway.py").read_text(encoding="utf-8").lower()
    systems = [path.stem for path in (ROOT / "adapters").glob("*.py") if path.stem != "__init__"]
    assert len(systems) >= 5
    assert [name for name in systems if name in text] == []


@pytest.mark.parametrize(("module", "allowed"), [("exchange", set()), ("errors", {"exchange"})])
def test_the_lowest_modules_import_no_room(module: str, allowed: set[str]) -> None:
    tree = ast.parse((ROOT / f"{module}.py").read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported & declared() <= allowed
