"""The pages of the console, one module each: discovered, never listed. A module has `PAGES`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from endpoints.console.visit import Page
from errors import ConfigurationError


@cache
def discover() -> tuple[Page, ...]:
    """Every page, in the order of the menu.

    Raises: ConfigurationError for a module without pages, or two pages of one address.
    """
    found: dict[tuple[str, str], Page] = {}
    for module in pkgutil.iter_modules(__path__):
        declared = getattr(importlib.import_module(f"{__name__}.{module.name}"), "PAGES", ())
        if not declared:
            raise ConfigurationError(f"endpoints/console/pages/{module.name}.py has no PAGES")
        for page in declared:
            for method in page.methods:
                if (page.path, method) in found:
                    raise ConfigurationError(f"two pages of the console are {method} /{page.path}")
                found[page.path, method] = page
    return tuple(sorted(dict.fromkeys(found.values()), key=lambda page: page.rank))
