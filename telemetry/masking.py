"""Takes out of a text what looks like a Latvian personal code."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "…"

# Eleven digits, with or without a mark after the sixth, no more digits around; but not those within a UUID.
_UUID_OR_CODE = re.compile(
    r"(?P<uuid>(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z]))"
    r"|(?<![0-9])[0-9]{6}[-_. ]?[0-9]{5}(?![0-9])"
)


def masked(value: object) -> object:
    """The value with every code in its texts masked, however deep: keys stay, numbers of eleven digits do not."""
    if isinstance(value, str):
        return _UUID_OR_CODE.sub(lambda found: found["uuid"] or MASK, value)
    if isinstance(value, Mapping):
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    if value is None or isinstance(value, bool | float):
        return value
    # An int stays one unless its digits are a code's; whatever else there is becomes its text.
    text = str(value)
    clean = masked(text)
    return value if isinstance(value, int) and clean == text else clean
