"""Why people look, as it stands on record: what somebody typed can be erased, what law or gateway name stays."""

from __future__ import annotations

from collections.abc import Mapping

from exchange import Json
from questions import words

# The purpose of those who look without naming one of their own.
SUPERVISION = "supervision of the exchange log"
# That of who looks at flags, or at what was corrected, without naming one.
LOOKED_THROUGH = "supervision"
# Purposes of acts for which nobody typed one.
_OWN = frozenset({SUPERVISION, LOOKED_THROUGH})


def why(purpose: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """The purpose of an act as its record has it: among the facts, or among the values that can be erased.

    What a person typed may name another, so it is a value; a purpose that the law or the gateway names is a fact.
    """
    kept: dict[str, Json] = {"purpose": purpose}
    return ({}, kept) if _is_typed(purpose) else (kept, {})


def purpose_told(leaf: Mapping[str, Json], values: Mapping[str, Json] | None) -> str:
    """Why something was asked or done, for somebody who sees these values of the record; None where he sees none.

    Records from before 2026-11-28 have in their leaf what was typed as the purpose of an act: it is told as a value is.
    """
    told = leaf.get("purpose") or (values or {}).get("purpose")
    if not isinstance(told, str):
        return ""
    return "" if values is None and "act" in leaf and _is_typed(told) else told


def _is_typed(purpose: str) -> bool:
    return bool(purpose) and purpose not in _OWN and purpose not in words.table("purposes")
