"""On the path of a gateway's processes, it adds a transport profile `crashing`, which a system's settings may name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType


class Finder(MetaPathFinder):
    """Finds that one module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "adapters.profiles.crashing":
            return None
        return spec_from_file_location(fullname, Path(__file__).with_name("crashing_profile.py"))


sys.meta_path.append(Finder())
