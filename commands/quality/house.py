"""Where the checks look: the checkout, the settings, and what was found there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import config
from adapters import Adapter
from config import Settings


@dataclass(frozen=True, slots=True)
class Case:
    """A golden case: its folder, and the operation that it is of ("" where request.json does not say)."""

    folder: Path
    operation: str

    def has(self, name: str) -> bool:
        """Whether the case has a file of that name."""
        return (self.folder / name).is_file()


@dataclass(frozen=True)
class House:
    """A checkout with its settings.

    Where it is installed without its tests and docs, what lies there is not asked for.
    """

    root: Path
    settings: Settings

    @classmethod
    def here(cls) -> House:
        """The checkout that this program runs from."""
        return cls(config.CHECKOUT, config.load())

    @property
    def exchanges(self) -> Path:
        """The folder of the golden cases."""
        return self.root / "tests" / "exchanges"

    @property
    def has_tests(self) -> bool:
        """Whether the golden cases are here."""
        return self.exchanges.is_dir()

    def cases(self, adapter: Adapter) -> Iterator[Case]:
        """The golden cases of a system, by folder."""
        for path in sorted((self.exchanges / adapter.name).glob("*/request.json")):
            try:
                operation = json.loads(path.read_text(encoding="utf-8"))["operation"]
            except (ValueError, KeyError, TypeError):
                operation = ""
            yield Case(path.parent, str(operation))
