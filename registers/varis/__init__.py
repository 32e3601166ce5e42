"""The State Address Register at national size: loading an edition, and reading what it holds.

`load` takes an open-data edition; `resolve`, `children`, `history` and `search` read the edition in use.
"""

from __future__ import annotations

from registers.varis.editions import in_use
from registers.varis.history import PlaceHistory, Span, Successor, history
from registers.varis.loading import load
from registers.varis.places import Places, Resolved, children, resolve
from registers.varis.published import Published, is_loaded, look, newest_folder, taken
from registers.varis.search import Match, search
from registers.varis.summary import Counts, Summary

__all__ = [
    "Counts",
    "Match",
    "PlaceHistory",
    "Places",
    "Published",
    "Resolved",
    "Span",
    "Successor",
    "Summary",
    "children",
    "history",
    "in_use",
    "is_loaded",
    "load",
    "look",
    "newest_folder",
    "resolve",
    "search",
    "taken",
]
