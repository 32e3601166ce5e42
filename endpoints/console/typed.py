"""What a person typed or chose in a form that decides something, and how it is told what came of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from endpoints.console.visit import Visit
from errors import InvalidRequest

# A box that is ticked is named by this and the id of what is chosen; its value is the state that was seen.
CHOSEN = "row:"
_MOST_OF_A_REASON = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence above a page; `state` is good, warn or bad."""

    text: str
    state: str = "good"


def reason(visit: Visit) -> str:
    """Why something is decided, as it was typed; it is kept as personal values are, erasable.

    Raises: InvalidRequest, in the language of the visit.
    """
    text = " ".join(visit.form.get("reason", "").split())
    if not text:
        raise InvalidRequest(visit.say("Say why you decide so: the reason goes on record."))
    if len(text) > _MOST_OF_A_REASON:
        raise InvalidRequest(visit.say("The reason may have 500 characters."))
    return text


def chosen(visit: Visit) -> dict[uuid.UUID, str]:
    """What was ticked, with the state that was seen of it; nothing where nothing was."""
    found: dict[uuid.UUID, str] = {}
    for name, seen in visit.form.items():
        one = identifier(name.removeprefix(CHOSEN)) if name.startswith(CHOSEN) else None
        if one is not None:
            found[one] = seen
    return found


def identifier(text: str) -> uuid.UUID | None:
    """An id from an address or a form; None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
