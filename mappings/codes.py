"""Code lists as data: `mappings/codes/<list>.csv` with code, Latvian text and English text.

A code never travels without its text (naming rules of the state schema catalogue), and an unknown code is an error.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a named list with its texts (klasifikatora vērtība)."""

    code: str
    text_lv: str
    text_en: str
