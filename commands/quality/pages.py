"""Rules on what people wrote: the page for operators, and that nothing is left unfinished."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters import Adapter
from commands.quality.house import House

SECTIONS = ("What it is", "How it fails", "What an operator does")
_SHORTEST = 80


def finished(adapter: Adapter, house: House) -> Iterator[str]:
    """Files of the system in which something was left for a person to decide."""
    for path in (
        *(f"{room}/{adapter.name}.py" for room in ("mappings", "adapters", "registers", "simulators")),
        f"config/access.d/{adapter.name}.toml",
        f"docs/systems/{adapter.name}.md",
    ):
        file = house.root / path
        if file.is_file() and (left := file.read_text(encoding="utf-8").count("TODO")):
            yield f"{path}: {left} × TODO"


def runbook(adapter: Adapter, house: House) -> Iterator[str]:
    """No page, a section that is missing or says nothing, an operation that it does not name."""
    if not (house.root / "docs").is_dir():
        return
    where = f"docs/systems/{adapter.name}.md"
    try:
        text = (house.root / where).read_text(encoding="utf-8")
    except OSError:
        yield f"{where} is missing"
        return
    for section in SECTIONS:
        found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
        if found is None or len(found[1].strip()) < _SHORTEST:
            yield f"{where} says too little under “{section}”"
    for operation in adapter.operations:
        if f"`{operation.name}`" not in text:
            yield f"{where} does not name `{operation.name}`"
